"""Between the vendor's words and ours; pure, and free of any HTTP framework."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from callscribe import names
from callscribe.dialects.front import BodyTooLong, MethodNotAllowed, UnknownPath
from callscribe.domain.audio import AudioLimits
from callscribe.domain.clarity import clear_text, collapse
from callscribe.domain.jobs import Job
from callscribe.domain.prices import Account
from callscribe.domain.roles import Role, Roles
from callscribe.domain.texts import is_blank
from callscribe.domain.transcripts import Transcript
from callscribe.errors import (
    CallscribeError,
    FailureCode,
    InsufficientCredits,
    Invalid,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from callscribe.exports.text import clean
from callscribe.ports import Settings
from callscribe.services.callbacks import BodySigner, Result

LIMITS: Final = AudioLimits(max_bytes=names.DOOR_MAX_BODY_BYTES, min_duration_s=1.0, max_duration_s=1_800.0)

DEFAULT_MEDIA_TYPE: Final = "audio/wav"
MEDIA_TYPES: Final = ("audio/wav", "audio/mp3", "audio/mp4", "audio/ogg")
ALIASES: Final = {
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mpeg": "audio/mp3",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "application/ogg": "audio/ogg",
    "audio/opus": "audio/ogg",
}
INPUTS: Final = ("audio_data", "audio_url", "call_id")

# the document's own texts.
NONE_GIVEN: Final = "One of audio_data, audio_url, or call_id is required"
SEVERAL_GIVEN: Final = "Only one of audio_data, audio_url, or call_id should be provided"
TOO_SHORT: Final = "Audio must be at least 1 second long"
TOO_LONG: Final = "Audio must not exceed 30 minutes"
INVALID_KEY: Final = "Invalid API key"
UNKNOWN_CALL: Final = "Call id not found or does not belong to user"
NO_RECORDING: Final = "No recording found for this log"
TOO_MANY: Final = "Rate limit exceeded. Please try again later."

_LABELS: Final = {Role.AGENT: "AI", Role.CUSTOMER: "User"}
_OTHERS_ALPHABET: Final = str.maketrans("-_", "+/")  # RFC 4648, section 5
_DATA_URL: Final = re.compile(r"data:.{0,200}?;base64,", re.IGNORECASE)  # a quoted parameter may hold commas
_HEAD: Final = 256  # characters in which a data URL's prefix must end
_EPOCH: Final = datetime(1970, 1, 1)  # UTC; the document's timestamps name no zone


class Stated(Invalid):
    """A rule that the document states in words of its own; they are the whole answer."""

    def __init__(self, text: str) -> None:
        super().__init__("body", text)


class UnknownCall(CallscribeError):
    """A `call_id` that is not of this tenant, or whose call has no recording; `text` says which."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class StillRunning(CallscribeError):
    """The transcript is not there yet; the same request sent again gets it."""

    def __init__(self, job_id: str, retry_after_s: int) -> None:
        super().__init__(f"job {job_id} is still under way")
        self.job_id = job_id
        self.retry_after_s = retry_after_s


class NotTranscribed(CallscribeError):
    """The job ended without a transcript, for a reason that is its audio's, its owner's or ours."""

    def __init__(self, job: Job, *, available: int = 0) -> None:
        super().__init__(f"job {job.id} failed")
        self.job = job
        self.available = available  # in the account that the job is paid from, where it was not enough


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for: exactly one of `audio`, `url` and `call_id`."""

    media_type: str
    audio: bytes | None = None
    url: str | None = None
    call_id: str | None = None
    leniencies: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """What makes two requests of one credential equal, besides the audio itself."""
        kinds = {"audio_data": "", "audio_url": self.url, "call_id": self.call_id}
        kind = "audio_data" if self.audio is not None else "audio_url" if self.url is not None else "call_id"
        return (self.media_type, kind, str(kinds[kind]))


def wanted(
    *, audio_data: str | None, audio_url: str | None, call_id: str | int | None, mime_type: str | None
) -> Wanted:
    """A-01, A-02, A-A2, A-A3: read a request's fields; null and "" count as missing. Raises Invalid."""
    given = [
        name for name, value in zip(INPUTS, (audio_data, audio_url, call_id), strict=True) if value not in (None, "")
    ]
    if len(given) != 1:
        raise Stated(SEVERAL_GIVEN if given else NONE_GIVEN)
    listed, leniencies = media_type(mime_type or DEFAULT_MEDIA_TYPE)
    if given == ["audio_data"]:
        audio, more = decode(str(audio_data))
        return Wanted(listed, audio=audio, leniencies=(*leniencies, *more))
    name, text = given[0], str(audio_url or call_id)
    trimmed = text.strip()
    if not trimmed:
        raise Invalid(name, "must not be empty")
    if trimmed != text:
        leniencies = (*leniencies, f"{name} trimmed")
    if name == "audio_url":
        return Wanted(listed, url=trimmed, leniencies=leniencies)
    return Wanted(listed, call_id=trimmed, leniencies=leniencies)


def media_type(given: str) -> tuple[str, tuple[str, ...]]:
    """The listed type that a `mime_type` stands for, and the leniencies that took. Raises Invalid."""
    bare = given.partition(";")[0].strip()
    plain = bare.lower()
    listed = ALIASES.get(plain, plain)
    if listed not in MEDIA_TYPES:
        raise Invalid("mime_type", f"must be one of {', '.join(MEDIA_TYPES)}")
    return listed, () if listed == given else (f"mime_type taken as {listed}",)


def decode(given: str) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of `audio_data`, and the leniencies that took. Raises Invalid.

    Large ones are copied as seldom as can be: what needs no leniency is decoded as it stands.
    """
    try:
        audio = base64.b64decode(given, validate=True)
        leniencies: tuple[str, ...] = ()
    except (binascii.Error, ValueError):
        audio, leniencies = _decode_leniently(given)
    if not audio:
        raise Invalid("audio_data", "must not be empty")
    return audio, leniencies


def _decode_leniently(given: str) -> tuple[bytes, tuple[str, ...]]:
    prefix = _DATA_URL.match(given[:_HEAD])
    bare = given[prefix.end() :] if prefix else given
    joined = "".join(bare.split())
    plain = joined.translate(_OTHERS_ALPHABET)
    padded = plain + "=" * (-len(plain) % 4)
    try:
        audio = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("audio_data", "must be base64") from None  # the cause would quote the audio
    steps = {
        "data URL": prefix is not None,
        "white space": joined != bare,
        "URL-safe alphabet": plain != joined,
        "missing padding": padded != plain,
    }
    return audio, tuple(f"audio_data {step}" for step, was_needed in steps.items() if was_needed)


def transcription(found: Transcript, roles: Roles) -> str:
    """A-04: lines `AI: …` and `User: …` in the order in which they begin, one for all that is said in a row."""
    lines: list[tuple[str, list[str]]] = []
    for label, text in _said(found, roles):
        if lines and lines[-1][0] == label:
            lines[-1][1].append(text)
        else:
            lines.append((label, [text]))
    return "\n".join(f"{label}: {collapse(' '.join(texts))}" for label, texts in lines)


def _said(found: Transcript, roles: Roles) -> Iterator[tuple[str, str]]:
    for segment in sorted(found.segments, key=lambda one: one.start_s):
        if not is_blank(text := clean(clear_text(segment, found.engine))):
            yield _LABELS[roles.of(segment)], text


def answer(job: Job, found: Transcript, roles: Roles, *, settled: int) -> dict[str, Any]:
    """A-03: the body of a 200. `settled` is what the job cost, in the smallest unit of the account that paid."""
    return {
        "transcription": transcription(found, roles),
        "user_credits_deducted": 0.0 if job.price is None else deducted(job.price.account, settled),
        "timestamp": timestamp(job.finished_at_ms or 0),
        "roles_confidence": round(roles.confidence, 4),
    }


def deducted(account: Account, amount: int) -> float:
    """What left the user's own account; units are the operator's."""
    return 0.0 if account is Account.UNITS else shown(account, amount)


def shown(account: Account, amount: int) -> float:
    """An amount as a number: the nearest float, whose shortest text is the exact amount."""
    return amount / account.scale


def still_running(error: StillRunning) -> dict[str, Any]:
    """Design decision 14: the body of a 503 to a request that cannot wait any longer, or not now."""
    return {"error": "Still transcribing. Send the same request again.", "job_id": error.job_id}


def timestamp(at_ms: int) -> str:
    """UTC without a zone, to the microsecond: `2025-10-28T12:34:56.789000`."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="microseconds")


Refusal = Callable[[Exception], tuple[int, dict[str, Any]]]


def refusal_of(settings: Settings) -> Refusal:
    """Status and body of an answer that refuses, in the words that the stage has chosen."""

    def refusal(error: Exception) -> tuple[int, dict[str, Any]]:
        if isinstance(error, InsufficientCredits):
            return 402, _unpaid(settings, Account(error.account), error.required, error.available)
        if isinstance(error, NotTranscribed):
            return _failed(settings, error)
        if isinstance(error, BodyTooLong):
            return 413, {"error": f"The body {error.rule}; {_WAYS_FOR_MORE}"}
        status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500)
        return status, {"error": _TEXTS.get(status) or _sentence(settings, error)}

    return refusal


# The first that fits counts.
_STATUSES: Final[Mapping[type[Exception], int]] = {
    RateLimited: 429,
    Unauthenticated: 401,
    Invalid: 400,
    UnknownCall: 404,
    UnknownPath: 404,
    MethodNotAllowed: 405,
    Unavailable: 503,
}
_TEXTS: Final = {
    401: INVALID_KEY,
    429: TOO_MANY,
    503: "A service did not answer. Send the same request again.",
}
# Design decision 13: what the gateway lets through but we do not take has another way.
_WAYS_FOR_MORE: Final = (
    "larger audio can be given as audio_url, or uploaded to a URL from "
    f"POST {names.DIALECTS['presign']}/generate-presigned-url"
)
_OF_THE_REQUEST: Final = frozenset(
    {
        FailureCode.AUDIO_EMPTY,
        FailureCode.AUDIO_UNREADABLE,
        FailureCode.AUDIO_UNSUPPORTED,
        FailureCode.UPLOAD_TOO_LARGE,
        FailureCode.LANGUAGE_UNSUPPORTED,
        FailureCode.SOURCE_UNREACHABLE,
    }
)


def _sentence(settings: Settings, error: Exception) -> str:
    if isinstance(error, Stated):
        return error.rule
    if isinstance(error, Invalid):
        return f"{error.field} {error.rule}"
    if isinstance(error, UnknownCall | UnknownPath | MethodNotAllowed):
        return str(error)
    return settings.transcription_failed_text


def _failed(settings: Settings, error: NotTranscribed) -> tuple[int, dict[str, Any]]:
    """A-05, A-07, A-10, A-A3: why a job could not succeed, as far as it is the request's own."""
    job, failure = error.job, error.job.failure
    if failure is None:
        return 500, {"error": settings.transcription_failed_text}
    if failure.code is FailureCode.INSUFFICIENT_CREDITS and job.price is not None and job.audio is not None:
        return 402, _unpaid(settings, job.price.account, job.price.of(job.audio.duration_s), error.available)
    stated = {FailureCode.AUDIO_TOO_SHORT: TOO_SHORT, FailureCode.AUDIO_TOO_LONG: TOO_LONG}
    if failure.code in stated:
        return 400, {"error": stated[failure.code]}
    if failure.code in _OF_THE_REQUEST:
        return 400, {"error": failure.message}
    return 500, {"error": settings.transcription_failed_text}


def _unpaid(settings: Settings, account: Account, required: int | None, available: int) -> dict[str, Any]:
    """A-07: three bodies. `required` is None while nobody knows how long the audio is."""
    if account is Account.UNITS:
        place = f"get now from Vispark Cloud at {settings.admin_units_url}"
        units = {} if required is None else {"required_units": shown(account, required)}
        return {"error": f"Insufficient admin units for transcription, {place}", **units}
    place = f"recharge at {settings.recharge_url}"
    if required is None:
        return {"error": f"Insufficient credits, {place}"}
    return {
        "error": f"Insufficient user credits for transcription, {place}",
        "required_credits": shown(account, required),
        "current_credits": shown(account, available),
    }


def render_callback(_result: Result, _sign: BodySigner) -> bytes | None:
    """None: this contract knows no callbacks, a request's own answer is all there is."""
    return None
