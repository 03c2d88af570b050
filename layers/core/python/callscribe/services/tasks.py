"""Tasks: jobs that somebody lists, filters and reports on. How they are made is said in modules of their own."""

import time
from collections.abc import Callable
from typing import Final

from callscribe.domain import short_codes
from callscribe.domain.jobs import Job, change_task, is_job_id
from callscribe.domain.task_facts import TaskFacts
from callscribe.domain.task_marks import marks
from callscribe.errors import Unavailable
from callscribe.ports import Deps
from callscribe.services import jobs
from callscribe.services.commits import committed, pause_s
from callscribe.services.finding import NoSuchJob, find_by_number
from callscribe.services.task_files import add_file, add_url, add_video
from callscribe.services.task_making import NewTask
from callscribe.services.task_pieces import BUSINESS, add_chat, add_report

__all__ = [
    "BUSINESS",
    "NewTask",
    "add_chat",
    "add_file",
    "add_report",
    "add_url",
    "add_video",
    "changed",
    "find",
]

_TRIES: Final = 30  # of a change that lost a race; each one reads again


def find(deps: Deps, tenant_id: str, given: str) -> Job:
    """A tenant's task by its code (a uuid, in either case), its id, or its short code: the id in base 36 (T-A14).

    A text of digits alone is an id. Raises NotFound, also for a job that is no task.
    """
    number = short_codes.number_of(given)
    if number is not None:
        job = find_by_number(deps, tenant_id=tenant_id, number=number)
    elif is_job_id(given.lower()):
        job = jobs.find(deps, tenant_id=tenant_id, job_id=given.lower())
    else:  # whatever it is, it must not come near a key of the table
        raise NoSuchJob("this names no task")
    if job.task is None:
        raise NoSuchJob(f"the job {job.id} is no task")
    return job


def changed(deps: Deps, tenant_id: str, job_id: str, change: Callable[[TaskFacts], TaskFacts]) -> Job:
    """Change what lists show of a task, as `change` says, which may be asked several times; the job afterwards.

    Nothing is written where nothing changes. Raises NotFound, and what `change` raises.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(pause_s(deps, attempt))
        job = jobs.find(deps, tenant_id=tenant_id, job_id=job_id)
        if job.task is None:
            raise NoSuchJob(f"no task {job_id}")
        after = change(job.task)
        if after == job.task:
            return job
        step = change_task(job, after, at_ms=deps.now_ms())
        if committed(deps, step, *marks(step)):
            stored: Job = step.after
            return stored
    raise Unavailable(f"task {job_id} changed too often")
