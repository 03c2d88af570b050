"""Batches that get smaller where the device's memory does not hold them, and larger again once it does."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from callscribe.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")

# So many full batches in a row, before one of twice the size is tried: what filled the memory may be gone by then,
# and where it is not, one batch in so many is done twice.
GOOD_BEFORE_GROWTH: Final = 200


class Batches:
    """Runs things in batches of at most `size`, which begins at `most`, is halved for good where the memory does not
    hold one, and is doubled after `GOOD_BEFORE_GROWTH` full ones. Not for use by two threads at a time.
    """

    def __init__(self, most: int) -> None:
        self.size = most
        self._most = most
        self._good = 0

    def run(self, items: Sequence[T], run: Callable[[Sequence[T]], list[R]]) -> Iterator[R]:
        """What `run` answers for batches of the items, in order.

        Raises Unavailable when one item alone does not fit: another process may hold the memory now.
        """
        at = 0
        while at < len(items):
            batch = items[at : at + self.size]
            try:
                results = run(batch)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._shrink(len(batch), error)
                continue
            self._note_good(len(batch))
            yield from results
            at += len(batch)

    def _shrink(self, tried: int, error: Exception) -> None:
        if tried == 1:
            raise Unavailable("the device has no memory for a single chunk") from error
        self.size = max(1, min(self.size, tried) // 2)
        self._good = 0

    def _note_good(self, tried: int) -> None:
        self._good += tried >= self.size
        if self._good >= GOOD_BEFORE_GROWTH:
            self.size = min(self._most, 2 * self.size)
            self._good = 0


def run_in_batches(items: Sequence[T], size: int, run: Callable[[Sequence[T]], list[R]]) -> Iterator[R]:
    """`Batches.run` for once, without a memory of what fitted before."""
    return Batches(size).run(items, run)


def out_of_memory(error: Exception) -> bool:
    """Whether an engine's error says so; CTranslate2 and ONNX Runtime raise RuntimeErrors of many meanings."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "failed to allocate memory" in said
