"""The life of a job: created, uploaded, prepared, finished or failed. Every step is safe to run twice."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from callscribe import names
from callscribe.domain import transcripts
from callscribe.domain.audio import AudioFacts
from callscribe.domain.callbacks import sign_body
from callscribe.domain.jobs import IdempotencyRecord, Job, JobState, ResultLink, move
from callscribe.domain.records import Change, insert, update
from callscribe.domain.transcripts import Transcript
from callscribe.errors import (
    Conflict,
    Failure,
    FailureCode,
    IdempotencyMismatch,
    JobFailed,
    NotFound,
    Unavailable,
)
from callscribe.ports import Deps
from callscribe.services import accounts, callbacks
from callscribe.services.accounts import Principal
from callscribe.services.callbacks import Renderer, Result

_TRIES = 5  # of a step that lost a race; each one reads again and decides again
_EVENT_GRACE_S = 60  # after a URL's end, how long its upload event may take

Ending = Callable[[Job], tuple[Change, Transcript | None]]

_MESSAGES = {
    FailureCode.DEADLINE_EXCEEDED: "the recording was not transcribed within the time limit",
    FailureCode.UPLOAD_EXPIRED: "nothing was uploaded before the upload window closed",
    FailureCode.INTERNAL: "the recording could not be transcribed because of an internal error",
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A job that waits for its audio, and the URL to PUT it to."""

    job: Job
    url: str


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's Idempotency-Key and the SHA-256 (hex) of the body it came with."""

    key: str
    body_sha256: str


def create_upload(
    deps: Deps,
    principal: Principal,
    *,
    dialect: str,
    media_type: str,
    callback_url: str | None = None,
    language: str | None = None,
    idempotency: Idempotency | None = None,
) -> Upload:
    """Create a job that waits for an upload. The same idempotency key gives the same job, with a fresh URL.

    Raises OutboundRefused for a callback URL that breaks a rule, IdempotencyMismatch for a key used with another body.
    """
    if callback_url is not None:
        deps.webhooks.check(callback_url)
    now_ms = deps.now_ms()
    job = Job(
        tenant_id=principal.tenant_id,
        id=_new_job_id(deps),
        dialect=dialect,
        key_id=principal.key_id,
        state=JobState.AWAITING_UPLOAD,
        created_at_ms=now_ms,
        deadline_at_ms=now_ms + 1000 * (deps.settings.upload_deadline_s + deps.settings.job_deadline_s),
        due_at_ms=now_ms + 1000 * _first_look_s(deps),
        media_type=media_type,
        callback_url=callback_url,
        language=language,
        options=principal.options,
    )
    job = _store_once(deps, job, idempotency)
    return Upload(job, deps.uploads.presign_put(job.audio_key, expires_s=deps.settings.upload_url_s))


def find(deps: Deps, *, tenant_id: str, job_id: str) -> Job:
    """A tenant's job. Raises NotFound, for a foreign job exactly as for an unknown one."""
    job = deps.store.get(Job, tenant_id, job_id)
    if job is None:
        raise NotFound(f"no job {job_id}")
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
        if job is None:
            return False
        if job.state is JobState.AWAITING_UPLOAD:
            due_at_ms = deps.now_ms() + 1000 * deps.settings.recheck_s
            change = move(job, JobState.QUEUED, audio_version_id=version_id, due_at_ms=due_at_ms)
            if not _committed(deps, change):
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
    """Look into the uploaded file and let the job be transcribed. Raises JobFailed, noted on the job first."""
    job = find(deps, tenant_id=tenant_id, job_id=job_id)
    if job.state is JobState.TRANSCRIBING:
        return job
    if job.state is not JobState.QUEUED:
        raise _ended(job)
    try:
        audio = _inspect(deps, job)
    except JobFailed as failed:
        note_failure(deps, job, failed.failure)
        raise
    return _prepared(deps, job, audio)


def _prepared(deps: Deps, job: Job, audio: AudioFacts) -> Job:
    """Store what the inspection found. The sweeper may have touched the job meanwhile: that costs no inspection."""
    for _ in range(_TRIES):
        due_at_ms = deps.now_ms() + 1000 * deps.settings.recheck_s
        change = move(job, JobState.TRANSCRIBING, audio=audio, due_at_ms=due_at_ms)
        if _committed(deps, change):
            prepared: Job = change.after
            return prepared
        job = find(deps, tenant_id=job.tenant_id, job_id=job.id)
        if job.state is JobState.TRANSCRIBING:
            return job
        if job.state is not JobState.QUEUED:
            raise _ended(job)
    raise Unavailable(f"job {job.id} changed too often")


def note_failure(deps: Deps, job: Job, failure: Failure) -> None:
    """Keep why a job cannot succeed, for the step that ends it. The first reason noted stays."""
    for _ in range(_TRIES):
        if job.failure is not None or job.finished or _committed(deps, update(job, failure=failure)):
            return
        job = find(deps, tenant_id=job.tenant_id, job_id=job.id)
    raise Unavailable(f"job {job.id} changed too often")


def finish(deps: Deps, *, tenant_id: str, job_id: str, render: Renderer) -> Job:
    """End a job whose transcript is stored, and put its callback into the outbox, in one transaction."""

    def ending(job: Job) -> tuple[Change, Transcript | None]:
        found = transcript(deps, job)
        return move(job, JobState.COMPLETED, finished_at_ms=deps.now_ms()), found

    return _end(deps, tenant_id, job_id, render, ending)


def fail(deps: Deps, *, tenant_id: str, job_id: str, render: Renderer, code: FailureCode | None = None) -> Job:
    """End a job without a transcript: by the failure noted on it, else by `code`, else as an internal error."""
    fallback = code or FailureCode.INTERNAL

    def ending(job: Job) -> tuple[Change, Transcript | None]:
        failure = job.failure or Failure(fallback, _MESSAGES.get(fallback, str(fallback)))
        return move(job, JobState.FAILED, failure=failure, finished_at_ms=deps.now_ms()), None

    return _end(deps, tenant_id, job_id, render, ending)


def open_result_link(deps: Deps, token: str) -> str:
    """A fresh URL of the transcript that a `transcriptionUrl` token opens. Raises NotFound when it is over."""
    link = deps.store.get(ResultLink, hashlib.sha256(token.encode()).hexdigest())
    if link is None or link.forget_at_ms <= deps.now_ms():
        raise NotFound("this link is unknown or no longer valid")
    job = find(deps, tenant_id=link.tenant_id, job_id=link.job_id)
    return deps.results.presign_get(job.transcript_key, expires_s=deps.settings.result_url_s)


def result_link(deps: Deps, job: Job) -> str:
    """Our own URL of the transcript: opaque, revocable (delete its row), the same whenever this step runs again."""
    token = deps.keyring.derive(f"result-link/{job.tenant_id}/{job.id}").hex()
    digest = hashlib.sha256(token.encode()).hexdigest()
    now_ms = deps.now_ms()
    forget_at_ms = now_ms + 1000 * deps.settings.result_link_s
    link = deps.store.get(ResultLink, digest)
    if link is None:
        _committed(deps, insert(ResultLink(digest, job.tenant_id, job.id, forget_at_ms)))
    elif link.forget_at_ms <= now_ms:  # over, but not yet removed
        _committed(deps, update(link, forget_at_ms=forget_at_ms))
    return f"{deps.settings.public_base_url}{names.DIALECTS[job.dialect]}/transcriptions/{token}"


def _first_look_s(deps: Deps) -> int:
    return min(deps.settings.upload_url_s + _EVENT_GRACE_S, deps.settings.upload_deadline_s)


def _new_job_id(deps: Deps) -> str:
    """A version 4 UUID from the injected randomness."""
    raw = bytearray(deps.random_bytes(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _store_once(deps: Deps, job: Job, idempotency: Idempotency | None) -> Job:
    """The stored job: this one, or the one that an earlier request with the same idempotency key made."""
    if idempotency is None:
        deps.store.commit(insert(job))
        return job
    for _ in range(_TRIES):
        earlier = deps.store.get(IdempotencyRecord, job.tenant_id, idempotency.key)
        fields = {
            "body_sha256": idempotency.body_sha256,
            "job_id": job.id,
            "forget_at_ms": job.created_at_ms + 1000 * deps.settings.idempotency_s,
        }
        if earlier is None:
            claim = insert(IdempotencyRecord(tenant_id=job.tenant_id, key=idempotency.key, **fields))  # type: ignore[arg-type]  # one dict of two value types
        elif earlier.forget_at_ms <= job.created_at_ms:
            claim = update(earlier, **fields)
        elif earlier.body_sha256 != idempotency.body_sha256:
            raise IdempotencyMismatch("Idempotency-Key", "was used before with another body")
        else:
            return find(deps, tenant_id=job.tenant_id, job_id=earlier.job_id)
        try:
            deps.store.commit(insert(job), claim)
        except Conflict:
            continue
        return job
    raise Unavailable("the idempotency key changed too often")


def _inspect(deps: Deps, job: Job) -> AudioFacts:
    """Facts about the uploaded version. Its size is checked before it is fetched."""
    info = deps.uploads.head(job.audio_key, version_id=job.audio_version_id)
    if info is None:
        raise JobFailed(FailureCode.AUDIO_EMPTY, "the uploaded file is no longer there")
    limits = deps.settings.limits
    if info.size_bytes > limits.max_bytes:
        message = f"the file has {info.size_bytes} bytes; at most {limits.max_bytes} are allowed"
        raise JobFailed(FailureCode.UPLOAD_TOO_LARGE, message)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audio"
        deps.uploads.download(job.audio_key, path, version_id=job.audio_version_id)
        return deps.inspector(path, limits)


def _end(deps: Deps, tenant_id: str, job_id: str, render: Renderer, ending: Ending) -> Job:
    """Take a job to its end in one transaction, with its outbox row; a job that has ended stays as it is."""
    for _ in range(_TRIES):
        job = find(deps, tenant_id=tenant_id, job_id=job_id)
        if job.finished:
            return job
        change, found = ending(job)
        ended: Job = change.after
        if _committed(deps, change, *_outbox(deps, ended, found, render)):
            return ended
    raise Unavailable(f"job {job_id} changed too often")


def _outbox(deps: Deps, job: Job, found: Transcript | None, render: Renderer) -> list[Change]:
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


def _committed(deps: Deps, *changes: Change) -> bool:
    """Whether the changes were written; False when somebody else was first."""
    try:
        deps.store.commit(*changes)
    except Conflict:
        return False
    return True


def _ended(job: Job) -> JobFailed:
    failure = job.failure or Failure(FailureCode.INTERNAL, _MESSAGES[FailureCode.INTERNAL])
    return JobFailed(failure.code, failure.message)
