"""Directories: shared by a tenant's users, known by their names, and gone without a trace in its tasks."""

from functools import partial

import pytest

from callscribe.adapters.memory import MemoryStore, memory_deps
from callscribe.errors import Invalid, NotFound
from callscribe.services import directories
from tests.services.shelf_work import TENANT, Crowded, all_at_once


def test_directories_are_listed_in_the_order_of_their_making() -> None:
    deps = memory_deps()
    made = [directories.create(deps, TENANT, name=name) for name in ("Sales", "Отдел продаж", "📞")]
    assert directories.list_directories(deps, TENANT) == made
    assert [one.id for one in made] == [1, 2, 3]
    assert directories.known_ids(deps, TENANT) == {1, 2, 3}


def test_the_same_name_is_the_same_directory_but_for_its_case() -> None:
    deps = memory_deps()
    made = directories.create(deps, TENANT, name="Sales")
    assert directories.create(deps, TENANT, name=" Sales ") == made
    assert directories.create(deps, TENANT, name="sales").id == 2


def test_a_directory_that_is_gone_is_not_known_any_more_and_its_id_never_comes_back() -> None:
    deps = memory_deps()
    directories.create(deps, TENANT, name="Sales")
    directories.remove(deps, TENANT, 1)
    assert directories.known_ids(deps, TENANT) == frozenset()
    with pytest.raises(NotFound):
        directories.remove(deps, TENANT, 1)
    assert directories.create(deps, TENANT, name="Sales").id == 2


def test_a_foreign_directory_is_an_unknown_one() -> None:
    deps = memory_deps()
    directories.create(deps, TENANT, name="Sales")
    assert directories.list_directories(deps, "t2") == []
    with pytest.raises(NotFound):
        directories.remove(deps, "t2", 1)
    with pytest.raises(Invalid):
        directories.require(deps, "t2", 1)
    directories.require(deps, TENANT, 1)


@pytest.mark.parametrize("name", [" ", "x" * 256])
def test_a_name_has_1_to_255_characters(name: str) -> None:
    with pytest.raises(Invalid):
        directories.create(memory_deps(), TENANT, name=name)


def test_8_threads_that_make_the_same_directories_make_each_once() -> None:
    store = Crowded(MemoryStore())
    deps = memory_deps(store=store)

    def make(shift: int) -> set[int]:
        return {directories.create(deps, TENANT, name=f"d{(number + shift) % 10}").id for number in range(10)}

    ids = all_at_once(partial(make, shift) for shift in range(8))
    kept = directories.list_directories(deps, TENANT)
    assert sorted(one.name for one in kept) == sorted(f"d{number}" for number in range(10))
    assert ids == [{one.id for one in kept}] * 8
    assert store.lost > 0
