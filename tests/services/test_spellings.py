"""й may be one character or two, ё likewise: on every shelf both are the same text, and both find it."""

import pytest

from callscribe.adapters.memory import memory_deps
from callscribe.errors import Invalid, Taken
from callscribe.services import categories, check_scripts, checklists, directories, saved_filters
from tests.services.shelf_work import ANNA, TENANT

ONE, OTHER = "Сергей", "Сергеи\u0306"
UNSEEN = "\u200b\u00a0\u2060"


def test_a_name_that_must_be_free_is_taken_in_either_spelling() -> None:
    deps = memory_deps()
    checklists.create(deps, ANNA, question=OTHER)
    with pytest.raises(Taken):
        checklists.create(deps, ANNA, question=ONE.upper())
    check_scripts.create(deps, ANNA, identifier=OTHER, title="a", script_body="a")
    with pytest.raises(Taken):
        check_scripts.create(deps, ANNA, identifier=ONE, title="a", script_body="a")


def test_a_name_that_stands_for_one_thing_does_so_in_either_spelling() -> None:
    deps = memory_deps()
    assert {directories.create(deps, TENANT, name=name).id for name in (ONE, OTHER)} == {1}
    assert {saved_filters.save(deps, ANNA, name=name, criteria={}).id for name in (OTHER, ONE)} == {1}


@pytest.mark.parametrize("asked", [ONE, OTHER, "СЕРГЕЙ", "СЕРГЕИ\u0306", "гей"])
def test_a_list_is_searched_in_either_spelling(asked: str) -> None:
    deps = memory_deps()
    categories.create(deps, ANNA, name=ONE)
    categories.create(deps, ANNA, name="x", description=OTHER)
    check_scripts.create(deps, ANNA, identifier=OTHER, title="a", script_body="a")
    check_scripts.create(deps, ANNA, identifier="b", title=ONE, script_body="a")
    assert categories.search(deps, ANNA, q=asked).total == 2
    assert check_scripts.search(deps, ANNA, q=asked).total == 2


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("ёлка", "елка"),
        ("елка", "ЁЛКА"),
        ("Tech   support", "tech support"),
        ("Tech support", "tech\t\n support"),
        ("Tech", " tech "),
        ("йога", " йога"),
        ("a\x00b", "A B"),
        ("a b", "a\u2028b\x00"),
        ("Tech", "\ud800"),  # halves of characters are nothing to look for
        ("Tech", " "),
    ],
)
def test_a_list_is_searched_whatever_the_case_the_white_space_and_the_dots_of_a_ё(kept: str, asked: str) -> None:
    deps = memory_deps()
    for number in range(3):
        categories.create(deps, ANNA, name=kept)
        check_scripts.create(deps, ANNA, identifier=f"{kept}{number}", title="x", script_body="x")
    categories.create(deps, ANNA, name="x", description=kept)
    check_scripts.create(deps, ANNA, identifier="x", title=kept, script_body="x")
    for found in (
        categories.search(deps, ANNA, q=asked, per_page=3),
        check_scripts.search(deps, ANNA, q=asked, per_page=3),
    ):
        assert (len(found.items), found.total) == (3, 4)


def test_a_name_that_nobody_could_see_is_none() -> None:
    deps = memory_deps()
    for make in (
        lambda: directories.create(deps, TENANT, name=UNSEEN),
        lambda: categories.create(deps, ANNA, name=UNSEEN),
        lambda: checklists.create(deps, ANNA, question=UNSEEN),
        lambda: saved_filters.save(deps, ANNA, name=UNSEEN, criteria={}),
        lambda: check_scripts.create(deps, ANNA, identifier=UNSEEN, title="a", script_body="a"),
    ):
        with pytest.raises(Invalid, match="must not be empty"):
            make()
