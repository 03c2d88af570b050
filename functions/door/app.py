"""The door: the dialects' own handlers behind uvicorn, for bodies and waits that no gateway lets through.

An ASGI application that makes of each request the event that an HTTP API would make of it (payload format 2.0), and
runs the same handler on it in a thread. What a handler answers goes out as the gateway would send it. Preflight
requests of browsers (CORS) are the gateway's own business: here they get the dialect's 405. Unlike the gateway the
door sees a client that leaves, and tells the handler.
"""

import argparse
import asyncio
import base64
import ipaddress
import json
import logging
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from callscribe import dialects, names, wiring
from callscribe.dialects.front import Room, log_refusal

log = logging.getLogger("callscribe.door")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = Mapping[str, Any]

HEALTH = "/healthz"
_VIA = ("via", "1.1 callscribe-door")
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")
_OF_THE_CONNECTION = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding"))
_JSON = {  # as functions/landing answers at unknown paths
    "content-type": "application/json",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_PARENT_CHECK_S = 0.5
_LOOK_S = 1.0
_BUSY_S = 5  # what Retry-After says where there is no room


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request and all of them together may take. `held_bytes`: of bodies whose requests are not answered yet.

    `read_s` without a byte, or `body_s` in all, end the reading of a body; `thread_s` is how long a request waits for
    one of the `threads`; a body that is refused is read on for at most `drain_s`, so that its sender sees the answer.
    """

    body_bytes: int = names.DOOR_MAX_BODY_BYTES
    held_bytes: int = 10 * names.DOOR_MAX_BODY_BYTES
    threads: int = 40
    read_s: float = 30
    body_s: float = 900
    thread_s: float = 30
    drain_s: float = 20
    send_s: float = 60


class Refused(Exception):
    """The door itself answers. `drain`: whether to read what still comes of the body. 503 says when to come again."""

    def __init__(self, status: int, message: str, *, drain: bool = True) -> None:
        super().__init__(message)
        later = {"retry-after": str(_BUSY_S)} if status == 503 else {}
        self.answer = plain_answer(status, {"message": message}, **later)
        self.drain = drain


class Gone(Exception):
    """The client has left before its request was whole."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler is told beside its event, as Lambda's own context would; and whether its client is gone."""

    room: Room
    aws_request_id: str
    deadline_s: float
    gone: Callable[[], bool]

    def get_remaining_time_in_millis(self) -> int:
        """How long the answer may still take."""
        return max(0, int(1000 * (self.deadline_s - time.monotonic())))


class Door:
    """The ASGI application. `load` makes the handler of a dialect by its name, once, when it is first asked for."""

    def __init__(
        self,
        load: Callable[[str], dialects.Handler],
        options: wiring.DoorOptions,
        limits: Limits | None = None,
    ) -> None:
        self._load = load
        self._options = options
        self._limits = limits or Limits()
        self._handlers: dict[str, dialects.Handler] = {}
        self._loading = threading.Lock()
        self._pool = ThreadPoolExecutor(self._limits.threads, thread_name_prefix="door")
        self._threads = asyncio.Semaphore(self._limits.threads)
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises TimeoutError for a client that does not take its answer."""
        if scope["type"] != "http":
            raise RuntimeError(f"the door speaks HTTP, not {scope['type']}")
        try:
            answer = await self._answer(scope, receive)
        except Gone:
            return
        except Refused as refusal:
            await self._refuse(refusal, scope, receive, send)
        else:
            async with asyncio.timeout(self._limits.send_s):
                await _send(answer, send, method=scope["method"])

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path = request_path(scope["raw_path"].decode("latin-1"))
        if path == HEALTH and scope["method"] in ("GET", "HEAD"):
            return plain_answer(200, {"status": "ok"})
        dialect = dialect_of(path)
        if dialect is None:
            raise Refused(404, "Not Found")
        headers = joined_headers(scope["headers"])
        with self._holding() as hold:
            body = await self._read(receive, hold, announced_bytes(headers))
            # Nobody but the event may keep the body: it is large, and its handler may wait for long.
            made = [event_of(scope, path, headers, body, self._source_ip(scope, headers))]
            del body
            return await self._handle(dialect, made, receive)

    async def _handle(self, dialect: str, made: list[dict[str, Any]], receive: Receive) -> Answer:
        try:
            async with asyncio.timeout(self._limits.thread_s):
                await self._threads.acquire()
        except TimeoutError:
            raise Refused(503, "Service Unavailable", drain=False) from None
        gone = threading.Event()
        watching = asyncio.create_task(_note_leaving(receive, gone))
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._run, dialect, made, gone)
        finally:
            watching.cancel()
            self._threads.release()

    def _run(self, dialect: str, made: list[dict[str, Any]], gone: threading.Event) -> Answer:
        """In a thread: whatever happens, an answer. A client that leaves meanwhile sets `gone`; what follows from
        that the handler decides.
        """
        wait_s = self._options.wait_s
        until_s = time.monotonic() + wait_s + self._limits.send_s
        context = Context(Room(self._limits.body_bytes, wait_s), uuid.uuid4().hex, until_s, gone.is_set)
        try:
            return self._handler(dialect)(made.pop(), context)
        except Exception as error:  # noqa: BLE001 - the process edge: as the gateway answers where a Lambda fails
            log_refusal(error)
            return plain_answer(500, {"message": "Internal Server Error"})

    def _handler(self, dialect: str) -> dialects.Handler:
        with self._loading:
            if dialect not in self._handlers:
                self._handlers[dialect] = self._load(dialect)
            return self._handlers[dialect]

    def _source_ip(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """The client: what the one trusted proxy says it saw (it adds to the right), else the other end itself."""
        peer = str((scope.get("client") or ("0.0.0.0",))[0])  # noqa: S104 - a name for an unknown peer, nothing is bound
        if not self._options.trusted_proxies:
            return peer
        said = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return said if is_address(said) else peer

    @contextmanager
    def _holding(self) -> Iterator[Callable[[int], None]]:
        """Within it, `hold(n)` counts n bytes more of this request, and refuses where all together are too many."""
        mine = 0

        def hold(more_bytes: int) -> None:
            nonlocal mine
            if mine + more_bytes > self._limits.body_bytes:
                raise self._too_long()
            if self._held_bytes + more_bytes > self._limits.held_bytes:
                raise Refused(503, "Service Unavailable")
            mine += more_bytes
            self._held_bytes += more_bytes

        try:
            yield hold
        finally:
            self._held_bytes -= mine

    async def _read(self, receive: Receive, hold: Callable[[int], None], announced: int) -> bytearray:
        """The whole body. Room is taken as it comes: who only announces much takes none. Raises Refused and Gone."""
        body = bytearray()
        if announced > self._limits.body_bytes:
            raise self._too_long()
        try:
            async with asyncio.timeout(self._limits.body_s):
                while True:
                    async with asyncio.timeout(self._limits.read_s):  # before 3.12 wait_for loses the outer one's end
                        message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    chunk = message.get("body", b"")
                    hold(len(chunk))
                    body += chunk
                    if not message.get("more_body"):
                        return body
        except TimeoutError:
            raise Refused(408, "the body did not come in time", drain=False) from None

    def _too_long(self) -> Refused:
        return Refused(413, f"the body has more than {self._limits.body_bytes} bytes; {names.LARGER_RECORDINGS}")

    async def _refuse(self, refusal: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then read on for a while: a client that is still sending would else see a reset, not the answer."""
        closing = {**refusal.answer, "headers": {**refusal.answer["headers"], "connection": "close"}}
        async with asyncio.timeout(self._limits.send_s):
            await _send(closing, send, method=scope["method"], is_end=False)
        has_body = {name for name, _ in scope["headers"]} & {b"content-length", b"transfer-encoding"}
        if refusal.drain and has_body and (b"expect", b"100-continue") not in scope["headers"]:
            await _drain(receive, self._limits.drain_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def plain_answer(status: int, document: Mapping[str, Any], **headers: str) -> dict[str, Any]:
    """An answer of the door's own, as a handler would give it."""
    return {"statusCode": status, "headers": {**_JSON, **headers}, "body": json.dumps(document)}


def dialect_of(path: str) -> str | None:
    """The dialect that answers at this path, by the gateway's own routes; None where none does."""
    for name, prefix in names.DIALECTS.items():
        others = names.OTHER_PATHS.get(name, ())
        if path in others or path.startswith(tuple(f"{one}/" for one in (prefix, *others))):
            return name
    return None


def request_path(raw: str) -> str:
    """A path as an HTTP API gives it: every escape decoded but that of the percent sign itself."""
    return re.sub(r"(?:%(?!25)[0-9A-Fa-f]{2})+", lambda found: unquote(found[0]), raw)


def joined_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; the values of one that came several times are joined by commas."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        # RFC 9113, section 8.2.3: pieces of a cookie header are joined by semicolons
        separator = "; " if name == "cookie" else ","
        joined[name] = f"{joined[name]}{separator}{value}" if name in joined else value
    return joined


def announced_bytes(headers: Mapping[str, str]) -> int:
    """The body's announced length; 0 where it comes in chunks. What is no number the server has refused already."""
    announced = headers.get("content-length", "0")
    return int(announced) if announced.isascii() and announced.isdigit() else 0


def is_address(text: str) -> bool:
    """Whether this is an IP address, of either kind."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def event_of(scope: Scope, path: str, headers: dict[str, str], body: bytearray, source_ip: str) -> dict[str, Any]:
    """The event that an HTTP API makes of this request, payload format 2.0; `body` is emptied."""
    query = scope["query_string"].decode("latin-1")
    cookies = [piece.strip() for piece in headers.get("cookie", "").split(";") if piece.strip()]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name: value for name, value in headers.items() if name != "cookie"},
        "requestContext": _request_context(scope, path, headers, source_ip),
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _parameters(query)
    if body:
        event["body"], event["isBase64Encoded"] = _body(headers, body)
        body.clear()
    return event


def _request_context(scope: Scope, path: str, headers: Mapping[str, str], source_ip: str) -> dict[str, Any]:
    now_s = time.time()
    host = headers.get("host", "")
    return {
        "accountId": "anonymous",
        "apiId": "door",
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "http": {
            "method": scope["method"],
            "path": path,
            "protocol": f"HTTP/{scope['http_version']}",
            "sourceIp": source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": uuid.uuid4().hex,
        "routeKey": "$default",
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_s)),
        "timeEpoch": int(1000 * now_s),
    }


def _parameters(query: str) -> dict[str, str]:
    """Query parameters; the values of one that came several times are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(headers: Mapping[str, str], body: bytearray) -> tuple[str, bool]:
    """The body as the event has it: text of a text type as it is, everything else in base64; and whether it is that."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type.startswith("text/") or media_type in _TEXT_TYPES:
        try:
            return str(body, "utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def _wire_headers(answer: Answer, content: bytes, method: str) -> list[tuple[bytes, bytes]]:
    """The answer's headers and cookies, and those of the connection. An answer to HEAD whose body was left out says
    no length: it would have to be that of GET (RFC 9110, section 8.6).
    """
    pairs = [(name, value) for name, value in answer["headers"].items() if name.lower() not in _OF_THE_CONNECTION]
    pairs += [("set-cookie", cookie) for cookie in answer.get("cookies") or ()]
    pairs.append(_VIA)
    if answer["statusCode"] != 204 and (content or method != "HEAD"):
        pairs.append(("content-length", str(len(content))))
    if "connection" in answer["headers"]:
        pairs.append(("connection", answer["headers"]["connection"]))
    return [(name.lower().encode("latin-1"), str(value).encode("utf-8")) for name, value in pairs]


async def _send(answer: Answer, send: Send, *, method: str, is_end: bool = True) -> None:
    """A handler's answer, in pieces, so that a client that does not read is noticed."""
    text = answer.get("body") or ""
    content = base64.b64decode(text) if answer.get("isBase64Encoded") else str(text).encode()
    status = int(answer["statusCode"])
    await send({"type": "http.response.start", "status": status, "headers": _wire_headers(answer, content, method)})
    piece_bytes = 256 * 1024
    for start in range(0, len(content), piece_bytes):
        piece = content[start : start + piece_bytes]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    if is_end:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _note_leaving(receive: Receive, gone: threading.Event) -> None:
    """Set `gone` once the client has closed its connection. The body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def _drain(receive: Receive, longest_s: float) -> None:
    """Read what still comes of a body, and forget it."""
    try:
        async with asyncio.timeout(longest_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


def load_handler(dialect: str) -> dialects.Handler:
    """The handler of a dialect on AWS, with the adapters that it needs: what `functions/api` runs."""
    loaded = dialects.load(dialect)
    return loaded.build(wiring.aws_deps(*loaded.needs))


@dataclass
class Idlers:
    """Connections that are not being worked for: kept alive, with half a head, or with an answer that nobody reads.

    uvicorn ends the first kind, but waits forever for a head that was begun, and for an answer to be taken.
    """

    longest_s: float
    since_s: dict[tuple[Any, Any], float] = field(default_factory=dict)  # (connection, its last request) → since when

    def end(self, connections: Iterable[Any], now_s: float) -> None:
        """Cut those off that have been idle for too long; call this every second or so.

        A request that came and went between two calls counts: its connection has another cycle now.
        """
        idle = [
            (one, one.cycle)
            for one in connections
            if one.cycle is None or one.cycle.response_complete or one.transport.is_closing()
        ]
        self.since_s = {pair: self.since_s.get(pair, now_s) for pair in idle}
        for (one, _), since_s in self.since_s.items():
            if now_s - since_s > self.longest_s:
                one.transport.abort()


async def _watch(server: Any, idlers: Idlers) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    log.info("door ready")
    while True:
        idlers.end(list(server.server_state.connections), time.monotonic())
        await asyncio.sleep(_LOOK_S)


async def serve(server: Any, idlers: Idlers) -> None:
    """Run a uvicorn server until it is told to end, and watch over its idle connections."""
    watching = asyncio.create_task(_watch(server, idlers))
    await server.serve()
    watching.cancel()


def _leave(*_signal: object) -> None:
    """End now: a thread that still waits for a transcript would keep the process. Its job goes on."""
    logging.shutdown()
    os._exit(0)


def end_with_parent(parent_pid: int) -> None:
    """Once `parent_pid` is no longer the parent, end at once."""
    while os.getppid() == parent_pid:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)


def keep_alive_s(options: wiring.DoorOptions) -> int:
    """How long an idle connection is kept: longer than by a proxy, which must never send into one that just closes."""
    return int(options.wait_s) + 120 if options.trusted_proxies else 30


def server_settings(options: wiring.DoorOptions) -> dict[str, Any]:
    """What uvicorn is told, its address aside."""
    return {
        "http": "h11",
        "ws": "none",
        "lifespan": "off",
        "access_log": False,  # paths may hold tokens; the dialects log each request by its route
        "log_config": None,
        "proxy_headers": False,  # who the client is, is judged above
        "server_header": False,
        "limit_concurrency": 1_000,
        "backlog": 256,
        "timeout_keep_alive": keep_alive_s(options),
        "h11_max_incomplete_event_size": 32_768,
    }


def main() -> None:
    """Serve until SIGTERM or SIGINT, or until the parent is gone (`--parent-pid`)."""
    import uvicorn  # here, so that the adapter can be used without it

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--grace-s", type=int, default=20, help="how long open requests may last after SIGTERM")
    parser.add_argument("--parent-pid", type=int, default=None, help="leave once this process is not the parent")
    arguments = parser.parse_args()
    if arguments.parent_pid is not None:
        threading.Thread(target=end_with_parent, args=(arguments.parent_pid,), daemon=True).start()
    wiring.configure_logging()
    options = wiring.door_options()
    door = Door(load_handler, options)
    config = uvicorn.Config(door, host=arguments.host, port=arguments.port, **server_settings(options))
    config.timeout_graceful_shutdown = arguments.grace_s
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # before uvicorn listens to them, and after: it raises again what has ended it
    asyncio.run(serve(uvicorn.Server(config), Idlers(keep_alive_s(options) + 10)))
    _leave()


if __name__ == "__main__":
    main()
