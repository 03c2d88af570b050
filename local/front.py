"""A loopback HTTP front: `http://127.0.0.1:PORT/<path>` is `<path>` of the HTTP API deployed in the emulator.

It keeps method, target, headers and body as they came, adds what API Gateway adds, and enforces the gateway's limits.
Where there is a door it gets, and alone, what cannot pass the gateway: bodies that are too large for it, and waits that
are too long, once the gateway has answered that its time is over. It is also asked for what was too large an answer for
the gateway, which leads to it by a 302: who does not follow gets it whole. Everything else goes through gateway and
Lambda.
A client that leaves while the door works for it leaves the door, too.
"""

import contextlib
import http.client
import json
import re
import selectors
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from callscribe import names
from callscribe.ports import Settings
from local.loopback import LoopbackServer

INLINE_BODY_BYTES = Settings().inline_body_bytes
GATEWAY_TIMEOUT_S = 30.0
CLIENT_ADDRESS_HEADER = "x-callscribe-client-address"

# fmt: off
_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "expect", "content-length", "host",
    "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", CLIENT_ADDRESS_HEADER,
})
# fmt: on
_ANSWER_HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"))
_DRAIN_LIMIT_BYTES = 256 * 1024 * 1024
_IDLE_TIMEOUT_S = 60.0
_CHUNK_BYTES = 64 * 1024
_LINE_BYTES = 8192
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_ANSWER_S = 90.0  # beyond the door's longest wait

_Answered = tuple[int, list[tuple[str, str]], bytes]


@dataclass(frozen=True)
class DoorWay:
    """A door on 127.0.0.1:`port`: how much it takes, and the paths at which calls `wait`, and for how long."""

    port: int
    max_body_bytes: int
    wait_s: float
    waiting: frozenset[str] = frozenset()


def api_id_of(api_url: str) -> str:
    """The HTTP API's id from the URL that CloudFormation gives as its endpoint, `https://<id>.execute-api.…`."""
    return (urllib.parse.urlsplit(api_url).hostname or "").partition(".")[0]


class Refused(Exception):
    """Raised while a request is read; carries the status and the message of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Gone(Exception):
    """The client has left before its request was whole, or before its answer was there."""


class Front(LoopbackServer):
    """The front as a thread of this process; a context manager that starts and stops it."""

    def __init__(
        self,
        endpoint_url: str,
        api_id: str,
        *,
        stage: str = "$default",
        port: int = 0,
        body_limit_bytes: int = INLINE_BODY_BYTES,
        timeout_s: float = GATEWAY_TIMEOUT_S,
        door: DoorWay | None = None,
    ) -> None:
        """Listen on 127.0.0.1:`port` (0: a free one) at once, answer from `start` on. Raises OSError if it is taken."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.backend = urllib.parse.urlsplit(endpoint_url).netloc
        self._server.prefix = f"/_aws/execute-api/{api_id}/{stage}"
        self._server.body_limit_bytes = body_limit_bytes
        self._server.timeout_s = timeout_s
        self._server.door = door
        super().__init__(self._server, "front")

    @property
    def base_url(self) -> str:
        """What a client puts before a path; no slash at the end."""
        return f"http://127.0.0.1:{self.port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    backend: str
    prefix: str
    body_limit_bytes: int
    timeout_s: float
    door: DoorWay | None

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_TIMEOUT_S
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _serve(self) -> None:
        try:
            body = self._read_body()
        except Refused as refusal:
            self._refuse(refusal)
            return
        except (Gone, ConnectionError):
            self.close_connection = True
            return
        door = self.server.door
        if door is not None and len(body) > self.server.body_limit_bytes:
            self._pass_on(lambda: self._ask_door(door, body), "door")
        elif door is not None:
            self._pass_on(lambda: self._ask_both(door, body), "laptop cloud")
        else:
            self._pass_on(lambda: self._ask_gateway(body), "laptop cloud")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 (the base class's names)

    def _pass_on(self, ask: Callable[[], _Answered], asked: str) -> None:
        try:
            status, headers, content = ask()
        except Gone:
            self.close_connection = True
        except TimeoutError:
            self._answer_json(503, "Service Unavailable")
        except (OSError, http.client.HTTPException):
            self._answer_json(502, f"the {asked} does not answer; is it still running?")
        else:
            self._answer(status, headers, content)

    def handle_expect_100(self) -> bool:
        """Ask the client for its body only if its announced length is acceptable."""
        try:
            self._announced_length()
        except Refused as refusal:
            self._answer_json(refusal.status, refusal.message, close=True)
            return False
        return super().handle_expect_100()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """The emulator logs every request already."""

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunks()
        return self._read_exactly(self._announced_length())

    def _read_exactly(self, size_bytes: int) -> bytes:
        read = self.rfile.read(size_bytes)
        if len(read) < size_bytes:
            raise Gone
        return read

    def _read_line(self) -> bytes:
        """A line of a body in chunks, without its end."""
        line = self.rfile.readline(_LINE_BYTES)
        if line.endswith(b"\n"):
            return line.strip()
        if len(line) < _LINE_BYTES:
            raise Gone
        raise Refused(400, "a line between the chunks of the body is too long")

    def _announced_length(self) -> int:
        announced = self.headers.get("Content-Length", "0").strip()
        if not (announced.isascii() and announced.isdigit()):
            raise Refused(400, "Content-Length is not a number")
        return self._within_limit(int(announced))

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while True:
            size_text = self._read_line().partition(b";")[0].strip()
            if not _CHUNK_SIZE.fullmatch(size_text):  # Python's own int() takes signs, a prefix and underscores
                raise Refused(400, "a chunk of the body has no readable size")
            if not (size := int(size_text, 16)):
                break
            self._within_limit(len(body) + size)
            body += self._read_exactly(size)
            if self._read_line():
                raise Refused(400, "a chunk of the body is longer than its size")
        while self._read_line():
            pass
        return bytes(body)

    def _within_limit(self, size_bytes: int) -> int:
        door = self.server.door
        limit = self.server.body_limit_bytes if door is None else door.max_body_bytes
        if size_bytes > limit:
            raise Refused(413, f"the body has more than {limit} bytes; {names.LARGER_RECORDINGS}")
        return size_bytes

    def _ask_both(self, door: DoorWay, body: bytes) -> _Answered:
        """The gateway first. Once its time is over, where calls wait, the same request to the door, which joins the job
        that runs; and wherever it only leads to what it cannot give. A 302 is the answer to no request that makes
        anything, so that it may be sent again.
        """
        waits = self._path() in door.waiting
        try:
            answered = self._ask_gateway(body)
        except TimeoutError:
            if not waits:
                raise
            return self._ask_door(door, body)
        status, headers, _ = answered
        is_early = waits and status == 503 and any(name.lower() == "retry-after" for name, _ in headers)
        if is_early or status == 302:
            with contextlib.suppress(ConnectionRefusedError):  # it is being started again: the client will come again
                return self._ask_door(door, body)
        return answered

    def _ask_gateway(self, body: bytes) -> _Answered:
        path, address = self.server.prefix + self._target(), (CLIENT_ADDRESS_HEADER, str(self.client_address[0]))
        return self._ask(self.server.backend, path, body, [address], timeout_s=self.server.timeout_s)

    def _ask_door(self, door: DoorWay, body: bytes) -> _Answered:
        """The door's answer. Raises Gone, having left the door as well, if the client leaves before it begins."""
        backend, timeout_s = f"127.0.0.1:{door.port}", door.wait_s + _ANSWER_S
        return self._ask(backend, self._target(), body, timeout_s=timeout_s, until=self._wait_beside_client)

    def _ask(
        self,
        backend: str,
        target: str,
        body: bytes,
        more: Iterable[tuple[str, str]] = (),
        *,
        timeout_s: float,
        until: Callable[[socket.socket, float], None] = lambda _backend, _timeout_s: None,
    ) -> _Answered:
        connection = http.client.HTTPConnection(backend, timeout=timeout_s)
        try:
            connection.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
            for name, value in (*self._forwarded_headers(len(body)), *more):
                connection.putheader(name, value)
            connection.endheaders(body)
            until(connection.sock, timeout_s)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _wait_beside_client(self, backend: socket.socket, timeout_s: float) -> None:
        """Until the backend begins to answer. Raises Gone if the client leaves before, and TimeoutError."""
        until_s = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as waiting:
            waiting.register(backend, selectors.EVENT_READ)
            waiting.register(self.connection, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in waiting.select(max(0.0, until_s - time.monotonic()))}
                if backend in ready:
                    return
                if not ready:
                    raise TimeoutError
                if self._has_left():
                    raise Gone
                waiting.unregister(self.connection)  # it has sent its next request already

    def _has_left(self) -> bool:
        """Whether what there is to read from the client is its end."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            return True

    def _target(self) -> str:
        path = self.path
        if not path.startswith("/"):
            parts = urllib.parse.urlsplit(path)
            path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        return path

    def _path(self) -> str:
        return self._target().partition("?")[0].rstrip("/")

    def _forwarded_headers(self, body_bytes: int) -> list[tuple[str, str]]:
        address = str(self.client_address[0])
        came_by = [*self.headers.get_all("X-Forwarded-For", []), address]
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP]
        headers += [
            ("Host", self._host()),
            ("X-Forwarded-For", ", ".join(came_by)),
            ("X-Forwarded-Port", str(self.server.server_port)),
            ("X-Forwarded-Proto", "http"),
        ]
        if body_bytes or self.command in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(body_bytes)))
        return headers

    def _host(self) -> str:
        """The client's Host if it is ours: the emulator routes some names to other services."""
        ours = [f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")]
        host = self.headers.get("Host", "").lower()
        return host if host in ours else ours[0]

    def _refuse(self, refusal: Refused) -> None:
        """Answer, then read on for a while: a client that is still sending would else see a reset, not the answer."""
        self._answer_json(refusal.status, refusal.message, close=True)
        self.wfile.flush()
        self.connection.settimeout(2.0)
        try:
            self.connection.shutdown(socket.SHUT_WR)
            left = _DRAIN_LIMIT_BYTES
            while left > 0 and (chunk := self.rfile.read1(_CHUNK_BYTES)):
                left -= len(chunk)
        except OSError:
            pass

    def _answer_json(self, status: int, message: str, *, close: bool = False) -> None:
        headers = [("Content-Type", "application/json")]
        if close:
            headers.append(("Connection", "close"))
            self.close_connection = True
        self._answer(status, headers, json.dumps({"message": message}).encode(), keep_connection_header=close)

    def _answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, *, keep_connection_header: bool = False
    ) -> None:
        self.send_response(status)
        declared = next((value for name, value in headers if name.lower() == "content-length"), None)
        for name, value in headers:
            if name.lower() not in _ANSWER_HOP_BY_HOP or (keep_connection_header and name == "Connection"):
                self.send_header(name, value)
        length = declared if self.command == "HEAD" else str(len(content))
        if status >= 200 and status != 204 and length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
