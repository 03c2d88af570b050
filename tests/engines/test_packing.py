import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.engines.packing import BatchLimits, fill, full_batches, pack

some_lengths = st.lists(st.floats(0.1, 30), max_size=200)
some_limits = st.builds(BatchLimits, chunks=st.integers(1, 40), padded_s=st.floats(0.5, 600))


def test_the_longest_come_first_and_batches_hold_what_is_alike() -> None:
    assert pack([1, 9, 2, 8, 3, 7], BatchLimits(chunks=2)) == [(1, 3), (5, 4), (2, 0)]


def test_chunks_of_the_same_length_keep_their_order() -> None:
    assert pack([5, 5, 5], BatchLimits(chunks=2)) == [(0, 1), (2,)]


def test_a_batch_holds_no_more_padded_seconds_than_allowed() -> None:
    assert pack([10, 10, 10, 2, 2], BatchLimits(padded_s=20)) == [(0, 1), (2, 3), (4,)]


def test_a_chunk_longer_than_a_batch_may_be_is_a_batch_of_its_own() -> None:
    assert pack([50, 1], BatchLimits(padded_s=20)) == [(0,), (1,)]


def test_nothing_gives_no_batch() -> None:
    assert pack([], BatchLimits()) == []
    assert full_batches([], BatchLimits()) == []
    assert fill([], []) == 1


def test_a_batch_that_more_chunks_could_join_stays_in_the_pool() -> None:
    assert full_batches([3, 2, 1], BatchLimits(chunks=2)) == [(0, 1)]
    assert full_batches([3], BatchLimits(chunks=2)) == []
    assert full_batches([3, 2], BatchLimits(chunks=2)) == [(0, 1)]


def test_the_fill_is_what_is_not_padding() -> None:
    assert fill([4, 2, 1], [(0, 1), (2,)]) == pytest.approx(7 / 9)


@given(lengths_s=some_lengths, limits=some_limits)
def test_every_chunk_stands_in_exactly_one_batch_within_the_limits(lengths_s: list[float], limits: BatchLimits) -> None:
    batches = pack(lengths_s, limits)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths_s)))
    for batch in batches:
        assert len(batch) <= limits.chunks
        longest_s = max(lengths_s[place] for place in batch)
        assert len(batch) == 1 or len(batch) * longest_s <= limits.padded_s


@given(lengths_s=some_lengths, chunks=st.integers(1, 40))
def test_sorting_never_fills_full_batches_worse_than_the_order_in_which_they_came(
    lengths_s: list[float], chunks: int
) -> None:
    limits = BatchLimits(chunks=chunks)
    lengths_s = lengths_s[: len(lengths_s) // chunks * chunks]
    places = range(len(lengths_s))
    as_they_came = [places[first : first + chunks] for first in range(0, len(places), chunks)]
    assert fill(lengths_s, pack(lengths_s, limits)) >= fill(lengths_s, as_they_came) - 1e-9


@given(lengths_s=some_lengths, limits=some_limits)
def test_full_batches_are_those_of_the_whole_pool_but_perhaps_the_last(
    lengths_s: list[float], limits: BatchLimits
) -> None:
    whole, full = pack(lengths_s, limits), full_batches(lengths_s, limits)
    assert full in (whole, whole[:-1])


@pytest.mark.parametrize("fields", [{"chunks": 0}, {"padded_s": 0}, {"padded_s": float("nan")}])
def test_limits_that_let_nothing_pass_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        BatchLimits(**fields)  # type: ignore[arg-type]  # one field at a time
