"""Filling an engine's batches from many recordings: whose turn it is, and which chunks go together.

A batch is as long as its longest chunk; what the others lack is computed for nothing. So a batch is made of chunks of
about the same length, whoever they belong to, round the oldest of the tenant whose turn it is. Pure: descriptions in,
places out.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest


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


@dataclass(frozen=True, slots=True)
class Waiting:
    """A chunk that waits for the engine. Only chunks of the same `kind` (language and hints) can share a batch."""

    tenant_id: str
    length_s: float
    kind: Hashable = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A batch: places of what waits, the longest first, so that what is too large for the memory is so at once.

    `tenant_id`: whose turn it is; what others have in the batch rides along.
    """

    tenant_id: str
    places: tuple[int, ...]
    full: bool  # no other chunk, however short, would fit


@dataclass(slots=True)
class Turns:
    """How much of the engine's time each tenant's turns have taken, `taken_s`; only differences mean anything.

    Who comes new, or comes back, begins where the others stand: it has no claim on time at which it wanted nothing.
    """

    taken_s: dict[str, float] = field(default_factory=dict)
    present: frozenset[str] = frozenset()
    floor_s: float = 0.0  # nobody who waits has taken less

    def begin(self, tenants: Collection[str]) -> None:
        """Take note of the tenants that wait now, before the next `pick`."""
        waiting = frozenset(tenants)
        self.floor_s = min((self.taken_s[tenant_id] for tenant_id in waiting & self.present), default=self.floor_s)
        for tenant_id in waiting - self.present:
            self.taken_s[tenant_id] = max(self.taken_s.get(tenant_id, 0.0), self.floor_s)
        self.present = waiting
        gone = [tenant_id for tenant_id in self.taken_s if tenant_id not in waiting]
        for tenant_id in gone:
            if self.taken_s[tenant_id] <= self.floor_s:  # owes nothing: it would begin at the floor anyway
                del self.taken_s[tenant_id]

    def charge(self, tenant_id: str, engine_s: float) -> None:
        """Count what a turn has taken, all of its batch: what rode along took a place that would have been empty."""
        self.taken_s[tenant_id] = self.taken_s.get(tenant_id, self.floor_s) + engine_s


def pick(waiting: Sequence[Waiting], limits: BatchLimits, taken_s: Mapping[str, float]) -> Turn:
    """The next batch of what waits, which is at least one chunk, the oldest first.

    It is the turn of the tenant that has taken the least of the engine's time; its oldest chunk goes, and with it
    those of its kind that are nearest in length. So a chunk goes at the latest when its tenant has had a turn for
    each of its older ones.
    """
    oldest: dict[str, int] = {}
    for place, chunk in enumerate(waiting):
        oldest.setdefault(chunk.tenant_id, place)
    first = min(oldest.values(), key=lambda place: (taken_s.get(waiting[place].tenant_id, 0.0), place))
    length_s, kind = waiting[first].length_s, waiting[first].kind
    alike = (place for place, chunk in enumerate(waiting) if chunk.kind == kind and place != first)
    near = nsmallest(limits.chunks - 1, alike, key=lambda place: (abs(waiting[place].length_s - length_s), place))
    places, longest_s = [first], length_s
    for place in near:
        longer_s = max(longest_s, waiting[place].length_s)
        if _fits(len(places) + 1, longer_s, limits):
            places.append(place)
            longest_s = longer_s
    places.sort(key=lambda place: (-waiting[place].length_s, place))
    return Turn(waiting[first].tenant_id, tuple(places), full=not _fits(len(places) + 1, longest_s, limits))


def fill(lengths_s: Sequence[float]) -> float:
    """Share of a padded batch that is not padding, 0 to 1; 1 where there is nothing at all."""
    padded_s = len(lengths_s) * max(lengths_s, default=0.0)
    return sum(lengths_s) / padded_s if padded_s else 1.0


def _fits(chunks: int, longest_s: float, limits: BatchLimits) -> bool:
    return chunks <= limits.chunks and chunks * longest_s <= limits.padded_s
