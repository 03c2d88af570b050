"""A typed client of dialect `presign`, for any base URL: ask for an upload, send the file, wait for the transcript.

```
with Client("https://api.example.com", app_id="app-…", api_key="cs_live_…") as client:
    upload = client.create_upload("audio/wav")
    client.upload(upload.url, Path("call.wav"), "audio/wav")
    result = client.wait(upload.request_id, timeout_s=600)
```

Everything here is safe to repeat, so what failed for a reason that passes (no connection, 429, 5xx) is tried again.

ClientError
├── NotAuthorised       the credential is unknown, expired or revoked, or lacks the permission
├── Rejected            the request breaks a rule of the service; `error_type` as the service named it
│   └── UnknownRequest  no such request for this credential
├── ServiceUnavailable  no usable answer, however often it was tried
└── WaitedTooLong       the job did not end in time; it goes on, and may be asked about again
"""

import base64
import json
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from callscribe.adapters.web.trusted import Reply, TrustedClient, trusted_client
from callscribe.domain import transcripts
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.errors import CallscribeError, OutboundFailed

ATTEMPTS = 5
FIRST_DELAY_S = 0.5  # before the second attempt; doubled after each
MAX_DELAY_S = 30.0
_PASSING = frozenset({429, 500, 502, 503, 504})
_TOKEN_MARGIN_S = 60
_CHUNK_BYTES = 256 * 1024
_PREFIX = "/api/v1"
_LINK = "transcriptionUrl"


class ClientError(CallscribeError):
    """Base of what this client raises. `status` is the HTTP status, None where there was no answer."""

    def __init__(self, message: str, *, status: int | None = None, error_type: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type


class NotAuthorised(ClientError):
    """The credential is unknown, expired or revoked (401), or lacks the permission (403)."""


class Rejected(ClientError):
    """The service understood the request and refuses it; sending it again changes nothing."""


class UnknownRequest(Rejected):
    """No request of this id for this credential."""


class ServiceUnavailable(ClientError):
    """No usable answer came, however often it was tried."""


class WaitedTooLong(ClientError):
    """The job was not finished in time; it goes on."""


class Status(StrEnum):
    """How a request stands."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Upload:
    """A request that waits for its file; `url` takes one PUT and is a secret while it is valid."""

    request_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a request stands: the transcript once COMPLETED, `error` (code and reason) once ERROR.

    `measured`: the transcript's durations are the service's own. The contract carries none, so that those of a
    transcript which stands in the answer are only what its segments add up to.
    """

    request_id: str
    status: Status
    transcript: Transcript | None = None
    error: str | None = None
    measured: bool = False


class Client:
    """One credential at one base URL. Safe to share between threads; close it or use it as a context manager."""

    def __init__(
        self,
        base_url: str,
        app_id: str,
        api_key: str,
        *,
        http: TrustedClient | None = None,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        first_delay_s: float = FIRST_DELAY_S,
    ) -> None:
        self._http = http or trusted_client(base_url)
        self._basic = base64.b64encode(f"{app_id}:{api_key}".encode()).decode()
        self._now_s = now_s
        self._sleep = sleep
        self._first_delay_s = first_delay_s
        self._token = ""
        self._token_until_s = 0.0
        self._token_lock = threading.Lock()

    def create_upload(
        self,
        media_type: str,
        *,
        callback_url: str | None = None,
        language: str | None = None,
        idempotency_key: str | None = None,
    ) -> Upload:
        """Ask for a place to upload to. With the same `idempotency_key` within 24 h the answer is the same request."""
        payload = {"mimeType": media_type, "callbackUrl": callback_url, "language": language}
        answer = self._call(
            "/generate-presigned-url",
            {name: value for name, value in payload.items() if value is not None},
            headers={"idempotency-key": idempotency_key or str(uuid.uuid4())},
        )
        return Upload(request_id=_text(answer, "requestId"), url=_text(answer, "presignedUrl"))

    def upload(
        self,
        url: str,
        path: Path,
        content_type: str | None = None,
        *,
        progress: Callable[[int], None] = lambda _sent_bytes: None,
    ) -> None:
        """PUT a file, streamed from disk. `progress` gets the bytes sent so far; they start again with a new attempt.

        Raises Rejected when the storage refuses, for example because the URL has expired.
        """
        headers = {"content-length": str(path.stat().st_size)}
        if content_type:
            headers["content-type"] = content_type
        reply = self._send("PUT", url, headers=headers, content=lambda: _chunks(path, progress))
        if reply.status >= 300:
            raise Rejected(f"the storage refused the upload: {_storage_reason(reply)}", status=reply.status)

    def result(self, request_id: str) -> Result:
        """How a request stands now. Raises UnknownRequest."""
        answer = self._call("/get-transcription", {"requestId": request_id})
        try:
            status = Status(str(answer.get("processingStatus") or answer.get("transcriptionStatus")))
            transcript = self._transcript(answer) if status is Status.COMPLETED else None
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceUnavailable("the service's answer cannot be read: is this the right base URL?") from error
        measured = transcript is not None and _LINK in answer
        return Result(request_id, status, transcript, answer.get("errorMessage"), measured)

    def wait(
        self,
        request_id: str,
        *,
        timeout_s: float,
        poll_s: float = 0.5,
        max_poll_s: float = 10.0,
        on_status: Callable[[Status], None] = lambda _status: None,
    ) -> Result:
        """Ask until the request has ended, at growing intervals. Raises WaitedTooLong."""
        deadline_s = self._now_s() + timeout_s
        while True:
            result = self.result(request_id)
            on_status(result.status)
            if result.status is not Status.PENDING:
                return result
            left_s = deadline_s - self._now_s()
            if left_s <= 0:
                raise WaitedTooLong(f"request {request_id} was not finished within {timeout_s:g} s")
            self._sleep(min(poll_s, left_s))
            poll_s = min(1.5 * poll_s, max_poll_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(
        self, path: str, payload: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """POST with the token; one that was refused is renewed once."""
        for renew in (False, True):
            bearer = {"authorization": f"Bearer {self._access_token(renew=renew)}"}
            reply = self._post(path, json.dumps(payload).encode(), {**(headers or {}), **bearer})
            if reply.status != 401:
                break
        return _accepted(reply)

    def _access_token(self, *, renew: bool) -> str:
        """The token, fetched anew shortly before it ends."""
        with self._token_lock:
            if renew or self._now_s() >= self._token_until_s:
                answer = _accepted(self._post("/auth/token", b"", {"authorization": f"Basic {self._basic}"}))
                self._token = _text(answer, "accessToken")
                self._token_until_s = self._now_s() + float(answer.get("expiresIn", 0)) - _TOKEN_MARGIN_S
            return self._token

    def _transcript(self, answer: Mapping[str, Any]) -> Transcript:
        """The transcript in an answer, or behind the link that stands there when it is too large."""
        if _LINK not in answer:
            return _inline_transcript(answer)
        reply = self._send("GET", _text(answer, _LINK))
        _raise_refusal(reply)
        return transcripts.from_json(reply.body)

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        headers = {"content-type": "application/json", **headers}
        return self._send("POST", _PREFIX + path, headers=headers, content=lambda: body)

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], bytes | Iterator[bytes] | None] = lambda: None,
    ) -> Reply:
        """Send until an answer comes that will not change by itself. Raises ServiceUnavailable."""
        delay_s = self._first_delay_s
        for attempt in range(1, ATTEMPTS + 1):
            try:
                reply = self._http.request(method, url, headers=headers, content=content())
            except OutboundFailed as failed:
                if attempt == ATTEMPTS or failed.kind == "tls":
                    raise ServiceUnavailable(f"the service cannot be reached: {failed}") from failed
                wait_s = delay_s
            else:
                if reply.status not in _PASSING:
                    return reply
                if attempt == ATTEMPTS:
                    raise ServiceUnavailable(_said(reply), status=reply.status)
                wait_s = max(delay_s, _retry_after_s(reply))
            self._sleep(min(wait_s, MAX_DELAY_S) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter is no secret
            delay_s *= 2
        raise AssertionError("unreachable: the last attempt returns or raises")


def _accepted(reply: Reply) -> dict[str, Any]:
    """The body of a good answer. Raises what a refusal stands for."""
    _raise_refusal(reply)
    return reply.json()


def _raise_refusal(reply: Reply) -> None:
    if 200 <= reply.status < 300:
        return
    kind = {401: NotAuthorised, 403: NotAuthorised, 404: UnknownRequest}.get(reply.status, Rejected)
    raise kind(_said(reply), status=reply.status, error_type=reply.json().get("errorType"))


def _said(reply: Reply) -> str:
    """The service's own words; the contract spells the key with three s."""
    body = reply.json()
    message = body.get("message") or body.get("messsage")
    return str(message) if message else f"the service answered {reply.status} without saying why"


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ServiceUnavailable(f"the service's answer lacks {name}: is this the right base URL?")
    return value


def _inline_transcript(answer: Mapping[str, Any]) -> Transcript:
    """The contract carries neither words nor durations; those stay empty, or are what the segments add up to."""
    segments = tuple(_segment(entry) for entry in answer["transcription"])
    language = answer.get("language")
    return Transcript(
        segments=segments,
        language=None if language == "und" else language,
        language_probability=None,
        engine=str(answer.get("engine") or ""),
        model="",
        duration_s=max((segment.end_s for segment in segments), default=0.0),
        speech_s=round(sum(segment.end_s - segment.start_s for segment in segments), 3),
    )


def _segment(entry: Mapping[str, Any]) -> Segment:
    speaker = entry.get("speaker")
    return Segment(
        text=str(entry["text"]),
        start_s=float(entry["start"]),
        end_s=float(entry["end"]),
        channel=0,
        speaker=None if speaker is None else str(speaker),
        confidence=None,
    )


def _chunks(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    sent_bytes = 0
    progress(0)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
            sent_bytes += len(chunk)
            progress(sent_bytes)


def _storage_reason(reply: Reply) -> str:
    """Code and message of S3's XML answer."""
    text = reply.body.decode(errors="replace")
    found = [re.search(f"<{tag}>([^<]*)</{tag}>", text) for tag in ("Code", "Message")]
    return ": ".join(match[1] for match in found if match) or f"it answered {reply.status}"


def _retry_after_s(reply: Reply) -> float:
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else 0.0
