"""One engine for many recordings: their chunks meet in a pool, and batches are filled from all of them.

Each recording has a thread of its own, which reads it and hands its chunks in by a `Feed`. One thread more takes
batches out, asks the engine and answers; it begins with the first recording and lives as long as the pool.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final, Self, TypeVar

from callscribe.engines.base import (
    NO_HINTS,
    Chunk,
    DetectsLanguage,
    Engine,
    EngineInfo,
    Hints,
    LanguageGuess,
    Recognised,
    Samples,
    SizesBatches,
)
from callscribe.engines.batches import Batches
from callscribe.engines.desk import Desk, Question, Recording, Task
from callscribe.engines.engine_thread import EngineThread
from callscribe.engines.packing import BatchLimits
from callscribe.engines.turnstile import Turnstile
from callscribe.errors import Stopped

R = TypeVar("R")

# So long a batch that is not full waits for more while somebody reads. A reader brings a chunk every 20 to 70 ms, as
# decoding and voice activity run at 300 times real time and more; and a recording of seconds must not be held up.
LINGER_S: Final = 0.1
# What may be in the pool, in full batches: the more there is to choose from, the less padding. Of spans such as calls
# have, batches of 32 are 89 % speech out of a pool of two, 94 % out of four, 97 % out of eight.
POOL_BATCHES: Final = 8
READERS_PER_CORE: Final = 2  # one waits for its decoding process while another looks for speech
_LAST_BATCH_S = 60.0


class ChunkPool:
    """The pool. `limits`: how large a batch may be, if not as the engine says. `room_s`: how much speech may be in it.

    `readers`: how many recordings are read at a time; one that waits for room or for an answer does not count.
    Usable by several threads. Left to itself it ends with its last user; the engine is not closed by that.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        limits: BatchLimits | None = None,
        room_s: float | None = None,
        readers: int | None = None,
        linger_s: float = LINGER_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.engine = engine
        most = limits or BatchLimits(engine.info.batch_chunks, engine.info.batch_padded_s)
        batches = Batches(most.chunks)
        self.desk = Desk(
            lambda: _limits_now(most, batches, engine),
            room_s=_room_s(engine.info, most) if room_s is None else room_s,
            linger_s=linger_s,
        )
        self.turnstile = Turnstile(readers or READERS_PER_CORE * (os.cpu_count() or 1))
        self._runner = EngineThread(self.desk, engine, batches, clock)
        self._thread = threading.Thread(target=self._runner.serve, name="speech engine", daemon=True)
        self._starting = threading.Lock()
        weakref.finalize(self, self.desk.end, Stopped, "the speech pipeline is gone")

    def open(self, *, tenant_id: str = "", hints: Hints = NO_HINTS) -> "Feed":
        """A way in for one recording; a context manager. Raises Stopped, Unavailable where the engine has ended."""
        recording = Recording(tenant_id, hints)
        with self._starting:  # first: a recording that was let in, and then got no thread, would never leave again
            if self._thread.ident is None:
                self._thread.start()
        self.desk.enter(recording)
        return Feed(self, recording)

    def stop(self) -> None:
        """Give everything up: each recording that waits, or comes to wait, gets Stopped."""
        self.desk.end(Stopped, "the speech pipeline was stopped")
        self.turnstile.close()

    def close(self) -> None:
        """Take no more recordings, let those that are open end, and close the engine."""
        self.desk.close()
        if self._thread.ident is not None:
            self._thread.join(_LAST_BATCH_S if self.desk.ended else None)
        if not self._thread.is_alive():
            self.engine.close()


class Feed:
    """One recording's way into the pool, for one thread. What it raises is Stopped, Unavailable, or what the engine
    raised at this recording.
    """

    def __init__(self, pool: ChunkPool, recording: Recording) -> None:
        self.detects_language = isinstance(pool.engine, DetectsLanguage)
        self._pool = pool  # lives as long as somebody uses it
        self._desk = pool.desk
        self._turnstile = pool.turnstile
        self._recording = recording
        self._reads = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_reading()
        self._desk.leave(self._recording)

    def paced(self, blocks: Iterable[Samples]) -> Generator[Samples, None, None]:
        """The blocks of the recording, each when it is this one's turn to be read, which lasts until the next block is
        asked for, or an answer.
        """
        reading = iter(blocks)
        while (block := self._read(reading)) is not None:
            yield block

    def has_room(self, chunk: Chunk) -> bool:
        """Whether this chunk may be handed in before an answer is taken; always, where there are none to take."""
        return self._desk.has_room(self._recording, chunk.duration_s)

    def submit(self, chunk: Chunk, language: str | None) -> Task:
        """Hand a chunk in. Each of a recording's answers is to be taken, in the order of its chunks."""
        task = Task(self._recording, chunk, language)
        self._desk.put(task)
        return task

    def finish(self) -> None:
        """Say that no more chunks come, so that nobody waits for them."""
        self._stop_reading()
        self._desk.complete(self._recording)

    def take(self, task: Task) -> Recognised:
        """What was heard in a chunk, waiting for it if need be; others are read meanwhile."""
        self._wait(task.answer)
        return self._desk.take(task)

    def detect_language(self, chunks: Sequence[Chunk]) -> LanguageGuess | None:
        """See `base.DetectsLanguage`; only where `detects_language` says so."""
        question = Question(self._recording, chunks)
        self._desk.ask(question)
        self._wait(question.answer)
        return question.answer.result()

    @property
    def device_s(self) -> float:
        """Its share of the time that the engine has worked."""
        return self._recording.device_s

    @property
    def batch_fill(self) -> float | None:
        """The share of its batches that was not padding, 0 to 1; None where there were none."""
        of = self._recording
        return of.filled_s / of.batch_s if of.batch_s else None

    def _read(self, reading: Iterator[Samples]) -> Samples | None:
        self._stop_reading()
        self._turnstile.enter()
        self._reads = True
        self._desk.check(self._recording)
        return next(reading, None)

    def _stop_reading(self) -> None:
        if self._reads:
            self._turnstile.leave()
            self._reads = False

    def _wait(self, answer: "Future[R]") -> None:
        self._stop_reading()  # even for an answer that is there: what is done with it can take its time
        if not answer.done():
            self._desk.wait(self._recording, answer)


def _room_s(info: EngineInfo, limits: BatchLimits) -> float:
    return POOL_BATCHES * min(limits.chunks * info.max_chunk_s, limits.padded_s)


def _limits_now(limits: BatchLimits, batches: Batches, engine: Engine) -> BatchLimits:
    """The limits less what the memory has not held."""
    held = engine.batches.size if isinstance(engine, SizesBatches) else limits.chunks
    return replace(limits, chunks=min(limits.chunks, batches.size, held))
