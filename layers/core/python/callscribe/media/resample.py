"""Bringing blocks to one sample rate and number of channels. Runs in the child only."""

from collections.abc import Iterable, Iterator

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from callscribe.media.pcm import Block, Samples

_LAYOUTS = {1: "mono", 2: "stereo"}


def mix(samples: Samples, channels: int) -> Samples:
    """Samples with 1 or 2 channels: any number becomes 1 by averaging, and 1 becomes 2 by doubling."""
    if samples.shape[0] == channels:
        return samples
    mono: Samples = samples.mean(axis=0, keepdims=True, dtype=np.float32)
    return np.repeat(mono, channels, axis=0)


def resample(blocks: Iterable[Block], *, rate_hz: int, channels: int, block_frames: int) -> Iterator[Samples]:
    """The same audio at `rate_hz`, shape (channels, ≤ block_frames), by FFmpeg's resampler with its defaults.

    Only the last block is shorter, and the last one before a change of the file's own rate.
    """
    resampler, from_hz = None, 0
    for block in blocks:
        if resampler is None or block.rate_hz != from_hz:
            if resampler is not None:
                yield from _outputs(resampler, None)
            resampler = AudioResampler("fltp", _LAYOUTS[channels], rate_hz, block_frames)
            from_hz = block.rate_hz
        yield from _outputs(resampler, _frame(mix(block.samples, channels), from_hz))
    if resampler is not None:
        yield from _outputs(resampler, None)


def _frame(samples: Samples, rate_hz: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", _LAYOUTS[samples.shape[0]])
    frame.sample_rate = rate_hz
    frame.pts = None
    return frame


def _outputs(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[Samples]:
    """Resampled frames, clipped: the filter rings past full scale."""
    for output in resampler.resample(frame):
        samples = output.to_ndarray().astype(np.float32, copy=False)
        yield np.clip(samples, -1.0, 1.0, out=samples)
