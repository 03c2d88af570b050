"""The life of a job: created, uploaded, prepared, then finished, failed or cancelled. Every step is safe to run twice.

Its money moves in the same transactions: held when its length is known, settled or released when it ends.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from callscribe.domain import transcripts
from callscribe.domain.callbacks import sign_body
from callscribe.domain.jobs import Job, JobState, move
from callscribe.domain.records import Change, Step, insert, update
from callscribe.domain.task_marks import marks
from callscribe.domain.transcripts import Transcript
from callscribe.errors import Failure, FailureCode, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts, callbacks, leftovers
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
from callscribe.services.failures import MESSAGES, note_failure
from callscribe.services.finding import NoSuchJob, find, find_by_any_id
from callscribe.services.links import open_result_link, result_link, result_token

if TYPE_CHECKING:
    from callscribe.domain.chats import Chat

__all__ = [  # how jobs are made, found and linked to is said in modules of their own, and found here
    "Beside",
    "Idempotency",
    "NewJob",
    "NoSuchJob",
    "Source",
    "Upload",
    "cancel",
    "chat",
    "create",
    "create_upload",
    "fail",
    "find",
    "find_by_any_id",
    "finish",
    "note_failure",
    "open_result_link",
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

Ending = Callable[[Job], tuple[Change, Transcript | None]]


def chat(deps: Deps, job: Job) -> "Chat":
    """The conversation of a completed job that `is_written`, as it came. Raises NotFound when there is none yet."""
    from callscribe.domain import chats  # late: only tasks can be conversations, and every API loads this module

    return chats.from_json(deps.results.read(job.chat_key))


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
            now_ms = deps.now_ms()
            due_at_ms = now_ms + 1000 * deps.settings.recheck_s
            change = move(job, JobState.QUEUED, at_ms=now_ms, audio_version_id=version_id, due_at_ms=due_at_ms)
            if not committed(deps, change, *marks(change)):
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


def _closing(deps: Deps, job: Job) -> list[Step]:
    """What ends the job's hold with it: only a transcript is paid for."""
    from callscribe.services import ledger  # late: most APIs end no job, and every one loads this module

    hold = ledger.find_hold(deps, tenant_id=job.tenant_id, hold_id=job.id) if job.price else None
    if hold is None:
        return []
    return ledger.settling(deps, hold) if job.state is JobState.COMPLETED else ledger.releasing(deps, hold)


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
        failure = job.failure or Failure(fallback, MESSAGES.get(fallback, str(fallback)))
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


def _ended_as(deps: Deps, job: Job, state: JobState, **fields: Any) -> Change:
    ended = replace(job, state=state)
    now_ms = deps.now_ms()
    due_at_ms = leftovers.next_look_ms(deps, ended)
    return move(job, state, at_ms=now_ms, finished_at_ms=now_ms, due_at_ms=due_at_ms, **fields)


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
        if committed(deps, change, *marks(change), *_outbox(deps, ended, found, render), *_closing(deps, ended)):
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
