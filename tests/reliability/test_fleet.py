"""Workers with several recordings open are killed, stopped and out of memory: nothing is lost, nothing done twice."""

import random

import pytest

from callscribe.domain.jobs import Job, JobState
from callscribe.services import jobs
from tests.reliability.cloud import PRICE_M
from tests.reliability.fleet import VISIBILITY_S, Fate, Fleet, fates, kill, spare, stop_at_once
from tests.reliability.judge import paid_m, problems

JOBS = 12
SPELLS = 4

# A killed worker's threads end in the middle of what they do, which is no defect of theirs.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def jobs_that_wait(fleet: Fleet, count: int = JOBS) -> list[Job]:
    """So many jobs, each of which waits for a worker."""
    made = [fleet.order() for _ in range(count)]
    for job in made:
        fleet.upload(job, f"words of {job.id}".encode())
    while fleet.step():
        pass
    assert {fleet.job(job).state for job in made} == {JobState.TRANSCRIBING}
    return made


def assert_all_is_well(fleet: Fleet, made: list[Job]) -> None:
    """Each job has its own words, was reported once, paid once, and leaves nothing in the queue."""
    fleet.settle()
    assert [problem for job in made for problem in problems(fleet, job, all_jobs=made)] == []
    assert {fleet.job(job).state for job in made} == {JobState.COMPLETED}
    assert {paid_m(fleet, job) for job in made} == {PRICE_M}
    assert [jobs.transcript(fleet.plain, fleet.job(job)).text for job in made] == [f"words of {j.id}" for j in made]
    assert fleet.reports.ended == {job.id: 1 for job in made}  # type: ignore[attr-defined]  # of `OneByOne`
    assert fleet.waiting.bodies == []


@pytest.mark.parametrize("seed", range(30))
def test_workers_that_are_killed_stopped_or_out_of_memory_lose_nothing_and_do_nothing_twice(seed: int) -> None:
    source = random.Random(seed)
    fleet = Fleet(seed=seed, copies=lambda r: r.randint(1, 2))
    made = jobs_that_wait(fleet)
    for _ in range(SPELLS):
        fleet.work_through(fates(source), forgetful=0.2)
        fleet.clock.advance(source.choice((1, VISIBILITY_S)))
    for _ in range(2):  # what a killed one had in hand comes back only now
        fleet.clock.advance(VISIBILITY_S)
        fleet.work_through([Fate(0, spare)])
    assert_all_is_well(fleet, made)


def test_what_a_stopped_worker_had_in_hand_is_there_for_others_at_once_and_what_a_killed_one_had_later() -> None:
    for happen, later in ((stop_at_once, False), (kill, True)):
        fleet = Fleet()
        made = jobs_that_wait(fleet, 4)
        fate = Fate(30, happen)
        fleet.work_through([fate])
        assert fate.happened
        assert (fleet.waiting.depth().in_work > 0) is later
        if later:
            fleet.clock.advance(VISIBILITY_S)
        fleet.work_through([Fate(0, spare)])
        assert_all_is_well(fleet, made)


def test_a_worker_killed_or_stopped_at_each_of_its_calls_costs_nothing_but_time() -> None:
    struck = 0
    for happen in (kill, stop_at_once):
        for at in range(1, 60):
            fleet = Fleet()
            made = jobs_that_wait(fleet, 2)
            fate = Fate(at, happen)
            fleet.work_through([fate])
            fleet.clock.advance(VISIBILITY_S)
            fleet.work_through([Fate(0, spare)])
            assert_all_is_well(fleet, made)
            struck += fate.happened
    assert struck > 60
