"""Tasks as an integrator lists and filters them: one row for each, and the criteria to find them by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from callscribe.domain.task_facts import TaskType
from callscribe.domain.texts import caseless

# The types are said with a job's facts.
__all__ = [
    "Criteria",
    "Found",
    "Range",
    "TaskRow",
    "TaskStatus",
    "TaskType",
    "Unwritten",
    "day_name",
    "folded",
    "month_of",
]

DAY_MS: Final = 86_400_000
MOST_INTEGER: Final = 2**63 - 1  # that files of the index can hold
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TaskStatus(StrEnum):
    """Where a task stands. `audio_completed`: transcribed, the analysis is still to come."""

    PENDING = "pending"
    PROCESSING = "processing"
    AUDIO_COMPLETED = "audio_completed"
    COMPLETED = "completed"
    ERROR = "error"


# What an analysis may have judged a task to be, each by the id of one word of a fixed list.
LABELS: Final = ("tone", "resolved_status", "priority", "funnel_stage", "risk_signal", "sales_signal")


@dataclass(frozen=True, slots=True)
class TaskRow:
    """Everything that a list shows of a task, or that a criterion may ask for. Times are epoch milliseconds, UTC.

    `id` counts the tenant's tasks, `code` is the job's uuid. `labels` are ids by the names of LABELS. `words` is what
    is searched by words: summary, original and normalised text.
    """

    id: int
    code: str
    type: TaskType
    status: TaskStatus
    created_at_ms: int
    updated_at_ms: int
    version: int
    file_name: str | None = None
    operator_name: str | None = None
    call_at_ms: int | None = None
    call_type: str | None = None
    call_date: str | None = None
    error_message: str | None = None
    directory_id: int | None = None
    length_min: float = 0.0  # minutes
    report_type: str | None = None
    satisfaction: int | None = None  # 0 to 10
    politeness: int | None = None  # 1 to 5
    script_alignment: float | None = None  # 0 to 100
    labels: Mapping[str, int] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    answers: tuple[tuple[int, str], ...] = ()  # of the checklist: id of the question, answer
    words: str = ""

    @property
    def month(self) -> str:
        """The month in which it was made, `YYYY-MM`: which file of the index it stands in, for ever."""
        return month_of(self.created_at_ms)

    @property
    def moment_ms(self) -> int:
        """When the call was: its time, else the start (UTC) of its date, else, where its client says nothing, when the
        task was made.
        """
        if self.call_at_ms is not None:
            return self.call_at_ms
        day_ms = None if self.call_date is None else _start_of_day_ms(self.call_date)
        return self.created_at_ms if day_ms is None else day_ms

    @property
    def day(self) -> int:
        """The day of that moment in UTC, counted from 1970-01-01."""
        return self.moment_ms // DAY_MS


def folded(text: str) -> str:
    """What two names, tags or answers have in common that count as the same, however they are written: neither case
    makes a difference, nor white space, control characters, or the dots on a ё.
    """
    return " ".join(caseless(_CONTROLS.sub(" ", text)).replace("ё", "е").split())


def _start_of_day_ms(date: str) -> int | None:
    """The first moment of a day `YYYY-MM-DD`, UTC; None for what is no day."""
    try:
        return round(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None


def month_of(created_at_ms: int) -> str:
    """The month of a moment, `YYYY-MM`, UTC."""
    return datetime.fromtimestamp(created_at_ms / 1000, UTC).strftime("%Y-%m")


def start_of_month_ms(month: str) -> int:
    """The first moment of a month `YYYY-MM`, UTC."""
    return round(datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).timestamp() * 1000)


def end_of_month_ms(month: str) -> int:
    """The first moment after a month `YYYY-MM`, UTC."""
    some_of_the_next = start_of_month_ms(month) + 31 * DAY_MS
    return start_of_month_ms(month_of(some_of_the_next))


def storable(text: str) -> str:
    """The text with � in place of each half of a character, which no file takes."""
    return text.encode(errors="surrogatepass").decode(errors="replace")


def day_name(day: int) -> str:
    """`YYYY-MM-DD` of a day that is counted from 1970-01-01."""
    return (_EPOCH + timedelta(days=day)).date().isoformat()


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What changed since an index took tasks in: by id the newest version of each, and the rows that they now have.

    A task that went has a version and no row. An index that knows a newer version keeps to that.
    """

    versions: Mapping[int, int] = field(default_factory=dict)
    rows: tuple[TaskRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends belong to it; None: no end."""

    least: float | None = None
    most: float | None = None

    def __bool__(self) -> bool:
        return self.least is not None or self.most is not None

    def __contains__(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


ANY: Final = Range()


@dataclass(frozen=True, slots=True)
class Criteria:
    """What the tasks of a list have in common: all criteria that are given. A task without a value fits no criterion.

    `operator`: part of the operator's name. `words`: all of them stand in the task's words. Of `labels`,
    `politenesses`, `tags_any` and `answers` one fits, of `tags_all` each. Names, tags and answers fit as `folded`.
    """

    code: str | None = None
    id: int | None = None
    type: TaskType | None = None
    status: TaskStatus | None = None
    moment_ms: Range = ANY  # of the call
    call_type: str | None = None
    operator: str | None = None
    words: str | None = None
    labels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    script_alignment: Range = ANY
    satisfaction: Range = ANY
    politenesses: tuple[int, ...] = ()
    politeness: Range = ANY
    tags_any: tuple[str, ...] = ()
    tags_all: tuple[str, ...] = ()
    length_min: Range = ANY  # minutes
    checklist_id: int | None = None
    answers: tuple[str, ...] = ()


EVERYTHING: Final = Criteria()


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a list, last changed first, and how many tasks fit in all."""

    rows: tuple[TaskRow, ...]
    total: int
