"""Weeks of bad luck: jobs of all kinds at once, events repeated and out of order, and any port call may be struck.

Faults stop after a while, as faults do; what they left must then be put right by the pipeline itself.
"""

import random

from callscribe.adapters.memory import Crash, Moment
from callscribe.domain.jobs import Job, JobState
from callscribe.errors import FailureCode as Code
from callscribe.errors import JobFailed, Unavailable
from tests.reliability.cloud import PRICE_M_PER_S, Cloud
from tests.reliability.judge import problems, stored

JOBS = 6
STEPS = 120


class BadLuck:
    """Strikes each moment with the probability `chance` while it is on."""

    def __init__(self, source: random.Random, chance: float) -> None:
        self._random = source
        self._chance = chance
        self.on = True
        self.struck = 0

    def __call__(self, moment: Moment) -> None:
        if self.on and self._random.random() < self._chance:
            self.struck += 1
            raise self._random.choice((Crash(), Unavailable("bad luck")))


def wreak(seed: int) -> tuple[list[str], int]:
    """One stretch of bad luck: what was wrong at its end, and how many faults there were."""
    source = random.Random(seed)
    luck = BadLuck(source, source.choice((0.02, 0.08, 0.2)))
    funds_m = source.choice((10**9, 25 * PRICE_M_PER_S))  # enough, or for two jobs
    cloud = Cloud(plan=luck, seed=seed, copies=lambda r: r.randint(1, 3), funds_m=funds_m)
    made: list[Job] = []
    for _ in range(STEPS):
        _act(cloud, made, source)
        if source.random() < 0.1:
            cloud.clock.advance(source.choice((1, 60, 300, 900)))
            cloud.sweep()
    luck.on = False
    cloud.redrive()
    cloud.inspector.facts = type(cloud.inspector)().facts
    cloud.settle()
    return [f"seed {seed}: {what}" for job in made for what in problems(cloud, job, all_jobs=made)], luck.struck


def _act(cloud: Cloud, made: list[Job], source: random.Random) -> None:
    if len(made) < JOBS and source.random() < 0.15:
        made.append(_ordered(cloud, source))
    job = source.choice(made) if made else None
    if job is not None:
        dice = source.random()
        if dice < 0.03:
            cloud.cancel_if_there(job)
        elif dice < 0.06:
            cloud.erase(job)
        elif dice < 0.2:
            lose_event = source.random() < 0.2 and _awaited(cloud, job)
            cloud.upload(job, f"words {source.random()}".encode(), lose_event=lose_event)
        elif dice < 0.23:
            cloud.inspector.facts = JobFailed(Code.AUDIO_UNREADABLE, "no audio")
        elif dice < 0.3:
            cloud.inspector.facts = type(cloud.inspector)().facts
    cloud.step()


def _awaited(cloud: Cloud, job: Job) -> bool:
    """Whether the sweeper will look for the upload. The event of one that comes too late must not be lost as well."""
    now = stored(cloud, job)
    return now is not None and now.state is JobState.AWAITING_UPLOAD


def _ordered(cloud: Cloud, source: random.Random) -> Job:
    kept = source.random() < 0.6
    fields = {"kept": kept} if kept else {"kept": kept, "callback_url": None}
    return cloud.order_by_source(**fields) if source.random() < 0.5 else cloud.order(**fields)
