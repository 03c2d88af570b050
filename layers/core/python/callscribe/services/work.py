"""What a worker does with one message of the work queue: fetch, transcribe, store once, report."""

import logging
import time
from dataclasses import replace

from callscribe.domain import transcripts
from callscribe.domain.accounts import Tenant
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import update
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import Conflict, FailureCode, JobFailed
from callscribe.ports import Deps, Transcriber, TranscriptionOptions, WorkMessage
from callscribe.services import jobs, leftovers
from callscribe.services.scratch import scratch_folder

log = logging.getLogger(__name__)

_TRIES = 5


def transcribe(deps: Deps, message: WorkMessage, transcriber: Transcriber) -> WorkFigures | None:
    """Do one piece of work and report it. Whoever stores the transcript first has done it; the rest just report.

    Answers what it cost; None where nothing was transcribed: because that was done before, is not wanted any more, or
    cannot be done. Raises what went wrong where another try may help (the message then comes back), and Stopped.
    """
    job = deps.store.get(Job, message.tenant_id, message.job_id)
    if job is None or job.state is not JobState.TRANSCRIBING:
        # It ended otherwise (a deadline): let the execution that still waits for this token end too.
        log.info("nothing to do for job %s", message.job_id)
        # An earlier try may have died before it could. What the job's end left is not for us before its time is over.
        _discard(deps, message.tenant_id, message.job_id, job, deps.now_ms() - 1000 * deps.settings.fetched_result_s)
        deps.task_reports.fail(message.task_token, error=FailureCode.INTERNAL, cause="the job has ended")
        return None
    try:
        figures = None if deps.results.head(job.transcript_key) else _transcribe_once(deps, job, transcriber)
    except JobFailed as failed:
        jobs.note_failure(deps, job, failed.failure)
        deps.task_reports.fail(message.task_token, error=failed.failure.code, cause=failed.failure.message)
        return None
    deps.task_reports.succeed(message.task_token)
    return figures


def give_up(deps: Deps, *, task_token: str, tries: int) -> None:
    """Work that no worker could finish: let its execution go on to the failing path."""
    deps.task_reports.fail(task_token, error=FailureCode.INTERNAL, cause=f"given up after {tries} tries")


def _transcribe_once(deps: Deps, job: Job, transcriber: Transcriber) -> WorkFigures:
    if job.audio is None:
        raise JobFailed(FailureCode.INTERNAL, "the recording was not prepared")
    started_s = time.monotonic()
    with scratch_folder() as folder:
        path = folder / "audio"
        deps.uploads.download(job.audio_key, path, version_id=job.audio_version_id)
        done = transcriber(path, job.audio, _options(deps, job))
        figures = replace(done.figures, worker_s=round(time.monotonic() - started_s, 3))
    body = transcripts.to_json(done.transcript)
    stored_from_ms = deps.now_ms()
    if deps.results.put_if_absent(job.transcript_key, body, content_type="application/json"):
        now = deps.store.get(Job, job.tenant_id, job.id)
        _discard(deps, job.tenant_id, job.id, now, stored_from_ms)
        if now is not None:
            _note_work(deps, now, figures)
    return figures


def _options(deps: Deps, job: Job) -> TranscriptionOptions:
    """With the tenant's vocabulary, as it is now, behind the job's own."""
    tenant = deps.store.get(Tenant, job.tenant_id)
    terms = job.vocabulary if tenant is None else (*job.vocabulary, *tenant.vocabulary)
    return TranscriptionOptions(
        language=job.language, diarize=job.diarize, vocabulary=tuple(dict.fromkeys(terms)), tenant_id=job.tenant_id
    )


def _discard(deps: Deps, tenant_id: str, job_id: str, now: Job | None, stored_from_ms: int) -> None:
    """Remove a transcript whose job was cancelled or deleted while it was made, or ended before and is not kept."""
    if now is None:
        leftovers.erase_results_of_none(deps, tenant_id, job_id)
    elif now.state is JobState.CANCELLED:
        deps.results.erase(now.results_prefix)
    elif _came_late(now, stored_from_ms):  # the body of a callback stays: it may have to be sent
        deps.results.erase(now.transcript_key)


def _came_late(job: Job, stored_from_ms: int) -> bool:
    """Whether nobody will remove what we stored from then on: a second worker's, after the first one's was fetched."""
    if job.kept or job.finished_at_ms is None:
        return False
    return job.state is JobState.FAILED or job.finished_at_ms < stored_from_ms


def _note_work(deps: Deps, job: Job, figures: WorkFigures) -> None:
    """Keep what the job cost. Best effort: the figure may be lost, the transcript is not."""
    for _ in range(_TRIES):
        try:
            deps.store.commit(update(job, work=figures))
        except Conflict:  # the sweeper touched it meanwhile, or its owner deleted it
            known = deps.store.get(Job, job.tenant_id, job.id)
            if known is None:
                return
            job = known
        else:
            return
    log.warning("job %s: what it cost could not be noted", job.id)
