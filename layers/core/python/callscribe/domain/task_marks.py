"""Dirty rows: which tasks changed since the index took them in (design decision 11)."""

from dataclasses import dataclass
from typing import ClassVar

from callscribe.domain.jobs import Job
from callscribe.domain.records import Change, insert

TASKS = "tasks"  # the one list that a tenant has
DUE_AFTER_MS = 1_800_000  # by then the index has long been asked, and has taken it in: it gathers for 900 s at most


@dataclass(frozen=True, slots=True)
class DirtyTask:
    """One change of a task, stored in the transaction that made it: the job as it then was, None where it went.

    `of_version` is the job's own; of several rows of one task the highest counts. A row that is still there when it is
    due was forgotten on its way to the index; that of a removal is due at once.
    """

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "list_name", "task_id", "of_version")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    list_name: str
    task_id: int
    of_version: int
    created_at_ms: int  # of the job: which month's file it stands in
    job: Job | None
    due_at_ms: int | None = None
    version: int = 0


def marks(change: Change) -> list[Change]:
    """What goes into one transaction with a change of a job (or its making or removal): its dirty row, if lists see it.

    Nothing for a job that is no task, and for a change that no list shows.
    """
    before: Job | None = change.before
    after: Job | None = change.after
    job = after or before
    if job is None or job.task is None:
        return []
    if before is not None and after is not None and _shown(before) == _shown(after):
        return []
    of_version = job.version if after is not None else job.version + 1
    due_at_ms = job.changed_at_ms + DUE_AFTER_MS  # nobody says when a task was removed; an ask too many is no harm
    return [insert(DirtyTask(job.tenant_id, TASKS, job.number, of_version, job.created_at_ms, after, due_at_ms))]


def _shown(job: Job) -> tuple[object, ...]:
    """What tells two versions of a task apart in lists; the time alone would not, where two changes share one."""
    return job.changed_at_ms, job.state, job.task
