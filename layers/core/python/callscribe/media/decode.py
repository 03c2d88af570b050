"""An inspected audio file as samples, decoded in a process of its own and streamed from it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callscribe.domain.audio import AudioFacts
from callscribe.errors import FailureCode, JobFailed
from callscribe.media import messages, sandbox
from callscribe.media.sniff import locate

SAMPLE_RATE_HZ = 16_000
BLOCK_S = 10.0
_OUTLAST_S = 1.0  # rounding and the resampler's tail


def decode_blocks(
    path: Path, facts: AudioFacts, *, sample_rate_hz: int = SAMPLE_RATE_HZ, block_s: float = BLOCK_S
) -> Iterator[NDArray[np.float32]]:
    """Samples float32 in [-1, 1], shape (facts.channels, ≤ block_s × sample_rate_hz), in order.

    Memory does not grow with the file. `facts` are `inspect`'s for this very file. The child process ends with
    the iterator: close it (or let it go) to stop early. Raises JobFailed (audio_unreadable, audio_unsupported),
    Unavailable.
    """
    max_duration_s = facts.duration_s + _OUTLAST_S
    frames_left = round(max_duration_s * sample_rate_hz)
    with path.open("rb") as audio:
        located = locate(audio)
        if located is None:
            raise JobFailed(FailureCode.AUDIO_UNSUPPORTED, "the file is no longer an accepted audio format")
        request: dict[str, str | int | float] = {
            "mode": "decode",
            "container": located[0],
            "start": located[1],
            "max_duration_s": max_duration_s,
            "channels": facts.channels,
            "rate_hz": sample_rate_hz,
            "block_frames": round(block_s * sample_rate_hz),
        }
        for kind, payload in sandbox.run(request, audio):
            if kind == messages.BLOCK:
                samples = _samples(payload, facts.channels)
                frames_left -= samples.shape[1]
                if frames_left < 0:
                    raise _broken()  # the child counts too; but it has read the file
                yield samples


def decode(path: Path, facts: AudioFacts, *, sample_rate_hz: int = SAMPLE_RATE_HZ) -> NDArray[np.float32]:
    """The whole file at once, shape (facts.channels, frames): for short files (an hour of stereo is 460 MB)."""
    max_frames = round((facts.duration_s + _OUTLAST_S) * sample_rate_hz)
    blocks = decode_blocks(path, facts, sample_rate_hz=sample_rate_hz)
    return gather(blocks, facts.channels, max_frames)


def gather(blocks: Iterable[NDArray[np.float32]], channels: int, max_frames: int) -> NDArray[np.float32]:
    """Blocks of shape (channels, frames) put together; they are written once, and never lie in memory twice."""
    whole, frames = np.empty((channels, max_frames), np.float32), 0
    for block in blocks:
        whole[:, frames : frames + block.shape[1]] = block
        frames += block.shape[1]
    return whole[:, :frames]


def _samples(payload: bytearray, channels: int) -> NDArray[np.float32]:
    """Raises JobFailed for a payload that is no whole number of frames."""
    if len(payload) % (4 * channels):
        raise _broken()
    return keep_within(np.frombuffer(payload, np.float32).reshape(channels, -1))


def keep_within(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same array with every sample in [-1, 1], silence for what is no number.

    A resampler rings past full scale, and a hostile file's samples may be anything.
    """
    if not (samples.size == 0 or (samples.min() >= -1.0 and samples.max() <= 1.0)):  # the comparisons fail for NaN too
        np.nan_to_num(samples, copy=False, posinf=1.0, neginf=-1.0)
        np.clip(samples, -1.0, 1.0, out=samples)
    return samples


def _broken() -> JobFailed:
    return JobFailed(FailureCode.AUDIO_UNREADABLE, "the file broke its decoder")
