"""The document's own samples, sent as they stand; `samples.py` replaces what a document cannot know."""

import base64
from collections.abc import Callable

import pytest

from callscribe.services import recordings
from tests.dialects.conftest import Answer, http_event, read_answer
from tests.dialects.mor.samples import (
    CURL_LOGIN,
    ENDPOINTS,
    LOGIN,
    SAMPLE_CREDENTIAL,
    Request,
    from_curl,
    from_http,
    samples,
)
from tests.dialects.mor.world import AUDIO_URL, SomeUser, World

BASE = "https://callscribe.example"


def send(world: World, request: Request) -> Answer:
    event = http_event(request.method, request.path, headers=request.headers, body=request.body)
    return read_answer(world.anonymous.handler(event, None))


@pytest.fixture
def user(world: World) -> SomeUser:
    """The user of the samples: a registered recording and a completed transcription are his."""
    user = world.user(username="ricardc", password="9kAX:ZZu?rjMbk$Rh")
    recordings.add(world.deps, tenant_id=user.tenant_id, recording_id="sample-recording", url=AUDIO_URL)
    world.completed(world.client(tenant_id=user.tenant_id))
    return user


def is_session(answer: Answer) -> bool:
    return bool(answer.json["token"]) and answer.json["expires_in"] == 900


def is_usage(answer: Answer) -> bool:
    return answer.json["unlimited"] is True


def is_queued(answer: Answer) -> bool:
    return isinstance(answer.json["id"], int) and answer.json["status"] == "queued"


SUCCESS: dict[str, tuple[int, Callable[[Answer], bool]]] = {
    "login": (200, is_session),
    "login by curl": (200, is_session),
    "usage by its whole address": (200, is_usage),
    "create by curl": (201, is_queued),
    "GET /usage": (200, is_usage),
    "POST /transcriptions": (201, is_queued),
    "GET /transcriptions/{id}": (200, lambda answer: answer.json["status"] == "completed"),
    "POST /transcriptions/{id}/transcript": (200, lambda answer: answer.json["segments"][0]["text"] == "good morning"),
    "POST /transcriptions/{id}/download/{format}": (200, lambda answer: "good morning" in answer.text),
    "DELETE /transcriptions/{id}": (200, lambda answer: answer.json["status"] == "deleted"),
}


def test_M_02_M_07_to_M_12_every_sample_of_the_document_is_answered_with_success(world: World, user: SomeUser) -> None:
    requests = samples(BASE, user.username, user.password, job_id=1)
    assert [request.name for request in requests] == list(SUCCESS)
    for request in requests:
        status, is_right = SUCCESS[request.name]
        answer = send(world, request)
        assert (answer.status, is_right(answer)) == (status, True), (request.name, answer.text)


def test_M_02_the_sample_in_its_raw_form_and_by_curl_is_one_request() -> None:
    raw, curl = from_http("login", LOGIN), from_curl("login", CURL_LOGIN)
    assert raw == curl
    assert (raw.method, raw.path) == ("POST", "/billing/api/v2/authentication/login")


def test_M_05_M_06_the_six_endpoints_answer_alike_by_password_and_by_the_token_of_the_sample_login(
    world: World, user: SomeUser
) -> None:
    login, *_ = samples(BASE, user.username, user.password)
    token = send(world, login).json["token"]
    for request in samples(BASE, user.username, user.password, job_id=1)[-len(ENDPOINTS.splitlines()) : -1]:
        by_token = Request(request.name, request.method, request.url, {**request.headers, "Authorization": f"Bearer {token}"}, request.body)  # fmt: skip
        assert send(world, by_token).status == send(world, request).status in (200, 201)


def test_M_A3_the_credential_as_the_document_prints_it_holds_a_control_byte_and_is_refused_politely(
    world: World,
) -> None:
    assert base64.b64decode(SAMPLE_CREDENTIAL) == b"ricardc\x13:9kAXZZu?rjMbk$Rh"
    answer = send(world, from_http("login", LOGIN))
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")


def test_M_A3_a_user_of_that_very_name_can_log_in(world: World) -> None:
    world.user(username="ricardc\x13", password="9kAXZZu?rjMbk$Rh")
    assert is_session(send(world, from_http("login", LOGIN)))
