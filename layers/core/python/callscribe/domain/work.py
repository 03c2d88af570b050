"""What transcribing asks of workers: of a job, what it cost; of a worker, how it stands; of the stage, what comes."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class WorkFigures:
    """What one recording asked of the worker that transcribed it.

    `audio_s`: seconds of audio by channel, two channels counting twice. `speech_s`: what the engine was given.
    `device_s`: its share of the time in which the engine worked on batches. `batch_fill`: the share of those batches
    that was not padding, 0 to 1; None where there was no batch. `worker_s`: from the download to the transcript,
    waiting for others included.
    """

    audio_s: float
    speech_s: float
    device_s: float
    batch_fill: float | None = None
    worker_s: float = 0.0


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
