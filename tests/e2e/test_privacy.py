"""A-11, A-A5: nothing of an `aivoco` call is anywhere in the laptop cloud once it was answered, or once its time is over.

Looked through: every item and every change of one, every version of every object, every execution's history, every
queue, everything that was logged, and every file that was written meanwhile.
"""

import base64
import concurrent.futures
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from callscribe.domain.jobs import Job, JobState
from local.system import LocalSystem
from tests.e2e import sounds
from tests.e2e.conftest import hurried, told
from tests.e2e.integrator import (
    JOBS,
    VIA_DOOR,
    ended,
    executions_of,
    gateway_alone,
    job_of,
    newest_job,
    transcribe,
    uploaded,
    wait_for,
    worker_paused,
)
from tests.e2e.traces import found, taken_in, waiting_messages
from tests.functions.media import MediaServer

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

CLIP = "librivox-0890"  # which no other test says anything of
WORDS = ("hearted", "selfish")  # that the embedded engine hears in it
SIGNATURE = "canary-of-the-url"
UNFETCHED_S = 4  # of an answer, in the test of just that
PIECE_AT = 96_000  # in the third second; a multiple of 3, so that its base64 is a piece of the whole file's


def recording(seed: int, *, seconds: int | None = None) -> bytes:
    said = sounds.marked(sounds.cut(CLIP), seed=seed)
    return sounds.wav([said]) if seconds is None else sounds.padded(said, seconds=seconds, rate_hz=16_000)


def canaries_of(system: LocalSystem, audio: bytes) -> dict[str, bytes]:
    """By name: spoken words, the key, what is in the URL, and the audio as bytes and in base64."""
    piece = audio[PIECE_AT : PIECE_AT + 48]
    assert len(set(piece)) > 20, "silence is nobody's"
    return {
        **{word: word.encode() for word in WORDS},
        "key": system.credentials.api_key.encode(),
        "URL": SIGNATURE.encode(),
        "audio": piece,
        "audio in base64": base64.b64encode(piece),
    }


def places(system: LocalSystem, canaries: Mapping[str, bytes], since_s: float) -> dict[str, set[str]]:
    """By canary: the kinds of places in which it is."""
    kinds: dict[str, set[str]] = {}
    for place, name in found(system, canaries, since_s=since_s):
        kinds.setdefault(name, set()).add(place.partition(" ")[0])
    return kinds


def settled(system: LocalSystem, job: Job) -> None:
    """Wait until the machinery behind a job is at rest."""
    states = system.emulator.client("stepfunctions")
    machine = system.outputs["TranscriptionMachine"].replace(":stateMachine:", ":execution:")

    def is_over() -> bool:
        arns = [f"{machine}:{name}" for name in executions_of(system, job.id)]
        running = [arn for arn in arns if states.describe_execution(executionArn=arn)["status"] == "RUNNING"]
        return not running and not waiting_messages(system)

    wait_for(is_over, "executions and queues to come to rest")


def forgotten(system: LocalSystem) -> None:
    """Wait until the index of tasks has heard of every deletion: the words go with the next fold."""
    wait_for(lambda: taken_in(system.deps(), system.credentials.tenant_id), "the index to be up to date")
    wait_for(lambda: not waiting_messages(system), "the queues to be empty")


def test_the_search_finds_a_kept_transcript_and_nothing_once_it_was_deleted(
    system: LocalSystem, mor: httpx.Client
) -> None:
    """That it can see, and that a deletion in dialect `mor` leaves as little."""
    started_s, audio = time.time(), recording(11)
    canaries = canaries_of(system, audio)
    with MediaServer(audio) as media:
        made = uploaded(mor, audio)
        other = mor.post(JOBS, json={"recording_url": media.url(f"/call.wav?{SIGNATURE}")}).json()
        for one in (made, other):
            assert ended(mor, one)["status"] == "completed"
    seen = places(system, canaries, started_s)
    assert {word: seen[word] for word in (*WORDS, "audio")} == {word: {"object"} for word in (*WORDS, "audio")}
    for one in (made, other):
        mor.delete(f"{JOBS}/{one['id']}").raise_for_status()
    forgotten(system)
    assert places(system, canaries, started_s) == {}


def test_the_search_looks_into_every_kind_of_place(system: LocalSystem, mor: httpx.Client) -> None:
    started_s = time.time()
    made = uploaded(mor, recording(12))
    assert ended(mor, made)["status"] == "completed"
    sqs, mark = system.emulator.client("sqs"), {"id": made["uuid"].encode()}
    (queue,) = [url for url in sqs.list_queues()["QueueUrls"] if "UploadDeadLetters" in url]
    sqs.send_message(QueueUrl=queue, MessageBody=made["uuid"])
    scratch = Path(str(system.emulator.temp_dir)) / "canary"
    scratch.write_text(made["uuid"])
    try:
        everywhere = {"item", "stream", "object", "execution", "message", "log", "file"}
        assert places(system, mark, started_s) == {"id": everywhere}
    finally:
        scratch.unlink()
        sqs.purge_queue(QueueUrl=queue)
        mor.delete(f"{JOBS}/{made['id']}").raise_for_status()
        forgotten(system)


@pytest.mark.parametrize(
    ("kind", "seconds", "via"), [("audio_data", None, None), ("audio_url", None, None), ("audio_data", 120, VIA_DOOR)]
)
def test_A_11_nothing_is_anywhere_once_the_answer_was_given(
    system: LocalSystem, kind: str, seconds: int | None, via: str | None
) -> None:
    started_s, audio = time.time(), recording(len(kind) + (seconds or 0), seconds=seconds)
    canaries = canaries_of(system, audio)
    with MediaServer(audio) as media, concurrent.futures.ThreadPoolExecutor(1) as pool:
        body = _body(system, kind, audio, media)
        with worker_paused(system):
            asked = pool.submit(transcribe, system.base_url, body)
            wait_for(_transcribing(system, started_s), "the job to be under way")
            under_way = places(system, canaries, started_s)
        answer = asked.result()
    at_once = places(system, canaries, started_s)
    assert under_way == {"audio": {"object"}} | ({"URL": {"object"}} if kind == "audio_url" else {})
    assert (answer.status_code, answer.headers.get("via")) == (200, via), answer.text
    assert all(word in answer.json()["transcription"] for word in WORDS)
    assert at_once == {}
    settled(system, newest_job(system))
    assert places(system, canaries, started_s) == {}
    _its_length_is_still_known(system, seconds or 5.3)


def test_A_11_nothing_is_anywhere_of_an_answer_that_nobody_fetched_once_its_time_is_over(system: LocalSystem) -> None:
    started_s, audio = time.time(), recording(13)
    canaries = canaries_of(system, audio)
    short = told(system, "api aivoco", "finish job", "sweep", fetched_result_s=UNFETCHED_S, recheck_s=1)
    with short, gateway_alone(system) as front, MediaServer(audio) as media:
        with hurried(system, "api aivoco", timeout_s=5), worker_paused(system):
            answer = transcribe(front.base_url, _body(system, "audio_url", audio, media))
        assert answer.status_code == 503, answer.text
        job = job_of(system, answer.json()["job_id"])
        wait_for(lambda: job_of(system, job.id).finished, "the job to end")
        assert job_of(system, job.id).state is JobState.COMPLETED
        waiting = places(system, canaries, started_s)
        settled(system, job)
        time.sleep(max(0, (job_of(system, job.id).finished_at_ms or 0) / 1000 + UNFETCHED_S + 1.5 - time.time()))
        system.invoke("sweep")
        # The stage's own sweeper, which comes once a minute, may be at it at this moment.
        wait_for(lambda: places(system, canaries, started_s) == {}, "everything to be gone", timeout_s=10)
    assert {name: waiting[name] for name in WORDS} == {name: {"object"} for name in WORDS}
    assert "audio" not in waiting, "it goes when the job ends, fetched or not"
    _its_length_is_still_known(system, 5.3)


def test_A_11_nothing_is_anywhere_of_audio_that_could_not_be_transcribed(system: LocalSystem) -> None:
    started_s, audio = time.time(), recording(14)
    broken = b"\x00" * 4_000 + audio[44:]  # no format at all
    canaries = canaries_of(system, broken)
    with MediaServer(broken) as media:
        for kind in ("audio_data", "audio_url"):
            answer = transcribe(system.base_url, _body(system, kind, broken, media))
            assert (answer.status_code, list(answer.json())) == (400, ["error"])
            settled(system, newest_job(system))
        gone = {"api_key": system.credentials.api_key, "audio_url": media.url(f"/gone?{SIGNATURE}")}
        assert transcribe(system.base_url, gone).status_code == 400
    assert places(system, canaries, started_s) == {}


def _body(system: LocalSystem, kind: str, audio: bytes, media: MediaServer) -> dict[str, Any]:
    inline, url = base64.b64encode(audio).decode(), media.url(f"/call.wav?{SIGNATURE}")
    return {"api_key": system.credentials.api_key, kind: inline if kind == "audio_data" else url}


def _transcribing(system: LocalSystem, since_s: float) -> Callable[[], bool]:
    def is_under_way() -> bool:
        made = system.deps().store.listed(Job, system.credentials.tenant_id, since_ms=int(1000 * since_s))
        return any(job.state is JobState.TRANSCRIBING for job in made)

    return is_under_way


def _its_length_is_still_known(system: LocalSystem, duration_s: float) -> None:
    job = newest_job(system)
    assert job.state is JobState.COMPLETED
    assert job.audio is not None
    assert round(job.audio.duration_s, 1) == duration_s
