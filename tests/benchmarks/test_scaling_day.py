"""A day of the function that scales itself, on the in-memory ports, beside what the simulation says of the same calls.

Policy, function and simulation are to be one: the function measures what the simulation knows, through minutes of
counted arrivals, a queue's depth and workers' own words, and comes to nearly the same bill and the same waits.
"""

import contextlib
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from callscribe import names
from callscribe.adapters.memory import Crash, ManualClock, MemoryStore, MemoryWorkerPool, memory_deps
from callscribe.costs.calls import Day, Numbers, make_day
from callscribe.costs.fleet import Outcome
from callscribe.costs.fleet import Site as Fleet
from callscribe.costs.fleet import run as simulate
from callscribe.domain.audio import AudioFacts
from callscribe.domain.records import delete, insert, update
from callscribe.domain.scaling import ScalingSettings
from callscribe.domain.work import POOL, WorkerSeen
from callscribe.ports import QueueDepth
from callscribe.services import arrivals
from callscribe.services.scaling import tick

STEP_S = 5
BOOT_S = 200.0
SEED = 4


@dataclass
class Worker:
    """A worker of the fake pool: takes what waits, up to a full pool, and does it at its rate; a round at a time."""

    id: str
    since_s: float
    free_at_s: float
    first: int = 0
    last: int = 0  # calls in hand: from `first` up to here, left out
    audio_s: float = 0.0
    device_s: float = 0.0
    jobs: int = 0
    told_to_go: bool = False

    @property
    def in_hand(self) -> int:
        return self.last - self.first


@dataclass
class RealDay:
    """Drives the real `tick` once a minute; all else is made up. Times in seconds from the day's begin."""

    day: Day
    fleet: Fleet
    settings: ScalingSettings
    fail_every: int = 0  # so many looks: one dies, at another of its calls each time
    clock: ManualClock = field(default_factory=ManualClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    pool: MemoryWorkerPool = field(default_factory=MemoryWorkerPool)
    workers: dict[str, Worker] = field(default_factory=dict)
    asked_s: dict[str, float] = field(default_factory=dict)
    paid_s: float = 0.0
    arrived: int = 0
    taken: int = 0
    done: int = 0

    def run(self) -> tuple[float, Numbers]:
        """Paid seconds and the waits."""
        self.done_s = np.full(len(self.day.arrivals_s), np.nan)
        self.deps = memory_deps(store=self.store, worker_pool=self.pool, work_gauge=self, now_ms=self.clock)
        step = 0
        while self.done < len(self.day.arrivals_s) or self.asked_s:
            self._step(step)
            step += 1
            self.clock.advance(STEP_S)
        return self.paid_s, self.done_s - self.day.arrivals_s

    def depth(self) -> QueueDepth:
        """`ports.QueueGauge`."""
        return QueueDepth(self.arrived - self.taken, self.taken - self.done)

    def _step(self, step: int) -> None:
        now_s = float(step * STEP_S)
        self._arrive(now_s)
        self._boot(now_s)
        for worker in list(self.workers.values()):
            self._work(worker, now_s)
            if now_s % names.WORKER_BEAT_S == 0:
                self._beat(worker)
            if worker.told_to_go and not worker.in_hand:
                self._leave(worker, now_s)
        if now_s % self.fleet.tick_s == 0:
            self._look(now_s)

    def _look(self, now_s: float) -> None:
        look = round(now_s / self.fleet.tick_s)
        dies = self.fail_every and look % self.fail_every == 0
        deps = replace(self.deps, worker_pool=_Dying(self.pool)) if dies else self.deps
        with contextlib.suppress(Crash):
            tick(deps, self.settings)
        there = self.pool.starting() | self.pool.running()
        for gone in self.asked_s.keys() - there:  # ended while it started
            self.paid_s += now_s - self.asked_s.pop(gone)
        for new in there - self.asked_s.keys():
            self.asked_s[new] = now_s

    def _arrive(self, now_s: float) -> None:
        while self.arrived < len(self.day.arrivals_s) and self.day.arrivals_s[self.arrived] <= now_s:
            length_s = float(self.day.lengths_s[self.arrived])
            arrivals.note(self.deps, AudioFacts("wav", "pcm_mulaw", self.fleet.channels, 8_000, length_s, 0))
            self.arrived += 1

    def _boot(self, now_s: float) -> None:
        for one in self.pool.starting():
            if now_s >= self.asked_s[one] + BOOT_S:
                self.pool.run(one)
        for one in self.pool.running() - self.workers.keys():
            ready_s = self.asked_s[one] + BOOT_S + self.fleet.start_s
            if now_s >= ready_s:
                self.workers[one] = Worker(one, self.asked_s[one], free_at_s=ready_s)
                self._beat(self.workers[one])

    def _work(self, worker: Worker, now_s: float) -> None:
        """Its rounds since the step before; whoever has nothing to do takes a call when it comes."""
        while worker.free_at_s <= now_s:
            self._finish(worker)
            if worker.told_to_go or self.taken == self.arrived:
                return
            begin_s = max(worker.free_at_s, float(self.day.arrivals_s[self.taken]))
            there = int(np.searchsorted(self.day.arrivals_s, begin_s, side="right"))
            last = min(there, self.taken + self.fleet.files_at_once)
            worker.first, worker.last, self.taken = self.taken, last, last
            worker.free_at_s = begin_s + max(self.fleet.round_floor_s, self._audio_s(worker) / self.fleet.rate)

    def _audio_s(self, worker: Worker) -> float:
        lengths_s = self.day.lengths_s[worker.first : worker.last]
        return float(lengths_s.sum() * self.fleet.channels)

    def _finish(self, worker: Worker) -> None:
        audio_s = self._audio_s(worker)
        self.done_s[worker.first : worker.last] = worker.free_at_s
        self.done += worker.in_hand
        worker.jobs += worker.in_hand
        worker.audio_s += audio_s
        worker.device_s += audio_s / self.fleet.rate
        worker.first = worker.last

    def _beat(self, worker: Worker) -> None:
        known = self.store.get(WorkerSeen, POOL, worker.id)
        now_ms = self.clock()
        figures = {name: getattr(worker, name) for name in ("audio_s", "device_s", "jobs", "in_hand")}
        if known is None:
            self.store.commit(insert(WorkerSeen(POOL, worker.id, now_ms, now_ms, **figures)))
        else:
            self.store.commit(update(known, seen_at_ms=now_ms, **figures))
            worker.told_to_go = worker.told_to_go or known.leave_by_ms is not None

    def _leave(self, worker: Worker, now_s: float) -> None:
        known = self.store.get(WorkerSeen, POOL, worker.id)
        if known is not None:
            self.store.commit(delete(known))
        self.pool.leave(worker.id)
        self.paid_s += now_s - self.asked_s.pop(worker.id)
        del self.workers[worker.id]


class _Dying:
    """A pool at which the function that scales dies once it has asked for a worker, or for the lists."""

    def __init__(self, pool: MemoryWorkerPool) -> None:
        self._pool = pool

    def starting(self) -> frozenset[str]:
        return self._pool.starting()

    def running(self) -> frozenset[str]:
        return self._pool.running()

    def submit(self, name: str) -> str:
        self._pool.submit(name)
        raise Crash

    def end(self, worker_id: str, *, reason: str) -> None:
        raise Crash


def both(
    calls: int, rate: float, settings: ScalingSettings, *, fail_every: int = 0
) -> tuple[RealDay, Numbers, Outcome]:
    fleet = Fleet(rate=rate, start_s=27, boot_s=(BOOT_S, BOOT_S), tail_s=(0, 0))
    day = make_day(calls, SEED)
    real = RealDay(day, fleet, settings, fail_every=fail_every)
    _, waits_s = real.run()
    return real, waits_s, simulate(day, fleet, settings, SEED)


CASES = {
    "small": (2_000, 300.0, ScalingSettings()),
    "small, gathering": (2_000, 300.0, ScalingSettings(hold_s=900, idle_s=0)),
    "busy": (20_000, 100.0, ScalingSettings(max_workers=50)),
    "busy, too few allowed": (20_000, 100.0, ScalingSettings(max_workers=2)),
    "large, slower than expected": (60_000, 100.0, ScalingSettings(max_workers=50)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_function_pays_and_lets_wait_as_the_simulation_says(case: str) -> None:
    calls, rate, settings = CASES[case]
    real, waits_s, said = both(calls, rate, settings)
    assert real.paid_s == pytest.approx(said.paid_s, rel=0.04)
    assert len(real.pool.names) == pytest.approx(said.machines, rel=0.12)
    assert abs(real.pool.most - said.most_workers) <= 1
    for percent in (50, 90, 99, 100):
        assert np.percentile(waits_s, percent) == pytest.approx(said.wait_s(percent), rel=0.1, abs=20)


def test_looks_that_die_cost_little_and_never_make_one_worker_too_many() -> None:
    calls, rate, settings = 20_000, 100.0, ScalingSettings(max_workers=4)
    real, waits_s, said = both(calls, rate, settings, fail_every=3)
    assert real.pool.most == 4
    assert real.paid_s == pytest.approx(said.paid_s, rel=0.1)
    assert np.percentile(waits_s, 99) == pytest.approx(said.wait_s(99), rel=0.2)
