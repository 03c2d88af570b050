"""A webhook receiver on loopback, and the check of a callback as a receiver would write it.

The check shares no code with the signer: the header is verified by the `standardwebhooks` library, the body's
signature by `rfc8785` and `hmac`.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import rfc8785
from standardwebhooks import Webhook, WebhookVerificationError

from local.loopback import LoopbackServer

_SECRET_PREFIX = "whsec_"


class CallbackNotVerified(Exception):
    """Raised by `verify_callback`; the message says which check failed and why."""


@dataclass(frozen=True)
class Answer:
    """What the receiver answers to one request: after `delay_s` seconds, this status, headers and body."""

    status: int = 200
    delay_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


GONE = Answer(status=410)


def redirect_to(url: str) -> Answer:
    """An answer that sends the caller elsewhere."""
    return Answer(status=302, headers={"Location": url})


@dataclass(frozen=True)
class Received:
    """One request as it came: header names in lower case, the body's raw bytes, Unix time of its arrival in seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    arrived_at_s: float
    answer: Answer

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver answered with success."""
        return 200 <= self.answer.status < 300

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one if it is none."""
        try:
            payload = json.loads(self.body)
        except ValueError:
            return {}
        return payload if isinstance(payload, dict) else {}


class Receiver(LoopbackServer):
    """The receiver as a thread of this process; a context manager that starts and stops it."""

    def __init__(self, port: int = 0) -> None:
        """Listen on 127.0.0.1:`port` (0: a free one), answer from `start` on. Raises OSError if it is taken."""
        self._news = threading.Condition()
        self._received: list[Received] = []
        self._answers: list[Answer] = []
        self._default = Answer()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        super().__init__(self._server, "receiver")

    @property
    def url(self) -> str:
        """The URL to give as callback URL; any path below it works as well."""
        return f"http://127.0.0.1:{self._server.server_port}/callback"

    @property
    def received(self) -> list[Received]:
        """All requests so far, in the order of their arrival."""
        with self._news:
            return list(self._received)

    def answer_with(self, *answers: Answer | int, then: Answer | int = 200) -> None:
        """Answer the next requests so, one each, and all later ones with `then`. A number is a bare status."""
        with self._news:
            self._answers = [_as_answer(answer) for answer in answers]
            self._default = _as_answer(then)

    def requests_for(self, request_id: str) -> list[Received]:
        """The requests whose body names this `requestId`, accepted or not."""
        return [request for request in self.received if request.json().get("requestId") == request_id]

    def wait_for(self, request_id: str, timeout_s: float) -> Received:
        """The first accepted request for this `requestId`; waits for it.

        Raises TimeoutError, which says how many came that were not accepted.
        """
        deadline = time.monotonic() + timeout_s
        with self._news:
            while True:
                requests = [one for one in self._received if one.json().get("requestId") == request_id]
                accepted = [one for one in requests if one.is_accepted]
                if accepted:
                    return accepted[0]
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError(
                        f"no accepted callback for {request_id} within {timeout_s:g} s"
                        f" ({len(requests)} refused, {len(self._received)} requests in all)"
                    )
                self._news.wait(left_s)

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Record a request that arrived and say what to answer; the server calls this."""
        with self._news:
            answer = self._answers.pop(0) if self._answers else self._default
            self._received.append(Received(method, path, headers, body, time.time(), answer))
            self._news.notify_all()
        return answer


def verify_callback(secret: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Check both signatures of a callback of dialect `presign`; return its body, parsed.

    `secret` is `whsec_` and base64. Raises CallbackNotVerified: a header missing, malformed or older than five
    minutes, a signature that does not fit the bytes, a body that is no JSON object, or whose own signature is wrong.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if name not in lower:
            raise CallbackNotVerified(f"header {name} is missing")
    try:
        Webhook(secret).verify(body, lower)
    except (WebhookVerificationError, ValueError) as error:
        raise CallbackNotVerified(f"header webhook-signature does not verify: {error}") from error
    payload = json.loads(body)
    if not isinstance(payload, dict):
        raise CallbackNotVerified("the body is not a JSON object")
    _verify_body_signature(secret, payload)
    return payload


def _verify_body_signature(secret: str, payload: dict[str, Any]) -> None:
    signature = payload.get("signature")
    if not isinstance(signature, str):
        raise CallbackNotVerified("the body has no signature")
    unsigned = {name: value for name, value in payload.items() if name != "signature"}
    try:
        canonical = rfc8785.dumps(unsigned)
    except rfc8785.CanonicalizationError as error:
        raise CallbackNotVerified(f"the body has no canonical form: {error}") from error
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    expected = base64.b64encode(hmac.new(key, canonical, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise CallbackNotVerified("the body's signature does not fit the body")


def _as_answer(answer: Answer | int) -> Answer:
    return Answer(status=answer) if isinstance(answer, int) else answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers that go away are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60.0
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.receiver.take(self.command, self.path, headers, body)
        if answer.delay_s:
            time.sleep(answer.delay_s)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 (the base class's names)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """What came is recorded, not logged."""
