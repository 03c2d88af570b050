"""The synchronous dialect by its function URL and by the gateway, its audio fetched by the function that fetches."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.domain.jobs import Job, JobState
from local.system import LocalSystem
from tests.functions.media import MediaServer

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]


@pytest.fixture
def media(clip: Path) -> Iterator[MediaServer]:
    with MediaServer(clip.read_bytes()) as serving:
        yield serving


def post(url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def newest_job(system: LocalSystem) -> Job:
    return next(iter(system.deps().store.listed(Job, system.credentials.tenant_id)))


def left_of(system: LocalSystem, job: Job) -> list[str]:
    """The keys of all versions of all objects that a job may leave."""
    s3 = system.emulator.client("s3")
    found: list[str] = []
    for bucket, prefixes in (
        ("AudioBucket", (names.AUDIO_PREFIX, names.SOURCES_PREFIX)),
        ("ResultsBucket", (names.RESULTS_PREFIX,)),
    ):
        for prefix in prefixes:
            below = f"{prefix}{job.tenant_id}/{job.id}"
            listed = s3.list_object_versions(Bucket=system.outputs[bucket], Prefix=below)
            found += [one["Key"] for one in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]]
    return found


def test_A_L1_a_call_by_the_function_url_is_answered_with_its_transcript_and_leaves_nothing(
    system: LocalSystem, media: MediaServer
) -> None:
    body = {"api_key": system.credentials.api_key, "audio_url": media.url()}
    status, answer = post(f"{system.function_url('aivoco')}/transcribe", body)
    assert status == 200, answer
    assert answer["transcription"].startswith("User: he was not an")
    job = newest_job(system)
    assert (job.dialect, job.state) == ("aivoco", JobState.COMPLETED)
    assert left_of(system, job) == []
    assert media.asked == 1


def test_audio_that_cannot_be_fetched_is_a_refusal_and_leaves_nothing(system: LocalSystem, media: MediaServer) -> None:
    body = {"api_key": system.credentials.api_key, "audio_url": media.url("/gone.wav")}
    status, answer = post(f"{system.function_url('aivoco')}/transcribe", body)
    assert (status, set(answer)) == (400, {"error"})
    assert left_of(system, newest_job(system)) == []


def test_both_ways_and_both_spellings_of_the_path_reach_the_same_dialect(system: LocalSystem) -> None:
    for base in (system.base_url, system.function_url("aivoco")):
        for path in ("/transcribe", "/transcribe/"):
            assert post(f"{base}{path}", {}) == (401, {"error": "Invalid API key"})
