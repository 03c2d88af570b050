"""The largest things that a shelf takes fit into the table: its items, its transactions, and its pages."""

import pytest

from callscribe.adapters.memory import memory_deps
from callscribe.domain.accounts import USUAL_SCOPES
from callscribe.domain.records import insert
from callscribe.domain.shelves import CheckScript, Question
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.errors import Invalid
from callscribe.ports import Deps, Store
from callscribe.services import accounts, check_scripts, checklists, creation
from callscribe.services.accounts import Principal

ANNA = Principal("t1", "user-anna", USUAL_SCOPES)


def add(deps: Deps, identifier: str, body: str) -> CheckScript:
    return check_scripts.create(deps, ANNA, identifier=identifier, title="t", script_body=body)


@pytest.mark.parametrize("body", ["😀" * 94_980, '"' * 100_000, "я" * 100_000])
def test_the_largest_script_fits_into_an_item_and_comes_back_to_the_letter(store: Store, body: str) -> None:
    deps = memory_deps(store=store)
    made = add(deps, "i", body)
    assert check_scripts.search(deps, ANNA).items == [made]
    assert check_scripts.edit(deps, ANNA, made.id, version_number=2).script_body == body


def test_a_shelf_of_many_pages_is_read_as_a_whole(store: Store) -> None:
    deps = memory_deps(store=store)
    for number in range(8):
        add(deps, f"s{number}", "😀" * 90_000)
    with pytest.raises(Invalid, match="is full"):
        add(deps, "one too many", "😀" * 90_000)
    found = check_scripts.search(deps, ANNA)
    assert [one.identifier for one in found.items] == [f"s{number}" for number in range(8)]


def test_100_questions_are_answered_at_once(store: Store) -> None:
    deps = memory_deps(store=store)
    principal = Principal(accounts.create_tenant(deps, name="a tenant").id, "user-anna", USUAL_SCOPES)
    numbers = range(1, 101)
    asked = [insert(Question(principal.tenant_id, principal.key_id, one, f"question {one}", 1)) for one in numbers]
    store.commit(*asked)
    facts = TaskFacts(TaskType.CALL)
    job = creation.create(deps, principal, creation.NewJob(dialect="transcripto", task=facts))
    given = [(number, "я" * 500) for number in numbers]
    kept = checklists.answer(deps, principal, task_number=job.number, given=given)
    assert [(one.checklist_id, one.answer) for one in kept] == given
