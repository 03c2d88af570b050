"""Filling an engine's batches: chunks of many jobs, sorted by length, so that little of a batch is padding.

A batch is as long as its longest chunk; what the others lack is computed for nothing. Pure: lengths in, places out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """At most `chunks` in a batch, and at most `padded_s` seconds (chunks × the longest), which is what memory holds.

    A single chunk is a batch however long it is. Raises ValueError for limits that let nothing pass.
    """

    chunks: int = 32
    padded_s: float = float("inf")

    def __post_init__(self) -> None:
        if self.chunks < 1 or not self.padded_s > 0:
            raise ValueError("a batch takes at least one chunk of some length")


def pack(lengths_s: Sequence[float], limits: BatchLimits) -> list[tuple[int, ...]]:
    """Batches of places in `lengths_s`, longest first; every place stands in exactly one of them.

    Longest first, so that a batch that is too large for the device's memory is the first to be tried.
    """
    batches: list[tuple[int, ...]] = []
    batch: list[int] = []
    for place in sorted(range(len(lengths_s)), key=lambda at: (-lengths_s[at], at)):
        if batch and not _fits(len(batch) + 1, lengths_s[batch[0]], limits):
            batches.append(tuple(batch))
            batch = []
        batch.append(place)
    return [*batches, tuple(batch)] if batch else batches


def full_batches(lengths_s: Sequence[float], limits: BatchLimits) -> list[tuple[int, ...]]:
    """Like `pack`, without a batch that more chunks could still join: those stay in the pool for the next time.

    Empty where the pool is too small for a full batch.
    """
    batches = pack(lengths_s, limits)
    if batches and _fits(len(batches[-1]) + 1, lengths_s[batches[-1][0]], limits):
        batches.pop()
    return batches


def fill(lengths_s: Sequence[float], batches: Iterable[Sequence[int]]) -> float:
    """Share of the padded batches that is not padding, 0 to 1; 1 where there is nothing at all."""
    used_s = padded_s = 0.0
    for batch in batches:
        used_s += sum(lengths_s[place] for place in batch)
        padded_s += len(batch) * max((lengths_s[place] for place in batch), default=0.0)
    return used_s / padded_s if padded_s else 1.0


def _fits(chunks: int, longest_s: float, limits: BatchLimits) -> bool:
    return chunks <= limits.chunks and chunks * longest_s <= limits.padded_s
