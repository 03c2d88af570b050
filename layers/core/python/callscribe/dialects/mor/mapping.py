"""Between the vendor's words and ours; pure, and free of any HTTP framework, because callbacks are rendered by it."""

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from callscribe import exports
from callscribe.dialects.front import BodyTooLong, Malformed, MethodNotAllowed, UnknownPath
from callscribe.domain import roles
from callscribe.domain.accounts import Scope
from callscribe.domain.credits import Balance
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Price, shown
from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Segment, Transcript, Word
from callscribe.errors import (
    CallscribeError,
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    InsufficientCredits,
    Invalid,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from callscribe.services.callbacks import BodySigner, Result
from callscribe.services.recordings import NoRecording

if TYPE_CHECKING:
    from callscribe.services.refresh import Session

ACCESS_LIFE_S: Final = 900  # M-04

QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED = "queued", "processing", "completed", "failed", "cancelled"
DELETED: Final = "deleted"  # said once, in the answer that deletes
STATUS: Final[Mapping[JobState, str]] = {  # M-A7, M-09
    JobState.AWAITING_UPLOAD: QUEUED,
    JobState.QUEUED: QUEUED,
    JobState.TRANSCRIBING: PROCESSING,
    JobState.COMPLETED: COMPLETED,
    JobState.FAILED: FAILED,
    JobState.CANCELLED: CANCELLED,
}
SOURCES: Final = ("recording_id", "call_id", "uniqueid", "recording_url", "s3_uri")  # M-A6
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.$-]{1,32}")  # of a field, one that may stand in a header
_NAMES_SHOWN: Final = 5


class NotFinished(CallscribeError):
    """The transcript of a job that is still under way."""


class JobHasFailed(CallscribeError):
    """The transcript of a job that failed."""


class WasCancelled(CallscribeError):
    """The transcript of a job that was cancelled."""


# Error → status and `code` (M-16). The nearest base class counts.
REFUSALS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    Malformed: (400, "invalid_body"),
    BodyTooLong: (413, "body_too_long"),
    Invalid: (400, "invalid_value"),
    Unauthenticated: (401, "unauthenticated"),
    InsufficientCredits: (402, "insufficient_credits"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not_found"),
    UnknownPath: (404, "unknown_path"),
    MethodNotAllowed: (405, "method_not_allowed"),
    NotFinished: (409, "not_finished"),
    JobHasFailed: (409, "transcription_failed"),
    Conflict: (409, "conflict"),
    IdempotencyMismatch: (409, "idempotency_mismatch"),
    WasCancelled: (410, "cancelled"),
    NoRecording: (422, "no_audio"),
    RateLimited: (429, "too_many_requests"),
    Unavailable: (503, "unavailable"),
    Exception: (500, "internal"),
}
_MESSAGES: Final = {
    NoRecording: "there is no audio of this call",
    Conflict: "the record was changed at the same moment; send the request again",
    Unavailable: "a service did not answer; send the request again",
    Exception: "an internal error; it was logged",
}
_SCOPES: Final = {Scope.TRANSCRIBE: "create or delete transcriptions", Scope.READ: "read transcriptions and usage"}


def read_login(text: bytes) -> tuple[str, str]:
    """User name and password out of a decoded Basic credential, split at the first colon. Raises Unauthenticated.

    M-A3: any byte may stand there; what is no UTF-8 is read as Latin-1.
    """
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        decoded = text.decode("latin-1")
    username, colon, password = decoded.partition(":")
    if not colon:
        raise Unauthenticated("Authorization: Basic must be followed by base64 of username:password")
    return username, password


def job_id(given: str) -> str:
    """An id that one of our jobs may have: its number or its uuid (M-A10). Raises NotFound: any other is unknown."""
    if not _ID.fullmatch(given):
        raise NotFound("no such transcription")
    return given


def source(fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """Which field names the audio, and its value as text; None where it will be uploaded. Raises Invalid for two.

    null and "" count as missing.
    """
    given = [(name, str(fields[name])) for name in SOURCES if fields.get(name) not in (None, "")]
    if len(given) > 1:
        raise Invalid(given[1][0], f"must not be given together with {given[0][0]}: one recording at a time")
    return given[0] if given else None


def ignored(unknown: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    """The leniencies that fields of unknown names take: a few by name, the others by number.

    Raises Malformed for a name that is a known one written otherwise: who says `recordingId` means a recording, and
    would wait in vain for what becomes of a job without one.
    """
    meant = {_letters(name): name for name in known}
    plain = sorted(name for name in unknown if _PLAIN_NAME.fullmatch(name))
    for name in plain:
        if _letters(name) in meant:
            raise Malformed(name, f"is not known: it is written {meant[_letters(name)]}")
    shown = tuple(f"{name} ignored" for name in plain[:_NAMES_SHOWN])
    more = len(unknown) - len(shown)
    return (*shown, f"unnamed fields ignored: {more}") if more else shown


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def session(started: "Session") -> str:
    """The JSON text that answers a login (M-A5), each token under its common names."""
    fields = {
        "token": started.access.token,
        "access_token": started.access.token,
        "refresh_token": started.refresh_token,
        "token_type": "Bearer",
        "expires_in": started.access.expires_in_s,
        "refresh_expires_in": started.refresh_expires_in_s,
    }
    return to_json(fields)


def usage(price: Price | None, balance: Balance | None) -> str:
    """The JSON text that answers `usage` (M-07).

    Amounts become seconds at today's price, rounded down; null where transcription costs nothing.
    """
    free = price is None or balance is None or price.per_s == 0
    amounts = {"remaining": balance.available, "used": balance.spent, "held": balance.held} if balance else {}
    fields: dict[str, Any] = {"unlimited": free}
    for name in ("remaining", "used", "held"):
        seconds = None if free or price is None else amounts[name] // price.per_s
        fields[f"{name}_seconds"] = seconds
        fields[f"{name}_minutes"] = None if seconds is None else seconds * 100 // 60 / 100
    account = None if price is None else str(price.account)
    fields |= {"account": account, "price_per_second": None, "balance": None}
    if price is not None:
        fields["price_per_second"] = shown(price.account, price.per_s)
        fields["balance"] = {name: shown(price.account, amount) for name, amount in amounts.items()}
    return to_json(fields)


def status(job: Job) -> dict[str, Any]:
    """How a job stands (M-09); `error` only where it failed. Durations in seconds."""
    fields: dict[str, Any] = {
        **_ids(job),
        "status": STATUS[job.state],
        "created_at": _time(job.created_at_ms),
        "finished_at": None if job.finished_at_ms is None else _time(job.finished_at_ms),
        "duration": None if job.audio is None else round(job.audio.duration_s, 3),
        "language": job.language,
    }
    if job.state is JobState.FAILED and job.failure is not None:
        fields["error"] = {"code": str(job.failure.code), "message": job.failure.message}
    return fields


def created(job: Job, *, upload_url: str | None, upload_url_s: int) -> str:
    """The JSON text that answers a new job (M-08), with the URL to PUT its audio to, where it waits for that."""
    upload = {} if upload_url is None else {"upload_url": upload_url, "upload_expires_in": upload_url_s}
    return to_json(status(job) | upload)


def ended(job: Job, word: str) -> str:
    """The JSON text that answers a DELETE (M-10, M-A8): `cancelled` or `deleted`."""
    return to_json({**_ids(job), "status": word})


def require_completed(job: Job) -> None:
    """Raises what a transcript that cannot be had yet, or ever, is answered with."""
    if job.state is JobState.COMPLETED:
        return
    if job.state is JobState.CANCELLED:
        raise WasCancelled("the transcription was cancelled")
    if job.state is JobState.FAILED and job.failure is not None:
        raise JobHasFailed(f"the transcription failed: {job.failure.code}: {job.failure.message}")
    raise NotFinished(f"the transcription is not finished: {STATUS[job.state]}")


def transcript(job: Job, found: Transcript) -> str:
    """The JSON text that answers `transcript` (M-11): text and segments, with words where the engine gave them."""
    assigned = roles_of(job, found)
    segments = [{**segment(one, assigned), "words": [_word(word) for word in one.words]} for one in found.segments]
    return to_json({**status(job), **_heard(found, assigned), "text": found.text, "segments": segments})


def segment(found: Segment, assigned: Roles) -> dict[str, Any]:
    """What one speaker said; times in seconds, to the millisecond."""
    return {
        "start": round(found.start_s, 3),
        "end": round(found.end_s, 3),
        "speaker": found.speaker,
        "role": str(assigned.of(found)),
        "text": found.text,
        "confidence": found.confidence,
    }


def roles_of(job: Job, found: Transcript) -> Roles:
    """Who is the agent and who the customer, as far as it is known."""
    return roles.assign(found, job.call, swapped=job.roles_swapped, channels=job.channels)


def download(job: Job, found: Transcript, name: str) -> bytes:
    """The artifact in this format (M-12). Raises Invalid, which lists the formats, for another one."""
    return exports.render(name, found, roles=roles_of(job, found))


def require_format(name: str) -> None:
    """Raises Invalid for a format that there is not (M-A9)."""
    if name not in exports.EXPORTS:
        raise Invalid("format", f"must be one of {', '.join(exports.EXPORTS)}")


def filename(job: Job, name: str) -> str:
    """What a download is called."""
    return f"transcription-{job.number}.{name}"


def render_callback(result: Result, _sign: BodySigner) -> bytes:
    """The body of a callback: the job's status, and its text and segments, or a link where they are too large.

    The contract knows no signature in the body; that of the headers covers it.
    """
    fields = status(result.job)
    if result.transcript is not None:
        assigned = roles_of(result.job, result.transcript)
        fields |= _heard(result.transcript, assigned)
        if result.transcription_url is not None:
            fields["transcription_url"] = result.transcription_url
        else:
            fields["text"] = result.transcript.text
            fields["segments"] = [segment(one, assigned) for one in result.transcript.segments]
    return to_json(fields).encode()


def refusal(error: Exception) -> tuple[int, dict[str, str]]:
    """Status and body of an answer that refuses (M-16)."""
    known: type[Exception] = next(kind for kind in type(error).__mro__ if kind in REFUSALS)
    status_code, code = REFUSALS[known]
    return status_code, {"error": _MESSAGES.get(known) or _sentence(error), "code": code}


def to_json(document: Mapping[str, Any]) -> str:
    """Compact JSON text. A lone surrogate, which UTF-8 cannot hold, becomes `?`."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace").decode()


def _sentence(error: Exception) -> str:
    if isinstance(error, Forbidden):
        return f"this credential must not {_SCOPES[Scope(error.scope)]}"
    if isinstance(error, InsufficientCredits):
        return f"insufficient {error.account}: {shown(error.account, error.available)} available"
    return str(error)


def _ids(job: Job) -> dict[str, Any]:
    return {"id": job.number, "uuid": job.id}  # M-A10


def _time(epoch_ms: int) -> str:
    """ISO 8601, in UTC, to the millisecond."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _heard(found: Transcript, assigned: Roles) -> dict[str, Any]:
    return {
        "language": found.language,
        "engine": found.engine,
        "duration": round(found.duration_s, 3),
        "role_confidence": round(assigned.confidence, 3),
        "role_source": assigned.source,
    }


def _word(found: Word) -> dict[str, Any]:
    return {
        "text": found.text,
        "start": round(found.start_s, 3),
        "end": round(found.end_s, 3),
        "confidence": found.confidence,
    }
