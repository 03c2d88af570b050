"""The simulated fleet: nothing is lost, what is paid is counted, and the policy is the real one."""

from dataclasses import replace

import numpy as np
import pytest

from callscribe.costs import fleet
from callscribe.costs.calls import Day, make_day
from callscribe.costs.fleet import Site, run
from callscribe.domain import scaling
from callscribe.domain.scaling import ScalingSettings

SITE = Site(rate=1_000, start_s=27, interruptions_per_s=0)
SETTINGS = ScalingSettings(max_workers=50)
SEED = 3


def day_of(*calls: tuple[float, float]) -> Day:
    arrivals, lengths = zip(*calls, strict=True)
    return Day(np.array(arrivals), np.array(lengths))


def test_the_simulation_runs_the_policy_of_the_domain() -> None:
    assert vars(fleet)["decide"] is scaling.decide


@pytest.mark.parametrize("hold_s", [0, 900])
def test_a_lone_recording_is_served_within_hold_and_boot(hold_s: float) -> None:
    settings = ScalingSettings(hold_s=hold_s)
    for seed in range(20):
        outcome = run(day_of((1_234.5, 240)), SITE, settings, seed)
        longest_s = hold_s + SITE.tick_s + SITE.boot_s[1] + SITE.start_s + SITE.round_floor_s
        assert hold_s + SITE.boot_s[0] < outcome.waits_s[0] <= longest_s


def test_a_machine_is_paid_from_its_order_to_the_end_of_its_idle_tail() -> None:
    site = replace(SITE, boot_s=(100, 100), tail_s=(200, 200), round_floor_s=10)
    outcome = run(day_of((30, 240)), site, ScalingSettings(idle_s=0), SEED)
    # Ordered at 60 s, works from 187 s to 197 s, seen empty and told to go at 240 s; its long poll ends at 257 s at most.
    assert 240 - 60 + 200 <= outcome.paid_s <= 257 - 60 + 200
    assert outcome.machines == 1


def test_every_call_is_transcribed_once_and_none_before_it_came() -> None:
    outcome = run(make_day(3_000, SEED), SITE, SETTINGS, SEED)
    assert not np.isnan(outcome.waits_s).any()
    assert outcome.waits_s.min() > 0
    assert outcome.paid_s > outcome.floor_s


def test_what_an_interrupted_worker_had_taken_is_transcribed_by_another() -> None:
    often = replace(SITE, interruptions_per_s=1 / 300, rate=20)
    outcome = run(make_day(1_000, SEED), often, SETTINGS, SEED)
    assert outcome.interrupted > 20
    assert not np.isnan(outcome.waits_s).any()
    calm = run(make_day(1_000, SEED), replace(often, interruptions_per_s=0), SETTINGS, SEED)
    assert outcome.wait_s(90) > calm.wait_s(90)


def test_the_same_seed_gives_the_same_day() -> None:
    first, second = (run(make_day(2_000, SEED), SITE, SETTINGS, SEED) for _ in range(2))
    assert first.paid_s == second.paid_s
    assert (first.waits_s == second.waits_s).all()


def test_one_job_per_file_pays_the_start_with_every_file() -> None:
    day = make_day(2_000, SEED)
    site = replace(SITE, start_s=0, file_start_s=27, files_at_once=1, round_floor_s=0)
    outcome = run(day, site, SETTINGS, SEED)
    assert outcome.paid_s > 2_000 * 27
    assert outcome.waits_s.min() >= 27


def test_there_are_never_more_workers_than_allowed_and_the_work_is_done_all_the_same() -> None:
    day = day_of(*((float(at), 600.0) for at in range(2_000)))
    outcome = run(day, replace(SITE, rate=300), ScalingSettings(max_workers=2), SEED)
    assert outcome.most_workers == 2
    assert outcome.waits_s.max() > 600


def test_a_small_site_that_gathers_pays_less_and_waits_longer() -> None:
    day = make_day(3_000, SEED)
    prompt = run(day, SITE, SETTINGS, SEED)
    gathering = run(day, SITE, replace(SETTINGS, hold_s=900, idle_s=0), SEED)
    assert gathering.paid_s < 0.75 * prompt.paid_s
    assert gathering.wait_s(50) > prompt.wait_s(50)


def test_a_worker_that_comes_in_time_takes_the_machine_that_is_still_there() -> None:
    site = replace(SITE, tail_s=(600, 600))
    day = day_of((0, 60), (800, 60))
    assert run(day, site, ScalingSettings(idle_s=300), SEED).machines == 1
    assert run(day, replace(site, tail_s=(0, 0)), ScalingSettings(idle_s=300), SEED).machines == 2
