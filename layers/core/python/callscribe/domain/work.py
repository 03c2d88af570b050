"""What transcribing asks of workers: of a job, what it cost; of a worker, how it stands; of the stage, what comes."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """One worker's own word on how it stands, said again every `names.WORKER_BEAT_S` seconds while it lives.

    `audio_s` is what it has transcribed since it began, in seconds by channel; `device_s` the time its engine worked
    on that; so their ratio is its real-time factor. `leave_by_ms`: somebody told it to take no more work and go.
    """

    KEY: ClassVar[tuple[str, ...]] = ("pool", "id")
    LISTED: ClassVar[str | None] = None

    pool: str  # POOL
    id: str  # of the process: the Batch job's id in a pool, else one of its own
    started_at_ms: int
    seen_at_ms: int
    audio_s: float = 0.0
    device_s: float = 0.0
    jobs: int = 0  # that it has ended
    in_hand: int = 0  # that it works on now
    leave_by_ms: int | None = None
    forget_at_ms: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """Recordings that became work in the last `over_s` seconds: how many, and their audio in seconds by channel."""

    recordings: int
    audio_s: float
    over_s: float


NOTHING_ARRIVED = Arrived(recordings=0, audio_s=0.0, over_s=1.0)
POOL = "workers"
