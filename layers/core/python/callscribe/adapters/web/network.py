"""The guarded network below HTTP: resolve once, judge every answer, connect to what was judged.

`GuardedNetwork` is httpcore's backend for one request; its streams know how much time and how many bytes are left.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import httpcore

from callscribe.adapters.web.deadline import Deadline, timed_out
from callscribe.adapters.web.guard import Target, check_address
from callscribe.errors import OutboundFailed

MAX_TRIED_ADDRESSES = 4

Resolver = Callable[[str, int], Sequence[str]]
"""(host, port) → the addresses of the name. Raises OSError where it has none."""

Connector = Callable[[str, int, float], socket.socket]
"""(address, port, time-out in seconds) → a connected socket. Raises OSError."""


def system_resolver(host: str, port: int) -> list[str]:
    """The system's resolver, asked for the absolute name: no search domain is appended."""
    answers = socket.getaddrinfo(f"{host}.", port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def system_connector(address: str, port: int, timeout_s: float) -> socket.socket:
    """A TCP connection to a literal address."""
    connected = socket.create_connection((address, port), timeout_s)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to one target only, within one deadline, and reads at most `max_bytes` from it."""

    def __init__(
        self, target: Target, deadline: Deadline, *, max_bytes: int, resolver: Resolver, connector: Connector
    ) -> None:
        self._target = target
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._resolver = resolver
        self._connector = connector

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # httpcore's signature; the target that was checked decides
        port: int,  # noqa: ARG002  # the same
        timeout: float | None = None,  # noqa: ARG002  # the deadline decides
        local_address: str | None = None,  # noqa: ARG002  # never set
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  # never set
    ) -> httpcore.NetworkStream:
        """Try the judged addresses in turn, each with its share of the time."""
        *others, last = self._judged_addresses()[:MAX_TRIED_ADDRESSES]
        for tried, address in enumerate(others):
            try:
                return self._connect(address, self._deadline.remaining_s() / (len(others) + 1 - tried))
            except OutboundFailed:
                continue
        return self._connect(last, self._deadline.remaining_s())

    def _judged_addresses(self) -> Sequence[str]:
        if self._target.is_loopback:
            return [self._target.host]
        answers = self._resolve() if self._target.address is None else [self._target.host]
        for answer in answers:
            check_address(answer)
        return answers

    def _resolve(self) -> Sequence[str]:
        """Ask the resolver once, in a thread: it knows no time-out."""
        future: Future[Sequence[str]] = Future()
        threading.Thread(target=self._ask_resolver, args=(future,), daemon=True).start()
        with translated("connect"):
            answers = future.result(self._deadline.remaining_s())
        if not answers:
            raise OutboundFailed("connect", "the host has no address")
        return answers

    def _ask_resolver(self, future: "Future[Sequence[str]]") -> None:
        try:
            future.set_result(self._resolver(self._target.host, self._target.port))
        except (OSError, UnicodeError) as error:
            future.set_exception(OSError(str(error)))

    def _connect(self, address: str, timeout_s: float) -> "GuardedStream":
        with translated("connect"):
            connected = self._connector(address, self._target.port, timeout_s)
        return GuardedStream(connected, self._deadline, ByteBudget(self._max_bytes))


class ByteBudget:
    """How many bytes of the answer may still be read, headers and framing included."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes

    def ask(self, wanted: int) -> int:
        """How many of the wanted bytes may be read now. Raises OutboundFailed(too_large) when none are left."""
        if self._left <= 0:
            raise OutboundFailed("too_large", "the answer is larger than what is read of one")
        return min(wanted, self._left)

    def spend(self, count: int) -> None:
        """Note what was read."""
        self._left -= count


class GuardedStream(httpcore.NetworkStream):
    """A socket whose every operation gets what is left of the deadline: no drip of bytes outlives it."""

    def __init__(self, connected: socket.socket, deadline: Deadline, budget: ByteBudget) -> None:
        self._socket = connected
        self._deadline = deadline
        self._budget = budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the deadline decides
        """At most `max_bytes`, empty at the end."""
        allowed = self._budget.ask(max_bytes)
        with translated("protocol"):
            self._socket.settimeout(self._deadline.remaining_s())
            received = self._socket.recv(allowed)
        self._budget.spend(len(received))
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # the deadline decides
        """Everything, however slowly it is taken."""
        left = memoryview(buffer)
        while left:
            left = left[self._send(left) :]

    def _send(self, data: memoryview) -> int:
        self._socket.settimeout(self._deadline.remaining_s())
        try:
            return self._socket.send(data)
        except TimeoutError:
            raise timed_out() from None
        except OSError as error:  # httpcore then looks for an answer that was sent early
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the socket at once."""
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # the deadline decides
    ) -> "GuardedStream":
        """The same stream within TLS, the certificate checked against the name of the target."""
        try:
            with translated("tls"):
                self._socket.settimeout(self._deadline.remaining_s())
                wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except OutboundFailed:
            self.close()
            raise
        return GuardedStream(wrapped, self._deadline, self._budget)

    def get_extra_info(self, info: str) -> None:
        """Nothing: HTTP/1.1 without reuse needs none."""


_MESSAGES = {
    "connect": "the host could not be reached",
    "tls": "no trusted TLS connection could be made",
    "protocol": "the answer broke off or was not HTTP",
}


@contextmanager
def translated(kind: str) -> Iterator[None]:
    """Turn a time-out into OutboundFailed(timeout), any other error of a socket into OutboundFailed(kind)."""
    try:
        yield
    except TimeoutError:
        raise timed_out() from None
    except OSError as error:
        raise failed(kind) from error


def failed(kind: str) -> OutboundFailed:
    """The error of a connection (`connect`), a handshake (`tls`) or an answer (`protocol`)."""
    return OutboundFailed(kind, _MESSAGES[kind])
