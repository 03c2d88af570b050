"""The pool of workers, as the function that scales remembers it from one look to the next. Pure.

    place       decided on, and not listed by the pool yet: it has a number, no id
    starting    has not spoken in its present run: its machine boots, its model loads
    alive       spoke within three beats
    quiet       has spoken, but not within three beats
    going       was told to go, or goes by itself; it counts for nothing but the maximum
    gone        in no list of the pool, and unheard of, for longer than such a list may lag: forgotten

A place is stored before the pool is asked, so that of two looks at the same time only one asks. It counts as a worker
until the pool lists a job that was not seen before, which then takes it. If none comes (the look died before it asked,
or the pool refused), it lapses as if it were gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import ClassVar

from callscribe import names
from callscribe.domain.work import NOTHING_ARRIVED, POOL, Arrived, WorkerSeen

ALIVE_MS = 3_000 * names.WORKER_BEAT_S
LISTS_LAG_MS = 90_000
SILENT_MS = 300_000
START_MS = 1_200_000  # of a worker that runs: image, model, first words


class Standing(IntEnum):
    """How a worker stands. Who is to go first when there are too many comes first."""

    STARTING = 0
    QUIET = 1
    ALIVE = 2
    GOING = 3


@dataclass(frozen=True, slots=True)
class Counted:
    """A worker's own totals up to which its work has been counted into the rate, and when it said them."""

    audio_s: float
    device_s: float
    at_ms: int


@dataclass(frozen=True, slots=True)
class PoolWorker:
    """One worker as the last look saw it. Times are epoch milliseconds.

    `id`: the pool's; None for a place. `starting_at_ms`: the last look that saw it not running yet, at first when it
    was decided on; what it said before is of an earlier run. `listed_at_ms`: when the pool last listed it, at first the
    same. `heard_at_ms`: its last word in this run. `going`: somebody decided that it shall go.
    """

    number: int
    starting_at_ms: int
    listed_at_ms: int
    id: str | None = None
    heard_at_ms: int | None = None
    going: bool = False
    counted: Counted | None = None


@dataclass(frozen=True, slots=True)
class PoolState:
    """What the function that scales must remember from one look to the next. Times are epoch milliseconds.

    `asked`: how many workers were ever asked for; it numbers them. `changed_at_ms`: when another number of workers was
    last decided on. `work_since_ms`: since which look something waits or is in work; None: nothing. `empty_since_ms`:
    since which look nothing does, though there are workers. `left_waiting`: at the last look work lay in the queue that
    no worker had taken. `recording_s`: mean length by channel of what arrived last; None: nothing ever did.
    `measured_audio_s` of audio were done in `measured_s` of useful time, both fading.
    """

    KEY: ClassVar[tuple[str, ...]] = ("pool",)
    LISTED: ClassVar[str | None] = None

    pool: str = POOL
    workers: tuple[PoolWorker, ...] = ()
    asked: int = 0
    changed_at_ms: int | None = None
    work_since_ms: int | None = None
    empty_since_ms: int | None = None
    left_waiting: bool = False
    recording_s: float | None = None
    measured_audio_s: float = 0.0
    measured_s: float = 0.0
    version: int = 0

    @property
    def rests(self) -> bool:
        """There was no work and no worker at the last look."""
        return not self.workers and self.work_since_ms is None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the stage finds: messages that wait and that are in work, the pool's lists, who spoke how."""

    at_ms: int
    waiting: int
    in_work: int
    starting: frozenset[str] = frozenset()
    running: frozenset[str] = frozenset()
    seen: Mapping[str, WorkerSeen] = field(default_factory=dict)
    arrived: Arrived = NOTHING_ARRIVED

    @property
    def messages(self) -> int:
        """All work that is not done."""
        return self.waiting + self.in_work


def brought_up_to_date(state: PoolState, look: Look) -> PoolState:
    """The workers as this look finds them: strangers taken in, those that are gone forgotten, the lost ones going."""
    known = _with_strangers(state, look)
    workers = (_looked_at(worker, look) for worker in known.workers)
    return replace(known, workers=tuple(worker for worker in workers if not _is_gone(worker, look)))


def standing(worker: PoolWorker, look: Look) -> Standing:
    """How it stands; see the module's table."""
    if worker.going:
        return Standing.GOING
    if worker.heard_at_ms is None:
        return Standing.STARTING
    seen = look.seen.get(worker.id or "")
    if seen is None or seen.leave_by_ms is not None:  # a worker that leaves removes its record
        return Standing.GOING
    return Standing.ALIVE if look.at_ms - worker.heard_at_ms <= ALIVE_MS else Standing.QUIET


def staying(state: PoolState, look: Look) -> list[PoolWorker]:
    """Those that work, or will."""
    return [worker for worker in state.workers if standing(worker, look) is not Standing.GOING]


def is_lost(worker: PoolWorker, look: Look) -> bool:
    """It runs, as the pool says, but has been silent for too long or never spoke."""
    if worker.heard_at_ms is None:
        return look.at_ms - worker.starting_at_ms > START_MS
    return look.at_ms - worker.heard_at_ms > SILENT_MS


def resized(state: PoolState, workers: int, look: Look, *, max_workers: int) -> PoolState:
    """With places for those that are missing, or with some that are now going.

    All that are not gone, going ones included, are at most `max_workers`; so a place may have to wait for its turn.
    """
    stay = staying(state, look)
    if workers == len(stay):
        return state
    changed = replace(state, changed_at_ms=look.at_ms)
    if workers < len(stay):
        return _with_going(changed, len(stay) - workers, look)
    return _with_places(changed, min(workers - len(stay), max_workers - len(state.workers)), look.at_ms)


def _with_strangers(state: PoolState, look: Look) -> PoolState:
    """Jobs of the pool that were not seen before take the places; for others there was none any more."""
    known = {worker.id for worker in state.workers}
    strangers = iter(sorted((look.starting | look.running) - known))
    filled = [replace(one, id=next(strangers, None)) if one.id is None else one for one in state.workers]
    others = [
        PoolWorker(number, look.at_ms, look.at_ms, id=one) for number, one in enumerate(strangers, state.asked + 1)
    ]
    return replace(state, workers=(*filled, *others), asked=state.asked + len(others))


def _looked_at(worker: PoolWorker, look: Look) -> PoolWorker:
    if worker.id is None:
        return worker
    if worker.id in look.starting:  # perhaps anew, on another machine
        return replace(worker, starting_at_ms=look.at_ms, listed_at_ms=look.at_ms, heard_at_ms=None, counted=None)
    seen = look.seen.get(worker.id)
    if worker.id in look.running:
        worker = replace(worker, listed_at_ms=look.at_ms)
    if seen is not None and seen.seen_at_ms > worker.starting_at_ms:
        worker = replace(worker, heard_at_ms=seen.seen_at_ms)
    return replace(worker, going=worker.going or is_lost(worker, look))


def _is_gone(worker: PoolWorker, look: Look) -> bool:
    return look.at_ms - max(worker.listed_at_ms, worker.heard_at_ms or 0) > LISTS_LAG_MS


def _with_places(state: PoolState, count: int, at_ms: int) -> PoolState:
    numbers = range(state.asked + 1, state.asked + 1 + max(0, count))
    places = tuple(PoolWorker(number, at_ms, at_ms) for number in numbers)
    return replace(state, workers=(*state.workers, *places), asked=state.asked + len(places))


def _with_going(state: PoolState, count: int, look: Look) -> PoolState:
    """First those that have nothing in hand because they still start, then the idlest, of these the newest."""

    def order(worker: PoolWorker) -> tuple[int, bool, int, int]:
        seen = look.seen.get(worker.id or "")
        in_hand = 0 if seen is None else seen.in_hand
        return standing(worker, look), worker.id in look.running, in_hand, -worker.number

    known = [worker for worker in staying(state, look) if worker.id is not None]  # a place has no name to end it by
    chosen = {worker.id for worker in sorted(known, key=order)[:count]}
    workers = (replace(worker, going=worker.going or worker.id in chosen) for worker in state.workers)
    return replace(state, workers=tuple(workers))
