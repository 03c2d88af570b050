"""functions/door: what it makes of requests, and what it sends back."""

import base64
import concurrent.futures
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.errors import Unavailable
from callscribe.wiring import DoorOptions, door_options
from functions.door.app import Door, Limits, dialect_of, request_path
from tests.functions.events import http_event as gateway_event
from tests.functions.running_door import running_door, serving
from tests.functions.stage import load
from tests.waiting import SOON_S

PATH = "/transcribe"
JSON = {"content-type": "application/json"}


@dataclass
class Recorder:
    """A handler that keeps what it got, and answers with it."""

    events: list[dict[str, Any]] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=lambda: {"statusCode": 200, "headers": dict(JSON), "body": "{}"})

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        self.events.append(event)
        self.contexts.append(context)
        return self.answer


def length_of(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers with the body's length and first characters."""
    body = event.get("body", "")
    return {"statusCode": 200, "headers": dict(JSON), "body": json.dumps([len(body), body[:10]])}


def test_a_request_becomes_the_event_that_the_gateway_would_make_of_it() -> None:
    handler = Recorder()
    headers = {"User-Agent": "curl/8", "Content-Type": "application/json", "Cookie": "a=1; b=2", "Host": "door.example"}
    with running_door(("aivoco", handler)) as door:
        assert door.ask("POST", f"{PATH}?x=1&x=2&y=%2F&z=", b'{"a": 1}', headers).status == 200
    (event,) = handler.events
    assert set(event) >= set(gateway_event("GET", "/")) - {"body"}
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", PATH)
    assert event["rawQueryString"] == "x=1&x=2&y=%2F&z="
    assert event["queryStringParameters"] == {"x": "1,2", "y": "/", "z": ""}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["user-agent"] == "curl/8"
    assert "cookie" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    context = event["requestContext"]
    assert set(context) >= set(gateway_event("GET", "/")["requestContext"])
    assert context["http"] == {
        "method": "POST",
        "path": PATH,
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "curl/8",
    }
    assert (context["stage"], context["domainName"]) == ("$default", "door.example")


def test_a_header_that_comes_twice_is_joined_by_a_comma() -> None:
    handler = Recorder()
    with running_door(("aivoco", handler)) as door:
        door.raw(b"GET /transcribe HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\nConnection: close\r\n\r\n")
    assert handler.events[0]["headers"]["x-a"] == "1,2"


def test_a_request_without_a_body_has_none_in_its_event() -> None:
    handler = Recorder()
    with running_door(("aivoco", handler)) as door:
        door.ask("GET", PATH)
    assert "body" not in handler.events[0]
    assert handler.events[0]["isBase64Encoded"] is False
    assert "queryStringParameters" not in handler.events[0]


@pytest.mark.parametrize("content_type", ["audio/wav", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_no_text_comes_in_base64(content_type: str) -> None:
    handler, body = Recorder(), bytes(range(256))
    with running_door(("aivoco", handler)) as door:
        door.ask("PUT", PATH, body, {"Content-Type": content_type} if content_type else {})
    assert handler.events[0]["isBase64Encoded"] is True
    assert base64.b64decode(handler.events[0]["body"]) == body


def test_text_that_is_not_utf_8_comes_in_base64_and_loses_nothing() -> None:
    handler = Recorder()
    with running_door(("aivoco", handler)) as door:
        door.ask("POST", PATH, b'{"a": "\xff"}', {"Content-Type": "application/json; charset=utf-8"})
    assert base64.b64decode(handler.events[0]["body"]) == b'{"a": "\xff"}'


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/a%20b", "/a b"),
        ("/%C3%A4", "/ä"),
        ("/a%2Fb", "/a/b"),
        ("/a%252Eb", "/a%252Eb"),
        ("/%41%25%42", "/A%25B"),
        ("/100%", "/100%"),
    ],
)
def test_a_path_is_decoded_as_the_gateway_does_it(raw: str, path: str) -> None:
    assert request_path(raw) == path


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/api/v1/auth/token", "presign"),
        ("/api/v1", None),
        ("/api/v1/", "presign"),
        ("/api/v10/x", None),
        ("/billing/api/v2/login", "mor"),
        ("/transcribe", "aivoco"),
        ("/transcribe/", "aivoco"),
        ("/transcribed", None),
        ("/aivoco/docs", "aivoco"),
        ("/", None),
        ("*", None),
    ],
)
def test_a_path_belongs_to_the_dialect_that_the_gateways_routes_give_it_to(path: str, dialect: str | None) -> None:
    assert dialect_of(path) == dialect


def test_every_prefix_and_every_other_path_leads_to_its_dialect() -> None:
    paths = {f"{prefix}/x": name for name, prefix in names.DIALECTS.items()}
    paths |= {path: name for name, others in names.OTHER_PATHS.items() for path in others}
    assert {path: dialect_of(path) for path in paths} == paths


def test_every_other_path_is_answered_as_the_landing_function_does() -> None:
    landing = load("landing").handler
    with running_door() as door:
        for method, path in (("GET", "/nowhere"), ("POST", "/"), ("DELETE", "/api")):
            reply, expected = door.ask(method, path, b"x" * 10), landing(gateway_event(method, path), None)
            assert reply.status == expected["statusCode"] == 404
            assert reply.content.decode() == expected["body"]
            assert {name: reply.header(name) for name in expected["headers"]} == expected["headers"]


def test_the_health_check_loads_no_dialect() -> None:
    with running_door() as door:
        assert door.ask("GET", "/healthz").content == b'{"status": "ok"}'
        assert door.ask("HEAD", "/healthz").status == 200
        assert door.ask("POST", "/healthz", b"{}").status == 404


def test_a_dialect_is_loaded_once_however_many_come_at_once() -> None:
    loaded: list[str] = []

    def slowly(name: str) -> Callable[..., dict[str, Any]]:
        loaded.append(name)
        threading.Event().wait(0.1)
        return length_of

    with serving(Door(slowly, DoorOptions()), DoorOptions()) as door, concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert {reply.status for reply in pool.map(lambda _: door.ask("GET", PATH), range(8))} == {200}
    assert loaded == ["aivoco"]


def test_a_dialect_that_could_not_be_loaded_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[str] = []

    def at_the_second_try(name: str) -> Callable[..., dict[str, Any]]:
        tries.append(name)
        if len(tries) == 1:
            raise Unavailable("no root keys")
        return length_of

    with serving(Door(at_the_second_try, DoorOptions()), DoorOptions()) as door:
        assert [door.ask("GET", PATH).status for _ in range(2)] == [500, 200]


# Who the client is


def source_ip(trusted: int, *forwarded: str) -> str:
    handler = Recorder()
    lines = "".join(f"X-Forwarded-For: {value}\r\n" for value in forwarded)
    with running_door(("aivoco", handler), options=DoorOptions(trusted_proxies=trusted)) as door:
        door.raw(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n{lines}Connection: close\r\n\r\n".encode())
    return str(handler.events[0]["requestContext"]["http"]["sourceIp"])


def test_behind_the_load_balancer_the_client_is_what_it_added_at_the_right() -> None:
    assert source_ip(1, "203.0.113.9") == "203.0.113.9"
    assert source_ip(1, "198.51.100.1, 10.0.0.1,  203.0.113.9") == "203.0.113.9"
    assert source_ip(1, "198.51.100.1", "2001:db8::7") == "2001:db8::7"


def test_what_a_client_says_of_itself_counts_for_nothing_without_a_proxy() -> None:
    assert source_ip(0, "203.0.113.9") == "127.0.0.1"


@pytest.mark.parametrize("said", ["", "unknown", "203.0.113.9,", "203.0.113.9:80, evil"])
def test_a_proxy_that_names_no_address_leaves_its_own(said: str) -> None:
    assert source_ip(1, said) == "127.0.0.1"


def test_the_environment_says_how_many_proxies_are_trusted() -> None:
    assert door_options({}) == DoorOptions(0, names.DOOR_WAIT_S)
    told = {names.ENV_DOOR_TRUSTED_PROXIES: "1", names.ENV_DOOR_WAIT_S: "60"}
    assert door_options(told) == DoorOptions(1, 60)
    with pytest.raises(ValueError, match="must be 0 or 1"):
        door_options({names.ENV_DOOR_TRUSTED_PROXIES: "2"})


# What comes back


def test_headers_cookies_and_a_binary_body_go_out_as_the_gateway_sends_them() -> None:
    answer = {
        "statusCode": 201,
        "headers": {"Content-Type": "audio/wav", "X-Mine": "ä", "Content-Length": "999", "Connection": "close"},
        "cookies": ["a=1; Secure", "b=2"],
        "body": base64.b64encode(bytes(range(256))).decode(),
        "isBase64Encoded": True,
    }
    with running_door(("aivoco", Recorder(answer=answer))) as door:
        reply = door.ask("GET", PATH)
    assert (reply.status, reply.content) == (201, bytes(range(256)))
    assert [value for name, value in reply.headers if name == "set-cookie"] == ["a=1; Secure", "b=2"]
    assert [value for name, value in reply.headers if name == "content-length"] == ["256"]
    assert reply.header("x-mine") == "ä".encode().decode("latin-1")
    assert reply.header("via") == "1.1 callscribe-door"


def test_head_has_the_headers_and_no_body() -> None:
    answer = {"statusCode": 200, "headers": dict(JSON), "body": '{"a": 1}'}
    with running_door(("aivoco", Recorder(answer=answer))) as door:
        reply = door.ask("HEAD", PATH)
    assert (reply.status, reply.content, reply.header("content-length")) == (200, b"", "8")


def test_an_answer_to_head_that_left_its_body_out_says_no_length() -> None:
    answer = {"statusCode": 200, "headers": dict(JSON), "body": ""}
    with running_door(("aivoco", Recorder(answer=answer))) as door:
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=SOON_S)
        for _ in range(2):  # on one connection: its end is not the answer's
            connection.request("HEAD", PATH)
            reply = connection.getresponse()
            assert (reply.status, reply.read(), reply.getheader("content-length")) == (200, b"", None)
        connection.close()
        assert door.ask("GET", PATH).header("content-length") == "0"


def test_an_answer_without_a_body_has_none() -> None:
    with running_door(("aivoco", Recorder(answer={"statusCode": 204, "headers": {}}))) as door:
        reply = door.ask("DELETE", PATH)
        assert (reply.status, reply.content, reply.header("content-length")) == (204, b"", None)


def test_a_large_answer_comes_whole() -> None:
    answer = {"statusCode": 200, "headers": dict(JSON), "body": "x" * 5_000_000}
    with running_door(("aivoco", Recorder(answer=answer))) as door:
        assert len(door.ask("GET", PATH).content) == 5_000_000


def test_a_handler_that_fails_is_a_500_that_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fails(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        raise ValueError(event["body"])

    with caplog.at_level(logging.INFO), running_door(("aivoco", fails)) as door:
        reply = door.ask("POST", PATH, b"cs_live_secret", JSON)
    assert (reply.status, json.loads(reply.content)) == (500, {"message": "Internal Server Error"})
    assert "ValueError" in caplog.text
    assert "cs_live_secret" not in caplog.text


def test_the_handler_is_told_how_much_room_and_time_there_is() -> None:
    handler = Recorder()
    with running_door(("aivoco", handler), options=DoorOptions(wait_s=120)) as door:
        door.ask("GET", PATH)
    (context,) = handler.contexts
    assert (context.room.max_body_bytes, context.room.max_wait_s) == (names.DOOR_MAX_BODY_BYTES, 120)
    assert 120_000 < context.get_remaining_time_in_millis() <= 180_000


# Bodies


def test_eighty_megabytes_pass_and_one_byte_more_does_not() -> None:
    with running_door(("aivoco", length_of)) as door:
        body = b"x" * names.DOOR_MAX_BODY_BYTES
        assert json.loads(door.ask("POST", PATH, body, JSON).content) == [80_000_000, "x" * 10]
        reply = door.ask("POST", PATH, body + b"x", JSON)
    assert (reply.status, reply.header("content-type"), reply.header("connection")) == (
        413,
        "application/json",
        "close",
    )
    assert "80000000 bytes" in json.loads(reply.content)["message"]


def test_a_body_that_is_too_long_is_refused_before_it_comes() -> None:
    with running_door(("aivoco", length_of), limits=Limits(drain_s=0.1)) as door:
        answered = door.raw(b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 80000001\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_asks_first_is_told_before_it_sends() -> None:
    head = b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 80000001\r\nExpect: 100-continue\r\n\r\n"
    with running_door(("aivoco", length_of)) as door:
        assert door.raw(head).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_asks_first_is_told_to_send() -> None:
    head = b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    with running_door(("aivoco", length_of)) as door, door.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hi")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_body_in_chunks_arrives_and_is_counted_as_it_comes() -> None:
    with running_door(("aivoco", length_of), limits=Limits(body_bytes=1000)) as door:
        fits = door.ask("POST", PATH, iter([b"a" * 500, b"b" * 500]), JSON, encode_chunked=True)
        too_long = door.ask("POST", PATH, iter([b"a" * 500, b"b" * 501]), JSON, encode_chunked=True)
    assert json.loads(fits.content) == [1000, "a" * 10]
    assert too_long.status == 413


def test_the_rest_of_a_long_body_is_read_so_that_its_sender_sees_the_answer() -> None:
    with running_door(("aivoco", length_of), limits=Limits(body_bytes=1000)) as door:
        for body in (b"x" * 30_000_000, iter([b"x" * 1_000_000] * 30)):
            reply = door.ask("POST", PATH, body, JSON, encode_chunked=not isinstance(body, bytes))
            assert reply.status == 413


def test_bodies_that_are_too_many_together_are_sent_away_and_room_comes_back() -> None:
    entered, leave = threading.Event(), threading.Event()

    def waits(event: dict[str, Any], context: Any) -> dict[str, Any]:
        entered.set()
        leave.wait(SOON_S)
        return length_of(event, context)

    with (
        running_door(("aivoco", waits), limits=Limits(held_bytes=1500)) as door,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(door.ask, "POST", PATH, b"x" * 1000, JSON)
        assert entered.wait(SOON_S)
        second = door.ask("POST", PATH, b"x" * 1000, JSON)
        leave.set()
        assert first.result().status == 200
        third = door.ask("POST", PATH, b"x" * 1000, JSON)
    assert (second.status, second.header("retry-after"), third.status) == (503, "5", 200)


def test_who_only_announces_a_large_body_takes_no_room_from_others() -> None:
    with running_door(("aivoco", length_of), limits=Limits(held_bytes=1500)) as door, door.connect() as idle:
        idle.sendall(b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 1400\r\n\r\nfirst")
        assert door.ask("POST", PATH, b"x" * 1400, JSON).status == 200


# Time


def test_a_client_that_stops_sending_is_told_so() -> None:
    with running_door(("aivoco", length_of), limits=Limits(read_s=0.1)) as door:
        answered = door.raw(b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhal")
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answered.lower()


@pytest.mark.parametrize("pause_s", [0.05, *[0.0005] * 5])  # the end must not be lost to a byte that comes with it
def test_a_body_that_only_drips_ends_too(pause_s: float) -> None:
    with (
        running_door(("aivoco", length_of), limits=Limits(read_s=5, body_s=0.3)) as door,
        door.connect() as connection,
    ):
        connection.sendall(b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        stopped = threading.Event()

        def drip() -> None:
            with suppress(ConnectionError):  # the door may have closed before we know its answer
                while not stopped.wait(pause_s):
                    connection.send(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        answered = connection.recv(100)
        stopped.set()
        thread.join()
    assert answered.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_leaves_with_half_its_body_reaches_no_handler() -> None:
    handler = Recorder()
    with running_door(("aivoco", handler)) as door:
        with door.connect() as connection:
            connection.sendall(b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhal")
        assert door.ask("GET", PATH).status == 200
    assert len(handler.events) == 1


def waits_until(leaving: threading.Event, entered: threading.Event, seen: list[bool]) -> Callable[..., dict[str, Any]]:
    """A handler that says when it begins, and ends when its client is gone, or when it is told to."""

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        entered.set()
        until_s = time.monotonic() + SOON_S
        while not (context.gone() or leaving.wait(0.02)) and time.monotonic() < until_s:
            pass
        seen.append(context.gone())
        return length_of(event, context)

    return handler


HEADS = {
    "no body": b"GET /transcribe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a body": b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    "chunks": b"POST /transcribe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "100 kB": b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
}


@pytest.mark.parametrize("request_", HEADS.values(), ids=HEADS)
def test_the_handler_is_told_when_its_client_has_left_and_the_door_goes_on(request_: bytes) -> None:
    entered, seen = threading.Event(), list[bool]()
    handler = waits_until(threading.Event(), entered, seen)
    with running_door(("aivoco", handler), limits=Limits(threads=1)) as door:
        with door.connect() as connection:
            connection.sendall(request_)
            assert entered.wait(SOON_S)
        until_s = time.monotonic() + SOON_S
        while not seen and time.monotonic() < until_s:
            time.sleep(0.01)
        assert seen == [True]
        assert door.ask("GET", "/healthz").status == 200


def answers_of(connection: socket.socket, count: int) -> bytes:
    """What comes until so many answers have begun, in however many pieces, or the other side has closed."""
    received = b""
    while received.count(b"HTTP/1.1 ") < count and (piece := connection.recv(65536)):
        received += piece
    return received


def test_who_stays_is_never_said_to_have_left_whatever_else_it_sends() -> None:
    leave, entered, seen = threading.Event(), threading.Event(), list[bool]()
    with (
        running_door(("aivoco", waits_until(leave, entered, seen))) as door,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        door.connect() as connection,
    ):
        connection.sendall(HEADS["a body"])
        assert entered.wait(SOON_S)
        connection.sendall(HEADS["no body"])  # its next request
        with door.connect() as other:  # and others may come and go
            other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            other.recv(100)
        time.sleep(0.2)
        leave.set()
        received = pool.submit(answers_of, connection, 2).result(SOON_S)
    assert seen[0] is False
    assert received.startswith(b"HTTP/1.1 200 ")


def test_a_handler_that_does_not_mind_a_client_that_left_stops_nothing() -> None:
    entered, leave, done = threading.Event(), threading.Event(), threading.Event()

    def waits(event: dict[str, Any], context: Any) -> dict[str, Any]:
        entered.set()
        leave.wait(SOON_S)
        done.set()
        return length_of(event, context)

    with running_door(("aivoco", waits)) as door:
        with door.connect() as connection:
            connection.sendall(b"GET /transcribe HTTP/1.1\r\nHost: x\r\n\r\n")
            assert entered.wait(SOON_S)
        leave.set()
        assert done.wait(SOON_S)
        assert door.ask("GET", PATH).status == 200


def test_one_that_waits_keeps_nobody_else_from_an_answer() -> None:
    leave = threading.Event()

    def waits_at_post(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if event["requestContext"]["http"]["method"] == "POST":
            leave.wait(SOON_S)
        return length_of(event, context)

    with running_door(("aivoco", waits_at_post)) as door, concurrent.futures.ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(door.ask, "POST", PATH, b"{}", JSON) for _ in range(8)]
        assert door.ask("GET", PATH).status == 200
        leave.set()
        assert [one.result().status for one in waiting] == [200] * 8


def test_where_all_threads_wait_the_next_is_sent_away_for_a_while() -> None:
    leave = threading.Event()

    def waits(event: dict[str, Any], context: Any) -> dict[str, Any]:
        leave.wait(SOON_S)
        return length_of(event, context)

    with (
        running_door(("aivoco", waits), limits=Limits(threads=1, thread_s=0.2)) as door,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        both = [pool.submit(door.ask, "POST", PATH, b"{}", JSON) for _ in range(2)]
        (quick,) = concurrent.futures.wait(both, return_when=concurrent.futures.FIRST_COMPLETED).done
        started_s = time.monotonic()
        request = b"POST /transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        assert door.raw(request).startswith(b"HTTP/1.1 503 ")  # and the connection is closed at once
        assert time.monotonic() - started_s < SOON_S
        assert (quick.result().status, quick.result().header("retry-after")) == (503, "5")
        assert door.ask("GET", "/healthz").status == 200
        leave.set()
        assert sorted(one.result().status for one in both) == [200, 503]


def closed_within(connection: socket.socket, longest_s: float) -> bool:
    connection.settimeout(longest_s)
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("begun", [b"", b"GET /transcribe HTTP/1.1\r\nHost: x\r\nX-Half: "])
def test_who_never_finishes_a_head_is_cut_off(begun: bytes) -> None:
    with running_door(("aivoco", length_of), idle_s=0.5) as door, door.connect() as connection:
        connection.sendall(begun)
        assert closed_within(connection, SOON_S)


def test_who_does_not_read_an_answer_is_cut_off() -> None:
    answer = {"statusCode": 200, "headers": dict(JSON), "body": "x" * 50_000_000}
    with (
        running_door(("aivoco", Recorder(answer=answer)), limits=Limits(send_s=0.3), idle_s=0.5) as door,
        door.connect() as connection,
    ):
        connection.sendall(b"GET /transcribe HTTP/1.1\r\nHost: x\r\n\r\n")
        gone = threading.Event()
        until_s = time.monotonic() + SOON_S
        while time.monotonic() < until_s:
            if not door.server.server_state.connections:
                gone.set()
                break
            time.sleep(0.05)
        assert gone.is_set()


def test_who_waits_for_an_answer_is_never_cut_off() -> None:
    def slowly(event: dict[str, Any], context: Any) -> dict[str, Any]:
        time.sleep(2.5)
        return length_of(event, context)

    with running_door(("aivoco", slowly), idle_s=0.3) as door:
        assert door.ask("GET", PATH).status == 200


def test_a_connection_that_is_used_again_and_again_is_never_cut_off() -> None:
    with running_door(("aivoco", length_of), idle_s=4) as door:
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=SOON_S)
        connection.connect()
        its_socket = connection.sock
        for _ in range(15):
            connection.request("GET", PATH)
            assert json.loads(connection.getresponse().read()) == [0, ""]
            time.sleep(0.3)
        assert connection.sock is its_socket
        connection.close()


def test_many_at_once_each_get_their_own_answer() -> None:
    def echoes(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        return {"statusCode": 200, "headers": dict(JSON), "body": event["body"]}

    with running_door(("aivoco", echoes)) as door, concurrent.futures.ThreadPoolExecutor(32) as pool:
        bodies = [json.dumps({"number": number, "pad": "x" * 50_000}).encode() for number in range(96)]
        replies = list(pool.map(lambda body: door.ask("POST", PATH, body, JSON), bodies))
    assert [reply.content for reply in replies] == bodies


def test_a_connection_serves_many_requests_and_survives_no_refusal() -> None:
    one = b"GET /transcribe HTTP/1.1\r\nHost: x\r\n\r\n"
    with running_door(("aivoco", length_of)) as door:
        answered = door.raw(one * 3 + b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + one)
    assert answered.count(b"HTTP/1.1 200 ") == 3
    assert answered.count(b"HTTP/1.1 404 ") == 1


def test_the_image_holds_what_the_door_imports() -> None:
    folder = Path(__file__).parents[2] / "functions" / "door"
    pinned = (folder / "requirements.txt").read_text()
    wanted = [line for line in (folder / "requirements.in").read_text().splitlines() if line and line[0] not in "#-"]
    assert {"uvicorn", "boto3"} <= {line.partition(">")[0] for line in wanted}
    for name in ("uvicorn", "boto3", "aws-lambda-powertools", "pydantic", "pyjwt", "rfc8785"):
        assert f"\n{name}==" in f"\n{pinned}"
    assert pinned.count("--hash=sha256:") > pinned.count("==")
