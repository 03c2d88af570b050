"""How many workers there should be, from measured work. Pure: the function that scales and the simulation share it.

    need = (arriving + waiting ÷ target_wait) ÷ rate          workers that keep up and clear what waits in time

arriving is in seconds of audio per second, waiting in seconds of audio, rate what one worker does of it in a second.
Audio is counted by channel: a call of two channels is twice its length. From `need` follows, first match wins:

    nothing waits                      0                     EMPTY         for idle_s, and need < 1
    no worker, work is too young       0                     GATHERING     oldest < hold_s, and need < 1
    need > workers                     ceil(need)            BEHIND        at once
    ceil(need + margin) < workers      ceil(need + margin)   AHEAD         only cooldown_s after the last change
    otherwise                          as it is              STEADY

So there are two thresholds for every number of workers, `margin` apart, and between them nothing happens. With work
that arrives evenly `waiting` falls to where `need` settles; the number then stays.

A worker that is gone costs what its machine idles until the provider takes it away (`tail`), then boot and start of
the next one; one that stays costs its idle time. Going as soon as the queue is empty and gathering for hold_s is the
cheaper of the two exactly where hold_s > tail, however busy the site is: see `pays_to_gather`.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

_ROUNDING = 1e-9  # so that 2.0000000001 workers are two


@dataclass(frozen=True, slots=True)
class ScalingSettings:
    """What an operator may choose. Raises ValueError for settings that make no sense.

    `hold_s`: how long a recording may wait, while there is no worker, for others to join it. 0: for nobody.
    `idle_s`: how long nothing must have been waiting or worked on before the last workers go.
    `cooldown_s`: below the time that a worker takes to start it cannot tell whether the last change was enough.
    `margin`: part of a worker by which the need must be lower before one goes.
    `expected_rate`: taken for a worker's rate until one has been measured.
    """

    max_workers: int = 10
    target_wait_s: float = 600
    hold_s: float = 0
    cooldown_s: float = 300
    idle_s: float = 300
    margin: float = 0.25
    expected_rate: float = 200

    def __post_init__(self) -> None:
        if self.max_workers < 1:
            raise ValueError("max_workers is at least 1; to stop all work, disable the queue")
        if self.target_wait_s <= 0 or self.expected_rate <= 0:
            raise ValueError("target_wait_s and expected_rate are above 0")
        if min(self.hold_s, self.cooldown_s, self.idle_s, self.margin) < 0:
            raise ValueError("hold_s, cooldown_s, idle_s and margin are not negative")


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured. Audio in channel-seconds. Raises ValueError for a negative figure.

    `waiting_s`: audio on the queue and in work. `oldest_s`: how long its oldest recording has been waiting.
    `arriving`: audio that arrives per second, over the last ten minutes or so. `rate`: audio that one worker does
    in a second when it has enough to fill its batches; None where none was measured. `alive` and `starting` are
    workers that take work and those on their way, without those that were told to go. `empty_s`: for how long
    nothing was waiting or in work; of no meaning while something is. `since_change_s`: since the last decision for
    another number.
    """

    waiting_s: float
    oldest_s: float
    arriving: float
    rate: float | None
    alive: int
    starting: int
    empty_s: float = 0
    since_change_s: float = math.inf

    def __post_init__(self) -> None:
        figures = (self.waiting_s, self.oldest_s, self.arriving, self.alive, self.starting, self.empty_s)
        if min(figures) < 0 or (self.rate is not None and self.rate <= 0):
            raise ValueError(f"measured what cannot be: {self}")

    @property
    def workers(self) -> int:
        """Those that work, or will."""
        return self.alive + self.starting


class Reason(StrEnum):
    """Why a decision is what it is; the module's table says when."""

    EMPTY = "empty"
    GATHERING = "gathering"
    BEHIND = "behind"
    AHEAD = "ahead"
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class Decision:
    """How many workers there shall be, 0 to max_workers, and why."""

    workers: int
    reason: Reason


def decide(load: Load, settings: ScalingSettings) -> Decision:
    """The number of workers that this load wants. See the module's table."""
    need = workers_needed(load, settings)
    if load.waiting_s == 0:
        return _nothing_waits(load, settings, need)
    if load.workers == 0 and load.oldest_s < settings.hold_s and need < 1:
        return Decision(0, Reason.GATHERING)
    return _between_thresholds(load, settings, need)


def workers_needed(load: Load, settings: ScalingSettings) -> float:
    """Workers, as a fraction, that keep up with what arrives and clear what waits within target_wait_s."""
    rate = load.rate or settings.expected_rate
    return (load.arriving + load.waiting_s / settings.target_wait_s) / rate


def pays_to_gather(settings: ScalingSettings, *, tail_s: float) -> bool:
    """Whether hold_s saves money where a machine without a worker is paid for `tail_s` more.

    A cycle of gathering costs tail + boot + start + work, and takes hold + boot + start + drain. With u the share of
    one worker's time that the work takes, drain = u × the cycle, so that its cost per second is below that of a
    worker that stays (1) if tail + boot + start < hold + boot + start.
    """
    return settings.hold_s > tail_s


def _nothing_waits(load: Load, settings: ScalingSettings, need: float) -> Decision:
    # Who needs a whole worker for what arrives would call it back a minute later.
    if load.workers == 0 or (load.empty_s >= settings.idle_s and need < 1):
        return Decision(0, Reason.EMPTY)
    decision = _between_thresholds(load, settings, need)
    # A queue that is empty is no reason for more, however much arrived a moment ago.
    return decision if decision.workers <= load.workers else Decision(_capped(load.workers, settings), Reason.STEADY)


def _between_thresholds(load: Load, settings: ScalingSettings, need: float) -> Decision:
    least, most = (_capped(_whole(part), settings) for part in (need, need + settings.margin))
    workers = _capped(load.workers, settings)
    if least > workers:
        return Decision(least, Reason.BEHIND)
    if most < workers and load.since_change_s >= settings.cooldown_s:
        return Decision(most, Reason.AHEAD)
    return Decision(workers, Reason.STEADY if workers == load.workers else Reason.AHEAD)


def _whole(need: float) -> int:
    """Whole workers, at least one: who has work or a moment ago had some is not left alone."""
    return max(1, math.ceil(need - _ROUNDING))


def _capped(workers: int, settings: ScalingSettings) -> int:
    return min(workers, settings.max_workers)
