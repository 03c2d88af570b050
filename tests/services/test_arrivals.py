from typing import Any

import pytest

from callscribe.adapters.memory import ManualClock, Moment, When, faulty_deps, memory_deps
from callscribe.domain.audio import AudioFacts
from callscribe.domain.counters import Counter
from callscribe.domain.jobs import JobState
from callscribe.domain.work import Arrived
from callscribe.errors import Unavailable
from callscribe.ports import Deps
from callscribe.services import arrivals, preparing
from tests.reliability.cloud import Cloud


def facts(duration_s: float, channels: int = 2) -> AudioFacts:
    return AudioFacts("wav", "pcm_mulaw", channels, 8_000, duration_s, 0)


def test_recordings_count_by_their_audio_in_all_channels_for_ten_minutes() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    arrivals.note(deps, facts(100, 2))
    clock.advance(61)
    arrivals.note(deps, facts(0.5, 1))
    assert arrivals.recent(deps) == Arrived(recordings=2, audio_s=200.5, over_s=601)
    clock.advance(598)
    assert arrivals.recent(deps) == Arrived(recordings=2, audio_s=200.5, over_s=659)
    clock.advance(1)
    assert arrivals.recent(deps) == Arrived(recordings=1, audio_s=0.5, over_s=600)


def test_a_minute_is_one_counter_which_is_forgotten_after_its_use() -> None:
    deps = memory_deps()
    for _ in range(3):
        arrivals.note(deps, facts(1))
    (counter,) = deps.store.all(Counter)  # type: ignore[attr-defined]  # of the fake
    assert (counter.scope, counter.value, counter.version) == ("arrivals", 6_000, 3)
    assert counter.forget_at_ms is not None
    assert counter.forget_at_ms - deps.now_ms() > 2 * 600_000


def counted(deps: Deps) -> int:
    return arrivals.recent(deps).recordings


def prepare(deps: Deps, job: Any) -> Any:
    return preparing.prepare(deps, tenant_id=job.tenant_id, job_id=job.id)


def queued(cloud: Cloud) -> Any:
    job = cloud.create()
    cloud.upload(job)
    return cloud.run_until(job, JobState.QUEUED)


def test_a_job_counts_once_however_often_it_is_prepared() -> None:
    cloud = Cloud()
    job = queued(cloud)
    for _ in range(3):
        prepare(cloud.plain, job)
    assert arrivals.recent(cloud.plain) == Arrived(recordings=1, audio_s=20, over_s=600)


def test_of_two_preparations_at_once_one_counts() -> None:
    cloud = Cloud()
    job = queued(cloud)
    plan = Once(Moment("store", "commit", When.BEFORE), lambda: prepare(cloud.plain, job))
    assert prepare(faulty_deps(cloud.plain, plan), job).state is JobState.TRANSCRIBING
    assert counted(cloud.plain) == 1


def test_a_job_that_cannot_be_prepared_does_not_count() -> None:
    cloud = Cloud(funds_m=0)
    job = queued(cloud)
    with pytest.raises(Exception, match="insufficient_credits"):
        prepare(cloud.plain, job)
    assert counted(cloud.plain) == 0


@pytest.mark.parametrize("when", When)
def test_a_count_that_cannot_be_written_keeps_no_job_from_its_worker(when: When) -> None:
    cloud = Cloud()
    job = queued(cloud)

    def fail() -> None:
        raise Unavailable("injected")

    plan = Once(Moment("store", "count", when), fail)
    assert prepare(faulty_deps(cloud.plain, plan), job).state is JobState.TRANSCRIBING
    assert plan.met


class Once:
    """A plan that acts at the first such moment."""

    def __init__(self, moment: Moment, act: Any) -> None:
        self._moment, self._act = moment, act
        self.met = False

    def __call__(self, moment: Moment) -> None:
        if moment == self._moment and not self.met:
            self.met = True
            self._act()
