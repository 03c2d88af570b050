"""A-09, A-A4: 60 requests a minute from one address, exactly."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from callscribe.domain.counters import Counter
from callscribe.ports import Settings
from tests.dialects.aivoco.world import World

TOO_MANY = {"error": "Rate limit exceeded. Please try again later."}


def statuses(world: World, count: int, **how: Any) -> list[int]:
    return [world.ask("wrong", **how).status for _ in range(count)]


def test_A_09_the_sixty_first_request_of_a_minute_is_one_too_many(world: World) -> None:
    assert statuses(world, 60) == [401] * 60
    world.clock.advance(12)
    answer = world.ask("wrong")
    assert (answer.status, answer.json) == (429, TOO_MANY)
    assert answer.headers["retry-after"] == "48"


def test_A_09_of_61_requests_by_8_threads_in_one_window_exactly_60_pass(world: World) -> None:
    start = Barrier(8)

    def requests(count: int) -> list[int]:
        start.wait()
        return statuses(world, count)

    with ThreadPoolExecutor(8) as threads:
        seen = [status for given in threads.map(requests, [8, 8, 8, 8, 8, 7, 7, 7]) for status in given]
    assert len(seen) == 61
    assert sorted(seen) == [401] * 60 + [429]


def test_A_09_windows_are_the_clocks_own_minutes(world: World) -> None:
    world.clock.advance(59.999)
    assert statuses(world, 61)[-1] == 429
    assert world.ask("wrong").headers["retry-after"] == "1"
    world.clock.advance(0.001)
    assert statuses(world, 61) == [401] * 60 + [429]


def test_A_09_good_requests_count_as_well(world: World) -> None:
    secret = world.secret()
    world.running = False
    for _ in range(60):
        assert world.ask(secret, max_wait_s=0).status == 503
    assert world.ask(secret).status == 429


def test_A_09_the_documentation_is_not_counted(world: World) -> None:
    for _ in range(70):
        assert world.get("/aivoco/openapi.json").status == 200


def test_A_09_the_limit_is_a_setting() -> None:
    assert statuses(World(settings=Settings(requests_per_minute=2)), 3) == [401, 401, 429]


def test_A_A4_addresses_are_counted_apart_and_before_the_key_is_looked_at(world: World) -> None:
    assert statuses(world, 61)[-1] == 429
    assert world.ask(world.secret()).status == 429
    assert world.ask("wrong", address="203.0.113.8").status == 401
    assert world.ask("wrong", address="2001:db8::1").status == 401


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP"])
def test_A_A4_no_header_of_the_client_moves_it_to_another_address(world: World, name: str) -> None:
    for number in range(60):
        world.send({}, headers={name: f"198.51.100.{number}"})
    assert world.send({}, headers={name: "198.51.100.200"}).status == 429


def test_A_A4_the_table_holds_no_address(world: World) -> None:
    world.ask("wrong", address="198.51.100.77")
    assert "198.51.100.77" not in repr(world.store.all(Counter))
    (counter,) = (counter for counter in world.store.all(Counter) if counter.scope == "aivoco")
    assert counter.forget_at_ms is not None
