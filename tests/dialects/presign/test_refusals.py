"""Bad requests: each refusal in the contract's shape, with the field and the rule, and nothing changed by it."""

import base64
import json
import logging
from typing import Any

import pytest

from callscribe.dialects.front import MAX_BODY_BYTES
from callscribe.dialects.presign import routes
from callscribe.domain.jobs import Job
from callscribe.domain.records import Change
from callscribe.errors import Unavailable
from tests.dialects.conftest import Answer, Client, http_event, read_answer
from tests.dialects.presign.world import CALLBACK_URL, TOKEN, TRANSCRIPTION, UPLOAD, World, basic, long_transcript

JSON = {"content-type": "application/json"}


def is_ours(answer: Answer) -> bool:
    """Whether a refusal has the contract's shape and nothing else."""
    body = answer.json
    return body["messsage"] == body["message"] != "" and set(body) <= {"messsage", "message", "errorType"}


def message(answer: Answer) -> str:
    assert is_ours(answer)
    text: str = answer.json["message"]
    return text


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "body: must be a JSON object"),
        (b"{", "body: must be valid JSON"),
        (b"{'mimeType': 'audio/wav'}", "body: must be valid JSON"),
        (b'{"mimeType": "audio/wav"} trailing', "body: must be valid JSON"),
        (b'{"mimeType": "audio/wav",}', "body: must be valid JSON"),
        (b'{"mimeType": "audio/wav", "n": NaN}', "body: must not hold NaN"),
        (b'{"mimeType": "audio/wav", "n": -Infinity}', "body: must not hold -Infinity"),
        (b'{"mimeType": "audio/wav", "n": -1e999}', "body: must not hold a number beyond 1.8e308"),
        (b'{"mimeType": "audio/wav", "n": ' + b"9" * 5_000 + b"}", "body: must be valid JSON"),
        (b'{"mimeType": "audio/wav", "mimeType": "audio/mp3"}', "body: must not repeat a key"),
        (b'{"mimeType": "audio/wav", "x": {"a": 1, "a": 2}}', "body: must not repeat a key"),
        (b'{"mimeType": "audio/wav", "x": "\\ud800"}', "body: must hold whole Unicode characters"),
        (b"[" * 30_000 + b"]" * 30_000, "body: is nested too deeply"),
        (b'{"mimeType": "\xff"}', "body: must be UTF-8"),
        (b'{"mimeType": "audio/wav\xef\xbf\xbd"}', "body: must be UTF-8"),  # as a lossy gateway hands on what is not
        (b'{"mimeType": 1}', "mimeType: must be a string"),
        (b'{"mimeType": "audio/wav", "callbackUrl": []}', "callbackUrl: must be a string"),
        (b'{"mimeType": "audio/wav", "language": {}}', "language: must be a string"),
        (b'{"mimeType": "audio/wav", "language": "english please"}', 'language: must be a BCP 47 tag such as en or pt-BR, or "auto"'),
        (b'{"mimeType": "audio/wav", "language": "en\\u0000"}', 'language: must be a BCP 47 tag such as en or pt-BR, or "auto"'),
    ],
)  # fmt: skip
def test_a_bad_body_is_refused_by_field_and_rule(world: World, client: Client, body: bytes, rule: str) -> None:
    answer = client.send("POST", UPLOAD, headers=JSON, body=body)
    assert (answer.status, message(answer)) == (400, rule)
    assert world.store.all(Job) == []


def test_a_body_that_is_too_long_is_refused(world: World, client: Client) -> None:
    fits = json.dumps({"mimeType": "audio/wav", "x": "x" * (MAX_BODY_BYTES - 34)}).encode()
    assert len(fits) == MAX_BODY_BYTES
    assert client.send("POST", UPLOAD, headers=JSON, body=fits).status == 200
    for body in (fits + b" ", fits * 10):
        for headers in (JSON, {"content-type": "application/octet-stream"}):
            answer = client.send("POST", UPLOAD, headers=headers, body=body)
            assert (answer.status, message(answer)) == (413, "body: must have at most 65536 bytes")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "multipart/form-data", "application/jsonp", ""])  # fmt: skip
def test_a_foreign_content_type_is_read_as_json_and_said_so(client: Client, kind: str) -> None:
    answer = client.send("POST", UPLOAD, headers={"content-type": kind}, body=b'{"mimeType": "audio/wav"}')
    assert (answer.status, answer.headers["x-callscribe-leniency"]) == (200, "Content-Type")


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/xml"])  # fmt: skip
def test_a_foreign_content_type_without_json_is_refused_in_our_shape(client: Client, kind: str) -> None:
    answer = client.send("POST", UPLOAD, headers={"content-type": kind}, body=b"--x\r\nmimeType=audio/wav")
    assert (answer.status, message(answer)) == (400, "body: must be valid JSON")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_by_any_of_its_names_needs_no_leniency(client: Client, kind: str) -> None:
    answer = client.send("POST", UPLOAD, headers={"content-type": kind}, body=b'{"mimeType": "audio/wav"}')
    assert answer.status == 200
    assert "x-callscribe-leniency" not in answer.headers


def test_a_trailing_slash_is_forgiven_and_said_so(client: Client) -> None:
    answer = client.send("POST", UPLOAD + "/", fields={"mimeType": "audio/wav"})
    assert (answer.status, answer.headers["x-callscribe-leniency"]) == (200, "trailing slash")


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/docs", UPLOAD.upper(), UPLOAD + "//", UPLOAD + "/x", "/" + UPLOAD, UPLOAD + "\x00", "/api/v1/transcriptions/a/b", "/api/v1/transcriptions/", "/api/v1/transcriptions/%2e%2e", "/../api/v1/docs"])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found_in_our_shape(client: Client, method: str, path: str) -> None:
    answer = client.send(method, path)
    assert (answer.status, message(answer)) == (404, "there is nothing at this path")


@pytest.mark.parametrize("route", routes.ROUTES)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_a_wrong_method_is_refused_in_our_shape(client: Client, route: tuple[str, str], method: str) -> None:
    known = ["GET", "HEAD"] if route[0] == "GET" else [route[0]]
    if method in known:
        return
    answer = client.send(method, route[1].replace("<token>", "abc"))
    assert (answer.status, answer.headers["allow"]) == (405, ", ".join(known))
    assert answer.text == "" if method == "HEAD" else message(answer) == f"this path takes {' or '.join(known)}"


def test_head_is_answered_as_get_without_the_body(world: World, client: Client) -> None:
    request_id = world.request(client)
    world.complete(request_id, long_transcript(30_000, "word " * 30))
    link = world.poll(client, request_id).json["transcriptionUrl"].removeprefix("https://callscribe.example")
    for path in ("/api/v1/docs", "/api/v1/openapi.json", "/api/v1/docs/", link, "/api/v1/transcriptions/unknown"):
        get, head = client.send("GET", path), client.send("HEAD", path)
        assert (head.status, head.headers, head.text) == (get.status, get.headers, "")


@pytest.mark.parametrize("key", ["", "with space", "tab\there", "ünicode", "x" * 256])
def test_an_unusable_idempotency_key_is_refused(world: World, client: Client, key: str) -> None:
    answer = client.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}, headers={"Idempotency-Key": key})
    assert (answer.status, answer.json["errorType"]) == (400, "inconsistentInput")
    assert message(answer).startswith("Idempotency-Key: must be")
    assert world.store.all(Job) == []


def test_an_idempotency_key_gives_the_same_request_once(world: World, client: Client) -> None:
    headers = {"Idempotency-Key": "order-7,8"}
    first = client.send("POST", UPLOAD, fields={"mimeType": "audio/wav", "callbackUrl": CALLBACK_URL}, headers=headers)
    again = client.send("POST", UPLOAD, fields={"callbackUrl": CALLBACK_URL, "mimeType": " audio/wav"}, headers=headers)
    other = client.send("POST", UPLOAD, fields={"mimeType": "audio/mp3"}, headers=headers)
    assert first.json["requestId"] == again.json["requestId"]
    assert len(world.store.all(Job)) == 1
    assert (other.status, other.json["errorType"]) == (400, "inconsistentInput")
    assert message(other).startswith("Idempotency-Key: ")


def test_credentials_are_judged_before_the_body(world: World) -> None:
    bodies = (b"", b"{", b'{"mimeType": 1}', b"x" * 200_000)
    nobody = [world.anonymous.send("POST", UPLOAD, headers=JSON, body=body).status for body in bodies]
    unscoped = world.client(scopes=frozenset())
    assert nobody == [401] * len(bodies)
    assert [unscoped.send("POST", UPLOAD, headers=JSON, body=body).status for body in bodies] == [403] * len(bodies)


@pytest.mark.parametrize("request_id", ["", "x", "\x00", "../../etc/passwd", "ü", "x" * 60_000, "00000000-0000-4000-8000-000000000000", "${jndi:ldap://x}", "1"])  # fmt: skip
def test_an_id_that_cannot_be_ours_is_unknown(world: World, client: Client, request_id: str) -> None:
    answer = world.poll(client, request_id)
    assert (answer.status, message(answer)) == (404, "requestId: unknown")


class BrokenStore:
    """A store whose every use ends in the same exception."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get(self, *_: Any) -> Any:
        raise self.error

    def commit(self, *_: Change) -> None:
        raise self.error


def broken(world: World, error: Exception) -> Client:
    """The same stage, on a store that fails."""
    from dataclasses import replace

    deps = replace(world.deps, store=BrokenStore(error))  # type: ignore[arg-type] # as much of a store as these calls reach
    return Client(world.dialect.build(deps))


def test_an_unexpected_error_is_a_500_of_our_shape_without_details(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    key, secret = world.key()
    with caplog.at_level(logging.INFO, logger="callscribe"):
        answer = broken(world, ZeroDivisionError("the secret detail")).send(
            "POST", TOKEN, headers=basic(key.id, secret)
        )
    assert (answer.status, answer.json["errorType"]) == (500, "internal")
    assert message(answer) == "an internal error; it was logged"
    assert "ZeroDivisionError" in caplog.text
    assert "test_refusals.py" in caplog.text
    assert "the secret detail" not in caplog.text


def test_an_error_while_the_token_is_judged_is_a_500_of_our_shape_too(world: World, client: Client) -> None:
    answer = broken(world, ZeroDivisionError()).with_token(client.token).send("POST", UPLOAD, fields={})
    assert (answer.status, message(answer)) == (500, "an internal error; it was logged")


def test_a_service_that_does_not_answer_is_a_503_to_try_again(world: World, client: Client) -> None:
    answer = broken(world, Unavailable("the table")).with_token(client.token).send("POST", UPLOAD, fields={})
    assert (answer.status, answer.json["errorType"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert "table" not in message(answer)


def test_an_event_that_is_none_is_answered_too(world: World) -> None:
    assert read_answer(world.anonymous.handler({}, None)).status == 500


def test_a_base64_body_that_is_none_is_refused(client: Client) -> None:
    event = http_event("POST", TRANSCRIPTION, headers={"authorization": f"Bearer {client.token}", **JSON})
    answer = read_answer(client.handler({**event, "body": "%%%", "isBase64Encoded": True}, None))
    assert (answer.status, message(answer)) == (400, "body: must be UTF-8")


def test_a_base64_body_is_read(world: World, client: Client) -> None:
    event = http_event("POST", UPLOAD, headers={"authorization": f"Bearer {client.token}", **JSON})
    body = base64.b64encode(b'{"mimeType": "audio/wav"}').decode()
    assert read_answer(client.handler({**event, "body": body, "isBase64Encoded": True}, None)).status == 200
