"""Reports that anybody may have who knows their code (T-35)."""

from callscribe.domain.accounts import Tenant
from callscribe.domain.jobs import Job, is_job_id
from callscribe.domain.reports import PublicReport
from callscribe.domain.task_facts import TaskType
from callscribe.errors import NotFound
from callscribe.ports import Deps
from callscribe.services import jobs, tasks


class NoOwner(NotFound):
    """The tenant that had the report made is gone."""


def find(deps: Deps, code: str) -> Job:
    """The job that made the report of this code, in either case, whoever asks. Raises NotFound, NoOwner.

    No other name of a task will do: a short code and an id can be guessed (T-A14).
    """
    given = code.lower()
    known = deps.store.get(PublicReport, given) if is_job_id(given) else None
    if known is None:
        raise NotFound("no such report")
    if deps.store.get(Tenant, known.tenant_id) is None:
        raise NoOwner("the owner of the report is gone")
    return jobs.find(deps, tenant_id=known.tenant_id, job_id=known.job_id)


def find_own(deps: Deps, tenant_id: str, given: str) -> Job:
    """The job that made a report of this tenant, by any of its names. Raises NotFound."""
    job = tasks.find(deps, tenant_id, given)
    if job.task is None or job.task.type is not TaskType.REPORT:
        raise NotFound("no such report")
    return job
