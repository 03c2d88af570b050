"""Bad requests: each refusal in the contract's shape, with the field and the rule, and nothing changed by it."""

import base64
import gzip
import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from callscribe.dialects.front import MAX_BODY_BYTES
from callscribe.dialects.mor import mapping, routes
from callscribe.domain.jobs import Job
from callscribe.domain.records import Change
from callscribe.errors import RateLimited, Unavailable
from tests.dialects.conftest import Answer, Client, http_event, read_answer
from tests.dialects.mor.world import AI, API_DOCS, JOBS, LOGIN, OPENAPI, PLAIN, REFRESH, USAGE, World, basic, status

JSON = {"content-type": "application/json"}
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW")


def error(answer: Answer) -> str:
    body = answer.json
    assert set(body) == {"error", "code"}
    text: str = body["error"]
    assert text != ""
    return text


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"{", "body: must be valid JSON"),
        (b"{'recording_id': '7'}", "body: must be valid JSON"),
        (b'{"recording_id": "7"} trailing', "body: must be valid JSON"),
        (b"recording_id=7", "body: must be valid JSON"),
        (b"null", "body: must be a JSON object"),
        (b"[]", "body: must be a JSON object"),
        (b'"7"', "body: must be a JSON object"),
        (b'{"n": NaN}', "body: must not hold NaN"),
        (b'{"n": ' + b"9" * 5_000 + b"}", "body: must be valid JSON"),
        (b'{"recording_id": 1, "recording_id": 2}', "body: must not repeat a key"),
        (b'{"recording_id": "\\ud800"}', "body: must hold whole Unicode characters"),
        (b"[" * 30_000 + b"]" * 30_000, "body: is nested too deeply"),
        (b'{"recording_id": "\xff"}', "body: must be UTF-8"),
        (b'{"recording_id": 1.5}', "recording_id: must be a string or an integer"),
        (b'{"recording_id": true}', "recording_id: must be a string or an integer"),
        (b'{"call_id": ["7"]}', "call_id: must be a string or an integer"),
        (b'{"uniqueid": {}}', "uniqueid: must be a string or an integer"),
        (b'{"recording_id": "' + b"x" * 129 + b'"}', "recording_id: String should have at most 128 characters"),
        (b'{"recording_url": 7}', "recording_url: must be a string"),
        (b'{"s3_uri": 7}', "s3_uri: must be a string"),
        (b'{"callback_url": []}', "callback_url: must be a string"),
        (b'{"diarize": "yes"}', "diarize: Input should be a valid boolean"),
        (b'{"diarize": 1}', "diarize: Input should be a valid boolean"),
        (b'{"agent_channel": 2}', "agent_channel: Input should be 0 or 1"),
        (b'{"agent_channel": "0"}', "agent_channel: Input should be 0 or 1"),
        (b'{"direction": "sideways"}', "direction: Input should be 'inbound' or 'outbound'"),
        (b'{"recordingId": "4711"}', "recordingId: is not known: it is written recording_id"),
        (b'{"RECORDING-ID": null}', "RECORDING-ID: is not known: it is written recording_id"),
        (b'{"language": "en", "unique_id": 7}', "unique_id: is not known: it is written uniqueid"),
        (b'{"recording_id": "7", "callbackUrl": 7}', "callbackUrl: is not known: it is written callback_url"),
        (b'{"S3Uri": "s3://a/b"}', "S3Uri: is not known: it is written s3_uri"),
        (b'{"language": "english please"}', 'language: must be a BCP 47 tag such as en or pt-BR, or "auto"'),
        (b'{"s3_uri": "http://bucket/key"}', "s3_uri: must be s3://bucket/key"),
    ],
)
def test_M_16_a_bad_body_is_refused_by_field_and_rule(world: World, client: Client, body: bytes, rule: str) -> None:
    answer = client.send("POST", JOBS, headers=JSON, body=body)
    assert (answer.status, error(answer)) == (400, rule)
    assert world.store.all(Job) == []


@pytest.mark.parametrize("field", ["agent_name", "company_name"])
def test_M_16_a_name_may_have_two_hundred_characters(client: Client, field: str) -> None:
    assert client.send("POST", JOBS, fields={field: "é" * 200}).status == 201
    assert client.send("POST", JOBS, fields={field: "é" * 201}).status == 400


@pytest.mark.parametrize("given", [-1, 0, 10**30, "x" * 128, "-", "%00", "a\u0000b", "../..", "${jndi:ldap://x}"])
def test_M_08_a_recording_that_cannot_be_known_is_not_found(world: World, client: Client, given: str | int) -> None:
    answer = client.send("POST", JOBS, fields={"uniqueid": given})
    assert (answer.status, error(answer)) == (404, "uniqueid: unknown")
    assert world.store.all(Job) == []


def test_M_16_a_body_that_is_too_long_is_refused(client: Client) -> None:
    fits = json.dumps({"x": "x" * (MAX_BODY_BYTES - 9)}).encode()
    assert len(fits) == MAX_BODY_BYTES
    assert client.send("POST", JOBS, headers=JSON, body=fits).status == 201
    for path in (JOBS, REFRESH, LOGIN, f"{JOBS}/1/transcript"):
        answer = client.send("POST", path, headers=JSON, body=fits + b" ")
        assert (answer.status, error(answer)) == (413, "body: must have at most 65536 bytes")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_M_16_a_foreign_content_type_is_read_as_json_and_said_so(client: Client, kind: str) -> None:
    answer = client.send("POST", JOBS, headers={"content-type": kind}, body=b'{"language": "en"}')
    assert (answer.status, answer.headers["x-callscribe-leniency"]) == (201, "Content-Type")


@pytest.mark.parametrize("path", ["/", PLAIN, AI, f"{AI}/", f"{AI}/nothing", f"{PLAIN}/ai/ai/usage", USAGE.upper(), f"{USAGE}/x", f"{JOBS}//transcript", f"{JOBS}/1/download", f"{JOBS}/1/download/", f"{JOBS}/1/download/txt/x", f"{JOBS}/a b", f"{JOBS}/%2e%2e", "/billing/api/v1/usage"])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_M_16_an_unknown_path_is_not_found_in_our_shape(client: Client, method: str, path: str) -> None:
    answer = client.send(method, path)
    assert (answer.status, error(answer), answer.json["code"]) == (404, "there is nothing at this path", "unknown_path")


@pytest.mark.parametrize("path", sorted({path for _, path in routes.ROUTES}))
def test_M_16_a_wrong_method_is_refused_in_our_shape(client: Client, path: str) -> None:
    known = sorted(method for method, known_path in routes.ROUTES if known_path == path)
    known = sorted([*known, "HEAD"]) if "GET" in known else known
    for method in set(METHODS) - set(known):
        answer = client.send(method, path.replace("<id>", "1").replace("<format>", "txt"))
        assert (answer.status, answer.headers["allow"]) == (405, ", ".join(known))
        assert answer.text == "" if method == "HEAD" else error(answer) == f"this path takes {' or '.join(known)}"


def test_M_16_head_is_answered_as_get_without_the_body(world: World, client: Client) -> None:
    job = f"{JOBS}/{world.completed(client)['id']}"
    for path in (USAGE, job, f"{job}/transcript", f"{job}/download/txt", f"{JOBS}/4711", API_DOCS, OPENAPI):
        get, head = client.send("GET", path), client.send("HEAD", path)
        assert (head.status, head.headers, head.text) == (get.status, get.headers, "")
        anonymous = world.anonymous.send("HEAD", path)
        assert (anonymous.status, anonymous.text) == (200 if path in (API_DOCS, OPENAPI) else 401, "")
    assert client.send("HEAD", f"{job}/download/docx").text == ""  # which GET sends in base64


def test_M_16_a_byte_order_mark_before_json_is_forgiven_and_said_so(client: Client) -> None:
    answer = client.send("POST", JOBS, headers=JSON, body=b'\xef\xbb\xbf{"language": "en"}')
    assert (answer.status, answer.json["language"]) == (201, "en")
    assert answer.headers["x-callscribe-leniency"] == "byte order mark"
    twice = client.send("POST", JOBS, headers=JSON, body=b'\xef\xbb\xbf\xef\xbb\xbf{"language": "en"}')
    assert (twice.status, error(twice)) == (400, "body: must be valid JSON")


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "identity, deflate"])
def test_M_16_a_compressed_body_is_refused_as_such(world: World, client: Client, coding: str) -> None:
    headers = {**JSON, "content-encoding": coding}
    answer = client.send("POST", JOBS, headers=headers, body=gzip.compress(b"{}"))
    assert (answer.status, answer.json["code"]) == (400, "invalid_body")
    assert error(answer) == "Content-Encoding: must be identity: the body is taken as it is, not compressed"
    assert world.store.all(Job) == []


@pytest.mark.parametrize(("coding", "body"), [("identity", b"{}"), ("", b"{}"), ("gzip", None)])
def test_M_16_a_body_that_is_not_compressed_may_say_so(client: Client, coding: str, body: bytes | None) -> None:
    assert client.send("POST", JOBS, headers={**JSON, "content-encoding": coding}, body=body).status == 201


@pytest.mark.parametrize("key", ["", "with space", "ünicode", "x" * 256])
def test_M_08_an_unusable_idempotency_key_is_refused(world: World, client: Client, key: str) -> None:
    answer = client.send("POST", JOBS, fields={}, headers={"Idempotency-Key": key})
    assert (answer.status, answer.json["code"]) == (400, "invalid_value")
    assert error(answer).startswith("Idempotency-Key: must be")
    assert world.store.all(Job) == []


@pytest.mark.parametrize("given", ["x", "0", "-1", "1e3", "1.0", "9" * 400, "x" * 5_000, "00000000-0000-4000-8000-000000000000", "~", "a_b", "."])  # fmt: skip
def test_M_A10_an_id_that_cannot_be_ours_is_unknown(client: Client, given: str) -> None:
    for answer in (status(client, given), client.send("POST", f"{JOBS}/{given}/transcript"), client.send("DELETE", f"{JOBS}/{given}")):  # fmt: skip
        assert (answer.status, error(answer), answer.json["code"]) == (404, "no such transcription", "not_found")


def test_M_16_credentials_are_judged_before_the_body(world: World) -> None:
    bodies = (b"", b"{", b'{"recording_id": []}', b"x" * 200_000)
    nobody = [world.anonymous.send("POST", JOBS, headers=JSON, body=body).status for body in bodies]
    unscoped = world.client(scopes=frozenset())
    assert nobody == [401] * len(bodies)
    assert [unscoped.send("POST", JOBS, headers=JSON, body=body).status for body in bodies] == [403] * len(bodies)


def test_M_16_every_error_has_a_status_and_a_word_of_its_own() -> None:
    words = [code for _, code in mapping.REFUSALS.values()]
    assert len(set(words)) == len(words)
    assert {status for status, _ in mapping.REFUSALS.values()} == {
        *(400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503)
    }
    assert mapping.refusal(RateLimited(7)) == (
        429,
        {"error": "too many requests; try again in 7 s", "code": "too_many_requests"},
    )


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
    deps = replace(world.deps, store=BrokenStore(error))  # type: ignore[arg-type] # as much of a store as these calls reach
    return Client(world.dialect.build(deps))


@pytest.mark.parametrize(("method", "path"), [("POST", LOGIN), ("GET", USAGE)])
def test_M_16_an_unexpected_error_is_a_500_of_our_shape_without_details(
    world: World, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    with caplog.at_level(logging.INFO, logger="callscribe"):
        answer = broken(world, ZeroDivisionError("the secret detail")).send(method, path, headers=basic("ann", "x"))
    assert (answer.status, answer.json["code"]) == (500, "internal")
    assert error(answer) == "an internal error; it was logged"
    assert "ZeroDivisionError" in caplog.text
    assert "the secret detail" not in caplog.text


def test_M_16_a_service_that_does_not_answer_is_a_503_to_try_again(world: World, client: Client) -> None:
    answer = broken(world, Unavailable("the table")).with_token(client.token).send("GET", USAGE)
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert "table" not in error(answer)


def test_M_16_an_event_that_is_none_is_answered_too(world: World) -> None:
    assert read_answer(world.anonymous.handler({}, None)).status == 500


def test_a_base64_body_is_read(client: Client) -> None:
    event = http_event("POST", JOBS, headers={"authorization": f"Bearer {client.token}", **JSON})
    body = base64.b64encode(b'{"language": "en"}').decode()
    answer = read_answer(client.handler({**event, "body": body, "isBase64Encoded": True}, None))
    assert (answer.status, answer.json["language"]) == (201, "en")
