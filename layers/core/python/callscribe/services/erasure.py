"""Deleting a job with everything that came of it: objects in all their versions, links, callbacks, then its record.

The ledger keeps its lines, which hold ids and amounts. A deletion that broke off is completed by the next one: the
job's own record goes last, in one transaction with the rows that hang on it.
"""

import contextlib

from callscribe.domain.callbacks import Attempt, Callback
from callscribe.domain.jobs import Job, JobNumber
from callscribe.domain.records import Change, delete
from callscribe.errors import Conflict, Unavailable
from callscribe.ports import Deps
from callscribe.services import jobs
from callscribe.services.leftovers import erase_contents

__all__ = ["erase_contents", "erase_job"]

_TRIES = 5  # against deliveries that are being made
_CHANGES = 100  # of one transaction


def erase_job(deps: Deps, *, tenant_id: str, job_id: str) -> None:
    """Cancel the job if it has not ended, then remove all of it. Raises NotFound for one that is gone."""
    job = jobs.cancel(deps, tenant_id=tenant_id, job_id=job_id)
    for _ in range(_TRIES):
        with contextlib.suppress(Conflict):
            erase_contents(deps, job)
            _delete_all(deps, _rows(deps, job))
            return
        job = jobs.find(deps, tenant_id=tenant_id, job_id=job_id)
    raise Unavailable(f"job {job_id} changed too often")


def _rows(deps: Deps, job: Job) -> list[Change]:
    """What hangs on the job first, its own record last."""
    attempts = deps.store.children(Attempt, job.tenant_id, job.id)
    callbacks = deps.store.children(Callback, job.tenant_id, job.id)
    number = deps.store.get(JobNumber, job.tenant_id, job.number)
    numbers = [] if number is None else [delete(number)]
    return [*map(delete, attempts), *map(delete, callbacks), *numbers, delete(job)]


def _delete_all(deps: Deps, changes: list[Change]) -> None:
    """The last ones in one transaction."""
    first = len(changes) % _CHANGES or _CHANGES
    for end in range(first, len(changes) + 1, _CHANGES):
        deps.store.commit(*changes[max(0, end - _CHANGES) : end])
