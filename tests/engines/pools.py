"""An engine that remembers its batches and takes time by a clock of its own, and chunks that it can tell apart."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from callscribe.engines.base import NO_HINTS, Chunk, EngineInfo, Hints, Recognised
from callscribe.engines.desk import Task
from callscribe.engines.packing import BatchLimits
from callscribe.engines.pieces import Piece
from callscribe.engines.pool import ChunkPool, Feed
from callscribe.media.speech import Span
from tests.engines.fakes import INFO

PATIENT_S = 60.0  # a batch that goes all the same is full, or nobody can add to it


def chunk(mark: int, length_s: float = 1.0) -> Chunk:
    return Chunk(np.full(round(length_s * 16_000), mark, np.float32))


def mark_of(one: Chunk) -> int:
    return int(one.samples[0])


@dataclass(frozen=True)
class Asked:
    """One call of the engine."""

    marks: tuple[int, ...]
    language: str | None
    hints: Hints


@dataclass
class Listener:
    """Hears each chunk's mark. A batch takes a tenth of its padded length; `trouble` may raise for what it is asked."""

    info: EngineInfo = INFO
    trouble: Callable[[Sequence[int]], None] = lambda marks: None
    asked: list[Asked] = field(default_factory=list)
    now_s: float = 0.0
    busy_s: float = 0.0  # in what went well
    closed: bool = False
    _inside: threading.Lock = field(default_factory=threading.Lock)

    def transcribe(self, chunks: Sequence[Chunk], *, language: str | None, hints: Hints) -> Iterator[Recognised]:
        assert self._inside.acquire(blocking=False), "two threads at a time"
        try:
            marks = tuple(map(mark_of, chunks))
            self.asked.append(Asked(marks, language, hints))
            self.trouble(marks)
            took_s = len(chunks) * max(one.duration_s for one in chunks) / 10
            self.now_s += took_s
            self.busy_s += took_s
            return iter([Recognised(str(mark)) for mark in marks])
        finally:
            self._inside.release()

    def close(self) -> None:
        self.closed = True

    @property
    def marks(self) -> list[tuple[int, ...]]:
        return [one.marks for one in self.asked]

    @property
    def sizes(self) -> list[int]:
        return [len(one.marks) for one in self.asked]


def pool_of(
    engine: Listener, *, chunks: int = 8, linger_s: float = PATIENT_S, room_s: float = 10_000, readers: int = 4
) -> ChunkPool:
    return ChunkPool(
        engine,
        limits=BatchLimits(chunks),
        room_s=room_s,
        readers=readers,
        linger_s=linger_s,
        clock=lambda: engine.now_s,
    )


def hand_in(feed: Feed, chunks: Iterable[Chunk], language: str | None = None) -> list[Task]:
    """All of a recording."""
    tasks = [feed.submit(one, language) for one in chunks]
    feed.finish()
    return tasks


def answers(feed: Feed, tasks: Iterable[Task]) -> list[str]:
    return [feed.take(task).text for task in tasks]


def pieces(marks: Iterable[int], length_s: Callable[[int], float] = lambda mark: 1.0) -> Iterator[Piece]:
    at_s = 0.0
    for mark in marks:
        one = chunk(mark, length_s(mark))
        yield Piece(0, Span(at_s, at_s + one.duration_s), one.samples)
        at_s += one.duration_s + 1


def with_hints(*vocabulary: str) -> Hints:
    return Hints(vocabulary) if vocabulary else NO_HINTS
