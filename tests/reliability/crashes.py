"""Every way again: killed (or cut off from a service) before and after each of its port calls, or with somebody else
acting on the same job at that moment.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from callscribe.adapters.memory import Moment, RaiseAt, Trace
from callscribe.domain.jobs import Job
from tests.reliability.cloud import Cloud
from tests.reliability.judge import problems, stored
from tests.reliability.paths import WAYS
from tests.reliability.way import Way

_ALL = 75


@dataclass(frozen=True, slots=True)
class Tried:
    """One moment at which a way was struck: where, and what was wrong at the end."""

    way: str
    index: int
    where: str
    problems: tuple[str, ...]


def moments(way: Way) -> int:
    """How many there are on this way when nothing goes wrong."""
    trace = Trace()
    way.lead(way.cloud_for(plan=trace))
    return len(trace.moments)


def chosen(count: int) -> Iterable[int]:
    """All moments, of a long way (most of it waiting) the first and last ones and some in between."""
    if count <= 2 * _ALL:
        return range(count)
    return (*range(_ALL), *range(_ALL, count - _ALL, (count - 2 * _ALL) // 30 + 1), *range(count - _ALL, count))


def strike(name: str, index: int, error: type[BaseException]) -> Tried:
    """Take the way once, struck at this moment."""
    way = WAYS[name]
    plan = RaiseAt(index, error("injected"))
    cloud = way.cloud_for(plan=plan)
    job = way.lead(cloud)
    now = stored(cloud, job)
    found = problems(cloud, job, paid=None if now is not None or way.paid else False, price_m=way.price_m)
    if plan.struck is None:
        found.append("the moment never came")
    return Tried(name, index, str(plan.struck), tuple(found))


class ActAt:
    """A plan that lets everything pass, and at one moment lets somebody else act. Without faults of its own."""

    def __init__(self, index: int, act: Callable[[], object]) -> None:
        self._left = index
        self._act = act
        self.met: Moment | None = None

    def __call__(self, moment: Moment) -> None:
        self._left -= 1
        if self._left == -1:
            self.met = moment
            self._act()


def intrude(name: str, index: int, act: Callable[[Cloud, Job], object]) -> Tried:
    """Take the way once, with somebody else acting on the job at this moment, if there is a job by then."""
    way = WAYS[name]
    plan = ActAt(index, lambda: [act(cloud, job) for job in cloud.store.all(Job)])
    cloud = way.cloud_for(plan=plan)
    job = way.lead(cloud)
    found = problems(cloud, job, price_m=way.price_m)
    if plan.met is None:
        found.append("the moment never came")
    return Tried(name, index, str(plan.met), tuple(found))
