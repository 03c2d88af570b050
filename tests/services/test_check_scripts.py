"""Check scripts: an identifier stands for one script of its user."""

from functools import partial
from typing import Any

import pytest

from callscribe.adapters.memory import ManualClock, MemoryStore, memory_deps
from callscribe.domain.shelves import CheckScript
from callscribe.errors import Invalid, NotFound, Taken
from callscribe.ports import Deps
from callscribe.services import check_scripts
from callscribe.services.accounts import Principal
from tests.services.shelf_work import ANNA, BORIS, FOREIGN, Crowded, all_at_once


def add(deps: Deps, identifier: str, principal: Principal = ANNA, **fields: Any) -> CheckScript:
    given = {"title": f"title of {identifier}", "script_body": "Hello! My name is ...", **fields}
    return check_scripts.create(deps, principal, identifier=identifier, **given)


def ids(found: check_scripts.Scripts) -> list[int]:
    return [one.id for one in found.items]


def test_a_script_is_active_and_of_version_1_unless_it_says_otherwise() -> None:
    deps = memory_deps()
    made = add(deps, "welcome_v1")
    assert (made.is_active, made.version_number, made.description) == (True, 1, None)
    other = add(deps, "welcome_v2", is_active=False, version_number=7, description="about")
    assert (other.is_active, other.version_number, other.description) == (False, 7, "about")


def test_a_list_searches_in_identifier_and_title_and_may_leave_out_what_is_not_active() -> None:
    deps = memory_deps()
    add(deps, "welcome_v1", title="Приветствие", script_body="needle")
    add(deps, "bye", title="Welcome back")
    add(deps, "welcome_v3", is_active=False)
    assert ids(check_scripts.search(deps, ANNA, q="WELCOME")) == [1, 2, 3]
    assert ids(check_scripts.search(deps, ANNA, q="приветствиЕ")) == [1]
    assert ids(check_scripts.search(deps, ANNA, q="needle")) == []
    assert ids(check_scripts.search(deps, ANNA, only_active=True)) == [1, 2]
    paged = check_scripts.search(deps, ANNA, page=2, per_page=2)
    assert (ids(paged), paged.total) == ([3], 3)


def test_an_identifier_is_taken_once_by_each_user() -> None:
    deps = memory_deps()
    add(deps, "a")
    add(deps, "b")
    with pytest.raises(Taken):
        add(deps, " a ")
    with pytest.raises(Taken):
        check_scripts.edit(deps, ANNA, 2, identifier="a")
    add(deps, "a", BORIS)
    add(deps, "a", FOREIGN)
    assert check_scripts.edit(deps, ANNA, 1, identifier="a").identifier == "a"
    check_scripts.remove(deps, ANNA, 1)
    assert check_scripts.edit(deps, ANNA, 2, identifier="a").identifier == "a"


def test_an_edit_changes_what_it_names_and_notes_when() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    made = add(deps, "a", description="about")
    clock.advance(seconds=1)
    changed = check_scripts.edit(deps, ANNA, 1, version_number=2, description=None, is_active=False)
    assert (changed.identifier, changed.title, changed.script_body) == ("a", made.title, made.script_body)
    assert (changed.version_number, changed.description, changed.is_active) == (2, None, False)
    assert (changed.created_at_ms, changed.updated_at_ms) == (made.created_at_ms, made.created_at_ms + 1_000)


@pytest.mark.parametrize(
    "fields",
    [
        {"identifier": " "},
        {"title": ""},
        {"script_body": "\n"},
        {"identifier": "i" * 256},
        {"title": "t" * 256},
        {"description": "d" * 2_001},
        {"script_body": "b" * 100_001},
        {"script_body": "😀" * 100_000},  # 400,000 bytes do not fit into an item
    ],
)
def test_what_is_blank_or_too_long_is_refused_in_a_new_script_and_in_an_edit(fields: dict[str, Any]) -> None:
    deps = memory_deps()
    with pytest.raises(Invalid):
        add(deps, **{"identifier": "a", **fields})
    made = add(deps, "a")
    with pytest.raises(Invalid):
        check_scripts.edit(deps, ANNA, made.id, **fields)


@pytest.mark.parametrize("body", ["ю" * 100_000, "\tline\r\n\n" * 10_000, "😀" * 90_000])
def test_a_body_is_kept_to_the_letter(body: str) -> None:
    deps = memory_deps()
    add(deps, "a", script_body=body)
    assert check_scripts.search(deps, ANNA).items[0].script_body == body


def test_another_users_script_is_an_unknown_one() -> None:
    deps = memory_deps()
    add(deps, "a")
    for stranger in (BORIS, FOREIGN):
        assert check_scripts.search(deps, stranger).total == 0
        with pytest.raises(NotFound):
            check_scripts.edit(deps, stranger, 1, title="mine")
        with pytest.raises(NotFound):
            check_scripts.remove(deps, stranger, 1)


def test_of_8_threads_that_take_the_same_identifiers_each_is_taken_by_one() -> None:
    store = Crowded(MemoryStore())
    deps = memory_deps(store=store)

    def take(shift: int) -> int:
        taken = 0
        for number in range(10):
            try:
                add(deps, f"s{(number + shift) % 10}")
            except Taken:
                continue
            taken += 1
        return taken

    assert sum(all_at_once(partial(take, shift) for shift in range(8))) == 10
    assert check_scripts.search(deps, ANNA).total == 10
    assert store.lost > 0
