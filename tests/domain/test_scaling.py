import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.domain.scaling import (
    Decision,
    Load,
    Reason,
    ScalingSettings,
    decide,
    pays_to_gather,
    workers_needed,
)

RATE = 500.0
SETTINGS = ScalingSettings(max_workers=20, target_wait_s=600)
QUIET = Load(waiting_s=0, oldest_s=0, arriving=0, rate=RATE, alive=0, starting=0, empty_s=3_600)

some_seconds = st.floats(0, 1e6)
some_settings = st.builds(
    ScalingSettings,
    max_workers=st.integers(1, 50),
    target_wait_s=st.floats(1, 3_600),
    hold_s=st.floats(0, 3_600),
    cooldown_s=st.floats(0, 3_600),
    idle_s=st.floats(0, 3_600),
    margin=st.floats(0, 2),
    expected_rate=st.floats(1, 5_000),
)
some_load = st.builds(
    Load,
    waiting_s=st.one_of(st.just(0.0), some_seconds),
    oldest_s=st.floats(0, 1e5),
    arriving=st.floats(0, 1e5),
    rate=st.one_of(st.none(), st.floats(1, 5_000)),
    alive=st.integers(0, 60),
    starting=st.integers(0, 60),
    empty_s=st.floats(0, 1e5),
    since_change_s=st.floats(0, 1e5),
)


def waiting(waiting_s: float, **fields: float) -> Load:
    return replace(QUIET, waiting_s=waiting_s, oldest_s=60, empty_s=0, **fields)  # type: ignore[arg-type]  # counts too


def test_nothing_waits_and_there_is_no_worker() -> None:
    assert decide(QUIET, SETTINGS) == Decision(0, Reason.EMPTY)


def test_a_single_recording_gets_a_worker() -> None:
    assert decide(waiting(10), SETTINGS) == Decision(1, Reason.BEHIND)


def test_there_are_as_many_workers_as_keep_up_and_clear_what_waits_in_time() -> None:
    load = waiting(3.5 * RATE * 600, arriving=2.2 * RATE)
    assert workers_needed(load, SETTINGS) == pytest.approx(5.7)
    assert decide(load, SETTINGS) == Decision(6, Reason.BEHIND)


def test_the_maximum_is_kept_whatever_waits() -> None:
    assert decide(waiting(1e12), SETTINGS).workers == 20


def test_workers_that_start_count_so_that_nothing_is_started_twice() -> None:
    load = waiting(3 * RATE * 600)
    first = decide(load, SETTINGS)
    assert first.workers == 3
    assert decide(replace(load, starting=3, since_change_s=60), SETTINGS) == Decision(3, Reason.STEADY)


def test_without_a_measured_rate_the_expected_one_counts() -> None:
    settings = replace(SETTINGS, expected_rate=100)
    assert decide(replace(waiting(600 * 1_000), rate=None), settings).workers == 10


def test_work_gathers_until_the_oldest_recording_has_waited_long_enough() -> None:
    settings = replace(SETTINGS, hold_s=900)
    assert decide(replace(waiting(100), oldest_s=899), settings) == Decision(0, Reason.GATHERING)
    assert decide(replace(waiting(100), oldest_s=900), settings) == Decision(1, Reason.BEHIND)


def test_work_for_a_whole_worker_does_not_gather() -> None:
    settings = replace(SETTINGS, hold_s=900)
    assert decide(replace(waiting(RATE * 600), oldest_s=1), settings).workers == 1


def test_gathering_takes_no_worker_away() -> None:
    settings = replace(SETTINGS, hold_s=900)
    assert decide(replace(waiting(100), oldest_s=1, alive=1), settings).workers == 1


def test_a_worker_goes_only_below_the_lower_threshold_and_after_the_cooldown() -> None:
    just_below, well_below = waiting(1, arriving=2.9 * RATE, alive=4), waiting(1, arriving=2.7 * RATE, alive=4)
    assert decide(just_below, SETTINGS) == Decision(4, Reason.STEADY)
    assert decide(replace(well_below, since_change_s=299), SETTINGS) == Decision(4, Reason.STEADY)
    assert decide(replace(well_below, since_change_s=300), SETTINGS) == Decision(3, Reason.AHEAD)


def test_the_last_worker_stays_while_something_waits() -> None:
    assert decide(waiting(0.001, alive=3), SETTINGS).workers == 1


def test_all_go_when_nothing_waited_for_long_enough() -> None:
    assert decide(replace(QUIET, alive=1, empty_s=299), SETTINGS).workers == 1
    assert decide(replace(QUIET, alive=1, empty_s=300), SETTINGS) == Decision(0, Reason.EMPTY)


def test_an_empty_queue_at_a_busy_site_takes_nobody_away() -> None:
    busy = replace(QUIET, alive=3, arriving=2.9 * RATE)
    assert decide(busy, replace(SETTINGS, idle_s=0)) == Decision(3, Reason.STEADY)


def test_an_empty_queue_starts_nobody() -> None:
    assert decide(replace(QUIET, alive=1, empty_s=0, arriving=9 * RATE), SETTINGS) == Decision(1, Reason.STEADY)


def test_a_lowered_maximum_holds_at_once() -> None:
    load = waiting(1e9, alive=12, since_change_s=0)
    assert decide(load, replace(SETTINGS, max_workers=5)) == Decision(5, Reason.AHEAD)


@given(load=some_load, settings=some_settings)
def test_a_decision_is_never_negative_and_never_above_the_maximum(load: Load, settings: ScalingSettings) -> None:
    assert 0 <= decide(load, settings).workers <= settings.max_workers


@given(load=some_load, settings=some_settings, more_s=some_seconds)
def test_more_waiting_work_never_means_fewer_workers(load: Load, settings: ScalingSettings, more_s: float) -> None:
    more = replace(load, waiting_s=load.waiting_s + more_s)
    assert decide(load, settings).workers <= decide(more, settings).workers


@given(load=some_load, settings=some_settings)
def test_when_nothing_waits_and_nothing_comes_there_are_no_workers_in_the_end(
    load: Load, settings: ScalingSettings
) -> None:
    over = replace(load, waiting_s=0, arriving=0, empty_s=settings.idle_s)
    assert decide(over, settings).workers == 0


@given(load=some_load, settings=some_settings)
def test_no_more_workers_are_started_than_the_need_says(load: Load, settings: ScalingSettings) -> None:
    decision = decide(load, settings)
    if decision.workers > load.workers:
        assert decision.reason is Reason.BEHIND
        assert decision.workers <= max(1, math.ceil(workers_needed(load, settings)))
        assert load.waiting_s > 0


@given(load=some_load, settings=some_settings)
def test_a_recording_that_waited_long_enough_gets_a_worker(load: Load, settings: ScalingSettings) -> None:
    old = replace(load, waiting_s=load.waiting_s + 1, oldest_s=settings.hold_s)
    assert decide(old, settings).workers >= 1


@given(
    workers=st.floats(0.01, 15),
    settings=st.builds(
        ScalingSettings,
        max_workers=st.just(20),
        target_wait_s=st.floats(120, 3_600),
        cooldown_s=st.floats(0, 900),
        margin=st.floats(0.05, 1),
    ),
    boot_ticks=st.integers(0, 6),
)
def test_under_an_even_load_the_number_settles(workers: float, settings: ScalingSettings, boot_ticks: int) -> None:
    numbers = closed_loop(workers * RATE, settings, boot_ticks=boot_ticks, ticks=600)
    assert len(set(numbers[-200:])) == 1
    assert numbers[-1] >= workers


def closed_loop(arriving: float, settings: ScalingSettings, *, boot_ticks: int, ticks: int) -> list[int]:
    """The number of workers, minute by minute, of a site at which work arrives like water."""
    tick_s = 60.0
    waiting_s, change_s, boots, alive, numbers = 0.0, math.inf, [0] * (boot_ticks + 1), 0, []
    for _ in range(ticks):
        waiting_s = max(arriving, waiting_s + tick_s * (arriving - alive * RATE))  # a second's worth is always in work
        load = Load(waiting_s, waiting_s / arriving, arriving, RATE, alive, sum(boots), 0, change_s)
        wanted = decide(load, settings).workers
        change_s = 0.0 if wanted != load.workers else change_s + tick_s
        boots.append(max(0, wanted - load.workers))
        alive += boots.pop(0)
        for _ in range(load.workers - wanted):
            youngest = next((tick for tick in reversed(range(len(boots))) if boots[tick]), None)
            if youngest is None:
                alive -= 1
            else:
                boots[youngest] -= 1
        numbers.append(wanted)
    return numbers


@pytest.mark.parametrize(("hold_s", "pays"), [(0, False), (600, False), (601, True)])
def test_gathering_pays_where_it_lasts_longer_than_a_machine_idles(hold_s: float, pays: bool) -> None:
    assert pays_to_gather(replace(SETTINGS, hold_s=hold_s), tail_s=600) is pays


@pytest.mark.parametrize(
    "fields",
    [
        {"max_workers": 0},
        {"target_wait_s": 0},
        {"hold_s": -1},
        {"cooldown_s": -1},
        {"idle_s": -1},
        {"expected_rate": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"above 0|negative|at least 1"):
        replace(SETTINGS, **fields)  # type: ignore[arg-type]  # one field at a time


@pytest.mark.parametrize("fields", [{"waiting_s": -1}, {"rate": 0}, {"alive": -1}, {"arriving": -0.1}])
def test_a_measurement_that_cannot_be_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        replace(QUIET, **fields)  # type: ignore[arg-type]  # one field at a time
