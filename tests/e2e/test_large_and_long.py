"""Large bodies and long waits: what cannot pass the gateway goes by the door, and nothing else does."""

import base64
import concurrent.futures
import http.client
import io
import json
from contextlib import suppress

import httpx
import numpy as np
import pytest

from callscribe import names
from local.system import LocalSystem
from tests.corpora.audio_files import encode
from tests.e2e import sounds
from tests.e2e.books import paid
from tests.e2e.conftest import hurried
from tests.e2e.integrator import (
    VIA_DOOR,
    count_jobs,
    executions_of,
    gateway_alone,
    newest_job,
    transcribe,
    wait_for,
    worker_paused,
)
from tests.e2e.traces import log_of

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

PRICE_M_PER_S = 500  # of the laptop's plan, in millionths
FUNCTION = "ApiApiAivoco"


def body_of(system: LocalSystem, audio: bytes) -> dict[str, str]:
    return {"api_key": system.credentials.api_key, "audio_data": base64.b64encode(audio).decode()}


def test_A_L1_half_an_hour_of_telephone_audio_passes_whole_through_the_door(system: LocalSystem) -> None:
    audio = sounds.padded(sounds.cut("librivox-0880"), seconds=sounds.HALF_AN_HOUR_S, rate_hz=sounds.LINE_RATE_HZ)
    body = body_of(system, audio)
    assert len(body["audio_data"]) > 38_000_000
    asked = len(log_of(system, FUNCTION))
    answer = transcribe(system.base_url, body)
    assert (answer.status_code, answer.headers.get("via")) == (200, VIA_DOOR), answer.text
    assert "he was not" in answer.json()["transcription"]
    assert len(log_of(system, FUNCTION)) == asked, "the gateway was not asked"
    spent = paid(system, newest_job(system).id)
    assert spent == sounds.HALF_AN_HOUR_S * PRICE_M_PER_S
    assert answer.json()["user_credits_deducted"] == spent / 1_000_000


def test_A_05_a_second_more_than_half_an_hour_is_refused_in_the_documents_words_however_small_its_file(
    system: LocalSystem,
) -> None:
    silence = np.zeros((1, (sounds.HALF_AN_HOUR_S + 1) * sounds.LINE_RATE_HZ), np.float32)
    file = io.BytesIO()
    encode(file, silence, sounds.LINE_RATE_HZ, "flac", "flac")
    assert len(file.getvalue()) < 1_000_000
    answer = transcribe(system.base_url, body_of(system, file.getvalue()))
    assert (answer.status_code, answer.json()) == (400, {"error": "Audio must not exceed 30 minutes"})


def test_above_80_megabytes_nobody_reads_on(system: LocalSystem) -> None:
    for size_bytes, status in ((names.DOOR_MAX_BODY_BYTES, None), (names.DOOR_MAX_BODY_BYTES + 1, 413)):
        assert _status_of_announced(system.base_url, size_bytes) == status


def test_without_a_door_a_large_body_is_told_of_other_ways(system: LocalSystem) -> None:
    with gateway_alone(system) as front:
        answer = httpx.post(f"{front.base_url}/transcribe", content=b" " * 4_000_001, trust_env=False)
    assert answer.status_code == 413
    assert "by its URL" in answer.json()["message"]


def test_A_L1_a_wait_too_long_for_the_gateway_is_answered_through_the_door_and_paid_once(system: LocalSystem) -> None:
    """The function has so little time here that its wait, of 25 s otherwise, is short."""
    body = body_of(system, sounds.wav([sounds.marked(sounds.cut("librivox-0880"), seed=2)]))
    before = count_jobs(system)
    with hurried(system, "api aivoco", timeout_s=5), concurrent.futures.ThreadPoolExecutor(1) as pool:
        with worker_paused(system):
            asked = pool.submit(transcribe, system.base_url, body)
            wait_for(lambda: _given_up(system), "the gateway's time to be over")
            assert not asked.done()
        answer = asked.result()
    assert (answer.status_code, answer.headers.get("via")) == (200, VIA_DOOR), answer.text
    job = newest_job(system)
    assert count_jobs(system) == before + 1
    assert executions_of(system, job.id) == [job.id]
    assert paid(system, job.id) == 3 * PRICE_M_PER_S
    assert answer.json()["user_credits_deducted"] == 0.0015


def test_A_L1_without_a_door_the_answer_is_503_and_the_same_request_gets_the_transcript(system: LocalSystem) -> None:
    body = body_of(system, sounds.wav([sounds.marked(sounds.cut("librivox-0880"), seed=3)]))
    before = count_jobs(system)
    with gateway_alone(system) as front:
        with hurried(system, "api aivoco", timeout_s=5), worker_paused(system):
            early = transcribe(front.base_url, body)
        assert (early.status_code, early.headers["retry-after"]) == (503, "2")
        answer = transcribe(front.base_url, body)
    assert answer.status_code == 200, answer.text
    job = newest_job(system)
    assert early.json()["job_id"] == job.id
    assert count_jobs(system) == before + 1
    assert paid(system, job.id) == 3 * PRICE_M_PER_S


def _given_up(system: LocalSystem) -> bool:
    """Whether the deployed function's last answer was that it could wait no longer."""
    answers = [line for line in log_of(system, FUNCTION) if "route=/transcribe" in line]
    return bool(answers) and "status=503" in answers[-1]


def _status_of_announced(base_url: str, size_bytes: int) -> int | None:
    """What is answered to a body that is announced, but not sent; None where it would be taken."""
    url = httpx.URL(base_url)
    connection = http.client.HTTPConnection(str(url.host), url.port, timeout=2)
    connection.putrequest("POST", "/transcribe")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(size_bytes))
    connection.endheaders()
    with suppress(TimeoutError):
        answer = connection.getresponse()
        assert json.load(answer)["message"]
        return answer.status
    connection.close()
    return None
