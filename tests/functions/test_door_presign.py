"""A dialect's own handler gives the same answers through the door as through the gateway."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.door.app import Limits
from tests.dialects.conftest import http_event, read_answer
from tests.dialects.presign.test_samples import HEADERS, PAYLOAD, substituted
from tests.dialects.presign.world import TOKEN, TRANSCRIPTION, UPLOAD, World, basic
from tests.functions.running_door import running_door

OF_THE_TRANSPORT = {"date", "via", "content-length", "connection"}
Sent = tuple[int, dict[str, str], str]


@dataclass
class Way:
    """A world and how requests reach its handler. Two worlds are alike: same clock, same ids, same keys."""

    world: World
    send: Callable[[str, str, Mapping[str, str], bytes | None], Sent]

    def __post_init__(self) -> None:
        self.key, self.secret = self.world.key()

    def token(self) -> str:
        status, _, text = self.send("POST", TOKEN, basic(self.key.id, self.secret), None)
        assert status == 200
        return str(json.loads(text)["accessToken"])


def through_the_gateway() -> Way:
    world = World()

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Sent:
        target, _, query = path.partition("?")
        answer = read_answer(
            world.anonymous.handler(http_event(method, target, headers=headers, body=body, query=query), None)
        )
        return answer.status, dict(answer.headers), answer.text

    return Way(world, send)


def conversation(way: Way) -> list[Sent]:
    """The document's samples and every kind of refusal, in one order."""
    token = way.token()
    bearer = {"authorization": f"Bearer {token}"}
    as_json = {**bearer, "content-type": "application/json"}
    sample = json.loads(substituted(HEADERS, way.world.anonymous.with_token(token)))
    said = [way.send("POST", UPLOAD, sample, PAYLOAD.encode())]
    request_id = json.loads(said[0][2])["requestId"]
    asked = json.dumps({"requestId": request_id}).encode()
    said.append(way.send("POST", TRANSCRIPTION, as_json, asked))
    way.world.complete(request_id)
    said.append(way.send("POST", TRANSCRIPTION, as_json, asked))
    requests: list[tuple[str, str, Mapping[str, str], bytes | None]] = [
        ("POST", TOKEN, basic(way.key.id, "wrong"), None),
        ("POST", TOKEN, {"content-type": "application/x-www-form-urlencoded"}, b"client_id=a&client_secret=b"),
        ("POST", TOKEN, {"content-type": "application/json"}, b"{}"),
        ("POST", TOKEN, {}, b"\xff\xfe"),
        ("POST", UPLOAD, {}, b"{}"),
        ("POST", UPLOAD, {"authorization": "Bearer x.y.z"}, b"{}"),
        ("POST", UPLOAD, as_json, b"{"),
        ("POST", UPLOAD, as_json, b'{"mimeType": "\xff"}'),
        ("POST", UPLOAD, as_json, b""),
        ("POST", UPLOAD, bearer, json.dumps({"mimeType": "audio/wav"}).encode()),
        ("POST", UPLOAD + "/", as_json, json.dumps({"mimeType": "audio/wav"}).encode()),
        ("POST", UPLOAD, {**as_json, "x-invox-medical-api-version": "2"}, json.dumps({"mimeType": "a/b"}).encode()),
        ("POST", UPLOAD, as_json, json.dumps({"mimeType": "audio/wav", "callbackUrl": "http://127.0.0.1"}).encode()),
        ("POST", UPLOAD, as_json, b" " * 70_000),
        ("POST", TRANSCRIPTION, as_json, b'{"requestId": "unknown"}'),
        ("GET", UPLOAD, as_json, None),
        ("DELETE", TRANSCRIPTION, {}, None),
        ("OPTIONS", UPLOAD, {"origin": "https://a.example", "access-control-request-method": "POST"}, None),
        ("GET", "/api/v1/nothing", as_json, None),
        ("GET", "/api/v1/transcriptions/unknown", {}, None),
        ("GET", "/api/v1/openapi.json", {}, None),
        ("GET", "/api/v1/docs", {}, None),
        ("GET", "/api/v1/docs?format=json", {}, None),
    ]
    return said + [way.send(*request) for request in requests]


def test_the_samples_and_the_refusals_are_the_same_through_the_door_and_through_the_gateway() -> None:
    world = World()
    with running_door(("presign", world.dialect.build(world.deps))) as door:

        def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Sent:
            reply = door.ask(method, path, body, headers)
            kept = {name: value for name, value in reply.headers if name not in OF_THE_TRANSPORT}
            return reply.status, kept, reply.content.decode()

        by_the_door = conversation(Way(world, send))
    by_the_gateway = conversation(through_the_gateway())
    assert {status for status, _, _ in by_the_gateway} >= {200, 400, 401, 404, 405, 413}
    assert by_the_door == by_the_gateway


def test_head_is_answered_as_the_gateway_does_with_the_headers_alone() -> None:
    world = World()
    gateway = through_the_gateway()
    with running_door(("presign", world.dialect.build(world.deps))) as door:
        for path, expected in ((UPLOAD, 405), ("/api/v1/openapi.json", 200)):
            status, headers, text = gateway.send("HEAD", path, {}, None)
            reply = door.ask("HEAD", path)
            assert (reply.status, reply.content) == (status, text.encode()) == (expected, b"")
            assert {name: reply.header(name) for name in headers} == headers


def test_a_body_longer_than_the_route_needs_is_refused_by_the_dialect_however_wide_the_door() -> None:
    world = World()
    client = world.client()
    headers = {"authorization": f"Bearer {client.token}", "content-type": "application/json"}
    with running_door(("presign", world.dialect.build(world.deps)), limits=Limits()) as door:
        reply = door.ask("POST", UPLOAD, b" " * 1_000_000, headers)
    expected = through_the_gateway().send("POST", UPLOAD, headers, b" " * 100_000)
    assert (reply.status, reply.content.decode()) == (expected[0], expected[2])
    assert (reply.status, "65536" in expected[2]) == (413, True)


def test_what_the_door_logs_names_the_route_and_no_secret(caplog: Any) -> None:
    caplog.set_level("INFO")
    world = World()
    key, secret = world.key()
    with running_door(("presign", world.dialect.build(world.deps))) as door:
        token = json.loads(door.ask("POST", TOKEN, None, basic(key.id, secret)).content)["accessToken"]
        door.ask(
            "GET", f"/api/v1/transcriptions/{'t' * 40}?api_key={secret}", None, {"authorization": f"Bearer {token}"}
        )
    assert "route=/api/v1/transcriptions/<token> status=404" in caplog.text
    assert not [one for one in (secret, token, "t" * 40) if one in caplog.text]
