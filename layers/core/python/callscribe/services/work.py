"""What a worker does with one message of the work queue: fetch, transcribe, store once, report."""

import logging
import tempfile
import time
from pathlib import Path

from callscribe.domain import transcripts
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import update
from callscribe.errors import Conflict, FailureCode, JobFailed
from callscribe.ports import Deps, Transcriber, WorkMessage
from callscribe.services import jobs

log = logging.getLogger(__name__)

_TRIES = 5


def transcribe(deps: Deps, message: WorkMessage, transcriber: Transcriber) -> None:
    """Do one piece of work and report it. Whoever stores the transcript first has done it; the rest just report.

    Raises what went wrong where another try may help; the message then comes back.
    """
    job = deps.store.get(Job, message.tenant_id, message.job_id)
    if job is None or job.state is not JobState.TRANSCRIBING:
        # It ended otherwise (a deadline): let the execution that still waits for this token end too.
        log.info("nothing to do for job %s", message.job_id)
        deps.task_reports.fail(message.task_token, error=FailureCode.INTERNAL, cause="the job has ended")
        return
    try:
        if deps.results.head(job.transcript_key) is None:
            _transcribe_once(deps, job, transcriber)
    except JobFailed as failed:
        jobs.note_failure(deps, job, failed.failure)
        deps.task_reports.fail(message.task_token, error=failed.failure.code, cause=failed.failure.message)
        return
    deps.task_reports.succeed(message.task_token)


def give_up(deps: Deps, *, task_token: str, tries: int) -> None:
    """Work that no worker could finish: let its execution go on to the failing path."""
    deps.task_reports.fail(task_token, error=FailureCode.INTERNAL, cause=f"given up after {tries} tries")


def _transcribe_once(deps: Deps, job: Job, transcriber: Transcriber) -> None:
    if job.audio is None:
        raise JobFailed(FailureCode.INTERNAL, "the recording was not prepared")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audio"
        deps.uploads.download(job.audio_key, path, version_id=job.audio_version_id)
        started_s = time.monotonic()
        transcript = transcriber(path, job.audio, language=job.language)
        work_s = time.monotonic() - started_s
    body = transcripts.to_json(transcript)
    if deps.results.put_if_absent(job.transcript_key, body, content_type="application/json"):
        _note_work(deps, job, work_s)


def _note_work(deps: Deps, job: Job, work_s: float) -> None:
    """Keep what the job cost. Best effort: the figure may be lost, the transcript is not."""
    for _ in range(_TRIES):
        try:
            deps.store.commit(update(job, work_s=round(work_s, 3)))
        except Conflict:  # the sweeper touched it meanwhile
            job = jobs.find(deps, tenant_id=job.tenant_id, job_id=job.id)
        else:
            return
    log.warning("job %s: what it cost could not be noted", job.id)
