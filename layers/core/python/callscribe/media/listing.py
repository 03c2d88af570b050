"""Measuring a file by what its packets say, without decoding them. Runs in the child only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from av.audio.stream import AudioStream
from av.packet import Packet

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
