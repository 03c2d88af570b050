"""Who there is in the pool of workers, and who goes first."""

from dataclasses import replace
from typing import Any

import pytest

from callscribe.domain.pool import (
    ALIVE_MS,
    LISTS_LAG_MS,
    SILENT_MS,
    START_MS,
    Look,
    PoolState,
    PoolWorker,
    Standing,
    brought_up_to_date,
    is_lost,
    resized,
    standing,
)
from callscribe.domain.work import POOL, WorkerSeen

AT_MS = 10_000_000


def worker(number: int, one: str | None, **fields: Any) -> PoolWorker:
    return PoolWorker(number, **{"starting_at_ms": AT_MS - 1_000, "listed_at_ms": AT_MS, "id": one, **fields})


def seen(one: str, **fields: Any) -> WorkerSeen:
    return WorkerSeen(POOL, one, **{"started_at_ms": 1, "seen_at_ms": AT_MS, **fields})


def look(*words: WorkerSeen, starting: str = "", running: str = "", at_ms: int = AT_MS) -> Look:
    ids = {word.id: word for word in words}
    return Look(at_ms, 1, 0, frozenset(starting.split()), frozenset(running.split()), ids)


def test_who_has_done_least_goes_first() -> None:
    words = (
        seen("quiet", seen_at_ms=AT_MS - ALIVE_MS - 1, in_hand=3),
        seen("idle", in_hand=1),
        seen("idle-old", in_hand=1),
        seen("busy", in_hand=9),
    )
    names = ("busy", "idle-old", "quiet", "loads", "boots", "boots-new", "idle")
    workers = tuple(worker(number, one, starting_at_ms=AT_MS - 2 * ALIVE_MS) for number, one in enumerate(names))
    now = look(*words, starting="boots boots-new", running="busy idle-old quiet loads idle")
    state = brought_up_to_date(PoolState(workers=workers), now)
    went: list[str | None] = []
    for left in reversed(range(len(workers))):
        state = resized(state, left, now, max_workers=10)
        went += [one.id for one in state.workers if one.going and one.id not in went]
    assert went == ["boots-new", "boots", "loads", "quiet", "idle", "idle-old", "busy"]


def test_a_place_is_never_among_those_that_go() -> None:
    state = PoolState(workers=(worker(1, None), worker(2, "a")))
    resized_state = resized(state, 0, look(starting="a"), max_workers=10)
    assert [(one.id, one.going) for one in resized_state.workers] == [(None, False), ("a", True)]


def test_jobs_that_were_not_seen_before_take_the_places_and_the_others_are_added() -> None:
    state = PoolState(workers=(worker(1, "a"), worker(2, None), worker(3, None)), asked=3)
    after = brought_up_to_date(state, look(starting="c b", running="a d"))
    assert [(one.number, one.id) for one in after.workers] == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    assert after.asked == 4


def test_who_is_in_no_list_is_kept_as_long_as_lists_may_lag_and_as_it_speaks() -> None:
    state = PoolState(workers=(worker(1, "a"), worker(2, None, listed_at_ms=AT_MS)))
    lagging = look(at_ms=AT_MS + LISTS_LAG_MS)
    assert brought_up_to_date(state, lagging).workers == state.workers
    later = look(seen("a", seen_at_ms=AT_MS + 1), at_ms=AT_MS + LISTS_LAG_MS + 1)
    assert [one.id for one in brought_up_to_date(state, later).workers] == ["a"]
    silent = replace(later, seen={})
    assert brought_up_to_date(state, silent).workers == ()


def test_what_a_worker_said_in_an_earlier_run_is_no_word_of_this_one() -> None:
    state = PoolState(workers=(worker(1, "a", heard_at_ms=AT_MS - 1),))
    old = seen("a", seen_at_ms=AT_MS - 1)
    moved = brought_up_to_date(state, look(starting="a"))
    again = brought_up_to_date(moved, look(old, running="a", at_ms=AT_MS + 60_000))
    (one,) = again.workers
    assert one.heard_at_ms is None
    assert standing(one, look(old, running="a")) is Standing.STARTING
    spoken = brought_up_to_date(again, look(seen("a", seen_at_ms=AT_MS + 1), running="a", at_ms=AT_MS + 60_000))
    assert spoken.workers[0].heard_at_ms == AT_MS + 1


@pytest.mark.parametrize(
    ("fields", "lost_from_ms"),
    [({"heard_at_ms": AT_MS}, SILENT_MS), ({"starting_at_ms": AT_MS}, START_MS)],
    ids=["fell silent", "never spoke"],
)
def test_a_worker_that_runs_and_is_silent_is_lost_and_goes(fields: dict[str, int], lost_from_ms: int) -> None:
    one = worker(1, "a", **fields)
    for late_ms, lost in ((lost_from_ms, False), (lost_from_ms + 1, True)):
        now = look(running="a", at_ms=AT_MS + late_ms)
        assert is_lost(one, now) is lost
        assert brought_up_to_date(PoolState(workers=(one,)), now).workers[0].going is lost


def test_places_are_made_for_those_that_are_missing_as_far_as_there_is_room() -> None:
    state = PoolState(workers=(worker(1, "a", going=True), worker(2, "b")), asked=2)
    after = resized(state, 5, look(running="a b"), max_workers=4)
    assert [(one.number, one.id) for one in after.workers] == [(1, "a"), (2, "b"), (3, None), (4, None)]
    assert (after.asked, after.changed_at_ms) == (4, AT_MS)
    full = resized(state, 5, look(running="a b"), max_workers=1)
    assert full.workers == state.workers


def test_as_many_as_there_are_changes_nothing() -> None:
    state = PoolState(workers=(worker(1, "a", going=True), worker(2, "b")))
    assert resized(state, 1, look(running="a b"), max_workers=4) is state
