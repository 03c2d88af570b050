"""What one recording asked of the worker that transcribed it: the part of `domain.work` that a job carries."""

from dataclasses import dataclass


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
