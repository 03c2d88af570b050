from collections.abc import Sequence

import pytest

from callscribe.engines.batches import GOOD_BEFORE_GROWTH, Batches, run_in_batches
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


def test_the_smaller_size_is_kept_from_one_call_to_the_next() -> None:
    memory, batches = Memory(5), Batches(16)
    for _ in range(2):
        assert list(batches.run(range(8), memory)) == [2 * number for number in range(8)]
    assert memory.sizes == [8, 4, 4, 4, 4]
    assert batches.size == 4


def test_after_many_full_batches_a_larger_one_is_tried() -> None:
    memory, batches = Memory(5), Batches(16)
    list(batches.run(range(16), memory))
    memory.room = 100
    list(batches.run(range(4 * GOOD_BEFORE_GROWTH), memory))
    assert batches.size == 8
    list(batches.run(range(16 * GOOD_BEFORE_GROWTH), memory))
    assert batches.size == max(memory.sizes) == 16


def test_batches_that_are_not_full_prove_nothing() -> None:
    memory, batches = Memory(5), Batches(8)
    list(batches.run(range(8), memory))
    for _ in range(2 * GOOD_BEFORE_GROWTH):
        list(batches.run(range(3), memory))
    assert batches.size == 4
