from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.engines.packing import BatchLimits, Turn, Turns, Waiting, fill, pick

some_limits = st.builds(BatchLimits, chunks=st.integers(1, 40), padded_s=st.floats(0.5, 600))
chunks = st.builds(
    Waiting, tenant_id=st.sampled_from("abc"), length_s=st.floats(0.1, 30), kind=st.sampled_from(["en", "fr"])
)
some_chunks = st.lists(chunks, min_size=1, max_size=80)
some_times = st.dictionaries(st.sampled_from("abc"), st.floats(0, 100))


def of_lengths(*lengths_s: float, tenant_id: str = "a") -> list[Waiting]:
    return [Waiting(tenant_id, length_s) for length_s in lengths_s]


def drained(waiting: list[Waiting], limits: BatchLimits) -> list[tuple[Turn, list[Waiting]]]:
    """All turns until nothing waits, each costing as much as its padded batch, with what went."""
    turns, found, left = Turns(), [], list(waiting)
    while left:
        turns.begin({chunk.tenant_id for chunk in left})
        turn = pick(left, limits, turns.taken_s)
        batch = [left[place] for place in turn.places]
        turns.charge(turn.tenant_id, len(batch) * batch[0].length_s)
        found.append((turn, batch))
        left = [chunk for place, chunk in enumerate(left) if place not in turn.places]
    return found


def test_the_oldest_goes_with_those_nearest_in_length_the_longest_first() -> None:
    waiting = of_lengths(5, 1, 9, 4, 20, 6)
    assert pick(waiting, BatchLimits(chunks=3), {}) == Turn("a", (5, 0, 3), full=True)


def test_of_chunks_of_the_same_length_the_oldest_go_first() -> None:
    assert pick(of_lengths(5, 5, 5), BatchLimits(chunks=2), {}).places == (0, 1)


def test_a_batch_is_full_when_no_other_chunk_would_fit() -> None:
    assert not pick(of_lengths(5, 5), BatchLimits(chunks=3), {}).full
    assert pick(of_lengths(5, 5), BatchLimits(chunks=3, padded_s=14), {}).full


def test_what_would_make_the_batch_too_long_stays_behind_for_what_fits() -> None:
    assert pick(of_lengths(10, 12, 7, 1), BatchLimits(padded_s=22), {}).places == (0, 2)


def test_a_chunk_longer_than_a_batch_may_be_is_a_batch_of_its_own() -> None:
    assert pick(of_lengths(50, 1), BatchLimits(padded_s=20), {}) == Turn("a", (0,), full=True)


def test_chunks_of_another_language_or_with_other_hints_stay_behind() -> None:
    waiting = [Waiting("a", 5, "en"), Waiting("a", 5, "fr"), Waiting("b", 9, "en")]
    assert pick(waiting, BatchLimits(), {}).places == (2, 0)


def test_it_is_the_turn_of_the_tenant_that_has_taken_the_least_and_others_ride_along() -> None:
    waiting = [*of_lengths(5, 9), *of_lengths(9, tenant_id="b")]
    assert pick(waiting, BatchLimits(chunks=2), {"a": 2.0, "b": 1.0}) == Turn("b", (1, 2), full=True)


@given(waiting=some_chunks, limits=some_limits, taken_s=some_times)
def test_a_batch_keeps_the_limits_and_is_of_one_kind(
    waiting: list[Waiting], limits: BatchLimits, taken_s: dict[str, float]
) -> None:
    turn = pick(waiting, limits, taken_s)
    batch = [waiting[place] for place in turn.places]
    lengths_s = [chunk.length_s for chunk in batch]
    assert len(set(turn.places)) == len(turn.places) <= limits.chunks
    assert lengths_s == sorted(lengths_s, reverse=True)
    assert len(batch) == 1 or len(batch) * lengths_s[0] <= limits.padded_s
    assert len({chunk.kind for chunk in batch}) == 1


@given(waiting=some_chunks, limits=some_limits, taken_s=some_times)
def test_the_oldest_chunk_of_whose_turn_it_is_goes(
    waiting: list[Waiting], limits: BatchLimits, taken_s: dict[str, float]
) -> None:
    turn = pick(waiting, limits, taken_s)
    least_s = min(taken_s.get(chunk.tenant_id, 0.0) for chunk in waiting)
    assert taken_s.get(turn.tenant_id, 0.0) == least_s
    assert next(place for place, chunk in enumerate(waiting) if chunk.tenant_id == turn.tenant_id) in turn.places


@given(waiting=some_chunks, limits=some_limits)
def test_every_chunk_goes_once_and_before_its_tenant_has_had_a_turn_for_each_older_one(
    waiting: list[Waiting], limits: BatchLimits
) -> None:
    numbered = [Waiting(chunk.tenant_id, chunk.length_s, chunk.kind) for chunk in waiting]
    older, went, had = Counter[str](), Counter[int](), Counter[str]()
    before = {}
    for chunk in numbered:
        before[id(chunk)] = older[chunk.tenant_id]
        older[chunk.tenant_id] += 1
    for turn, batch in drained(numbered, limits):
        for chunk in batch:
            went[id(chunk)] += 1
            assert had[chunk.tenant_id] <= before[id(chunk)]
        had[turn.tenant_id] += 1
    assert went == Counter(map(id, numbered))


@settings(max_examples=30)
@given(few=st.integers(20, 40), many=st.integers(200, 400), limits=st.builds(BatchLimits, st.integers(1, 8)))
def test_two_tenants_get_half_of_the_engines_time_each_however_much_they_have(
    few: int, many: int, limits: BatchLimits
) -> None:
    """Of different languages, so that nothing rides along."""
    waiting = [Waiting("a", 1 + at % 7, "fr") for at in range(many)] + [Waiting("b", 2 + at % 3) for at in range(few)]
    taken_s, left = {"a": 0.0, "b": 0.0}, few
    for turn, batch in drained(waiting, limits):
        taken_s[turn.tenant_id] += len(batch) * batch[0].length_s
        left -= sum(chunk.tenant_id == "b" for chunk in batch)
        if not left:
            break
    assert abs(taken_s["a"] - taken_s["b"]) <= 7 * limits.chunks  # one turn


def test_who_comes_new_has_no_claim_on_the_time_before() -> None:
    turns = Turns()
    turns.begin({"a"})
    turns.charge("a", 100)
    turns.begin({"a", "b"})
    assert turns.taken_s == {"a": 100, "b": 100}


def test_who_was_away_begins_where_the_others_stand_and_keeps_what_it_owes() -> None:
    turns = Turns({"a": 5.0, "b": 50.0, "c": 1.0})
    turns.begin({"a", "b"})
    turns.begin({"a"})
    turns.charge("a", 10)
    turns.begin({"a"})
    assert turns.taken_s == {"a": 15.0, "b": 50.0}
    turns.begin({"a", "b", "c"})
    assert turns.taken_s == {"a": 15.0, "b": 50.0, "c": 15.0}


def test_the_fill_is_what_is_not_padding() -> None:
    assert fill([4, 2]) == pytest.approx(6 / 8)
    assert fill([]) == 1


@pytest.mark.parametrize("fields", [{"chunks": 0}, {"padded_s": 0}, {"padded_s": float("nan")}])
def test_limits_that_let_nothing_pass_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        BatchLimits(**fields)  # type: ignore[arg-type]  # one field at a time
