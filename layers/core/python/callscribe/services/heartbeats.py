"""A worker's own word on how it stands, for whoever decides how many workers there shall be."""

import logging
from dataclasses import dataclass, replace

from callscribe import names
from callscribe.domain.records import Change, delete, insert
from callscribe.domain.work import POOL, WorkerSeen
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import Unavailable
from callscribe.ports import Deps
from callscribe.services.commits import committed

log = logging.getLogger(__name__)

_TRIES = 5
_FORGET_S = 60 * names.WORKER_BEAT_S  # after its last word; a worker that is killed cannot remove its record


@dataclass(frozen=True, slots=True)
class Totals:
    """What a worker has done since it began. Audio in seconds by channel."""

    jobs: int = 0
    audio_s: float = 0.0
    device_s: float = 0.0

    def plus(self, figures: WorkFigures | None) -> "Totals":
        """With one more job that has ended; None where nothing had to be transcribed for it."""
        if figures is None:
            return Totals(self.jobs + 1, self.audio_s, self.device_s)
        return Totals(self.jobs + 1, self.audio_s + figures.audio_s, self.device_s + figures.device_s)


class Heartbeat:
    """The record of one worker. A store that does not answer is tolerated: a worker that is not seen still works."""

    def __init__(self, deps: Deps, worker_id: str) -> None:
        self._deps = deps
        self._id = worker_id
        self._started_at_ms = deps.now_ms()

    def beat(self, totals: Totals, *, in_hand: int) -> int | None:
        """Say that the worker lives, and how it stands. By when it shall be gone (epoch ms), if somebody said so."""
        try:
            for _ in range(_TRIES):  # whoever tells it to go writes to the same record
                known = self._deps.store.get(WorkerSeen, POOL, self._id)
                if committed(self._deps, self._now(known, totals, in_hand)):
                    return None if known is None else known.leave_by_ms
        except Unavailable:
            log.warning("worker %s could not say that it lives", self._id)
        return None

    def end(self) -> None:
        """The worker leaves."""
        try:
            for _ in range(_TRIES):
                known = self._deps.store.get(WorkerSeen, POOL, self._id)
                if known is None or committed(self._deps, delete(known)):
                    return
        except Unavailable:
            log.warning("worker %s could not say that it leaves", self._id)

    def _now(self, known: WorkerSeen | None, totals: Totals, in_hand: int) -> Change:
        now_ms = self._deps.now_ms()
        said = WorkerSeen(
            pool=POOL,
            id=self._id,
            started_at_ms=self._started_at_ms,
            seen_at_ms=now_ms,
            audio_s=round(totals.audio_s, 3),
            device_s=round(totals.device_s, 3),
            jobs=totals.jobs,
            in_hand=in_hand,
            forget_at_ms=now_ms + 1000 * _FORGET_S,
        )
        if known is None:
            return insert(said)
        return Change(known, replace(said, leave_by_ms=known.leave_by_ms, version=known.version + 1))
