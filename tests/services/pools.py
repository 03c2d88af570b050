"""A site whose queue, workers and clock a test moves by hand, under the function that scales."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from callscribe.adapters.memory import ManualClock, MemoryStore, MemoryWorkerPool, Plan, faulty_deps, memory_deps
from callscribe.domain.audio import AudioFacts
from callscribe.domain.pool import PoolState
from callscribe.domain.records import delete, insert, update
from callscribe.domain.scaling import Decision, ScalingSettings
from callscribe.domain.work import POOL, WorkerSeen
from callscribe.ports import QueueDepth
from callscribe.services import arrivals
from callscribe.services.scaling import tick

CALL_S = 480.0  # by channel


@dataclass
class Gauge:
    """`ports.QueueGauge` that tells what a test says."""

    waiting: int = 0
    in_work: int = 0

    def depth(self) -> QueueDepth:
        return QueueDepth(self.waiting, self.in_work)


class Site:
    """Under `plan`s faults come into the function alone. The clock begins a minute after a full look was due."""

    def __init__(self, *, plan: Plan | None = None, lists_lag: bool = False, **settings: Any) -> None:
        self.clock = ManualClock()
        self.clock.advance(60)
        self.store = MemoryStore()
        self.pool = MemoryWorkerPool(lists_lag=lists_lag)
        self.queue = Gauge()
        self.settings = ScalingSettings(**settings)
        self.plain = memory_deps(store=self.store, worker_pool=self.pool, work_gauge=self.queue, now_ms=self.clock)
        self.deps = faulty_deps(self.plain, plan) if plan else self.plain

    def arrive(self, calls: int, *, length_s: float = CALL_S / 2) -> None:
        """So many recordings of two channels begin to wait."""
        self.queue.waiting += calls
        for _ in range(calls):
            arrivals.note(self.plain, AudioFacts("wav", "pcm_mulaw", 2, 8_000, length_s, 0))

    def look(self) -> Decision | None:
        return tick(self.deps, self.settings)

    def minutes(self, count: int) -> list[Decision | None]:
        """Let minutes pass; all that run and have ever spoken speak, then there is a look."""
        return [self._minute() for _ in range(count)]

    def _minute(self) -> Decision | None:
        self.clock.advance(60)
        for worker_id in self.spoken():
            self.speak(worker_id)
        return self.look()

    def boot(self) -> list[str]:
        """All that start run, and speak; their ids."""
        started = sorted(self.pool.starting())
        for worker_id in started:
            self.pool.run(worker_id)
            self.speak(worker_id)
        return started

    def speak(self, worker_id: str, **figures: Any) -> None:
        """A worker says how it stands: as it said before, but for `figures`."""
        now_ms = self.clock()
        known = self.store.get(WorkerSeen, POOL, worker_id)
        if known is None:
            known = WorkerSeen(POOL, worker_id, started_at_ms=now_ms, seen_at_ms=now_ms)
            self.store.commit(insert(replace(known, **figures)))
        else:
            self.store.commit(update(known, seen_at_ms=now_ms, **figures))

    def leave(self, worker_id: str) -> None:
        """A worker goes in good order."""
        self.pool.leave(worker_id)
        known = self.store.get(WorkerSeen, POOL, worker_id)
        if known is not None:
            self.store.commit(delete(known))

    def told(self) -> list[str]:
        """Who was told to go and is there."""
        return [one.id for one in self.store.all(WorkerSeen) if one.leave_by_ms is not None]

    def spoken(self) -> Iterable[str]:
        """Who runs and has ever spoken."""
        return [one.id for one in self.store.all(WorkerSeen) if one.id in self.pool.running()]

    @property
    def size(self) -> int:
        """How many workers there are, told to go or not."""
        return len(self.pool.starting() | self.pool.running())

    @property
    def state(self) -> PoolState:
        state = self.store.get(PoolState, POOL)
        assert state is not None
        return state
