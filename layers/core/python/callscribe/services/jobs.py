"""The life of a job: created, uploaded, prepared, then finished, failed or cancelled. Every step is safe to run twice.

Its money moves in the same transactions: held when its length is known, settled or released when it ends.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from callscribe.domain import transcripts
from callscribe.domain.audio import AudioFacts
from callscribe.domain.callbacks import sign_body
from callscribe.domain.credits import shown
from callscribe.domain.jobs import Job, JobNumber, JobState, move
from callscribe.domain.records import Change, Step, insert, update
from callscribe.domain.transcripts import Transcript
from callscribe.errors import (
    Exhausted,
    Failure,
    FailureCode,
    InsufficientCredits,
    JobFailed,
    NotFound,
    Unavailable,
)
from callscribe.ports import Deps
from callscribe.services import accounts, arrivals, callbacks, ledger, leftovers
from callscribe.services.callbacks import Renderer, Result
from callscribe.services.commits import committed
from callscribe.services.creation import (
    Beside,
    Idempotency,
    NewJob,
    Source,
    Upload,
    create,
    create_upload,
    price_for,
    upload_of,
)
from callscribe.services.links import open_result_link, result_link, result_token
from callscribe.services.scratch import scratch_folder

__all__ = [  # how jobs are made and linked to is said in modules of their own, and found here
    "Beside",
    "Idempotency",
    "NewJob",
    "NoSuchJob",
    "Source",
    "Upload",
    "cancel",
    "create",
    "create_upload",
    "fail",
    "find",
    "find_by_any_id",
    "finish",
    "note_failure",
    "open_result_link",
    "prepare",
    "price_for",
    "result_link",
    "result_token",
    "start",
    "swap_roles",
    "transcript",
    "upload_of",
    "uploaded",
]

_TRIES = 5  # of a step that lost a race; each one reads again and decides again
_NUMBER_DIGITS = 15

Ending = Callable[[Job], tuple[Change, Transcript | None]]

_MESSAGES = {
    FailureCode.DEADLINE_EXCEEDED: "the recording was not transcribed within the time limit",
    FailureCode.UPLOAD_EXPIRED: "nothing was uploaded before the upload window closed",
    FailureCode.SOURCE_UNREACHABLE: "the audio could not be fetched in time",
    FailureCode.INTERNAL: "the recording could not be transcribed because of an internal error",
}


class NoSuchJob(NotFound):
    """No job of this id, or no longer: never made, foreign, or deleted while a step of it was under way."""


def find_by_any_id(deps: Deps, *, tenant_id: str, given: str) -> Job:
    """A tenant's job by its uuid (in either case) or its number, as every dialect accepts both. Raises NotFound."""
    if given.isascii() and given.isdecimal() and len(given) <= _NUMBER_DIGITS:
        known = deps.store.get(JobNumber, tenant_id, int(given))
        if known is None:
            raise NoSuchJob(f"no job {given}")
        return find(deps, tenant_id=tenant_id, job_id=known.job_id)
    return find(deps, tenant_id=tenant_id, job_id=given.lower())


def find(deps: Deps, *, tenant_id: str, job_id: str) -> Job:
    """A tenant's job. Raises NoSuchJob, for a foreign job exactly as for an unknown one."""
    job = deps.store.get(Job, tenant_id, job_id)
    if job is None:
        raise NoSuchJob(f"no job {job_id}")
    return job


def transcript(deps: Deps, job: Job) -> Transcript:
    """The transcript of a completed job. Raises NotFound when there is none yet."""
    return transcripts.from_json(deps.results.read(job.transcript_key))


def uploaded(deps: Deps, *, tenant_id: str, job_id: str, version_id: str | None) -> bool:
    """An upload was seen: queue the job and start its execution; whether this upload is the job's.

    The first version that is seen counts; later ones are ignored. Seen again while the job is still queued, it
    starts the execution again, whose name makes that harmless.
    """
    for _ in range(_TRIES):
        job = deps.store.get(Job, tenant_id, job_id)
        if job is None:  # a presigned URL outlives its job
            leftovers.erase_audio_of_none(deps, tenant_id, job_id)
            return False
        if job.finished and leftovers.unwanted(job):
            deps.uploads.erase(job.audio_key)
            return False
        if job.state is JobState.AWAITING_UPLOAD:
            due_at_ms = deps.now_ms() + 1000 * deps.settings.recheck_s
            change = move(job, JobState.QUEUED, audio_version_id=version_id, due_at_ms=due_at_ms)
            if not committed(deps, change):
                continue
            job = change.after
        if job.audio_version_id != version_id:
            return False
        if job.state is JobState.QUEUED:
            start(deps, job)
        return True
    raise Unavailable(f"job {job_id} changed too often")


def start(deps: Deps, job: Job) -> bool:
    """Start the job's execution under its derived name; False if that name was started before."""
    return deps.transcriptions.start(job.execution_name, {"tenant_id": job.tenant_id, "job_id": job.id})


def prepare(deps: Deps, *, tenant_id: str, job_id: str) -> Job:
    """Look into the uploaded file, hold what it costs, and let the job be transcribed.

    Raises JobFailed: noted on the job first, unless it has ended or is gone.
    """
    job = deps.store.get(Job, tenant_id, job_id)
    if job is None:  # not NoSuchJob, which the machine would take for a defect and try again
        raise JobFailed(FailureCode.INTERNAL, "the job was deleted")
    if job.state is JobState.TRANSCRIBING:
        return job
    if job.state is not JobState.QUEUED or job.failure is not None:
        raise _ended(job)
    try:
        audio = _inspect(deps, job)
    except JobFailed as failed:
        note_failure(deps, job, failed.failure)
        raise
    try:
        return _prepared(deps, job, audio)
    except InsufficientCredits as error:
        unpaid = _unpaid(error)
        note_failure(deps, job, unpaid.failure, audio=audio)
        raise unpaid from error


def _prepared(deps: Deps, job: Job, audio: AudioFacts) -> Job:
    """Store what the inspection found. The sweeper may have touched the job meanwhile: that costs no inspection.

    A balance is too low for other jobs' sake, or for this one's: another copy of this step may hold what it costs.
    """
    too_little: Exhausted | InsufficientCredits | None = None
    for _ in range(_TRIES):
        due_at_ms = deps.now_ms() + 1000 * deps.settings.recheck_s
        change = move(job, JobState.TRANSCRIBING, audio=audio, due_at_ms=due_at_ms)
        try:
            if committed(deps, change, *_holding(deps, job, audio)):
                arrivals.note(deps, audio)
                prepared: Job = change.after
                return prepared
        except (Exhausted, InsufficientCredits) as error:
            too_little = error
        job = find(deps, tenant_id=job.tenant_id, job_id=job.id)
        if job.state is JobState.TRANSCRIBING:
            return job
        if job.state is not JobState.QUEUED or job.failure is not None:
            raise _ended(job)
    if too_little is not None and job.price is not None:
        raise ledger.insufficient(deps, job.tenant_id, job.price.account, _cost(job, audio)) from too_little
    raise Unavailable(f"job {job.id} changed too often")


def _unpaid(error: InsufficientCredits) -> JobFailed:
    needed, has = (shown(error.account, amount) for amount in (error.required or 0, error.available))
    message = f"this recording costs {needed} {error.account}, and {has} are available"
    return JobFailed(FailureCode.INSUFFICIENT_CREDITS, message)


def _cost(job: Job, audio: AudioFacts) -> int:
    return 0 if job.price is None else job.price.of(audio.duration_s)


def _holding(deps: Deps, job: Job, audio: AudioFacts) -> list[Step]:
    if job.price is None:
        return []
    return ledger.holding(
        deps,
        tenant_id=job.tenant_id,
        hold_id=job.id,
        account=job.price.account,
        amount=_cost(job, audio),
        deadline_at_ms=job.deadline_at_ms,
    )


def _closing(deps: Deps, job: Job) -> list[Step]:
    """What ends the job's hold with it: only a transcript is paid for."""
    hold = ledger.find_hold(deps, tenant_id=job.tenant_id, hold_id=job.id) if job.price else None
    if hold is None:
        return []
    return ledger.settling(deps, hold) if job.state is JobState.COMPLETED else ledger.releasing(deps, hold)


def note_failure(deps: Deps, job: Job, failure: Failure, **facts: AudioFacts) -> None:
    """Keep why a job cannot succeed (and `audio`, if known), for the step that ends it. The first reason stays."""
    for _ in range(_TRIES):
        if job.failure is not None or job.finished or committed(deps, update(job, failure=failure, **facts)):
            return
        job = find(deps, tenant_id=job.tenant_id, job_id=job.id)
    raise Unavailable(f"job {job.id} changed too often")


def finish(deps: Deps, *, tenant_id: str, job_id: str, render: Renderer) -> Job:
    """End a job whose transcript is stored, and put its callback into the outbox, in one transaction.

    Raises NoSuchJob for one that was deleted meanwhile, NotFound without a transcript.
    """

    def ending(job: Job) -> tuple[Change, Transcript | None]:
        found = transcript(deps, job)
        return _ended_as(deps, job, JobState.COMPLETED, failure=None), found  # another worker's failure is void

    return _end_by_execution(deps, tenant_id, job_id, render, ending)


def fail(deps: Deps, *, tenant_id: str, job_id: str, render: Renderer, code: FailureCode | None = None) -> Job:
    """End a job without a transcript: by the failure noted on it, else by `code`, else as an internal error.

    Raises NoSuchJob for one that was deleted meanwhile.
    """
    fallback = code or FailureCode.INTERNAL

    def ending(job: Job) -> tuple[Change, Transcript | None]:
        failure = job.failure or Failure(fallback, _MESSAGES.get(fallback, str(fallback)))
        return _ended_as(deps, job, JobState.FAILED, failure=failure), None

    return _end_by_execution(deps, tenant_id, job_id, render, ending)


def cancel(deps: Deps, *, tenant_id: str, job_id: str) -> Job:
    """End a job that has not ended: nothing is paid, and what a worker may still bring is discarded.

    A job that has ended is answered as it is. Raises NoSuchJob.
    """

    def ending(job: Job) -> tuple[Change, Transcript | None]:
        return _ended_as(deps, job, JobState.CANCELLED), None

    return _end(deps, tenant_id, job_id, _no_callback, ending)


def swap_roles(deps: Deps, *, tenant_id: str, job_id: str) -> Job:
    """Say that agent and customer are the other way round (again: as they were). Raises NotFound."""
    for _ in range(_TRIES):
        job = find(deps, tenant_id=tenant_id, job_id=job_id)
        change = update(job, roles_swapped=not job.roles_swapped)
        if committed(deps, change):
            swapped: Job = change.after
            return swapped
    raise Unavailable(f"job {job_id} changed too often")


def _no_callback(_result: Result, _sign: callbacks.BodySigner) -> None:
    return None


def _inspect(deps: Deps, job: Job) -> AudioFacts:
    """Facts about the uploaded version. Its size is checked before it is fetched."""
    info = deps.uploads.head(job.audio_key, version_id=job.audio_version_id)
    if info is None:
        raise JobFailed(FailureCode.AUDIO_EMPTY, "the uploaded file is no longer there")
    limits = job.limits or deps.settings.limits
    if info.size_bytes > limits.max_bytes:
        message = f"the file has {info.size_bytes} bytes; at most {limits.max_bytes} are allowed"
        raise JobFailed(FailureCode.UPLOAD_TOO_LARGE, message)
    with scratch_folder() as folder:
        path = folder / "audio"
        deps.uploads.download(job.audio_key, path, version_id=job.audio_version_id)
        return deps.inspector(path, limits)


def _ended_as(deps: Deps, job: Job, state: JobState, **fields: Any) -> Change:
    ended = replace(job, state=state)
    return move(job, state, finished_at_ms=deps.now_ms(), due_at_ms=leftovers.next_look_ms(deps, ended), **fields)


def _end_by_execution(deps: Deps, tenant_id: str, job_id: str, render: Renderer, ending: Ending) -> Job:
    """`_end`, where a deletion may have come between: what this step then stored (or did before it died) goes."""
    try:
        return _end(deps, tenant_id, job_id, render, ending)
    except NoSuchJob:
        leftovers.erase_results_of_none(deps, tenant_id, job_id)
        raise


def _end(deps: Deps, tenant_id: str, job_id: str, render: Renderer, ending: Ending) -> Job:
    """Take a job to its end in one transaction, with its outbox row; a job that has ended stays as it is."""
    for _ in range(_TRIES):
        job = find(deps, tenant_id=tenant_id, job_id=job_id)
        if job.finished:
            leftovers.clear(deps, job)
            return job
        change, found = ending(job)
        ended: Job = change.after
        if committed(deps, change, *_outbox(deps, ended, found, render), *_closing(deps, ended)):
            leftovers.clear(deps, ended)
            return ended
    raise Unavailable(f"job {job_id} changed too often")


def _outbox(deps: Deps, job: Job, found: Transcript | None, render: Renderer) -> list[Step]:
    """Store the bytes of the job's callback and make the row that sends them; nothing where nothing is to be sent.

    An ending that is not committed leaves bytes that no row names.
    """
    body = None if job.callback_url is None else _body(deps, job, found, render)
    if body is None:
        return []
    key = job.callback_body_key(body)
    deps.results.put_if_absent(key, body, content_type="application/json")
    row = callbacks.pending(deps, job, replay=0, url=str(job.callback_url), body_key=key)
    return [insert(row)]


def _body(deps: Deps, job: Job, found: Transcript | None, render: Renderer) -> bytes | None:
    """The signed body, with a link in place of a transcript that is too long for it."""
    secret = accounts.webhook_secrets(deps, job.tenant_id)[0]
    result = Result(job, found, created_at_ms=job.finished_at_ms or deps.now_ms())
    body = render(result, partial(sign_body, secret=secret))
    if body is None or found is None or len(body) <= deps.settings.inline_callback_bytes:
        return body
    return render(replace(result, transcription_url=result_link(deps, job)), partial(sign_body, secret=secret))


def _ended(job: Job) -> JobFailed:
    failure = job.failure or Failure(FailureCode.INTERNAL, _MESSAGES[FailureCode.INTERNAL])
    return JobFailed(failure.code, failure.message)
