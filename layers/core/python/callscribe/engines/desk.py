"""Where the recordings' threads leave their chunks, and the engine's thread finds them; all of it under one lock."""

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import Any, TypeVar

from callscribe.engines.base import NO_HINTS, Chunk, Hints, LanguageGuess, Recognised
from callscribe.engines.packing import BatchLimits, Turns, Waiting, fill, pick
from callscribe.errors import CallscribeError, Stopped, Unavailable

log = logging.getLogger(__name__)
R = TypeVar("R")

# So long a batch may take before the engine counts as hung: a driver that never answers would otherwise keep its
# recordings, and all that come, for as long as the machine lives. The slowest engine on a CPU takes minutes.
STUCK_S = 3_600.0


@dataclass(eq=False, slots=True)
class Recording:
    """What the desk knows of an open recording."""

    tenant_id: str = ""
    hints: Hints = NO_HINTS
    held_s: float = 0.0  # of its audio in the pool: handed in, and the answer not yet taken
    awaited: "Future[Any] | None" = None  # the answer that its thread waits for
    complete: bool = False  # no more chunks come
    failed: Exception | None = None
    device_s: float = 0.0  # its share of the engine's time
    batch_s: float = 0.0  # the part of that which went into batches
    filled_s: float = 0.0  # and what of it was not padding

    @property
    def may_add(self) -> bool:
        """Whether another chunk of it may come before anything is answered."""
        return not self.complete and (self.awaited is None or self.awaited.done())


@dataclass(eq=False, slots=True)
class Task:
    """A chunk to be recognised."""

    recording: Recording
    chunk: Chunk
    language: str | None
    answer: "Future[Recognised]" = field(default_factory=Future)
    waiting: Waiting = field(init=False)  # what has to be known of it to choose a batch

    def __post_init__(self) -> None:
        kind = self.language, self.recording.hints
        self.waiting = Waiting(self.recording.tenant_id, self.chunk.duration_s, kind)


@dataclass(eq=False, slots=True)
class Question:
    """Chunks of one voice or channel, whose language is wanted."""

    recording: Recording
    chunks: Sequence[Chunk]
    answer: "Future[LanguageGuess | None]" = field(default_factory=Future)


@dataclass(slots=True)
class Batch:
    """Tasks of one language and one set of hints; `tenant_id`: whose turn it is."""

    tenant_id: str
    tasks: list[Task]


class Desk:
    """The pool itself. `limits` answers how large a batch may be now; `room_s`: what may be in the pool, in seconds."""

    def __init__(self, limits: Callable[[], BatchLimits], *, room_s: float, linger_s: float) -> None:
        self._limits = limits
        self._room_s = room_s
        self._linger_s = linger_s
        self._lock = threading.RLock()  # `end` may be called by the collector of garbage, in the midst of anything
        self._work = threading.Condition(self._lock)  # the engine's thread waits here
        self._recordings: set[Recording] = set()
        self._tasks: list[Task] = []
        self._questions: deque[Question] = deque()
        self._with_engine: Sequence[Task | Question] = ()
        self._moved_s = 0.0  # when the engine was last given something, or something came of that
        self._held_s: defaultdict[str, float] = defaultdict(float)  # by tenant, of its open recordings
        self._turns = Turns()
        self._ended: tuple[type[CallscribeError], str] | None = None
        self._closing = False

    # What a recording's thread does.

    def enter(self, recording: Recording) -> None:
        """Open it. Raises Stopped, Unavailable."""
        with self._lock:
            if self._closing:
                raise Stopped("the speech pipeline takes no more")
            self._check()
            self._recordings.add(recording)

    def leave(self, recording: Recording) -> None:
        """Forget it, and all of its that still waits."""
        with self._lock:
            self._recordings.discard(recording)
            self._drop(recording)
            self._give_room(recording, recording.held_s)
            if all(other.tenant_id != recording.tenant_id for other in self._recordings):
                del self._held_s[recording.tenant_id]  # and with it what rounding has left
            self._work.notify()

    def check(self, recording: Recording) -> None:
        """Raises Stopped, Unavailable, or what went wrong with this recording."""
        with self._lock:
            self._check(recording)

    def has_room(self, recording: Recording, audio_s: float) -> bool:
        """Whether so much more of it may come before some of its answers are taken.

        At most half of the pool is one recording's, and each tenant's part is the same; a newcomer's part is its own
        from the start, so that the pool may hold twice as much for a while. One chunk of each may always come.
        """
        with self._lock:
            if not recording.held_s:
                return True
            tenants = {other.tenant_id for other in self._recordings}
            return (
                recording.held_s + audio_s <= self._room_s / 2
                and self._held_s[recording.tenant_id] + audio_s <= self._room_s / len(tenants)
                and sum(self._held_s.values()) + audio_s <= 2 * self._room_s
            )

    def put(self, task: Task) -> None:
        """Leave a chunk. Raises Stopped, Unavailable, or what went wrong with its recording."""
        with self._lock:
            self._check(task.recording)
            task.recording.held_s += task.chunk.duration_s
            self._held_s[task.recording.tenant_id] += task.chunk.duration_s
            self._tasks.append(task)
            self._work.notify()

    def ask(self, question: Question) -> None:
        """Leave a question. Raises Stopped, Unavailable, or what went wrong with its recording."""
        with self._lock:
            self._check(question.recording)
            self._questions.append(question)
            self._work.notify()

    def wait(self, recording: Recording, answer: "Future[Any]") -> None:
        """Until it is there."""
        with self._lock:
            recording.awaited = answer
            self._work.notify()
        while not wait_for([answer], STUCK_S).done:
            self._end_if_stuck()

    def take(self, task: Task) -> Recognised:
        """The answer, once it is there. Raises Stopped, Unavailable, or what went wrong with its recording."""
        with self._lock:
            self._give_room(task.recording, task.chunk.duration_s)
        return task.answer.result()

    def complete(self, recording: Recording) -> None:
        """Say that no more of it comes."""
        with self._lock:
            recording.complete = True
            self._work.notify()

    # What the engine's thread does.

    def next(self) -> Batch | Question | None:
        """What to do now, as soon as there is something; None when nothing will come any more.

        A question goes first: its recording has nothing to hand in before it is answered. A batch goes at once when it
        is full or nobody can add to it, else when the others have had their time.
        """
        with self._lock:
            self._with_engine = ()
            until_s: float | None = None
            while not (self._ended or (self._closing and not self._recordings)):
                if self._questions:
                    return self._start_question()
                until_s = (until_s or time.monotonic() + self._linger_s) if self._tasks else None
                left_s = None if until_s is None else max(0.0, until_s - time.monotonic())
                if self._tasks and (batch := self._start_batch(patient=bool(left_s))):
                    return batch
                self._work.wait(left_s)
            return None

    def answer(self, tasks: Sequence[Task], heard: Sequence[Recognised], took_s: float) -> None:
        """Give the answers of a batch that took so long; each recording's share is by length."""
        lengths_s = [task.chunk.duration_s for task in tasks]
        share_s = took_s / (sum(lengths_s) or 1.0)
        filled = fill(lengths_s)
        with self._lock:
            self._moved_s = time.monotonic()
            for task, recognised in zip(tasks, heard, strict=True):
                mine_s = share_s * task.chunk.duration_s
                task.recording.device_s += mine_s
                task.recording.batch_s += mine_s
                task.recording.filled_s += mine_s * filled
                _settle(task.answer, recognised)

    def tell(self, question: Question, guess: LanguageGuess | None, took_s: float) -> None:
        """Answer a question that took so long."""
        with self._lock:
            question.recording.device_s += took_s
            _settle(question.answer, guess)

    def fail(self, recording: Recording, error: Exception) -> None:
        """Nothing more is to be done for a recording: all that it waits for, or comes to wait for, is this error."""
        with self._lock:
            self._moved_s = time.monotonic()
            recording.failed = error
            for left in (*self._drop(recording), *self._with_engine):
                if left.recording is recording:
                    _refuse(left.answer, error)

    def charge(self, tenant_id: str, took_s: float) -> None:
        """Count a tenant's turn."""
        with self._lock:
            self._turns.charge(tenant_id, took_s)

    # The end.

    def close(self) -> None:
        """Take no more recordings; `next` ends with the last that is open."""
        with self._lock:
            self._closing = True
            self._work.notify()

    def end(self, kind: type[CallscribeError], message: str) -> None:
        """Give everything up: whoever waits, or comes, gets this error."""
        with self._lock:
            if self._ended is None:
                self._ended = kind, message
            for left in (*self._tasks, *self._questions, *self._with_engine):
                _refuse(left.answer, self._error())
            self._tasks.clear()
            self._questions.clear()
            self._work.notify()

    def _end_if_stuck(self) -> None:
        with self._lock:
            stuck = self._with_engine and time.monotonic() - self._moved_s > STUCK_S
        if stuck:
            log.error("nothing has come of a batch for %g s: the speech engine hangs", STUCK_S)
            self.end(Unavailable, "the speech engine does not answer")

    @property
    def ended(self) -> bool:
        """Whether everything was given up."""
        return self._ended is not None

    # Below this line the caller holds the lock.

    def _give_to_engine(self, work: Sequence[Task | Question]) -> None:
        self._with_engine = tuple(work)
        self._moved_s = time.monotonic()

    def _start_question(self) -> Question:
        question = self._questions.popleft()
        self._give_to_engine([question])
        return question

    def _start_batch(self, *, patient: bool) -> Batch | None:
        """The next batch; None for one that is not full while more may come."""
        limits = self._limits()
        patient = patient and any(recording.may_add for recording in self._recordings)
        if patient and len(self._tasks) < limits.chunks:
            return None
        waiting = [task.waiting for task in self._tasks]
        self._turns.begin({one.tenant_id for one in waiting})
        turn = pick(waiting, limits, self._turns.taken_s)
        if patient and not turn.full:
            return None
        batch = Batch(turn.tenant_id, [self._tasks[place] for place in turn.places])
        picked = set(turn.places)
        self._tasks = [task for place, task in enumerate(self._tasks) if place not in picked]
        self._give_to_engine(batch.tasks)
        return batch

    def _drop(self, recording: Recording) -> list[Task | Question]:
        """Forget what waits of a recording."""
        waiting: list[Task | Question] = [*self._tasks, *self._questions]
        self._tasks = [task for task in self._tasks if task.recording is not recording]
        self._questions = deque(question for question in self._questions if question.recording is not recording)
        return [left for left in waiting if left.recording is recording]

    def _give_room(self, recording: Recording, audio_s: float) -> None:
        recording.held_s -= audio_s
        self._held_s[recording.tenant_id] -= audio_s

    def _check(self, recording: Recording | None = None) -> None:
        if self._ended:
            raise self._error()
        if recording is not None and recording.failed is not None:
            raise recording.failed

    def _error(self) -> CallscribeError:
        """A new one for each thread that it is raised in."""
        kind, message = self._ended or (Stopped, "")
        return kind(message)


def _settle(answer: "Future[R]", result: R) -> None:
    if not answer.done():  # refused meanwhile
        answer.set_result(result)


def _refuse(answer: "Future[Any]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
