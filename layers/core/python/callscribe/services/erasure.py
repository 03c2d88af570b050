"""Deleting a job with everything that came of it: objects in all their versions, links, callbacks, then its record.

The ledger keeps its lines, which hold ids and amounts. A deletion that broke off is completed by the next one: the
job's own record goes last, in one transaction with what it is found by.
"""

import contextlib

from callscribe.domain.callbacks import Attempt, Callback
from callscribe.domain.jobs import Job, JobNumber
from callscribe.domain.records import Change, delete
from callscribe.domain.task_facts import TaskType
from callscribe.domain.task_marks import TASKS, DirtyTask, marks
from callscribe.errors import Conflict, Unavailable
from callscribe.ports import Deps
from callscribe.services import jobs
from callscribe.services.leftovers import erase_contents

__all__ = ["erase_contents", "erase_job"]

_TRIES = 5  # against deliveries that are being made
_CHANGES = 100  # of one transaction
_BYTES = 2_000_000  # of one transaction, about: DynamoDB takes 4 MB, and writes some things at greater length


def erase_job(deps: Deps, *, tenant_id: str, job_id: str) -> None:
    """Cancel the job if it has not ended, then remove all of it. Raises NotFound for one that is gone."""
    job = jobs.cancel(deps, tenant_id=tenant_id, job_id=job_id)
    for _ in range(_TRIES):
        with contextlib.suppress(Conflict):
            erase_contents(deps, job)
            *earlier, last = _groups(_rows(deps, job), _own_rows(deps, job))
            for group in earlier:
                deps.store.commit(*group)
            deps.store.commit(*last)
            return
        job = jobs.find(deps, tenant_id=tenant_id, job_id=job_id)
    raise Unavailable(f"job {job_id} changed too often")


def _rows(deps: Deps, job: Job) -> list[Change]:
    """What hangs on the job; last of all its newest state that no list has taken in yet.

    A state that is newer than the job was made since the job was read, which therefore is not deleted either.
    """
    attempts = deps.store.children(Attempt, job.tenant_id, job.id)
    callbacks = deps.store.children(Callback, job.tenant_id, job.id)
    states = [] if job.task is None else deps.store.children(DirtyTask, job.tenant_id, TASKS, job.number)
    known = [state for state in states if state.of_version <= job.version]
    return [*map(delete, attempts), *map(delete, callbacks), *map(delete, known)]


def _own_rows(deps: Deps, job: Job) -> list[Change]:
    """The job, and what it is found by: while it is there, so are these."""
    number = deps.store.get(JobNumber, job.tenant_id, job.number)
    numbers = [] if number is None else [delete(number)]
    gone = delete(job)
    return [*numbers, *_task_rows(deps, job), *marks(gone), gone]


def _task_rows(deps: Deps, job: Job) -> list[Change]:
    """What only a task is found by: its report's code, the digests of its file."""
    if job.task is None:
        return []
    from callscribe.domain.reports import PublicReport  # late, both: APIs without tasks load this module, too
    from callscribe.services import known_files

    report = deps.store.get(PublicReport, job.id) if job.task.type is TaskType.REPORT else None
    reports = [] if report is None else [delete(report)]
    return [*reports, *known_files.forgetting(deps, job)]


def _groups(rows: list[Change], own: list[Change]) -> list[list[Change]]:
    """Transactions that hold no more than one may. The last one holds all that are `own`, and of the others the last
    ones for which it has room.
    """
    groups, size_bytes = [own], sum(map(_size_bytes, own))
    for row in reversed(rows):
        size_bytes += _size_bytes(row)
        if len(groups[0]) >= _CHANGES or size_bytes > _BYTES:
            groups.insert(0, [])
            size_bytes = _size_bytes(row)
        groups[0].insert(0, row)
    return groups


def _size_bytes(change: Change) -> int:
    """About what a transaction counts for it: all of the record, also when it goes."""
    return len(repr(change.before or change.after).encode("utf-8", "replace"))
