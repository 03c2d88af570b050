"""One look after the other at a site that a test moves by hand."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from callscribe import names
from callscribe.adapters.memory import Crash, Moment, RaiseAt, Trace, When, faulty_deps
from callscribe.domain.pool import LISTS_LAG_MS, PoolState
from callscribe.domain.records import delete, update
from callscribe.domain.scaling import Decision, Reason
from callscribe.domain.work import POOL, WorkerSeen
from callscribe.errors import Unavailable
from callscribe.services import scaling
from tests.services.pools import Site

A_WORKERS_LOAD = 250  # calls that one worker does in the time that they may wait, at the expected rate: 200 × 600 ÷ 480


def settled(workers: int, **settings: Any) -> Site:
    """A site whose workers are alive."""
    site = Site(**{"cooldown_s": 0, **settings})
    site.queue.waiting = workers * A_WORKERS_LOAD
    site.look()
    site.clock.advance(60)
    site.boot()
    assert site.look() == Decision(workers, Reason.STEADY)
    return site


class TestHowMany:
    def test_nobody_calls_and_there_is_nobody(self) -> None:
        site = Site()
        assert site.minutes(60) == [Decision(0, Reason.EMPTY)] * 60
        assert site.pool.names == []
        assert site.store.all(PoolState) == []

    def test_a_look_at_rest_is_one_read_and_one_question_to_the_queue(self) -> None:
        trace = Trace()
        Site(plan=trace).look()
        calls = [(moment.port, moment.method) for moment in trace.moments if moment.when is When.BEFORE]
        assert calls == [("store", "get"), ("work_gauge", "depth")]

    def test_the_first_recording_gets_one_worker_and_no_second(self) -> None:
        site = Site()
        site.arrive(1)
        assert site.look() == Decision(1, Reason.BEHIND)
        assert site.pool.names == ["callscribe-worker-1"]
        assert set(site.minutes(30)) == {Decision(1, Reason.STEADY)}
        assert site.size == 1

    def test_a_burst_gets_as_many_as_clear_it_in_time_and_never_more_than_the_maximum(self) -> None:
        site = Site(max_workers=8)
        site.arrive(A_WORKERS_LOAD * 2)  # which also arrive, at what one worker does in ten minutes
        assert site.look() == Decision(4, Reason.BEHIND)
        site.arrive(A_WORKERS_LOAD * 20)
        assert site.minutes(1) == [Decision(8, Reason.BEHIND)]
        site.minutes(30)
        assert site.pool.names == [f"callscribe-worker-{number}" for number in range(1, 9)]

    def test_work_in_hand_counts_as_work_that_waits_does(self) -> None:
        site = Site()
        site.queue.in_work = 1
        assert site.look() == Decision(1, Reason.BEHIND)

    def test_with_nothing_measured_a_recording_is_taken_for_a_call_of_four_minutes(self) -> None:
        site = Site()
        site.queue.waiting = A_WORKERS_LOAD * 3
        assert site.look() == Decision(3, Reason.BEHIND)

    def test_how_long_recordings_were_is_remembered_when_they_arrived_long_ago(self) -> None:
        site = Site(hold_s=3_600)
        site.arrive(1, length_s=12)
        assert site.look() == Decision(0, Reason.GATHERING)
        site.queue.waiting = A_WORKERS_LOAD * 15  # of 24 seconds by channel: three quarters of a worker
        assert site.minutes(20)[-1] == Decision(0, Reason.GATHERING)

    def test_work_gathers_as_long_as_the_hold_says(self) -> None:
        site = Site(hold_s=300)
        site.arrive(1)
        site.look()
        assert site.minutes(4) == [Decision(0, Reason.GATHERING)] * 4
        assert site.minutes(1) == [Decision(1, Reason.BEHIND)]

    def test_the_hold_begins_anew_with_what_comes_after_a_rest(self) -> None:
        site = Site(hold_s=300)
        site.arrive(1)
        site.look()
        site.queue.waiting = 0  # it was cancelled, and its message died
        site.minutes(10)
        site.arrive(1)
        assert site.minutes(5) == [Decision(0, Reason.GATHERING)] * 5

    def test_each_decision_is_one_line_of_agreed_words(self, caplog: pytest.LogCaptureFixture) -> None:
        site = Site()
        site.queue.waiting = 2
        with caplog.at_level(logging.INFO):
            site.look()
            site.boot()
            site.minutes(1)
        assert caplog.messages == [
            "workers wanted=1 alive=0 starting=0 waiting_s=960 reason=behind",
            "workers wanted=1 alive=1 starting=0 waiting_s=960 reason=steady",
        ]


class TestWhoGoes:
    def test_all_go_when_there_was_nothing_to_do_for_long_enough(self) -> None:
        site = settled(1, idle_s=300)
        site.queue.waiting = 0
        assert site.look() == Decision(1, Reason.STEADY)
        assert site.minutes(4) == [Decision(1, Reason.STEADY)] * 4
        assert site.minutes(1) == [Decision(0, Reason.EMPTY)]
        assert site.told() == ["worker-1"]
        assert site.pool.ended == []

    def test_nobody_goes_before_the_cooldown_is_over(self) -> None:
        site = settled(3, cooldown_s=300)
        site.queue.waiting = 1
        assert site.minutes(3) == [Decision(3, Reason.STEADY)] * 3
        assert site.minutes(1) == [Decision(1, Reason.AHEAD)]

    def test_those_that_start_go_before_those_that_work_and_are_ended_at_once(self) -> None:
        site = settled(2)
        site.queue.waiting = 4 * A_WORKERS_LOAD
        assert site.look() == Decision(4, Reason.BEHIND)
        site.pool.run("worker-3")  # and loads its model
        site.queue.waiting = 1
        assert site.minutes(1) == [Decision(1, Reason.AHEAD)]
        not_needed = f"{names.SENT_AWAY}it is not needed"
        assert site.pool.ended == [("worker-3", not_needed), ("worker-4", not_needed)]
        assert site.told() == ["worker-2"]

    def test_of_those_that_work_the_idlest_goes_of_equals_the_newest(self) -> None:
        site = settled(3)
        for worker_id, in_hand in {"worker-1": 2, "worker-2": 7, "worker-3": 2}.items():
            site.speak(worker_id, in_hand=in_hand)
        site.queue.waiting = A_WORKERS_LOAD
        assert site.look() == Decision(2, Reason.AHEAD)
        assert site.told() == ["worker-3"]
        site.queue.waiting = 1
        site.minutes(1)
        assert site.told() == ["worker-1", "worker-3"]

    def test_a_worker_that_goes_is_no_worker_but_takes_room_until_it_is_gone(self) -> None:
        site = settled(2, max_workers=2)
        site.queue.waiting = 1
        assert site.look() == Decision(1, Reason.AHEAD)
        site.queue.waiting = 2 * A_WORKERS_LOAD
        assert site.minutes(3) == [Decision(2, Reason.BEHIND)] * 3
        assert len(site.pool.names) == 2
        site.leave("worker-2")
        site.minutes(2)
        assert (len(site.pool.names), site.size) == (3, 2)

    def test_one_that_was_told_to_go_and_is_there_long_after_is_ended(self) -> None:
        site = settled(2)
        site.queue.waiting = 1
        site.look()
        site.minutes((scaling.LEAVE_S + scaling.OVERDUE_S) // 60)
        assert site.pool.ended == []
        site.minutes(1)
        assert site.pool.ended == [("worker-2", f"{names.SENT_AWAY}it did not go")]

    def test_a_lowered_maximum_holds_at_once(self) -> None:
        site = settled(3, cooldown_s=3_600)
        site.queue.waiting = 1_000_000
        site.settings = Site(max_workers=1).settings
        assert site.look() == Decision(1, Reason.AHEAD)
        assert len(site.told()) == 2

    def test_when_all_have_gone_the_pool_is_at_rest_and_costs_no_more_looks(self) -> None:
        site = settled(2, idle_s=0)
        site.queue.waiting = 0
        site.look()
        for worker_id in site.told():
            site.leave(worker_id)
        site.minutes(2)
        assert site.state.rests
        before = site.state
        site.minutes(60)
        assert site.state == before


class TestWhatGoesWrong:
    def test_a_worker_that_fell_silent_is_ended_and_replaced(self) -> None:
        site = settled(1)
        site.clock.advance(300)
        assert site.look() == Decision(1, Reason.STEADY)
        site.clock.advance(60)
        assert site.look() == Decision(1, Reason.BEHIND)
        assert site.pool.ended == [("worker-1", f"{names.SENT_AWAY}it is silent")]
        site.minutes(2)
        assert site.pool.starting() == {"worker-2"}

    def test_a_worker_that_runs_and_never_speaks_is_ended_and_replaced(self) -> None:
        site = Site(max_workers=1)
        site.arrive(1)
        site.look()
        site.minutes(40)  # no machine for a long time
        site.pool.run("worker-1")
        site.minutes(20)
        assert site.pool.ended == []
        site.minutes(3)
        assert site.pool.ended == [("worker-1", f"{names.SENT_AWAY}it is silent")]
        assert site.pool.starting() == {"worker-2"}

    def test_a_worker_that_the_pool_starts_anew_is_waited_for_and_not_asked_for_again(self) -> None:
        site = settled(1)
        site.pool.start_again("worker-1")
        assert set(site.minutes(30)) == {Decision(1, Reason.STEADY)}
        site.pool.run("worker-1")
        for _ in range(15):  # what it said in its first run is no word of this one: it is starting, not silent
            site.clock.advance(60)
            site.look()
        assert (site.pool.ended, site.pool.names) == ([], ["callscribe-worker-1"])

    def test_a_worker_that_left_by_itself_or_was_lost_for_good_is_replaced(self) -> None:
        for go in (Site.leave, lambda site, one: site.pool.leave(one)):
            site = settled(2)
            site.queue.waiting = 2 * A_WORKERS_LOAD
            go(site, "worker-1")
            site.minutes(2)
            assert (len(site.pool.names), site.size) == (3, 2)

    def test_a_worker_that_has_said_goodbye_is_no_worker_while_its_process_still_ends(self) -> None:
        site = settled(1)
        seen = site.store.get(WorkerSeen, POOL, "worker-1")
        assert seen is not None
        site.store.commit(delete(seen))
        assert site.look() == Decision(1, Reason.BEHIND)
        assert site.pool.ended == []

    def test_a_worker_that_speaks_at_the_moment_when_it_is_told_to_go_is_told_at_the_next_look(self) -> None:
        site = settled(1, idle_s=0)
        site.queue.waiting = 0
        commits = 0

        def speak(moment: Moment) -> None:
            nonlocal commits
            commits += moment == Moment("store", "commit", When.BEFORE)
            if commits == 2:  # the first one keeps the decision
                commits += 1
                site.speak("worker-1", in_hand=0)

        site.deps = faulty_deps(site.plain, speak)
        assert site.look() == Decision(0, Reason.EMPTY)
        assert site.told() == []
        site.minutes(1)
        assert site.told() == ["worker-1"]

    def test_a_worker_that_somebody_else_told_to_go_is_replaced(self) -> None:
        site = settled(1)
        seen = site.store.get(WorkerSeen, POOL, "worker-1")
        assert seen is not None
        site.store.commit(update(seen, leave_by_ms=site.clock() + 1))
        assert site.look() == Decision(1, Reason.BEHIND)

    def test_what_the_lists_do_not_show_yet_is_not_asked_for_twice(self) -> None:
        site = Site(lists_lag=True)
        site.arrive(1)
        site.look()
        site.minutes(1)
        assert len(site.pool.names) == 1
        site.pool.catch_up()
        site.minutes(5)
        assert len(site.pool.names) == 1

    def test_one_that_never_comes_into_any_list_is_given_up(self) -> None:
        site = Site(lists_lag=True)
        site.arrive(1)
        site.look()
        site.pool.leave("worker-1")
        site.minutes(2)
        assert len(site.pool.names) == 2

    def test_workers_that_nobody_knows_of_are_found_at_rest_too_and_sent_away(self) -> None:
        site = Site()
        site.pool.submit("by hand")
        site.boot()
        site.minutes(scaling.FULL_LOOK_MINUTES + 6)
        assert site.told() == ["worker-1"]

    def test_a_pool_that_takes_no_worker_is_asked_again_a_little_later(self) -> None:
        site = Site(plan=RaiseAt(submission_of_the_first(Site()), Unavailable("batch answered TooManyRequests")))
        site.arrive(1)
        assert site.look() == Decision(1, Reason.BEHIND)
        assert site.size == 0
        site.minutes(2)
        assert site.size == 1

    def test_a_submission_whose_answer_was_lost_is_taken_in_and_not_repeated(self) -> None:
        site = Site(plan=RaiseAt(submission_of_the_first(Site()) + 1, Unavailable("no answer")))
        site.arrive(1)
        site.look()
        assert site.minutes(5) == [Decision(1, Reason.STEADY)] * 5
        assert (site.size, len(site.pool.names)) == (1, 1)
        assert [(worker.number, worker.id) for worker in site.state.workers] == [(1, "worker-1")]

    def test_a_look_that_slept_between_decision_and_act_asks_for_nothing_any_more(self) -> None:
        def sleep(moment: Moment) -> None:
            if moment == Moment("store", "commit", When.AFTER):
                site.clock.advance(LISTS_LAG_MS / 1000)

        site = Site(plan=sleep)
        site.arrive(1)
        site.look()
        assert site.pool.names == []
        site.deps = site.plain
        site.minutes(2)
        assert len(site.pool.names) == 1


def submission_of_the_first(site: Site) -> int:
    """The place of the moment before the first worker is asked for."""
    trace = Trace()
    traced = Site(plan=trace)
    traced.settings = site.settings
    traced.arrive(1)
    traced.look()
    return trace.moments.index(Moment("worker_pool", "submit", When.BEFORE))


class TestSeveralLooksAtOnce:
    def test_a_look_that_comes_twice_changes_nothing(self) -> None:
        site = Site()
        site.arrive(A_WORKERS_LOAD)
        for _ in range(5):
            site.look()
        assert len(site.pool.names) == 2

    @pytest.mark.parametrize("threads", [2, 6])
    def test_looks_at_the_same_time_ask_for_no_worker_twice(self, threads: int) -> None:
        for _ in range(20):
            site = Site(max_workers=4)
            site.arrive(10 * A_WORKERS_LOAD)
            at_once(threads, site.look)
            assert (site.pool.most, site.size) == (4, 4)
            site.minutes(5)
            assert (site.pool.most, len(site.pool.names)) == (4, 4)
            site.boot()
            site.queue.waiting = 0
            site.clock.advance(900)
            site.minutes(1)
            at_once(threads, site.look)
            site.minutes(6)
            assert len(site.told()) == 4

    def test_another_look_between_any_two_calls_does_no_harm(self) -> None:
        for index in moments_of_a_day():
            plan = ActAt(index)
            site = Site(plan=plan, **SMALL)
            plan.act = lambda site=site: scaling.tick(site.plain, site.settings)  # type: ignore[misc]  # bound now
            lead(site)
            assert plan.met is not None


@pytest.mark.parametrize("lists_lag", [False, True], ids=["lists", "lists lag"])
@pytest.mark.parametrize("error", [Crash(), Unavailable("injected")], ids=["killed", "unavailable"])
def test_a_look_that_dies_at_any_call_leaves_what_later_looks_put_right(error: BaseException, lists_lag: bool) -> None:
    for index in moments_of_a_day(lists_lag=lists_lag):
        plan = RaiseAt(index, error)
        lead(Site(plan=plan, **SMALL, lists_lag=lists_lag))
        assert plan.struck is not None


SMALL: dict[str, Any] = {"max_workers": 3, "cooldown_s": 60, "idle_s": 60}


def moments_of_a_day(**site: Any) -> list[int]:
    """All before and after a write or a question, and some of the many before and after a read."""
    trace = Trace()
    lead(Site(plan=trace, **SMALL, **site))
    found = [at for at, moment in enumerate(trace.moments) if moment.method != "get" or at % 7 == 0]
    assert len(found) > 200
    return found


def lead(site: Site) -> None:
    """A day in short: much to do, then a little, then nothing. Asserts what must hold whatever strikes a look."""
    site.queue.waiting = 3 * A_WORKERS_LOAD
    run(site, minutes=7)
    assert site.size == 3
    site.queue.waiting = 1
    run(site, minutes=5)
    assert site.size == 1
    site.queue.waiting = 0
    run(site, minutes=8)
    assert (site.size, site.pool.most) == (0, 3)
    assert site.state.rests


def run(site: Site, *, minutes: int) -> None:
    for minute in range(minutes):
        with suppress(Crash, Unavailable):
            site.look()
        site.clock.advance(50)
        site.pool.catch_up()
        site.clock.advance(10)
        if minute % 2:
            site.boot()
        for worker_id in site.spoken():
            site.speak(worker_id)
        for worker_id in site.told():
            site.leave(worker_id)


class ActAt:
    """A plan that lets everything pass, and at one moment lets somebody else act."""

    def __init__(self, index: int) -> None:
        self._left = index
        self.act: Callable[[], object] = lambda: None
        self.met: Moment | None = None

    def __call__(self, moment: Moment) -> None:
        self._left -= 1
        if self._left == -1:
            self.met = moment
            self.act()


def at_once(threads: int, act: Callable[[], object]) -> None:
    barrier = threading.Barrier(threads)

    def run_one() -> None:
        barrier.wait()
        act()

    running = [threading.Thread(target=run_one) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
