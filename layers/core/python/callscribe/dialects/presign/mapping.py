"""Between the vendor's words and ours; pure, and free of any HTTP framework, because callbacks are rendered by it."""

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from callscribe import exports
from callscribe.dialects.front import BodyTooLong, Malformed, MethodNotAllowed, UnknownPath
from callscribe.dialects.presign import CREATED_AT_STRING, NO_FAILURE_CALLBACK
from callscribe.domain.accounts import Scope
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from callscribe.services.callbacks import BodySigner, Result

if TYPE_CHECKING:
    from callscribe.services.jobs import Upload
    from callscribe.services.tokens import IssuedToken

PERMISSIONS: Final = {Scope.TRANSCRIBE: "BATCH-TRANSCRIBE"}  # P-03

MEDIA_TYPES: Final = ("audio/x-wav", "audio/wav", "audio/mp3", "audio/m4a", "audio/flac", "audio/ogg", "audio/webm")
# P-A1: the vendor's own sample sends a type that is not in its list.
ALIASES: Final = {
    "audio/mpeg": "audio/mp3",
    "audio/mp4": "audio/m4a",
    "audio/x-m4a": "audio/m4a",
    "video/webm": "audio/webm",
}

PENDING, COMPLETED, ERROR = "PENDING", "COMPLETED", "ERROR"
_STATUS: Final = {JobState.COMPLETED: COMPLETED, JobState.FAILED: ERROR}

INLINE_BYTES: Final = 4_000_000  # what a gateway and a Lambda surely let through
# Subtitles of more text take seconds to make in a small function; this is about five hours of speech.
SUBTITLED_CHARACTERS: Final = 250_000
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# Error → status and `errorType` (P-07, P-08, P-09, P-A5; the rest is ours). The nearest base class counts.
REFUSALS: Final[Mapping[type[Exception], tuple[int, str | None]]] = {
    Malformed: (400, "invalidRequestBody"),
    BodyTooLong: (413, "invalidRequestBody"),
    Invalid: (400, "inconsistentInput"),
    Unauthenticated: (401, None),
    Forbidden: (403, "missingPermission"),
    NotFound: (404, "notFound"),
    UnknownPath: (404, "unknownPath"),
    MethodNotAllowed: (405, "methodNotAllowed"),
    Conflict: (409, "conflict"),
    Unavailable: (503, "unavailable"),
    Exception: (500, "internal"),
}
_MESSAGES: Final = {
    Conflict: "the record was changed at the same moment; send the request again",
    Unavailable: "a service did not answer; send the request again",
    Exception: "an internal error; it was logged",
}


def media_type(given: str) -> tuple[str, tuple[str, ...]]:
    """The listed type that a `mimeType` stands for, and the leniencies that took. Raises Invalid and Malformed."""
    if "\ufffd" in given:  # somebody before us has decoded bytes that were no UTF-8
        raise Malformed("body", "must be UTF-8")
    stripped = given.strip()
    bare = stripped.partition(";")[0].strip()
    plain = bare.lower()
    listed = ALIASES.get(plain, plain)
    if listed not in MEDIA_TYPES:
        raise Invalid("mimeType", f"must be one of {', '.join(MEDIA_TYPES)}")
    steps = {
        "trimmed": stripped != given,
        "parameters dropped": bare != stripped,
        "lower-cased": plain != bare,
        f"{plain} taken as {listed}": listed != plain,
    }
    return listed, tuple(f"mimeType {step}" for step, was_needed in steps.items() if was_needed)


def request_id(given: str) -> tuple[str, tuple[str, ...]]:
    """An id that one of our jobs may have, and the leniencies that took. Raises NotFound: any other is unknown."""
    if not _REQUEST_ID.fullmatch(given):
        raise NotFound("requestId: unknown")
    if _UUID.fullmatch(given) and given != given.lower():  # RFC 9562: a UUID is read in either case
        return given.lower(), ("requestId lower-cased",)
    return given, ()


def token_answer(issued: "IssuedToken") -> str:
    """The JSON text that hands out an access token (P-10), each name in both spellings."""
    token, life_s = issued.token, issued.expires_in_s
    camel = {"accessToken": token, "expiresIn": life_s, "tokenType": "Bearer"}
    return _json({**camel, "access_token": token, "expires_in": life_s, "token_type": "Bearer"})


def upload_answer(upload: "Upload") -> str:
    """The JSON text that answers `generate-presigned-url` (P-01)."""
    return _json({"presignedUrl": upload.url, "requestId": upload.job.id})


def segment(found: Segment) -> dict[str, Any]:
    """An ITranscriptionSegment: seconds, to the millisecond; `speaker` only where it is known."""
    fields = {"text": found.text, "start": round(found.start_s, 3), "end": round(found.end_s, 3)}
    return fields if found.speaker is None else {**fields, "speaker": found.speaker}


def transcription(
    job: Job,
    found: Transcript | None,
    *,
    link: Callable[[], str],
    inline_bytes: int = INLINE_BYTES,
    subtitled_characters: int = SUBTITLED_CHARACTERS,
) -> str:
    """The JSON text that answers `get-transcription` (P-11), of at most `inline_bytes` bytes.

    Only one of at most `subtitled_characters` comes with its subtitles, judged before they are made, and one that
    does not fit at all stands behind `transcriptionUrl`.
    """
    answer: dict[str, Any] = {"requestId": job.id, "transcription": [], **_status(job)}
    if found is None:
        return _json(answer)
    answer |= {"engine": found.engine, "language": found.language or "und"}
    inline = answer | {"transcription": [segment(one) for one in found.segments]}
    body = _json(inline)
    size_bytes = len(body.encode())
    if size_bytes > inline_bytes:
        return _json(answer | {"transcriptionUrl": link()})
    characters = sum(len(one.text) for one in found.segments)
    # Of many short segments the times take more room than the text; subtitles take twice the room of the segments.
    if characters > subtitled_characters or size_bytes > inline_bytes // 4:
        return body
    subtitled = _json(inline | {"vttTranscription": exports.render("vtt", found).decode()})
    return subtitled if len(subtitled.encode()) <= inline_bytes else body


def render_callback(result: Result, sign: BodySigner) -> bytes | None:
    """The body of a callback (P-06, P-A3, P-A4, P-A7), signed; None where the credential wants no failures."""
    job = result.job
    if job.failure is not None and NO_FAILURE_CALLBACK in job.options:
        return None
    fields: dict[str, Any] = {"requestId": job.id, "transcription": []}
    if job.failure is not None:
        fields |= {"status": ERROR, "error": {"code": str(job.failure.code), "message": job.failure.message}}
    elif result.transcription_url is not None:
        fields["transcriptionUrl"] = result.transcription_url
    elif result.transcript is not None:
        fields["transcription"] = [segment(one) for one in result.transcript.segments]
    as_text = CREATED_AT_STRING in job.options
    created_at = {"createdAt": str(result.created_at_ms) if as_text else result.created_at_ms}
    signature = sign({**fields, **created_at})
    return _json({**fields, "signature": signature, **created_at}).encode()


def refusal(error: Exception) -> tuple[int, dict[str, str]]:
    """Status and body of an answer that refuses: the message in both spellings (P-A2), the type where there is one."""
    known: type[Exception] = next(kind for kind in type(error).__mro__ if kind in REFUSALS)
    status, error_type = REFUSALS[known]
    message = _MESSAGES.get(known) or _sentence(error)
    body = {"messsage": message, "message": message}
    return status, body if error_type is None else {**body, "errorType": error_type}


def _sentence(error: Exception) -> str:
    if isinstance(error, Forbidden):
        return f"the API key lacks the permission {PERMISSIONS[Scope(error.scope)]}"
    return str(error)


def _status(job: Job) -> dict[str, Any]:
    """P-A8: the vendor's sample and its type name the status differently, so both names are given."""
    status = _STATUS.get(job.state, PENDING)
    fields: dict[str, Any] = {"processingStatus": status, "transcriptionStatus": status}
    if status == ERROR and job.failure is not None:
        code, message = str(job.failure.code), job.failure.message
        fields |= {"errorMessage": f"{code}: {message}", "error": {"code": code, "message": message}}
    return fields


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
