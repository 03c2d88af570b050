"""Categories: always a forest, whoever moves them about."""

import random
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.adapters.memory import ManualClock, MemoryStore, memory_deps
from callscribe.domain.shelves import Category
from callscribe.errors import InUse, Invalid, NotFound
from callscribe.ports import Deps
from callscribe.services import categories
from callscribe.services.accounts import Principal
from tests.services.shelf_work import ANNA, BORIS, FOREIGN, TENANT, Crowded, all_at_once


def kept(deps: Deps, principal: Principal = ANNA) -> list[Category]:
    return deps.store.children(Category, principal.tenant_id, principal.key_id)


def require_forest(found: list[Category]) -> None:
    """Everybody's parent exists, and everybody's way up ends."""
    above = {one.id: one.parent_id for one in found}
    for one in found:
        seen, upper = {one.id}, one.parent_id
        while upper is not None:
            assert upper in above, f"{one.id} lies below {upper}, which is gone"
            assert upper not in seen, f"{one.id} lies below itself"
            seen.add(upper)
            upper = above[upper]


def tree(deps: Deps) -> None:
    """1 over 2 over 3, and 4."""
    for name, parent in (("Sales", None), ("Продажи", 1), ("Retail", 2), ("Support", 0)):
        categories.create(deps, ANNA, name=name, description=f"about {name}", parent_id=parent)


def test_a_category_is_made_below_another_one_or_at_the_top() -> None:
    deps = memory_deps()
    tree(deps)
    assert [one.parent_id for one in kept(deps)] == [None, 1, 2, None]
    with pytest.raises(NotFound):
        categories.create(deps, ANNA, name="x", parent_id=9)


def test_a_list_counts_children_searches_in_name_and_description_and_is_paged() -> None:
    deps = memory_deps()
    tree(deps)
    every = categories.search(deps, ANNA)
    assert [(one.category.id, one.children_count) for one in every.items] == [(1, 1), (2, 1), (3, 0), (4, 0)]
    assert [one.category.id for one in categories.search(deps, ANNA, q="ПРОДАЖИ").items] == [2]
    assert [one.category.id for one in categories.search(deps, ANNA, q="ABOUT s").items] == [1, 4]
    second = categories.search(deps, ANNA, page=2, per_page=3)
    assert ([one.category.id for one in second.items], second.total) == ([4], 4)
    assert categories.search(deps, ANNA, page=3, per_page=3).items == []


def test_a_list_is_narrowed_to_one_parent_or_to_the_top() -> None:
    deps = memory_deps()
    tree(deps)
    assert [one.category.id for one in categories.search(deps, ANNA, parent_id=1).items] == [2]
    assert [one.category.id for one in categories.search(deps, ANNA, parent_id=categories.TOP).items] == [1, 4]
    assert categories.search(deps, ANNA, parent_id=9).total == 0


def test_an_edit_changes_what_it_names_and_notes_when() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    tree(deps)
    clock.advance(seconds=5)
    changed = categories.edit(deps, ANNA, 3, name="Wholesale")
    assert (changed.name, changed.description, changed.parent_id) == ("Wholesale", "about Retail", 2)
    assert changed.updated_at_ms == changed.created_at_ms + 5_000
    assert categories.edit(deps, ANNA, 3, description=None).description is None
    assert categories.edit(deps, ANNA, 3, parent_id=4).parent_id == 4
    assert categories.edit(deps, ANNA, 3, parent_id=None).parent_id is None


@pytest.mark.parametrize("parent", [1, 2, 3])
def test_a_category_is_not_moved_below_itself_or_what_lies_below_it(parent: int) -> None:
    deps = memory_deps()
    tree(deps)
    with pytest.raises(Invalid, match="parent_id"):
        categories.edit(deps, ANNA, 1, parent_id=parent)


def test_a_category_with_others_below_it_stays() -> None:
    deps = memory_deps()
    tree(deps)
    with pytest.raises(InUse):
        categories.remove(deps, ANNA, 2)
    categories.remove(deps, ANNA, 3)
    categories.remove(deps, ANNA, 2)
    assert [one.id for one in kept(deps)] == [1, 4]


@pytest.mark.parametrize("stranger", [BORIS, FOREIGN])
def test_another_users_category_is_an_unknown_one(stranger: Principal) -> None:
    deps = memory_deps()
    tree(deps)
    assert categories.search(deps, stranger).total == 0
    for attempt in (
        lambda: categories.edit(deps, stranger, 1, name="mine"),
        lambda: categories.create(deps, stranger, name="mine", parent_id=1),
        lambda: categories.remove(deps, stranger, 1),
    ):
        with pytest.raises(NotFound):
            attempt()


Move = tuple[str, int, int]
MOVES = st.tuples(st.sampled_from(["create", "move", "remove"]), st.integers(0, 8), st.integers(0, 8))


def make(deps: Deps, move: Move) -> None:
    """One change of somebody who does not care whether it is possible."""
    what, number, parent = move
    with suppress(NotFound, InUse, Invalid):
        if what == "create":
            categories.create(deps, ANNA, name="one", parent_id=parent)
        elif what == "move":
            categories.edit(deps, ANNA, number, parent_id=parent)
        else:
            categories.remove(deps, ANNA, number)


@given(st.lists(MOVES, max_size=40))
def test_categories_stay_a_forest_whatever_is_done_to_them(moves: list[Move]) -> None:
    deps = memory_deps()
    tree(deps)
    for move in moves:
        make(deps, move)
        require_forest(kept(deps))


@settings(max_examples=25)
@given(st.lists(st.lists(MOVES, min_size=1, max_size=6), min_size=2, max_size=4))
def test_categories_stay_a_forest_under_concurrent_edits(hands: list[list[Move]]) -> None:
    deps = memory_deps(store=Crowded(MemoryStore(), dwell_s=0.0002))
    tree(deps)

    def work(moves: list[Move]) -> None:
        for move in moves:
            make(deps, move)

    all_at_once(partial(work, moves) for moves in hands)
    require_forest(kept(deps))


def test_two_who_put_two_categories_below_each_other_do_not_both_succeed_in_any_of_50_races() -> None:
    store = Crowded(MemoryStore(), dwell_s=0.0005)
    deps = memory_deps(store=store)

    def move(first: int, second: int) -> bool:
        try:
            categories.edit(deps, ANNA, first, parent_id=second)
        except Invalid:
            return False
        return True

    for _ in range(50):
        a, b = (categories.create(deps, ANNA, name="one").id for _ in range(2))
        assert sorted(all_at_once([partial(move, a, b), partial(move, b, a)])) == [False, True]
    assert store.lost > 0


def test_8_threads_of_random_changes_leave_a_forest_whose_count_is_right() -> None:
    store = Crowded(MemoryStore())
    deps = memory_deps(store=store)
    tree(deps)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            make(
                deps, (chance.choice(["create", "create", "move", "remove"]), chance.randrange(8), chance.randrange(8))
            )

    all_at_once(partial(work, seed) for seed in range(8))
    found = kept(deps)
    require_forest(found)
    shown = categories.search(deps, ANNA, per_page=1_000)
    assert sum(one.children_count for one in shown.items) == sum(one.parent_id is not None for one in found)
    assert len(found) > 4
    assert store.lost > 8
    assert {one.tenant_id for one in found} == {TENANT}
