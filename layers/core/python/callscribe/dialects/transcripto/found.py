"""The task that a request names, and what was said in it."""

from typing import Final

from callscribe.dialects.front import Call
from callscribe.dialects.transcripto.answering import principal_of
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.domain import roles
from callscribe.domain.chats import Chat
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.roles import Roles
from callscribe.domain.task_facts import TaskType
from callscribe.domain.transcripts import Transcript
from callscribe.errors import NotFound
from callscribe.ports import Deps
from callscribe.services import jobs, tasks

WITH_OPERATOR: Final = (TaskType.CALL, TaskType.CHAT)
_MOST_CHARACTERS: Final = 64  # of any name that a task has


def type_of(job: Job) -> TaskType | None:
    """What a task works on; None for a job that is none."""
    return None if job.task is None else job.task.type


def task(deps: Deps, call: Call, code: str) -> Job:
    """The caller's task by any of its names. Raises Refused: without a name, and for one that is unknown or foreign."""
    given = code.strip()
    if not given:
        raise Refused(Problem.NO_TASK_CODE)
    try:
        if len(given) > _MOST_CHARACTERS:
            raise NotFound("no task has such a long name")
        return tasks.find(deps, principal_of(call).tenant_id, given)
    except NotFound as error:
        raise Refused(Problem.TASK_NOT_FOUND) from error


def chat(deps: Deps, job: Job) -> Chat | None:
    """What was written; None before the task is completed, and once it is no longer kept."""
    try:
        return jobs.chat(deps, job) if job.state is JobState.COMPLETED else None
    except NotFound:
        return None


def transcript(deps: Deps, job: Job) -> Transcript | None:
    """What was said; None before it is known, and once it is no longer kept."""
    try:
        return jobs.transcript(deps, job) if job.state is JobState.COMPLETED else None
    except NotFound:
        return None


def roles_of(job: Job, said: Transcript) -> Roles | None:
    """Who is the operator; None where there is none."""
    if type_of(job) not in WITH_OPERATOR:
        return None
    return roles.assign(said, job.call, swapped=job.roles_swapped, channels=job.channels)
