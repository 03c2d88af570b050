"""An inspected audio file as samples, decoded in a process of its own and streamed from it."""

from collections.abc import Iterator
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
    with path.open("rb") as audio:
        located = locate(audio)
        if located is None:
            raise JobFailed(FailureCode.AUDIO_UNSUPPORTED, "the file is no longer an accepted audio format")
        request: dict[str, str | int | float] = {
            "mode": "decode",
            "container": located[0],
            "start": located[1],
            "max_duration_s": facts.duration_s + _OUTLAST_S,
            "channels": facts.channels,
            "rate_hz": sample_rate_hz,
            "block_frames": round(block_s * sample_rate_hz),
        }
        for kind, payload in sandbox.run(request, audio):
            if kind == messages.BLOCK:
                yield _samples(payload, facts.channels)


def decode(path: Path, facts: AudioFacts, *, sample_rate_hz: int = SAMPLE_RATE_HZ) -> NDArray[np.float32]:
    """The whole file at once, shape (facts.channels, frames): for short files (an hour of stereo is 460 MB)."""
    blocks = list(decode_blocks(path, facts, sample_rate_hz=sample_rate_hz))
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((facts.channels, 0), np.float32)


def _samples(payload: bytearray, channels: int) -> NDArray[np.float32]:
    """Raises JobFailed for a payload that is no whole number of frames."""
    if len(payload) % (4 * channels):
        raise JobFailed(FailureCode.AUDIO_UNREADABLE, "the file broke its decoder")
    return np.frombuffer(payload, np.float32).reshape(channels, -1)
