"""A-L1: what a request of 30 min of 8 kHz audio costs, and that it keeps nobody waiting."""

import json
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from callscribe.dialects.aivoco import mapping
from callscribe.dialects.front import Room
from tests.dialects.aivoco.world import World, encoded, wav
from tests.dialects.conftest import http_event, read_answer
from tests.waiting import SOON_S

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


def test_A_L1_other_requests_of_the_process_are_answered_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a large one takes a while; no small one waits for it in the router."""
    begun, go_on, decode = threading.Event(), threading.Event(), mapping.decode

    def decode_when_told(given: str) -> tuple[bytes, tuple[str, ...]]:
        begun.set()
        assert go_on.wait(SOON_S)
        return decode(given)

    monkeypatch.setattr(mapping, "decode", decode_when_told)
    secret = world.secret()
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(world.ask, secret)
        assert begun.wait(SOON_S)
        small = pool.submit(world.get, "/aivoco/openapi.json")
        assert small.result(SOON_S / 2).status == 200
        assert not reading.done()
        go_on.set()
        assert reading.result().status == 200
