"""What is reported of one task, whatever file it becomes: a title, and sections of lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from callscribe.domain.call_facts import Direction
from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Transcript
from callscribe.exports.labels import label_by
from callscribe.exports.task_labels import TASK_LABELS, TaskLabels
from callscribe.exports.text import clean
from callscribe.exports.times import clock_time, moment
from callscribe.exports.turns import lead, turns


class Kind(StrEnum):
    """What the report is about."""

    CALL = "call"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class TaskReport:
    """The facts of a report; what is None or empty is left out. Times: epoch ms.

    `call_date` (YYYY-MM-DD) is shown where `called_at_ms` is not known. `answers`: question and answer of a checklist.
    """

    kind: Kind
    number: int
    created_at_ms: int
    file_name: str | None = None
    operator_name: str | None = None
    client_id: str | None = None
    direction: Direction | None = None
    called_at_ms: int | None = None
    call_date: str | None = None
    duration_s: float | None = None
    answers: tuple[tuple[str, str], ...] = ()
    transcript: Transcript | None = None
    roles: Roles | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its lines, each a lead (which stands out, where the file can do that) and a text: one line."""

    heading: str
    lines: tuple[tuple[str, str], ...]


def title(report: TaskReport, language: str) -> str:
    """The report's title in one of the languages of TASK_LABELS."""
    labels = TASK_LABELS[language]
    return f"{labels.call if report.kind is Kind.CALL else labels.video} {report.number}"


def sections(report: TaskReport, language: str) -> Iterator[Section]:
    """The facts, then the checklist and the transcript where there are any."""
    labels = TASK_LABELS[language]
    yield Section(labels.facts, tuple((f"{name}: ", value) for name, value in _facts(report, labels) if value))
    if report.answers:
        yield Section(labels.checklist, tuple((f"{clean(ask)}: ", clean(answer)) for ask, answer in report.answers))
    if report.transcript is not None:
        said = turns(report.transcript, label_by(report.roles, labels.names))
        lines = tuple((lead(turn), turn.text) for turn in said)
        yield Section(labels.transcript, lines or (("", labels.no_words),))


def _facts(report: TaskReport, labels: TaskLabels) -> Iterator[tuple[str, str]]:
    yield labels.file, clean(report.file_name or "")
    yield labels.operator, clean(report.operator_name or "")
    yield labels.client, clean(report.client_id or "")
    yield labels.direction, _direction(report, labels)
    yield labels.called, clean(report.call_date or "") if report.called_at_ms is None else moment(report.called_at_ms)
    yield labels.created, moment(report.created_at_ms)
    yield labels.duration, "" if report.duration_s is None else clock_time(report.duration_s)
    yield labels.language, "" if report.transcript is None else clean(report.transcript.language or "")


def _direction(report: TaskReport, labels: TaskLabels) -> str:
    if report.direction is None:
        return ""
    return labels.inbound if report.direction is Direction.INBOUND else labels.outbound
