"""Finding a tenant's jobs by the ids that clients have."""

from callscribe.domain.jobs import Job, JobNumber
from callscribe.errors import NotFound
from callscribe.ports import Deps

_NUMBER_DIGITS = 15


class NoSuchJob(NotFound):
    """No job of this id, or no longer: never made, foreign, or deleted while a step of it was under way."""


def find(deps: Deps, *, tenant_id: str, job_id: str) -> Job:
    """A tenant's job. Raises NoSuchJob, for a foreign job exactly as for an unknown one."""
    job = deps.store.get(Job, tenant_id, job_id)
    if job is None:
        raise NoSuchJob(f"no job {job_id}")
    return job


def find_by_any_id(deps: Deps, *, tenant_id: str, given: str) -> Job:
    """A tenant's job by its uuid (in either case) or its number, as every dialect accepts both. Raises NoSuchJob."""
    if given.isascii() and given.isdecimal() and len(given) <= _NUMBER_DIGITS:
        return find_by_number(deps, tenant_id=tenant_id, number=int(given))
    return find(deps, tenant_id=tenant_id, job_id=given.lower())


def find_by_number(deps: Deps, *, tenant_id: str, number: int) -> Job:
    """A tenant's job by its number. Raises NoSuchJob."""
    known = deps.store.get(JobNumber, tenant_id, number)
    if known is None:
        raise NoSuchJob(f"no job {number}")
    return find(deps, tenant_id=tenant_id, job_id=known.job_id)
