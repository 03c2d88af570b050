"""What the function that scales makes of what it finds."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from callscribe.domain.measuring import LEAST_S, MEMORY, RECORDING_S, load_of, measured
from callscribe.domain.pool import ALIVE_MS, Look, PoolState, PoolWorker, brought_up_to_date
from callscribe.domain.work import POOL, Arrived, WorkerSeen

START_MS = 1_000_000
MINUTE_MS = 60_000


def looks(*depths: tuple[int, int], words: Sequence[dict[str, Any] | None], start_ms: int = START_MS) -> PoolState:
    """One worker, looked at once a minute: how many messages waited and were in work, and what it said just then."""
    state = PoolState(workers=(PoolWorker(1, 0, 0, id="w"),))
    for number, ((waiting, in_work), word) in enumerate(zip(depths, words, strict=True)):
        at_ms = start_ms + number * MINUTE_MS
        said = {"started_at_ms": 1, "seen_at_ms": at_ms, **(word or {})}
        seen = {} if word is None else {"w": WorkerSeen(POOL, "w", **said)}
        look = Look(at_ms, waiting, in_work, running=frozenset({"w"}), seen=seen)
        state = measured(brought_up_to_date(state, look), look)
    return state


def rate(state: PoolState) -> float | None:
    return load_of(state, Look(START_MS, 0, 0)).rate


def done(audio_s: float, device_s: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"audio_s": audio_s, "device_s": device_s, "jobs": 1, **more}


PLENTY, IN_WORK, NOTHING = (5, 16), (0, 3), (0, 0)


class TestTheRate:
    def test_of_a_worker_that_has_enough_is_what_it_does_in_the_time_that_passes(self) -> None:
        state = looks(PLENTY, PLENTY, words=[done(1_000, 1), done(13_000, 9)])
        assert rate(state) == pytest.approx(200)

    def test_of_a_worker_with_little_to_do_is_what_its_engine_does_in_the_time_that_it_works(self) -> None:
        state = looks(IN_WORK, IN_WORK, words=[done(0, 0), done(24_000, 60)])
        assert rate(state) == pytest.approx(400)

    @pytest.mark.parametrize("depths", [(PLENTY, IN_WORK), (IN_WORK, PLENTY)])
    def test_a_queue_that_was_dry_at_either_end_is_no_sign_of_enough(self, depths: tuple[Any, Any]) -> None:
        assert rate(looks(*depths, words=[done(0, 0), done(24_000, 60)])) == pytest.approx(400)

    def test_is_not_known_before_a_minute_of_useful_time(self) -> None:
        assert rate(looks(IN_WORK, IN_WORK, words=[done(0, 0), done(24_000, LEAST_S - 1)])) is None

    def test_leaves_out_what_was_done_before_the_first_recording_had_ended(self) -> None:
        nothing_yet = {"audio_s": 0.0, "device_s": 0.0, "jobs": 0}
        state = looks(PLENTY, PLENTY, PLENTY, words=[nothing_yet, done(500), done(6_500)])
        assert rate(state) == pytest.approx(100)

    def test_counts_the_whole_time_of_a_recording_that_takes_longer_than_from_look_to_look(self) -> None:
        long = looks(PLENTY, PLENTY, PLENTY, PLENTY, words=[done(100), done(100), done(100), done(18_100)])
        assert rate(long) == pytest.approx(100)

    def test_fades_with_what_is_measured_later(self) -> None:
        words = [done(0), done(6_000), done(6_000 + 12_000)]
        state = looks(PLENTY, PLENTY, PLENTY, words=words)
        assert rate(state) == pytest.approx((MEMORY * 6_000 + 12_000) / (MEMORY * 60 + 60))

    def test_is_kept_while_nothing_is_measured(self) -> None:
        state = looks(PLENTY, PLENTY, NOTHING, NOTHING, words=[done(0), done(6_000), done(6_000), done(6_000)])
        assert rate(state) == pytest.approx(100)

    def test_begins_anew_with_a_worker_that_was_started_anew(self) -> None:
        again = [done(20), done(6_020)]
        words = [done(50_000), *({**word, "started_at_ms": START_MS + 1} for word in again)]
        assert rate(looks(PLENTY, PLENTY, PLENTY, words=words)) == pytest.approx(100)

    def test_is_not_measured_by_a_worker_that_leaves(self) -> None:
        leaving = [done(0, leave_by_ms=1), done(60, 60, leave_by_ms=1)]
        assert rate(looks(PLENTY, PLENTY, words=leaving)) is None

    def test_is_not_measured_by_an_engine_that_did_nothing(self) -> None:
        assert rate(looks(IN_WORK, IN_WORK, words=[done(0), done(6_000)])) is None


class TestTheLoad:
    def test_is_messages_by_the_mean_length_of_what_arrived(self) -> None:
        look = Look(START_MS, waiting=3, in_work=2, arrived=Arrived(recordings=4, audio_s=1_000, over_s=630))
        load = load_of(measured(PoolState(), look), look)
        assert load.waiting_s == 5 * 250
        assert load.arriving == pytest.approx(1_000 / 630)

    def test_takes_the_mean_of_the_last_arrivals_where_there_are_none_and_a_call_before_the_first(self) -> None:
        look = Look(START_MS, waiting=1, in_work=0)
        assert load_of(measured(PoolState(), look), look).waiting_s == RECORDING_S
        assert load_of(measured(PoolState(recording_s=7.5), look), look).waiting_s == 7.5

    def test_knows_since_when_there_is_work_and_since_when_none(self) -> None:
        busy = looks(PLENTY, IN_WORK, IN_WORK, words=[done(0)] * 3)
        assert (busy.work_since_ms, busy.empty_since_ms) == (START_MS, None)
        idle = looks(PLENTY, NOTHING, NOTHING, words=[done(0)] * 3)
        assert (idle.work_since_ms, idle.empty_since_ms) == (None, START_MS + MINUTE_MS)
        load = load_of(idle, Look(START_MS + 3 * MINUTE_MS, 0, 0))
        assert (load.oldest_s, load.empty_s, load.since_change_s) == (0, 120, math.inf)

    def test_tells_workers_that_live_from_those_that_start_or_are_not_heard_of(self) -> None:
        at_ms = START_MS + ALIVE_MS
        word = WorkerSeen(POOL, "", started_at_ms=1, seen_at_ms=START_MS)
        seen = {
            "lives": word,
            "quiet": replace(word, seen_at_ms=START_MS - 1),
            "leaves": replace(word, seen_at_ms=at_ms, leave_by_ms=1),
        }
        ids = [*seen, "starts", "boots", None]
        workers = tuple(PoolWorker(number, 0, START_MS, id=one) for number, one in enumerate(ids))
        look = Look(at_ms, 9, 0, frozenset({"boots"}), frozenset({*seen, "starts"}), seen)
        load = load_of(brought_up_to_date(PoolState(workers=workers), look), look)
        assert (load.alive, load.starting) == (1, 4)
