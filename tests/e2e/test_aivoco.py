"""Dialect `aivoco` as its users meet it: the document's samples by the clients they are written for, on the running
system, answered by the deployed function.
"""

import base64
import concurrent.futures
import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from callscribe.domain.call_facts import CallFacts
from callscribe.services import recordings
from local.system import LocalSystem
from tests.dialects.aivoco import samples
from tests.dialects.aivoco.samples import Substitution
from tests.e2e import sounds
from tests.e2e.books import paid
from tests.e2e.conftest import told
from tests.e2e.integrator import count_jobs, newest_job, transcribe
from tests.e2e.traces import log_of
from tests.functions.media import MediaServer

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

CALL_ID = "4711"
PRICE = 0.0005  # credits per started second, on the laptop
FUNCTION = "ApiApiAivoco"


@pytest.fixture(scope="module")
def conversation() -> bytes:
    """Two channels, on each of which one speaks: the bot on the left."""
    return sounds.wav(sounds.one_after_another(sounds.cut("librivox-0880"), sounds.cut("jfk", seconds=2.4)))


@pytest.fixture(scope="module")
def substitution(
    system: LocalSystem, conversation: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Substitution]:
    """One table for all samples: a registered call, an address, and the audio itself."""
    made = system.credentials
    file = tmp_path_factory.mktemp("calls") / "call.wav"
    file.write_bytes(conversation)
    recordings.add(
        system.deps(), tenant_id=made.tenant_id, recording_id=CALL_ID, file=file, call=CallFacts(agent_channel=0)
    )
    with MediaServer(conversation) as media:
        yield Substitution(system.base_url, made.api_key, CALL_ID, media.url(), conversation)


@pytest.fixture
def by_the_function(system: LocalSystem) -> Iterator[None]:
    """Whatever a test asks once and successfully, the deployed function has answered, and the door has not."""
    before, at_the_door = _answered(system), _door_log(system).count("/transcribe")
    yield
    assert _answered(system) == before + 1
    assert _door_log(system).count("/transcribe") == at_the_door


def credits_of_the_newest_job(system: LocalSystem) -> float:
    return paid(system, newest_job(system).id) / 1_000_000


@pytest.mark.usefixtures("by_the_function")
def test_A_01_A_03_the_curl_sample_prints_the_documented_answer_to_an_audio_url(
    system: LocalSystem, substitution: Substitution, tmp_path: Path
) -> None:
    answer = json.loads(samples.run("curl", substitution, tmp_path))
    assert list(answer) == [*json.loads(samples.ANSWER), "roles_confidence"]
    assert {line.partition(":")[0] for line in answer["transcription"].splitlines()} <= {"AI", "User"}
    assert "he was not an" in answer["transcription"]
    at = datetime.strptime(answer["timestamp"], "%Y-%m-%dT%H:%M:%S.%f")
    assert abs(at.timestamp() - time.time() - time.timezone) < 60
    assert answer["user_credits_deducted"] == credits_of_the_newest_job(system) == 6 * PRICE


@pytest.mark.usefixtures("by_the_function")
def test_A_01_A_04_the_python_sample_prints_who_said_what_in_a_call_named_by_its_id(
    system: LocalSystem, substitution: Substitution, tmp_path: Path
) -> None:
    lines = samples.run("python", substitution, tmp_path).splitlines()
    assert lines[0] == "Transcription:"
    assert [line.partition(":")[0] for line in lines[1:]] == ["AI", "User", "Credits used"]
    assert "he was not" in lines[1]
    assert "american" in lines[2]
    assert lines[-1] == f"Credits used: {credits_of_the_newest_job(system)}" == f"Credits used: {6 * PRICE}"


@pytest.mark.usefixtures("by_the_function")
def test_A_01_the_javascript_sample_prints_the_transcription_of_inline_audio(
    system: LocalSystem, substitution: Substitution, tmp_path: Path
) -> None:
    printed = samples.run("javascript", substitution, tmp_path)
    assert printed.startswith("Transcription: ")
    assert "he was not an" in printed
    assert credits_of_the_newest_job(system) == 6 * PRICE


@pytest.mark.usefixtures("by_the_function")
def test_A_01_a_body_just_below_what_the_gateway_takes_is_answered_by_the_function(
    system: LocalSystem, substitution: Substitution
) -> None:
    audio = sounds.padded(sounds.cut("librivox-0880"), seconds=187, rate_hz=sounds.LINE_RATE_HZ)
    body = {"api_key": substitution.api_key, "audio_data": base64.b64encode(audio).decode()}
    assert 3_980_000 < len(json.dumps(body)) < 4_000_000
    answer = transcribe(system.base_url, body)
    assert (answer.status_code, answer.headers.get("via")) == (200, None)
    assert answer.json()["user_credits_deducted"] == pytest.approx(187 * PRICE)


def test_A_01_equal_requests_at_one_time_are_one_job_that_is_paid_once(
    system: LocalSystem, substitution: Substitution
) -> None:
    audio = sounds.wav([sounds.marked(sounds.cut("librivox-0880"), seed=1)])
    body = {"api_key": substitution.api_key, "audio_data": base64.b64encode(audio).decode()}
    before = count_jobs(system)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: transcribe(system.base_url, body), range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1
    assert count_jobs(system) == before + 1
    assert credits_of_the_newest_job(system) == 3 * PRICE == answers[0].json()["user_credits_deducted"]


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({}, 400, "One of audio_data, audio_url, or call_id is required"),
        ({"call_id": "1", "audio_url": "https://a.example/"}, 400, "Only one of audio_data, audio_url, or call_id should be provided"),
        ({"call_id": "4712"}, 404, "Call id not found or does not belong to user"),
        ({"audio_data": base64.b64encode(sounds.wav([sounds.cut("jfk", seconds=0.98)])).decode()}, 400, "Audio must be at least 1 second long"),
    ],
)  # fmt: skip
def test_A_05_A_08_the_documents_refusals_in_its_own_words(
    system: LocalSystem, fields: dict[str, str], status: int, error: str
) -> None:
    answer = transcribe(system.base_url, {"api_key": system.credentials.api_key, **fields})
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_A_06_a_wrong_key_and_a_missing_one_are_refused_alike(system: LocalSystem) -> None:
    for body in ({"api_key": "wrong", "call_id": CALL_ID}, {"call_id": CALL_ID}):
        answer = transcribe(system.base_url, body)
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid API key"})


def test_A_09_A_A4_of_61_requests_of_one_address_in_a_minute_exactly_60_pass(system: LocalSystem) -> None:
    with told(system, "api aivoco", requests_per_minute=60):
        _from("127.0.0.3", system)  # the function is warm with its new setting
        if time.time() % 60 > 45:
            time.sleep(60 - time.time() % 60)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: _from("127.0.0.2", system), range(61)))
        other = _from("127.0.0.4", system, forwarded_for="127.0.0.2")
    assert Counter(status for status, _ in answers) == {401: 60, 429: 1}
    assert [body for status, body in answers if status == 429] == [
        {"error": "Rate limit exceeded. Please try again later."}
    ]
    assert other[0] == 401, "what a client says about its address does not count"


def _from(address: str, system: LocalSystem, *, forwarded_for: str | None = None) -> tuple[int, object]:
    """A request from a loopback address of its own, by a key that is none."""
    port = httpx.URL(system.base_url).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))
    headers = {"Content-Type": "application/json"} | ({"X-Forwarded-For": forwarded_for} if forwarded_for else {})
    try:
        connection.request("POST", "/transcribe", b'{"api_key": "wrong"}', headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def _answered(system: LocalSystem) -> int:
    return sum("route=/transcribe status=200" in line for line in log_of(system, FUNCTION))


def _door_log(system: LocalSystem) -> str:
    return (system.settings.log_dir / "door.log").read_text()
