"""Tasks as an integrator lists and filters them: one row for each, and the criteria to find them by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final


class TaskType(StrEnum):
    """What a task works on."""

    CALL = "call"
    CHAT = "chat"
    EMAIL = "email"
    AUDIO = "audio"
    YOUTUBE = "youtubenew"
    REPORT = "callreport"


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
        return datetime.fromtimestamp(self.created_at_ms / 1000, UTC).strftime("%Y-%m")


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

    `operator`: part of the operator's name, whatever the case. `words`: all of them stand in the task's words. Of
    `labels`, `politenesses`, `tags_any` and `answers` one fits, of `tags_all` each; tags and answers whatever the case.
    """

    code: str | None = None
    id: int | None = None
    type: TaskType | None = None
    status: TaskStatus | None = None
    called: Range = ANY  # epoch milliseconds
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
