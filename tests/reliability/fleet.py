"""The cloud with real workers: several at a time, each with several recordings open, that are killed, stopped or out of
memory in the middle of whatever they do.

A killed worker is one none of whose calls arrives anywhere from some moment on, as with a machine that is gone.
"""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callscribe.adapters.memory import Crash, MemoryQueue, Moment, faulty, faulty_deps
from callscribe.domain.audio import AudioFacts
from callscribe.errors import Stopped, Unavailable
from callscribe.ports import DEFAULT_OPTIONS, Transcribed, TranscriptionOptions
from callscribe.services.drain import Drain, WorkerSettings
from tests.reliability.cloud import Cloud, Reports, some_transcript

VISIBILITY_S = 300
SLOTS = 4
AT_ONCE = 3  # workers
_IDLE_S = 0.02
_END_S = 30.0


@dataclass
class OneByOne(Reports):
    """Step Functions takes one report after the other. `ended` counts those that it was waiting for."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: Counter[str] = field(default_factory=Counter)

    def _end(self, token: str, kind: str, more: dict[str, str]) -> bool:
        with self.lock:
            taken = super()._end(token, kind, more)
            self.ended[token] += taken
            return taken


@dataclass
class Fate:
    """A plan that does something to its worker once, at its moment number `at`; a dead worker calls nobody any more."""

    at: int
    happen: Callable[["Fate"], None]
    dead: bool = False
    drain: Drain | None = None
    happened: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, _moment: Moment) -> None:
        with self.lock:
            self.at -= 1
            now = self.at == 0
        if now:
            self.happened = True
            self.happen(self)
        if self.dead:
            raise Crash


def spare(_fate: Fate) -> None:
    pass


def kill(fate: Fate) -> None:
    fate.dead = True


def stop_at_once(fate: Fate) -> None:
    if fate.drain:
        fate.drain.stop(grace_s=0)


def stop_with_grace(fate: Fate) -> None:
    if fate.drain:
        fate.drain.stop(grace_s=0.01)


FATES = (kill, stop_at_once, stop_with_grace)


class Ear:
    """A `SpeechPipeline` that takes its time, and now and then has no memory."""

    def __init__(self, source: random.Random, fate: Fate, *, forgetful: float) -> None:
        self._random, self._fate, self._forgetful = source, fate, forgetful
        self._stopped = threading.Event()

    def __call__(self, path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
        if self._stopped.wait(self._random.random() * 0.01):
            raise Stopped("told to stop")
        if self._fate.dead:
            raise Crash
        if self._random.random() < self._forgetful:
            raise MemoryError
        return some_transcript(path, facts, options)

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        pass


class Fleet(Cloud):
    """Drive it as the cloud, with `work_through` for what waits on the work queue."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.waiting = MemoryQueue(self.clock, visibility_s=VISIBILITY_S)

    def _plain_deps(self, settings: Any) -> Any:
        self.reports = OneByOne(self)
        return super()._plain_deps(settings)

    def _do_work(self, name: str, tenant_id: str, job_id: str) -> None:
        self.waiting.send({"tenant_id": tenant_id, "job_id": job_id, "task_token": name})

    def work_through(self, fates: list[Fate], *, forgetful: float = 0.0) -> None:
        """So many workers at once, until each has met its fate or nothing waits any more."""
        threads = [threading.Thread(target=self._one_worker, args=(fate, forgetful)) for fate in fates]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_END_S)
            assert not thread.is_alive()
        self._until_all_threads_have_ended()

    def _one_worker(self, fate: Fate, forgetful: float) -> None:
        deps, queue = faulty_deps(self.plain, fate), faulty(self.waiting, fate)
        ear = Ear(random.Random(self.random.random()), fate, forgetful=forgetful)
        fate.drain = Drain(deps, queue, ear, WorkerSettings(slots=SLOTS, idle_s=_IDLE_S))
        with contextlib.suppress(Crash, Unavailable):  # killed, or it left because job after job failed
            fate.drain.run()

    def _until_all_threads_have_ended(self) -> None:
        deadline_s = time.monotonic() + _END_S
        while any(thread.name.startswith("job ") for thread in threading.enumerate()):
            assert time.monotonic() < deadline_s
            time.sleep(0.001)


def fates(source: random.Random) -> list[Fate]:
    """What happens to the next workers, and when: after a few calls or after many."""
    return [Fate(source.randint(1, 120), source.choice(FATES)) for _ in range(AT_ONCE)]
