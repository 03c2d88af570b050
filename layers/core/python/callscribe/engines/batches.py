"""Batches that get smaller where the device's memory does not hold them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from callscribe.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")


def run_in_batches(items: Sequence[T], size: int, run: Callable[[Sequence[T]], list[R]]) -> Iterator[R]:
    """What `run` answers for batches of at most `size` items, in order.

    A batch that is out of memory is halved, and no later one is larger. Raises Unavailable when one item alone does
    not fit: another process may hold the memory now.
    """
    at = 0
    while at < len(items):
        try:
            results = run(items[at : at + size])
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if size == 1:
                raise Unavailable("the device has no memory for a single chunk") from error
            size = max(1, min(size, len(items) - at) // 2)
            continue
        yield from results
        at += len(results)


def out_of_memory(error: Exception) -> bool:
    """Whether an engine's error says so; CTranslate2 and ONNX Runtime raise RuntimeErrors of many meanings."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "failed to allocate memory" in said
