"""Why jobs cannot succeed: what their owners are told, and how a step notes it for the step that ends the job."""

from callscribe.domain.audio import AudioFacts
from callscribe.domain.jobs import Job
from callscribe.domain.records import update
from callscribe.errors import Failure, FailureCode, JobFailed, Unavailable
from callscribe.ports import Deps
from callscribe.services.commits import committed
from callscribe.services.finding import find

_TRIES = 5  # of a step that lost a race; each one reads again and decides again

MESSAGES = {
    FailureCode.DEADLINE_EXCEEDED: "the recording was not transcribed within the time limit",
    FailureCode.UPLOAD_EXPIRED: "nothing was uploaded before the upload window closed",
    FailureCode.SOURCE_UNREACHABLE: "the audio could not be fetched in time",
    FailureCode.INTERNAL: "the recording could not be transcribed because of an internal error",
}


def note_failure(deps: Deps, job: Job, failure: Failure, **facts: AudioFacts) -> None:
    """Keep why a job cannot succeed (and `audio`, if known), for the step that ends it. The first reason stays."""
    for _ in range(_TRIES):
        if job.failure is not None or job.finished or committed(deps, update(job, failure=failure, **facts)):
            return
        job = find(deps, tenant_id=job.tenant_id, job_id=job.id)
    raise Unavailable(f"job {job.id} changed too often")


def failed(job: Job) -> JobFailed:
    """The error of a step that comes to a job which has ended, or is about to."""
    failure = job.failure or Failure(FailureCode.INTERNAL, MESSAGES[FailureCode.INTERNAL])
    return JobFailed(failure.code, failure.message)
