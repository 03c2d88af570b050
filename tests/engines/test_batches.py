from collections.abc import Sequence

import pytest

from callscribe.engines.batches import run_in_batches
from callscribe.errors import Unavailable


class Memory:
    """Doubles numbers, as long as no more than `room` are asked for at a time."""

    def __init__(self, room: int, error: Exception | None = None) -> None:
        self.room = room
        self.error = error or RuntimeError("CUDA failed with error out of memory")
        self.sizes: list[int] = []

    def __call__(self, batch: Sequence[int]) -> list[int]:
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise self.error
        return [2 * number for number in batch]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9])
@pytest.mark.parametrize("room", [1, 2, 3, 100])
def test_every_item_is_answered_once_and_in_order_whatever_fits(count: int, room: int) -> None:
    assert list(run_in_batches(range(count), 4, Memory(room))) == [2 * number for number in range(count)]


def test_a_batch_that_does_not_fit_is_halved_and_no_later_one_is_larger() -> None:
    memory = Memory(3)
    list(run_in_batches(range(20), 16, memory))
    assert memory.sizes == [16, 8, 4, *[2] * 10]


def test_one_item_that_does_not_fit_may_fit_another_time() -> None:
    with pytest.raises(Unavailable, match="memory"):
        list(run_in_batches([1, 2], 2, Memory(0, MemoryError())))


def test_other_errors_are_not_answered_by_smaller_batches() -> None:
    memory = Memory(0, RuntimeError("cuDNN is missing"))
    with pytest.raises(RuntimeError, match="cuDNN"):
        list(run_in_batches([1, 2], 2, memory))
    assert memory.sizes == [2]
