"""The twelve hostile receiver modes of figure 4, each with what handling it right means."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from callscribe.adapters.web.connector import GuardedClient
from callscribe.adapters.web.webhooks import MAX_ANSWER_BYTES, GuardedWebhooks
from callscribe.domain.callbacks import EXCERPT_BYTES, Answer, Outcome, judge
from callscribe.errors import OutboundFailed
from callscribe.ports import Settings
from tests.security import receivers
from tests.security.harness import PUBLIC
from tests.security.receivers import Behaviour, Receiver, receiver

SHORT_S = 0.5  # the deadline where it is meant to pass
LONG_S = 10.0  # the deadline where it is not, on a busy machine either
SLACK_S = 4.0
BODY = b'{"requestId":"job_1"}'
HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_job_1"}
NAME = "receiver.example.com"


class CountingSocket(socket.socket):
    """Counts what is received, over all its instances since `received_bytes` was last set."""

    received_bytes = 0

    def recv(self, *arguments: int) -> bytes:
        data = super().recv(*arguments)
        CountingSocket.received_bytes += len(data)
        return data


def counting_connector(address: str, port: int, timeout_s: float) -> socket.socket:
    connected = CountingSocket()
    connected.settimeout(timeout_s)
    connected.connect((address, port))
    return connected


def webhooks(client: GuardedClient | None = None, total_s: float = LONG_S) -> GuardedWebhooks:
    """The adapter as it runs on a laptop, with another deadline."""
    return GuardedWebhooks(Settings(stage="local", allow_loopback=True), client=client, total_s=total_s)


def redirected_client(port: int, *, trust_roots: Path | None = None) -> GuardedClient:
    """A client for which every name is public, and whose connections end at a loopback port."""

    def connect(address: str, _port: int, timeout_s: float) -> socket.socket:
        assert address == PUBLIC
        return socket.create_connection(("127.0.0.1", port), timeout_s)

    roots = str(trust_roots) if trust_roots else None
    return GuardedClient(resolver=lambda _host, _port: [PUBLIC], connector=connect, trust_roots=roots)


def post(state: Receiver, body: bytes = BODY, total_s: float = LONG_S) -> Answer:
    return webhooks(total_s=total_s).post(state.url, headers=HEADERS, body=body)


def failure(state: Receiver, body: bytes = BODY, total_s: float = SHORT_S) -> str | None:
    """The kind of failure, or None; a failure past the deadline counts as `late`."""
    started_s = time.monotonic()
    try:
        post(state, body, total_s)
    except OutboundFailed as error:
        return error.kind if time.monotonic() - started_s < total_s + SLACK_S else "late"
    return None


def answers(behave: Behaviour, outcome: Outcome, *, retry_after_s: float | None = None) -> bool:
    """Whether the answer is judged as it should be, in time, and the request arrived whole."""
    with receiver(behave) as state:
        answer = post(state)
    whole = state.requests[0].endswith(BODY) and b"accept-encoding: identity" in state.requests[0].lower()
    judged = judge(answer.status) is outcome and answer.retry_after_s == retry_after_s
    return whole and judged and state.connections == 1 and answer.duration_ms < 1000 * LONG_S


def fails(behave: Behaviour, kind: str) -> bool:
    with receiver(behave) as state:
        return failure(state, total_s=SHORT_S if kind == "timeout" else LONG_S) == kind


def redirect_is_not_followed() -> bool:
    with receiver(receivers.answering(receivers.OK)) as elsewhere:
        judged = answers(receivers.redirecting(elsewhere.url), Outcome.RETRY)
    return judged and elsewhere.connections == 0


def huge_body_is_cut() -> bool:
    CountingSocket.received_bytes = 0
    client = GuardedClient(allow_loopback=True, connector=counting_connector)
    with receiver(receivers.huge_body) as state:
        answer = webhooks(client).post(state.url, headers=HEADERS, body=BODY)
    complete = answer.status == 200 and answer.excerpt == "x" * EXCERPT_BYTES
    return complete and CountingSocket.received_bytes == MAX_ANSWER_BYTES


def gzip_bomb_is_not_decoded() -> bool:
    with receiver(receivers.gzip_bomb) as state:
        answer = post(state)
    return answer.status == 200 and answer.excerpt.startswith("\x1f") and len(answer.excerpt) <= EXCERPT_BYTES


@contextmanager
def tls_receiver(certificate: receivers.Certificate) -> Iterator[Receiver]:
    with receiver(receivers.answering(receivers.OK), tls=certificate.server_context()) as state:
        yield state


def tls_failure(client: GuardedClient, total_s: float = LONG_S) -> str | None:
    try:
        webhooks(client, total_s).post(f"https://{NAME}/hook", headers=HEADERS, body=BODY)
    except OutboundFailed as error:
        return error.kind
    return None


def untrusted_tls_is_refused() -> bool:
    with TemporaryDirectory() as folder:
        made = receivers.certificate(Path(folder), name=NAME)
        with tls_receiver(made) as state:
            kind = tls_failure(redirected_client(state.port))
    return kind == "tls" and not state.requests


MODES: dict[str, Callable[[], bool]] = {
    "200": lambda: answers(receivers.answering(receivers.OK), Outcome.DELIVERED),
    "410": lambda: answers(
        receivers.answering(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"),
        Outcome.GONE,
    ),
    "429": lambda: answers(
        receivers.answering(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"),
        Outcome.RETRY_LATER,
        retry_after_s=120,
    ),
    "redirect": redirect_is_not_followed,
    "slow drip": lambda: fails(receivers.drip_body, "timeout"),
    "reset": lambda: fails(receivers.reset, "protocol"),
    "huge body": huge_body_is_cut,
    "gzip bomb": gzip_bomb_is_not_decoded,
    "silence": lambda: fails(receivers.silence, "timeout"),
    "bad TLS": untrusted_tls_is_refused,
    "garbage": lambda: fails(receivers.answering(bytes(range(256)) * 8), "protocol"),
    "close": lambda: fails(receivers.close, "protocol"),
}
