"""Measuring a file by its packets and its samples. Runs in the child only."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet

from callscribe.media.pcm import Block, Samples

CONCORDANCE_MIN = 0.95
AUDIBLE_MEAN_SQUARE = 1e-7  # −70 dB below full scale
_PACKETS_PER_REPORT = 20_000


@dataclass(frozen=True, slots=True)
class Listed:
    """How long a stream's packets say that they last: summed, and as the span of their timestamps."""

    sum_s: float
    span_s: float
    count: int


def list_packets(
    packets: Iterator["Packet[AudioStream]"], *, stop_after_s: float, report: Callable[[], None]
) -> Listed:
    """Add up packet durations without decoding, and stop once they exceed `stop_after_s`.

    What a container says here may be wrong: it serves to refuse a day of silence at once, and never to accept.
    """
    ticks, first, last, count, unit_s, limit = 0, None, 0, 0, 0.0, 0.0
    for count, packet in enumerate(packets, start=1):
        if count % _PACKETS_PER_REPORT == 1:
            report()
        if not unit_s:
            unit_s = float(packet.time_base)
            limit = stop_after_s / unit_s
        duration, pts = packet.duration or 0, packet.pts
        ticks += duration
        if pts is not None:
            first = pts if first is None else min(first, pts)
            last = max(last, pts + duration)
        if ticks > limit:
            break
    return Listed(ticks * unit_s, (last - (first or 0)) * unit_s, count)


class DualMono:
    """Whether two channels carry the same signal: in every audible block they correlate and are equally loud.

    The measure is Lin's concordance, 2·cov(l, r) / (var l + var r). Plain correlation would also find a
    speaker's faint echo on the other channel the same.
    """

    def __init__(self) -> None:
        self.same = True

    def add(self, samples: Samples) -> None:
        """One block, shape (2, frames); nothing is computed once the channels have differed."""
        if not self.same:
            return
        left, right = (channel - channel.mean() for channel in samples)
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

    def add(self, block: Block) -> None:
        """Count one more block."""
        channels = block.samples.shape[0]
        if not self.rate_hz:
            self.channels, self.rate_hz = channels, block.rate_hz
        self._frames[block.rate_hz] += block.samples.shape[1]
        if channels == 2:
            self._dual_mono.add(block.samples)

    @property
    def duration_s(self) -> float:
        """Seconds of audio in all blocks so far."""
        return sum(frames / rate_hz for rate_hz, frames in self._frames.items())

    @property
    def dual_mono(self) -> bool:
        """Two channels with one signal."""
        return self.channels == 2 and self._dual_mono.same
