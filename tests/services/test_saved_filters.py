"""Saved filters: one for each name, its criteria as they were sent."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.adapters.memory import ManualClock, MemoryStore, memory_deps
from callscribe.errors import Invalid, NotFound
from callscribe.services import saved_filters
from tests.services.shelf_work import ANNA, BORIS, FOREIGN, Crowded, all_at_once

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_whatever_json_the_criteria_are_they_are_kept_as_they_were_sent(criteria: dict[str, Any]) -> None:
    deps = memory_deps()
    saved_filters.save(deps, ANNA, name="one", criteria=criteria)
    kept = json.loads(saved_filters.list_filters(deps, ANNA)[0].criteria_json)
    assert json.dumps(kept) == json.dumps(criteria)


def test_a_name_is_saved_once_and_keeps_its_id_and_its_moment() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    first = saved_filters.save(deps, ANNA, name="Жалобы 😡", criteria={"status": "completed"})
    clock.advance(seconds=60)
    second = saved_filters.save(deps, ANNA, name=" Жалобы 😡 ", criteria={"status": None})
    assert saved_filters.list_filters(deps, ANNA) == [second]
    assert (second.id, second.created_at_ms, second.criteria_json) == (
        first.id,
        first.created_at_ms,
        '{"status": null}',
    )
    assert saved_filters.save(deps, ANNA, name="жалобы 😡", criteria={}).id == 2


def test_filters_are_each_users_own() -> None:
    deps = memory_deps()
    for principal in (ANNA, BORIS, FOREIGN):
        saved_filters.save(deps, principal, name="one", criteria={})
    saved_filters.remove(deps, ANNA, 1)
    with pytest.raises(NotFound):
        saved_filters.remove(deps, ANNA, 2)  # Boris's
    assert [len(saved_filters.list_filters(deps, one)) for one in (ANNA, BORIS, FOREIGN)] == [0, 1, 1]


def nested(levels: int) -> dict[str, Any]:
    criteria: dict[str, Any] = {}
    for _ in range(levels - 1):
        criteria = {"a": criteria}
    return criteria


@pytest.mark.parametrize(
    "criteria",
    [
        {"text": "x" * 16_000},
        {"text": "я" * 8_000},
        {"number": float("inf")},
        nested(33),
        nested(100_000),
        {"a": [[[[]]]] * 5_000},
    ],
    ids=["long", "long in bytes", "infinite", "deep", "very deep", "wide"],
)
def test_criteria_that_no_list_of_tasks_could_mean_are_refused(criteria: dict[str, Any]) -> None:
    deps = memory_deps()
    with pytest.raises(Invalid, match="criteria"):
        saved_filters.save(deps, ANNA, name="one", criteria=criteria)
    assert saved_filters.list_filters(deps, ANNA) == []


def test_criteria_may_fill_their_room() -> None:
    deps = memory_deps()
    saved_filters.save(deps, ANNA, name="deep", criteria=nested(32))
    saved_filters.save(deps, ANNA, name="long", criteria={"text": "я" * 7_990})


def test_8_threads_that_save_the_same_names_leave_each_once_with_what_one_of_them_sent() -> None:
    store = Crowded(MemoryStore())
    deps = memory_deps(store=store)

    def save(hand: int) -> None:
        for number in range(10):
            saved_filters.save(deps, ANNA, name=f"f{(number + hand) % 10}", criteria={"hand": hand})

    all_at_once(partial(save, hand) for hand in range(8))
    kept = saved_filters.list_filters(deps, ANNA)
    assert sorted(one.name for one in kept) == sorted(f"f{number}" for number in range(10))
    assert [one.version for one in kept] == [7] * 10  # each hand's save counted
    assert {json.loads(one.criteria_json)["hand"] for one in kept} <= set(range(8))
    assert store.lost > 0
