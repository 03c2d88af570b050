"""What the front hands to the door, and what it never does."""

import concurrent.futures
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from callscribe import names
from callscribe.wiring import DoorOptions
from local.door import door_way
from local.emulator import free_port
from local.front import _ANSWER_S, INLINE_BODY_BYTES, DoorWay, Front
from tests.functions.running_door import running_door
from tests.local.conftest import Cloud
from tests.waiting import wait_until

PREFIX = "/_aws/execute-api/api/$default"
WAITING = "/transcribe"
Say = Callable[[int], tuple[int, dict[str, str]]]


@dataclass
class Seen:
    """One request that a stand-in got."""

    target: str
    headers: Any
    body: bytes


@dataclass
class StandIn:
    """A gateway or a door that answers the n-th request as `say(n)` says, with its own name as the body."""

    name: str
    say: Say = lambda _number: (200, {})
    seen: list[Seen] = field(default_factory=list)
    port: int = 0


@contextmanager
def listening(one: StandIn) -> Iterator[StandIn]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            one.seen.append(Seen(self.path, self.headers, body))
            status, headers = one.say(len(one.seen))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(one.name)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(one.name.encode())

        do_GET = do_POST  # noqa: N815 - the base class's name

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield one
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Site:
    gateway: StandIn
    door: StandIn
    front: Front

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.front.port, timeout=20)
        chunked = body is not None and not isinstance(body, bytes)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, given, encode_chunked=chunked)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def site(gateway_says: Say = lambda _number: (200, {}), *, with_door: bool = True, **options: Any) -> Iterator[Site]:
    with listening(StandIn("gateway", gateway_says)) as gateway, listening(StandIn("door")) as door:
        way = DoorWay(door.port, max_body_bytes=5_000_000, wait_s=10, waiting=frozenset({WAITING}))
        with Front(f"http://127.0.0.1:{gateway.port}", "api", door=way if with_door else None, **options) as front:
            yield Site(gateway, door, front)


def test_the_inline_limit_is_that_of_the_running_code() -> None:
    assert INLINE_BODY_BYTES == 4_000_000


def test_what_fits_goes_through_the_gateway_and_what_does_not_to_the_door() -> None:
    with site() as at:
        assert at.ask("POST", "/x", b"x" * 4_000_000) == (200, b"gateway")
        assert at.ask("POST", "/x?a=1", b"x" * 4_000_001) == (200, b"door")
        assert at.ask("POST", "/x", iter([b"x" * 2_000_000] * 2)) == (200, b"gateway")
        assert at.ask("POST", "/x", iter([b"x" * 2_000_000] * 2 + [b"x"])) == (200, b"door")
    assert [seen.target for seen in at.gateway.seen] == [f"{PREFIX}/x"] * 2
    assert [(seen.target, len(seen.body)) for seen in at.door.seen] == [("/x?a=1", 4_000_001), ("/x", 4_000_001)]


def test_above_what_the_door_takes_nobody_is_asked() -> None:
    with site() as at:
        assert at.ask("POST", "/x", b"x" * 5_000_000)[0] == 200
        status, content = at.ask("POST", "/x", b"x" * 5_000_001)
    assert (status, len(at.door.seen), at.gateway.seen) == (413, 1, [])
    assert "5000000 bytes" in json.loads(content)["message"]


def test_without_a_door_a_large_body_is_told_of_other_ways_and_of_no_other_dialects_route() -> None:
    with site(with_door=False) as at:
        assert at.ask("POST", "/x", b"x" * 4_000_000) == (200, b"gateway")
        status, content = at.ask("POST", "/x", b"x" * 4_000_001)
    assert status == 413
    message = json.loads(content)["message"]
    assert "by its URL" in message
    assert "/" not in message
    assert (len(at.gateway.seen), at.door.seen) == (1, [])


def test_a_wait_that_is_too_long_for_the_gateway_goes_on_at_the_door() -> None:
    body = b'{"audio": "x"}'
    with site(lambda _number: (503, {"Retry-After": "5"})) as at:
        assert at.ask("POST", f"{WAITING}?a=1", body, Content_Type="application/json", X_Mine="yes") == (200, b"door")
    (first,), (second,) = at.gateway.seen, at.door.seen
    assert (first.body, second.body) == (body, body)
    assert second.target == f"{WAITING}?a=1"
    assert (second.headers["x-mine"], second.headers["content-type"]) == ("yes", "application/json")


def test_an_answer_in_time_never_sees_the_door() -> None:
    with site(lambda number: (200 if number == 1 else 402, {})) as at:
        assert at.ask("POST", WAITING, b"{}") == (200, b"gateway")
        assert at.ask("POST", WAITING, b"{}") == (402, b"gateway")
    assert at.door.seen == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_T_36_M_12_what_the_gateway_only_leads_to_the_door_gives_whole(method: str) -> None:
    with site(lambda _number: (302, {"Location": "http://127.0.0.1:9/elsewhere"})) as at:
        assert at.ask(method, "/get_file?file_type=audio", Authorization="Bearer x") == (200, b"door")
    (seen,) = at.door.seen
    assert (seen.target, seen.headers["authorization"]) == ("/get_file?file_type=audio", "Bearer x")


def test_T_36_without_a_door_or_while_it_is_started_again_the_redirect_stands() -> None:
    def led_to(_number: int) -> tuple[int, dict[str, str]]:
        return 302, {"Location": "http://127.0.0.1:9/elsewhere"}

    with site(led_to, with_door=False) as at:
        assert at.ask("GET", "/get_file") == (302, b"gateway")
    with listening(StandIn("gateway", led_to)) as gateway:
        way = DoorWay(free_port(), max_body_bytes=5_000_000, wait_s=1)
        with Front(f"http://127.0.0.1:{gateway.port}", "api", door=way) as front:
            assert Site(gateway, StandIn("door"), front).ask("GET", "/get_file") == (302, b"gateway")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (WAITING, {}),
        (f"{WAITING}d", {"Retry-After": "1"}),
        ("/api/v1/get-transcription", {"Retry-After": "1"}),
        ("/transcribe/x", {}),
    ],
)
def test_a_503_of_another_kind_stays_what_it_is(path: str, headers: dict[str, str]) -> None:
    with site(lambda _number: (503, headers)) as at:
        assert at.ask("POST", path, b"{}") == (503, b"gateway")
    assert at.door.seen == []


def test_a_gateway_that_runs_out_of_time_itself_hands_over_where_calls_wait_and_nowhere_else() -> None:
    release = threading.Event()

    def silent(_number: int) -> tuple[int, dict[str, str]]:
        release.wait(30)
        return 200, {}

    with site(silent, timeout_s=0.3) as at:
        assert at.ask("POST", WAITING, b"{}") == (200, b"door")
        assert at.ask("POST", "/x", b"{}")[0] == 503
        release.set()
    assert len(at.door.seen) == 1


def test_while_the_door_is_being_started_again_the_gateways_answer_stands() -> None:
    with listening(StandIn("gateway", lambda _number: (503, {"Retry-After": "5"}))) as gateway:
        way = DoorWay(free_port(), max_body_bytes=5_000_000, wait_s=1, waiting=frozenset({WAITING}))
        with Front(f"http://127.0.0.1:{gateway.port}", "api", door=way) as front:
            at = Site(gateway, StandIn("door"), front)
            assert at.ask("POST", WAITING, b"{}") == (503, b"gateway")
            status, content = at.ask("POST", WAITING, b"x" * 4_000_001)
    assert status == 502
    assert "door does not answer" in json.loads(content)["message"]


def test_the_door_is_told_the_true_client_last_and_not_the_emulators_own_header() -> None:
    with site() as at:
        at.ask(
            "POST", "/x", b"x" * 4_000_001, X_Forwarded_For="198.51.100.9", X_Callscribe_Client_Address="198.51.100.9"
        )
    (seen,) = at.door.seen
    assert seen.headers["x-forwarded-for"] == "198.51.100.9, 127.0.0.1"
    assert seen.headers["x-callscribe-client-address"] is None


def test_the_real_door_behind_the_front_sees_the_true_client_whatever_it_says() -> None:
    events: list[dict[str, Any]] = []

    def keeps(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        events.append(event)
        return {"statusCode": 200, "headers": {}, "body": str(len(event["body"]))}

    with running_door(("aivoco", keeps), options=DoorOptions(trusted_proxies=1)) as door:
        way = DoorWay(door.port, max_body_bytes=names.DOOR_MAX_BODY_BYTES, wait_s=10)
        with Front("http://127.0.0.1:9", "api", door=way) as front:
            source = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20, source_address=("127.0.0.2", 0))
            headers = {"X-Forwarded-For": "198.51.100.9", "Content-Type": "application/json"}
            source.request("POST", WAITING, b"x" * 4_000_001, headers)
            assert source.getresponse().read() == b"4000001"
            source.close()
    assert events[0]["requestContext"]["http"]["sourceIp"] == "127.0.0.2"


def test_one_that_waits_at_the_door_keeps_nobody_else_from_the_gateway() -> None:
    with site(lambda number: (503, {"Retry-After": "5"}) if number <= 3 else (200, {})) as at:
        release = threading.Event()
        at.door.say = lambda _number: (200 if release.wait(30) else 500, {})
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(at.ask, "POST", WAITING, b"{}") for _ in range(3)]
            wait_until(lambda: len(at.door.seen) == 3)
            assert at.ask("POST", "/x", b"{}") == (200, b"gateway")
            release.set()
            assert [one.result() for one in waiting] == [(200, b"door")] * 3


def test_the_laptops_door_takes_what_the_container_takes_and_waits_where_it_does() -> None:
    way = door_way()
    assert (way.max_body_bytes, way.wait_s) == (names.DOOR_MAX_BODY_BYTES, names.DOOR_WAIT_S)
    assert way.waiting == {WAITING}  # a task's request that is sent twice makes two tasks


@pytest.mark.emulator
def test_with_a_door_at_hand_the_lambda_still_does_the_work(cloud: Cloud) -> None:
    with listening(StandIn("door")) as door:
        way = DoorWay(door.port, max_body_bytes=80_000_000, wait_s=10, waiting=frozenset({"/v1/wait"}))
        with Front(cloud.emulator.endpoint_url, cloud.outputs["ApiId"], door=way) as front:
            at = Site(StandIn("gateway"), door, front)
            for method, path in (("GET", "/v1/x"), ("POST", "/v1/wait"), ("GET", "/")):
                status, content = at.ask(method, path, b'{"a": 1}' if method == "POST" else None)
                event = json.loads(content)  # the sample's Lambda answers with the event it got
                assert (status, event["requestContext"]["apiId"]) == (200, cloud.outputs["ApiId"])
            assert door.seen == []
            assert at.ask("POST", "/v1/binary", b"x" * 4_000_001) == (200, b"door")


def test_who_sends_far_too_much_sees_the_answer_all_the_same() -> None:
    with site() as at:
        assert at.ask("POST", "/x", b"x" * (names.DOOR_MAX_BODY_BYTES + 1))[0] == 413


@pytest.mark.parametrize("large", [True, False], ids=["a large body", "a long wait"])
def test_a_client_that_leaves_while_the_door_works_for_it_leaves_the_door_too(large: bool) -> None:
    entered, left = threading.Event(), threading.Event()

    def waits(_event: dict[str, Any], context: Any) -> dict[str, Any]:
        entered.set()
        until_s = time.monotonic() + 30
        while not context.gone() and time.monotonic() < until_s:
            time.sleep(0.02)
        if context.gone():
            left.set()
        return {"statusCode": 200, "headers": {}, "body": ""}

    body = b"x" * (4_000_001 if large else 2)
    head = f"POST {WAITING} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    gateway = StandIn("gateway", lambda _number: (503, {"Retry-After": "5"}))
    with listening(gateway), running_door(("aivoco", waits)) as door:
        way = DoorWay(door.port, names.DOOR_MAX_BODY_BYTES, wait_s=10, waiting=frozenset({WAITING}))
        with Front(f"http://127.0.0.1:{gateway.port}", "api", door=way) as front:
            with socket.create_connection(("127.0.0.1", front.port), timeout=20) as client:
                client.sendall(head + body)
                assert entered.wait(30)
                assert not left.wait(0.2)
            assert left.wait(30)


def test_a_client_that_sends_its_next_request_while_the_door_works_has_not_left() -> None:
    one = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" % WAITING.encode()
    with site(lambda _number: (503, {"Retry-After": "5"})) as at:
        release = threading.Event()
        at.door.say = lambda _number: (200 if release.wait(30) else 500, {})
        with socket.create_connection(("127.0.0.1", at.front.port), timeout=20) as client:
            client.sendall(one)
            wait_until(lambda: bool(at.door.seen))
            client.sendall(one)
            time.sleep(0.2)
            release.set()
            received = b""
            while received.count(b"HTTP/1.1 200 ") < 2:
                received += client.recv(65536) or pytest.fail("the front has closed the connection")
    assert len(at.door.seen) == 2


def test_a_door_that_never_answers_is_not_waited_for_any_longer_than_its_time() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    way = DoorWay(silent.getsockname()[1], max_body_bytes=5_000_000, wait_s=0.3 - _ANSWER_S)
    with (
        silent,
        listening(StandIn("gateway")) as gateway,
        Front(f"http://127.0.0.1:{gateway.port}", "api", door=way) as front,
    ):
        assert Site(gateway, StandIn("door"), front).ask("POST", "/x", b"x" * 4_000_001)[0] == 503


def test_a_request_whose_client_leaves_in_its_middle_is_nobodys_request() -> None:
    with site() as at:
        with socket.create_connection(("127.0.0.1", at.front.port), timeout=20) as client:
            client.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{}")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b""
        assert at.ask("POST", "/x", b"{}") == (200, b"gateway")
    assert len(at.gateway.seen) == 1
