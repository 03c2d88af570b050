"""What a job knows about its being a task: somebody's piece of work that is listed, filtered and reported on."""

from dataclasses import dataclass
from enum import StrEnum


class TaskType(StrEnum):
    """What a task works on."""

    CALL = "call"
    CHAT = "chat"
    EMAIL = "email"
    AUDIO = "audio"
    YOUTUBE = "youtubenew"
    REPORT = "callreport"


@dataclass(frozen=True, slots=True)
class ChecklistAnswer:
    """What was answered, for one task, to one question of a checklist (by its id).

    `owner`: on whose shelf the question is; ids are unique in a tenant all the same.
    """

    checklist_id: int
    answer: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What lists show of a task beside its job. Who called whom is in `Job.call`.

    `operator_name`: as it was given, "global" where a call or a chat names none. `call_date`: YYYY-MM-DD.
    `call_at_ms`: epoch milliseconds, UTC. `report_from` and `report_until` (dates or times, as they were given; UTC
    where no zone is) belong to a report.
    """

    type: TaskType
    file_name: str | None = None
    operator_name: str | None = None
    client_id: str | None = None
    call_date: str | None = None
    call_at_ms: int | None = None
    processing_type: str | None = None
    directory_id: int | None = None
    report_type: str | None = None
    report_from: str | None = None
    report_until: str | None = None
    answers: tuple[ChecklistAnswer, ...] = ()
    known_files: tuple[str, ...] = ()  # digests of the records that keep its file from being taken twice
