"""Measuring a file by its samples. Runs in the child only."""

from collections import Counter

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

Samples = NDArray[np.float32]

CONCORDANCE_MIN = 0.95
AUDIBLE_MEAN_SQUARE = 1e-7  # −70 dB below full scale
LOUDEST = 8.0  # 18 dB above full scale: no honest codec overshoots so far


class DualMono:
    """Whether two channels carry the same signal: in every audible block they correlate and are equally loud.

    The measure is Lin's concordance, 2·cov(l, r) / (var l + var r). Plain correlation would also find a
    speaker's faint echo on the other channel the same.
    """

    def __init__(self) -> None:
        self.same = True

    def add(self, block: AudioFrame) -> None:
        """One block of two channels; nothing is computed once they have differed."""
        if not self.same:
            return
        left, right = (channel - channel.mean() for channel in to_float(block))
        energy = float(np.dot(left, left) + np.dot(right, right))
        if energy > 2 * AUDIBLE_MEAN_SQUARE * left.size:
            self.same = 2 * float(np.dot(left, right)) >= CONCORDANCE_MIN * energy


class Measured:
    """What the blocks of a file add up to; `channels` and `rate_hz` are the first block's."""

    def __init__(self) -> None:
        self.channels = 0
        self.rate_hz = 0
        self._frames: Counter[int] = Counter()  # by rate: adding up seconds would add up rounding errors
        self._dual_mono = DualMono()

    def add(self, block: AudioFrame) -> None:
        """Count one more block."""
        channels = block.layout.nb_channels
        if not self.rate_hz:
            self.channels, self.rate_hz = channels, block.sample_rate
        self._frames[block.sample_rate] += block.samples
        if channels == 2:
            self._dual_mono.add(block)

    @property
    def duration_s(self) -> float:
        """Seconds of audio in all blocks so far."""
        return sum(frames / rate_hz for rate_hz, frames in self._frames.items())

    @property
    def dual_mono(self) -> bool:
        """Two channels with one signal."""
        return self.channels == 2 and self._dual_mono.same


def to_float(block: AudioFrame) -> Samples:
    """A block of any format as float32, full scale 1.0, shape (channels, frames); a codec may overshoot."""
    values = block.to_ndarray()
    if not block.format.is_planar:
        values = values.reshape(-1, block.layout.nb_channels).T
    if values.dtype.kind == "f":
        return _tamed(values.astype(np.float32, order="C", copy=False))
    zero, full_scale = (128, 128) if values.dtype == np.uint8 else (0, 2 ** (8 * values.dtype.itemsize - 1))
    return np.ascontiguousarray((values.astype(np.float32) - np.float32(zero)) / np.float32(full_scale))


def _tamed(samples: Samples) -> Samples:
    """The same samples, but for a hostile file's: what is no number becomes silence, and what is absurd is cut."""
    if samples.min() >= -LOUDEST and samples.max() <= LOUDEST:  # false for NaN as well
        return samples
    tamed: Samples = np.clip(np.nan_to_num(samples, posinf=LOUDEST, neginf=-LOUDEST), -LOUDEST, LOUDEST)
    return tamed
