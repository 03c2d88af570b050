"""A-L1: what a request of 30 min of 8 kHz audio costs, and that it keeps nobody waiting."""

import json
import threading
import time
import tracemalloc
from types import SimpleNamespace

import pytest

from callscribe.dialects.front import Room
from tests.dialects.aivoco.world import World, encoded, wav
from tests.dialects.conftest import http_event, read_answer

DOOR = SimpleNamespace(room=Room(max_body_bytes=80_000_000, max_wait_s=25))
MINUTES = 30


@pytest.fixture(scope="module")
def large() -> str:
    """38.4 MB of base64."""
    data = encoded(wav(60.0 * MINUTES, tone=257))
    assert len(data) > 38_000_000
    return data


def test_A_L1_a_large_body_costs_little_more_memory_than_its_own_copies(world: World, large: str) -> None:
    body = json.dumps({"api_key": world.secret(), "audio_data": large}).encode()
    event = http_event("POST", "/transcribe", headers={"content-type": "application/json"}, body=body)
    size = len(body)
    del body
    tracemalloc.start()
    try:
        assert read_answer(world.handler(event, DOOR)).status == 200
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 7 * size


def test_A_L1_while_a_request_waits_nothing_of_its_body_is_held(world: World, large: str) -> None:
    held: list[int] = []
    world.running = False
    world.before_sleep = lambda: held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.start()
    try:
        body = json.dumps({"api_key": world.secret(), "audio_data": large}).encode()
        event = http_event("POST", "/transcribe", headers={"content-type": "application/json"}, body=body)
        del body
        assert read_answer(world.handler(event, DOOR)).status == 503
    finally:
        tracemalloc.stop()
    stored = sum(len(world.uploads.read(key)) for key in world.uploads.keys())  # noqa: SIM118 - a bucket is no mapping
    assert stored > 28_000_000
    assert held[0] - stored < 1_000_000


def test_A_L1_other_requests_of_the_process_are_answered_meanwhile(world: World, large: str) -> None:
    """Reading the large one takes a while; no small one waits for it in the router."""
    secret = world.secret()
    body = {"api_key": secret, "audio_data": large}
    done = threading.Event()
    longest_s = 0.0

    def send_large() -> None:
        for number in range(3):
            assert world.send(body, context=DOOR, address=f"198.51.100.{number}").status == 200
        done.set()

    thread = threading.Thread(target=send_large)
    thread.start()
    started_s, small = time.perf_counter(), 0
    while not done.is_set():
        begun_s = time.perf_counter()
        assert world.get("/aivoco/openapi.json").status == 200
        longest_s = max(longest_s, time.perf_counter() - begun_s)
        small += 1
    thread.join()
    took_s = time.perf_counter() - started_s
    assert small > 20
    assert longest_s < took_s / 2
