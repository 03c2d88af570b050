"""A day of a fleet of GPU machines, event by event: the scaling policy decides, AWS Batch obeys late, spot takes away.

The policy is `callscribe.domain.scaling.decide` itself. Calls are no events: they lie in arrays, in the order in which
they arrive, and a worker takes the next ones that have arrived. An event is a round of a worker, a step of a machine's
life, or a look of the policy, so that a day of a million calls takes seconds.
"""

import math
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from callscribe.costs.calls import Day, Numbers
from callscribe.domain.scaling import Decision, Load, ScalingSettings, decide

Events = Generator[simpy.Event, Any, None]
Files = tuple[int, int]  # calls from this place to that one, the second left out

_NEVER = math.inf
_MEMORY = 0.99  # of the measured rate, round by round


@dataclass(frozen=True)
class Site:
    """What a fleet is made of. Rates are seconds of audio, counted by channel, that one worker does in a second.

    `start_s` is for container and model, once a worker; `file_start_s` the same where every file is a job of its own.
    """

    rate: float
    start_s: float
    file_start_s: float = 0.0
    files_at_once: int = 64
    round_floor_s: float = 1.0
    poll_s: float = 20.0
    boot_s: tuple[float, float] = (60.0, 360.0)
    tail_s: tuple[float, float] = (0.0, 600.0)
    interruptions_per_s: float = 0.0
    channels: int = 2
    tick_s: float = 60.0
    window_s: float = 600.0


@dataclass(frozen=True)
class Outcome:
    """What a day took. Times in seconds; `waits_s` from arrival to transcript, for every call."""

    paid_s: float
    floor_s: float
    waits_s: Numbers
    machines: int
    most_workers: int
    interrupted: int
    changes: int

    @property
    def useful(self) -> float:
        """Share of the paid time that a GPU does its work at full speed."""
        return self.floor_s / self.paid_s

    @property
    def over_floor(self) -> float:
        """Paid time as a multiple of the least possible."""
        return self.paid_s / self.floor_s

    def wait_s(self, percent: float) -> float:
        """So many percent of the calls waited no longer."""
        return float(np.percentile(self.waits_s, percent))


def mean_of(days: Sequence[Outcome]) -> Outcome:
    """What a day took on average, with the waits of all calls of all days, and the most workers of any."""
    return Outcome(
        paid_s=sum(day.paid_s for day in days) / len(days),
        floor_s=sum(day.floor_s for day in days) / len(days),
        waits_s=np.concatenate([day.waits_s for day in days]),
        machines=round(sum(day.machines for day in days) / len(days)),
        most_workers=max(day.most_workers for day in days),
        interrupted=round(sum(day.interrupted for day in days) / len(days)),
        changes=round(sum(day.changes for day in days) / len(days)),
    )


def run(day: Day, site: Site, settings: ScalingSettings, seed: int) -> Outcome:
    """Let the day pass, and what is left of its work afterwards."""
    return _Fleet(day, site, settings, seed).run()


@dataclass(eq=False)
class _Machine:
    """One that is paid for since `since_s`. `idles` changes with each use and rest, to tell an old alarm from a new."""

    since_s: float
    idles: int = 0


@dataclass(eq=False)
class _Worker:
    told_to_go: bool = False
    alive: bool = False
    taken: Files | None = None


@dataclass
class _Queue:
    """Calls that arrived and were not taken, and those that a lost worker gave back."""

    arrivals_s: Numbers
    audio_until: Numbers  # seconds of audio in the calls before each place, and in all
    next: int = 0
    expected: int = 0  # workers that wait for a call of their own
    returned: deque[Files] = field(default_factory=deque)

    def arrived(self, now_s: float) -> int:
        return int(np.searchsorted(self.arrivals_s, now_s, side="right"))

    def take(self, now_s: float, most: int) -> Files | None:
        if self.returned:
            first, last = self.returned.popleft()
            if last - first > most:
                self.returned.appendleft((first + most, last))
            return first, min(last, first + most)
        first, last = self.next, min(self.arrived(now_s), self.next + most)
        self.next = max(first, last)
        return (first, last) if last > first else None

    def audio_s(self, files: Files) -> float:
        return float(self.audio_until[files[1]] - self.audio_until[files[0]])

    def next_arrival_s(self) -> float:
        """When the call arrives that nobody waits for yet: one message wakes one worker."""
        place = self.next + self.expected
        return float(self.arrivals_s[place]) if place < len(self.arrivals_s) else _NEVER


class _Fleet:
    def __init__(self, day: Day, site: Site, settings: ScalingSettings, seed: int) -> None:
        audio = np.concatenate([[0.0], np.cumsum(day.lengths_s * site.channels)])
        self._day, self._site, self._settings = day, site, settings
        self._queue = _Queue(day.arrivals_s, audio)
        self._random = np.random.default_rng(seed)
        self._world = simpy.Environment()
        self._workers: list[_Worker] = []
        self._idle: list[_Machine] = []
        self._done_s = np.full(len(day.arrivals_s), np.nan)
        self._left = len(day.arrivals_s)
        self._measured_audio_s = self._measured_s = 0.0
        self._paid_s = self._changed_s = 0.0
        self._empty_since_s: float | None = 0.0
        self._machines = self._interrupted = self._most = self._changes = 0

    def run(self) -> Outcome:
        self._world.process(self._policy())
        self._world.run()
        return Outcome(
            paid_s=self._paid_s,
            floor_s=float(self._queue.audio_until[-1]) / self._site.rate,
            waits_s=self._done_s - self._day.arrivals_s,
            machines=self._machines,
            most_workers=self._most,
            interrupted=self._interrupted,
            changes=self._changes,
        )

    # The policy: looks once a tick, until the day is over and everything is gone.

    def _policy(self) -> Events:
        while self._left or self._workers:
            staying = [worker for worker in self._workers if not worker.told_to_go]
            decision = decide(self._load(staying), self._settings)
            self._obey(decision, staying)
            yield self._world.timeout(self._site.tick_s)

    def _load(self, staying: list[_Worker]) -> Load:
        now_s, queue = self._world.now, self._queue
        arrived = queue.arrived(now_s)
        taken = [worker.taken for worker in self._workers if worker.taken]
        pieces = [*taken, *queue.returned, (queue.next, arrived)]
        waiting_s = sum(queue.audio_s(piece) for piece in pieces)
        waiting = [self._day.arrivals_s[first] for first, last in pieces if last > first]
        window_s = min(self._site.window_s, max(now_s, self._site.tick_s))
        alive = sum(worker.alive for worker in staying)
        return Load(
            waiting_s=waiting_s,
            oldest_s=max(0.0, now_s - min(waiting)) if waiting else 0.0,
            arriving=queue.audio_s((queue.arrived(now_s - window_s), arrived)) / window_s,
            rate=self._measured_audio_s / self._measured_s if self._measured_s else None,
            alive=alive,
            starting=len(staying) - alive,
            empty_s=self._empty_for(now_s, is_empty=not waiting),
            since_change_s=now_s - self._changed_s if self._changes else _NEVER,
        )

    def _empty_for(self, now_s: float, *, is_empty: bool) -> float:
        """Since which look nothing has been waiting: what a function that runs once a tick can know."""
        if not is_empty:
            self._empty_since_s = None
        elif self._empty_since_s is None:
            self._empty_since_s = now_s
        return 0.0 if self._empty_since_s is None else now_s - self._empty_since_s

    def _obey(self, decision: Decision, staying: list[_Worker]) -> None:
        if decision.workers == len(staying):
            return
        self._changed_s = self._world.now
        self._changes += 1
        for worker in staying[decision.workers :]:  # the youngest go, those that still start first
            worker.told_to_go = True
        for _ in range(decision.workers - len(staying)):
            worker = _Worker()
            self._workers.append(worker)
            self._world.process(self._work(worker))
        self._most = max(self._most, decision.workers)

    # A worker: machine, container, model, then round after round.

    def _work(self, worker: _Worker) -> Events:
        machine = self._idle.pop() if self._idle else None
        if machine is None:
            machine = _Machine(self._world.now)
            self._machines += 1
            yield self._world.timeout(self._random.uniform(*self._site.boot_s))
        machine.idles += 1
        lost_at_s = self._lost_at_s()
        yield self._world.timeout(self._site.start_s)
        worker.alive = True
        while not worker.told_to_go and self._world.now < lost_at_s:
            yield from self._round(worker, lost_at_s)
        self._workers.remove(worker)
        if self._world.now >= lost_at_s:
            self._interrupted += 1
            self._paid_s += self._world.now - machine.since_s
        else:
            self._world.process(self._idle_tail(machine))

    def _lost_at_s(self) -> float:
        chance = self._site.interruptions_per_s
        return self._world.now + self._random.exponential(1 / chance) if chance else _NEVER

    def _round(self, worker: _Worker, lost_at_s: float) -> Events:
        """What has arrived, up to a full pool; or a wait for something to arrive."""
        now_s = self._world.now
        files = self._queue.take(now_s, self._site.files_at_once)
        if files is None:
            until_s = min(max(self._queue.next_arrival_s(), now_s), now_s + self._site.poll_s, lost_at_s)
            self._queue.expected += 1
            yield self._world.timeout(until_s - now_s)
            self._queue.expected -= 1
            return
        worker.taken = files
        took_s = self._time_for(files)
        if now_s + took_s <= lost_at_s:
            yield self._world.timeout(took_s)
            self._finish(files, took_s)
        else:  # the round is lost, and its messages come back
            yield self._world.timeout(lost_at_s - now_s)
            self._queue.returned.append(files)
        worker.taken = None

    def _time_for(self, files: Files) -> float:
        work_s = self._queue.audio_s(files) / self._site.rate
        return max(self._site.round_floor_s, work_s) + self._site.file_start_s * (files[1] - files[0])

    def _finish(self, files: Files, took_s: float) -> None:
        self._done_s[files[0] : files[1]] = self._world.now
        self._left -= files[1] - files[0]
        if took_s > self._site.round_floor_s:  # full batches: what the worker can do, not what there was to do
            self._measured_audio_s = _MEMORY * self._measured_audio_s + self._queue.audio_s(files)
            self._measured_s = _MEMORY * self._measured_s + took_s

    def _idle_tail(self, machine: _Machine) -> Events:
        """A machine without worker stays for a while, and serves the next one if it comes in time."""
        machine.idles += 1
        mine = machine.idles
        self._idle.append(machine)
        yield self._world.timeout(self._random.uniform(*self._site.tail_s))
        if machine.idles == mine:
            self._idle.remove(machine)
            self._paid_s += self._world.now - machine.since_s
