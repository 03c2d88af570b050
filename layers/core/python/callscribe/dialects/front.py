"""What stands before every dialect's router: reads a request strictly, lets nobody in unasked, and answers for
whatever goes wrong, so that nothing is ever answered in the framework's own shape.

Credentials are judged before the body is looked at.
"""

import base64
import binascii
import hashlib
import json
import logging
import math
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from callscribe.domain.accounts import Scope
from callscribe.errors import CallscribeError, Invalid, NotFound, Unauthenticated, Unavailable
from callscribe.services.accounts import Principal

LENIENCY_HEADER = "X-Callscribe-Leniency"
MAX_BODY_BYTES = 65_536
_FRAMES = 6  # of a traceback, the last ones, are logged
_DEFAULT_STAGE = "$default"
_HALF_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LANGUAGE = re.compile(r"auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
_BYTE_ORDER_MARK = "\ufeff"  # some clients' UTF-8 begins with it
_ROUTED_AS = {"HEAD": "GET"}

_logger = logging.getLogger(__name__)
# Powertools keeps the current event on a class that all resolvers share: two threads would read each other's.
_one_at_a_time = threading.Lock()


class Malformed(Invalid):
    """The body is not what its route takes at all: not JSON, not an object, a wrong type, a missing field."""


class BodyTooLong(Malformed):
    """The body has more bytes than a request of this route can need."""


class UnknownPath(NotFound):
    """No route has this path."""


class MethodNotAllowed(CallscribeError):
    """The path is known, but not with this method; `allowed` are the methods it has."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(f"this path takes {' or '.join(allowed)}")
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Room:
    """How much a request or its answer may carry and how long it may wait, by the way on which it came."""

    max_body_bytes: int
    max_wait_s: float


FUNCTION_URL_WAIT_S = 290.0  # devices on the way drop idle connections near 350 s
GATEWAY_WAIT_S = 25.0  # the gateway itself gives up after GATEWAY_LIMIT_S
GATEWAY_LIMIT_S = 30.0
MIN_ANSWER_S = 3.0  # of a Lambda's time, kept for the answer itself


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a route. `scope` None: anybody, or the route judges its own credential. `takes_json`: its body.
    `takes_bytes`: whatever the body is, the route gets it as it came, in base64 too, and reads it itself.

    `empty_body` is the JSON that stands for no body at all; null is no object, so a body is needed.
    `max_body_bytes` is what the route can need; None: as much as the way allows. `limited`: see `Front.gate`.
    """

    scope: Scope | None = None
    takes_json: bool = False
    takes_bytes: bool = False
    empty_body: str = "null"
    max_body_bytes: int | None = MAX_BODY_BYTES
    limited: bool = False


# Those of the request that this thread reads: whoever bends a value into shape has no call at hand.
_leniencies: ContextVar[list[str]] = ContextVar("leniencies")


def note_leniency(leniency: str) -> None:
    """Say in the answer's header what the request was forgiven; outside of a request, to nobody."""
    noted = _leniencies.get([])
    if leniency not in noted:
        noted.append(leniency)


@dataclass(slots=True)
class Call:
    """One request as the routes see it: who makes it, which leniencies it needed (added to as they are used), how
    long it may wait, and how large its answer may be. `route` is the path as the table has it, "-" before it is known.
    `languages` is its header Accept-Language.

    A route must not wait: no other request of this process is answered meanwhile. It leaves what takes time in
    `later`, which makes the answer in place of the route's own.

    `gone` says whether the client has left, so that nobody gets the answer. Only the door sees that: a Lambda is not
    told, and answers whoever asked. `logged_status` is what the log says instead of the answer's own status, for a
    contract whose every answer is a 200: alarms listen to it.
    """

    route: str
    languages: str = ""
    principal: Principal | None = None
    leniencies: list[str] = field(default_factory=list)
    max_wait_s: float = 0
    max_answer_bytes: int = 0
    later: Callable[[], dict[str, Any]] | None = None
    gone: Callable[[], bool] = lambda: False
    logged_status: int | None = None


class Resolver(Protocol):
    """The part of a Powertools resolver that is used here."""

    def append_context(self, **additional_context: Any) -> None:
        """Keep values for the routes until `resolve` has ended."""
        ...

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Route the event and answer it."""
        ...


@dataclass(frozen=True)
class Front:
    """The Lambda handler of a dialect: `routes` is the whole access table, (method, path with <names>) → Access.

    `admit` gives the principal for an event and a scope, or raises; `refuse` renders any exception of a call.
    `decorate` gives the headers that every answer to an event carries. `gate` is asked before anything else at the
    routes that are `limited`, and raises where a request is one too many. `now_ms` is the clock, in epoch ms.

    HEAD is answered wherever GET is, with the same headers and no body.
    """

    resolver: Resolver
    routes: Mapping[tuple[str, str], Access]
    admit: Callable[[Mapping[str, Any], Scope], Principal]
    refuse: Callable[[Exception, Call], dict[str, Any]]
    decorate: Callable[[Mapping[str, Any]], dict[str, str]]
    now_ms: Callable[[], int]
    inline_body_bytes: int = 4_000_000  # Settings.inline_body_bytes
    gate: Callable[[Mapping[str, Any]], None] = lambda _event: None

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event; never raises."""
        started_s = time.perf_counter()
        call = Call(route="-", languages=header(event, "accept-language") or "")
        _leniencies.set(call.leniencies)
        try:
            answer = self._answer(event, context, call)
        except Exception as error:  # noqa: BLE001 - the process edge: whatever happened gets an answer of ours
            answer = self.refuse(error, call)
        answer["headers"] = {**answer.get("headers", {}), **self.decorate(event)}
        if call.leniencies:
            answer["headers"][LENIENCY_HEADER] = ", ".join(call.leniencies)
        if _method(event) == "HEAD":
            answer |= {"body": "", "isBase64Encoded": False}
        _log_call(call, answer, time.perf_counter() - started_s)
        return answer

    def _answer(self, event: dict[str, Any], context: Any, call: Call) -> dict[str, Any]:
        path = read_path(event, call.leniencies)
        call.route, access = find_access(self.routes, _method(event), path)
        if access.limited:
            self.gate(event)
        if access.scope is not None:
            call.principal = self.admit(event, access.scope)
        room = room_of(event, context, inline_body_bytes=self.inline_body_bytes, now_ms=self.now_ms())
        call.max_wait_s, call.max_answer_bytes = room.max_wait_s, room.max_body_bytes
        call.gone = getattr(context, "gone", call.gone)
        plain = _plain_event(event, path, access, call.leniencies, room.max_body_bytes)
        with _one_at_a_time:
            self.resolver.append_context(call=call)
            answer = self.resolver.resolve(plain, context)
        if call.later is None:
            return answer
        event.pop("body", None)  # it may be large, and the wait long
        del plain
        return call.later()


def room_of(event: Mapping[str, Any], context: Any, *, inline_body_bytes: int, now_ms: int) -> Room:
    """What the way of a request allows at `now_ms`: the door says it itself (`context.room`), a function URL lets a
    call wait longer than the gateway does, and a Lambda's own time bounds both.
    """
    given = getattr(context, "room", None)
    if isinstance(given, Room):
        return given
    by_function_url = ".lambda-url." in str(event["requestContext"].get("domainName", ""))
    wait_s = FUNCTION_URL_WAIT_S if by_function_url else GATEWAY_WAIT_S - _passed_s(event, now_ms)
    left_ms = getattr(context, "get_remaining_time_in_millis", None)
    if left_ms is not None:
        wait_s = min(wait_s, left_ms() / 1000 - MIN_ANSWER_S)
    return Room(inline_body_bytes, max(0.0, wait_s))


def _passed_s(event: Mapping[str, Any], now_ms: int) -> float:
    """What the gateway has waited already, for a cold start above all.

    0 where the two clocks cannot both be right: what is older than the gateway's limit would have been given up.
    """
    passed_s = (now_ms - int(event["requestContext"].get("timeEpoch", now_ms))) / 1000
    return passed_s if 0 <= passed_s <= GATEWAY_LIMIT_S else 0.0


def find_access(routes: Mapping[tuple[str, str], Access], method: str, path: str) -> tuple[str, Access]:
    """The route's own path and its access, for HEAD those of GET. Raises UnknownPath and MethodNotAllowed."""
    matching = {known: access for known, access in routes.items() if _pattern(known[1]).fullmatch(path)}
    if not matching:
        raise UnknownPath("there is nothing at this path")
    for (known_method, known_path), access in matching.items():
        if known_method == _ROUTED_AS.get(method, method):
            return known_path, access
    known = {known_method for known_method, _ in matching}
    raise MethodNotAllowed(tuple(sorted(known | ({"HEAD"} if "GET" in known else set()))))


def read_path(event: Mapping[str, Any], leniencies: list[str]) -> str:
    """The path below the API's stage, without a trailing slash."""
    path, stage = str(event["rawPath"]), event["requestContext"].get("stage", _DEFAULT_STAGE)
    if stage != _DEFAULT_STAGE and path.startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :]
    if len(path) > 1 and path.endswith("/"):
        leniencies.append("trailing slash")
        return path[:-1]
    return path


def header(event: Mapping[str, Any], name: str) -> str | None:
    """A header's value, None where it is missing. `name` in lower case."""
    for key, value in (event.get("headers") or {}).items():
        if key.lower() == name:
            return str(value)
    return None


def credentials(event: Mapping[str, Any], scheme: str) -> str:
    """What follows the scheme (in lower case) in the Authorization header. Raises Unauthenticated."""
    given, _, rest = (header(event, "authorization") or "").strip().partition(" ")
    if given.lower() != scheme or not rest.strip():
        raise Unauthenticated(f"this request needs the header Authorization: {scheme.capitalize()} …")
    return rest.strip()


def read_text(event: Mapping[str, Any], max_bytes: int = MAX_BODY_BYTES) -> str:
    """The body as text. Raises BodyTooLong, and Malformed for what is not UTF-8."""
    body = event.get("body") or ""
    if len(body) > 2 * max_bytes:
        raise BodyTooLong("body", f"must have at most {max_bytes} bytes")
    if not event.get("isBase64Encoded") and len(body) <= max_bytes and body.isascii():
        return str(body)  # the same object: a body may have 80 MB
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        text = raw.decode()
    except (UnicodeError, binascii.Error) as error:
        raise Malformed("body", "must be UTF-8") from error
    if len(raw) > max_bytes:
        raise BodyTooLong("body", f"must have at most {max_bytes} bytes")
    return text


def require_short(event: Mapping[str, Any], max_bytes: int) -> None:
    """Raises BodyTooLong, without taking the body out of its base64."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        size_bytes = 3 * len(body) // 4 - body[-2:].count("=")
    else:  # a copy of a body that may have 80 MB is made only where its characters are not its bytes
        size_bytes = len(body) if body.isascii() or len(body) > max_bytes else len(body.encode("utf-8", "replace"))
    if size_bytes > max_bytes:
        raise BodyTooLong("body", f"must have at most {max_bytes} bytes")


def strict_json(text: str) -> dict[str, Any]:
    """A JSON object as RFC 8259 has it. Raises Malformed for anything else, and as `strict_value` does."""
    document = strict_value(text)
    if not isinstance(document, dict):
        raise Malformed("body", "must be a JSON object")
    return document


def strict_value(text: str) -> Any:
    """Any JSON value as RFC 8259 has it. Raises Malformed, also for repeated keys, NaN, half surrogates, and numbers
    so large that they would be read as infinite.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if _HALF_SURROGATE.search(text):  # a cheap suspicion: to be sure takes two copies of the document
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise Malformed("body", "is nested too deeply") from error
    except UnicodeError as error:
        raise Malformed("body", "must hold whole Unicode characters") from error
    except ValueError as error:
        raise Malformed("body", "must be valid JSON") from error
    return document


def idempotency_key(event: Mapping[str, Any]) -> str | None:
    """The Idempotency-Key header, None where it is missing. Raises Invalid."""
    given = header(event, "idempotency-key")
    if given is not None and not _IDEMPOTENCY_KEY.fullmatch(given):
        raise Invalid("Idempotency-Key", "must be 1 to 255 printable ASCII characters without spaces")
    return given


def idempotency_parameter(given: str) -> dict[str, Any]:
    """The same header as an OpenAPI document has it. `given`: what the same key gives again."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": f"{given} for 24 hours.",
        "schema": {"type": "string", "pattern": f"^{_IDEMPOTENCY_KEY.pattern}$"},
    }


def fingerprint(values: Sequence[object]) -> str:
    """SHA-256, hex, of what a request means: two bodies that differ only in spelling are the same request."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def read_language(given: str | None) -> str | None:
    """A BCP 47 tag, or None for the engine to decide. Raises Invalid."""
    if given is not None and not _LANGUAGE.fullmatch(given):
        raise Invalid("language", 'must be a BCP 47 tag such as en or pt-BR, or "auto"')
    return None if given in (None, "auto") else given


def log_refusal(error: Exception) -> None:
    """Log an error that is ours to mend: its types and frames, never its text, which may quote a request."""
    if isinstance(error, Unavailable):
        _logger.warning("a service did not answer: %s", error)
    else:
        _logger.error("unexpected error: %s", "caused by ".join(_chain(error)))


def _plain_event(
    event: dict[str, Any], path: str, access: Access, leniencies: list[str], room_bytes: int
) -> dict[str, Any]:
    """The event as the router shall see it: at the default stage, body as text, and JSON where the route takes JSON."""
    max_bytes = room_bytes if access.max_body_bytes is None else min(access.max_body_bytes, room_bytes)
    headers = {key.lower(): value for key, value in (event.get("headers") or {}).items()}
    _require_plain(event)
    if access.takes_bytes:
        require_short(event, max_bytes)
        return {**event, "rawPath": path, "headers": headers, "requestContext": _plain_context(event)}
    text = read_text(event, max_bytes)
    if text.startswith(_BYTE_ORDER_MARK):
        leniencies.append("byte order mark")
        text = text[1:]
    if access.takes_json:
        if text and not re.match(r"application/json\s*(;|$)", headers.get("content-type", ""), re.IGNORECASE):
            leniencies.append("Content-Type")
        headers["content-type"] = "application/json"
    return {
        **event,
        "rawPath": path,
        "headers": headers,
        "body": text or (access.empty_body if access.takes_json else None),
        "isBase64Encoded": False,
        "requestContext": _plain_context(event),
    }


def _plain_context(event: Mapping[str, Any]) -> dict[str, Any]:
    context, method = event["requestContext"], _method(event)
    http = {**context["http"], "method": _ROUTED_AS.get(method, method)}
    return {**context, "stage": _DEFAULT_STAGE, "http": http}


def _method(event: Mapping[str, Any]) -> str:
    """In upper case; "" for what is no event of a request."""
    return str(event.get("requestContext", {}).get("http", {}).get("method", "")).upper()


def _require_plain(event: Mapping[str, Any]) -> None:
    """Raises Malformed for a body that is compressed, which would else be said to be no UTF-8."""
    codings = {coding.strip().lower() for coding in (header(event, "content-encoding") or "").split(",")}
    if event.get("body") and codings - {"", "identity"}:
        raise Malformed("Content-Encoding", "must be identity: the body is taken as it is, not compressed")


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("[A-Za-z0-9._~-]+".join(re.escape(part) for part in re.split(r"<\w+>", path)))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Malformed("body", "must not repeat a key")
    return fields


def _no_constant(name: str) -> None:
    raise Malformed("body", f"must not hold {name}")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Malformed("body", "must not hold a number beyond 1.8e308")
    return number


def _chain(error: BaseException | None) -> Iterator[str]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{type(error).__module__}.{type(error).__qualname__}\n" + "".join(
            traceback.format_tb(error.__traceback__, limit=-_FRAMES)
        )
        error = error.__cause__ or error.__context__


def _log_call(call: Call, answer: Mapping[str, Any], took_s: float) -> None:
    tenant_id = call.principal.tenant_id if call.principal else "-"
    # The route, not the path: a path may carry a link's token.
    status = call.logged_status or answer["statusCode"]
    _logger.info("route=%s status=%s tenant=%s took_ms=%.0f", call.route, status, tenant_id, 1000 * took_s)
