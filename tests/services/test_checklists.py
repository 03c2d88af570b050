"""Checklists: questions that keep their wording once they were answered, and a task's answers."""

from functools import partial

import pytest

from callscribe.adapters.memory import MemoryStore, memory_deps
from callscribe.domain.accounts import USUAL_SCOPES, Scope
from callscribe.domain.jobs import Job
from callscribe.domain.shelves import Question
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.errors import Forbidden, InUse, Invalid, NotFound, Taken
from callscribe.ports import Deps
from callscribe.services import accounts, checklists, creation, users
from callscribe.services.accounts import Principal
from callscribe.services.checklists import Answered
from tests.services.shelf_work import ANNA, BORIS, FOREIGN, TENANT, Crowded, all_at_once


def ask(deps: Deps, *questions: str, principal: Principal = ANNA) -> list[int]:
    return [checklists.create(deps, principal, question=one).id for one in questions]


def asked(deps: Deps, principal: Principal = ANNA) -> list[str]:
    return [one.question for one in checklists.questions(deps, principal.tenant_id, principal.key_id)]


def test_questions_are_asked_in_the_order_of_their_making_and_each_once_in_whatever_case() -> None:
    deps = memory_deps()
    ask(deps, "Did they introduce themselves?", " Представился ли оператор? 🙂 ")
    with pytest.raises(Taken):
        ask(deps, "DID THEY INTRODUCE THEMSELVES?  ")
    with pytest.raises(Taken):
        ask(deps, "представился ЛИ оператор? 🙂")
    assert asked(deps) == ["Did they introduce themselves?", "Представился ли оператор? 🙂"]


def test_questions_are_each_users_own() -> None:
    deps = memory_deps()
    for principal in (ANNA, BORIS, FOREIGN):
        ask(deps, "Did they?", principal=principal)
    for attempt in (
        lambda: checklists.edit(deps, BORIS, 1, question="mine"),
        lambda: checklists.hide(deps, BORIS, 1),
        lambda: checklists.edit(deps, FOREIGN, 2, question="mine"),
    ):
        with pytest.raises(NotFound):
            attempt()
    checklists.hide(deps, ANNA, 1)
    assert [asked(deps, one) for one in (ANNA, BORIS, FOREIGN)] == [[], ["Did they?"], ["Did they?"]]


def test_a_question_is_reworded_but_not_to_another_ones_wording() -> None:
    deps = memory_deps()
    first, _ = ask(deps, "first", "second")
    assert checklists.edit(deps, ANNA, first, question=" First ").question == "First"
    with pytest.raises(Taken):
        checklists.edit(deps, ANNA, first, question="SECOND")
    with pytest.raises(NotFound):
        checklists.edit(deps, ANNA, 9, question="ninth")


def test_a_hidden_question_is_gone_and_its_wording_free() -> None:
    deps = memory_deps()
    (number,) = ask(deps, "first")
    checklists.hide(deps, ANNA, number)
    assert asked(deps) == []
    with pytest.raises(NotFound):
        checklists.hide(deps, ANNA, number)
    with pytest.raises(NotFound):
        checklists.edit(deps, ANNA, number, question="again")
    assert ask(deps, "FIRST") == [2]


@pytest.mark.parametrize("wording", ["", " \n", "?" * 1_001])
def test_a_wording_has_1_to_1_000_characters(wording: str) -> None:
    deps = memory_deps()
    ask(deps, "first")
    with pytest.raises(Invalid):
        ask(deps, wording)
    with pytest.raises(Invalid):
        checklists.edit(deps, ANNA, 1, question=wording)


def test_T_A22_an_administrator_sees_the_questions_of_every_user_and_anybody_the_own() -> None:
    deps = memory_deps()
    tenant = accounts.create_tenant(deps, name="a tenant").id
    made = [
        users.create_user(deps, tenant_id=tenant, username=f"{scope}@example.com", password="p", scopes=scopes)
        for scope, scopes in (("usual", USUAL_SCOPES), ("admin", USUAL_SCOPES | {Scope.ADMIN}))
    ]
    usual, admin = map(accounts.principal_of, made)
    ask(deps, "Did they?", principal=usual)
    assert [one.question for one in checklists.questions_of(deps, usual, made[0].number)] == ["Did they?"]
    assert [one.question for one in checklists.questions_of(deps, admin, made[0].number)] == ["Did they?"]
    assert checklists.questions_of(deps, admin, made[1].number) == []
    for number in (made[1].number, 99):  # one that there is, and one that there is not
        with pytest.raises(Forbidden):
            checklists.questions_of(deps, usual, number)
    for number in (0, 99, 10**18):
        with pytest.raises(NotFound):
            checklists.questions_of(deps, admin, number)


class Desk:
    """A tenant with a task, in a store of one's own."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.deps = memory_deps(store=Crowded(self.store, dwell_s=0.0005))
        self.tenant = accounts.create_tenant(self.deps, name="a tenant").id
        self.anna = Principal(self.tenant, "user-anna", USUAL_SCOPES)
        self.boris = Principal(self.tenant, "user-boris", USUAL_SCOPES)
        self.task = self.add_task()

    def add_task(self, *, task: bool = True) -> Job:
        facts = TaskFacts(TaskType.CALL, operator_name="Ivanov") if task else None
        return creation.create(self.deps, self.anna, creation.NewJob(dialect="transcripto", task=facts))

    def ask(self, *questions: str) -> list[int]:
        return ask(self.deps, *questions, principal=self.anna)

    def answer(self, *given: tuple[int, str], principal: Principal | None = None) -> list[Answered]:
        who = principal or self.anna
        return checklists.answer(self.deps, who, task_number=self.task.number, given=given)

    def kept(self) -> Job:
        job = self.deps.store.get(Job, self.tenant, self.task.id)
        assert job is not None
        return job

    def answers(self) -> list[Answered]:
        return checklists.answers_of(self.deps, self.kept())


def test_T_A16_an_answer_sent_again_replaces_the_earlier_one_and_of_two_the_last_counts() -> None:
    desk = Desk()
    first, second = desk.ask("first", "second")
    assert desk.answer((second, "Нет"), (first, "Yes")) == [
        Answered(first, "first", "Yes"),
        Answered(second, "second", "Нет"),
    ]
    desk.answer((first, "No"), (first, "Partially"))
    assert desk.answers() == [Answered(first, "first", "Partially"), Answered(second, "second", "Нет")]


def test_T_A16_unknown_hidden_and_other_users_questions_are_passed_over() -> None:
    desk = Desk()
    known, hidden = desk.ask("known", "hidden")
    (others,) = ask(desk.deps, "other", principal=desk.boris)
    checklists.hide(desk.deps, desk.anna, hidden)
    before = desk.kept()
    assert desk.answer((hidden, "x"), (others, "x"), (99, "x"), (-1, "x"), (10**30, "x")) == []
    assert desk.kept() == before
    assert desk.answer((hidden, "x"), (known, "Yes")) == [Answered(known, "known", "Yes")]


def test_T_A15_answers_of_several_users_stand_side_by_side_with_their_questions() -> None:
    desk = Desk()
    (annas,) = desk.ask("Did they?")
    (boris,) = ask(desk.deps, "Did they?", principal=desk.boris)
    desk.answer((annas, "Yes"))
    desk.answer((boris, "No"), principal=desk.boris)
    assert desk.answers() == [Answered(annas, "Did they?", "Yes"), Answered(boris, "Did they?", "No")]


def test_an_answered_question_keeps_its_wording_and_is_hidden_with_its_answers_kept() -> None:
    desk = Desk()
    answered, other = desk.ask("answered", "other")
    desk.answer((answered, "Yes"))
    with pytest.raises(InUse):
        checklists.edit(desk.deps, desk.anna, answered, question="answered?")
    checklists.edit(desk.deps, desk.anna, other, question="other?")
    checklists.hide(desk.deps, desk.anna, answered)
    checklists.hide(desk.deps, desk.anna, other)
    assert [(one.id, one.is_active) for one in desk.store.all(Question)] == [(answered, False)]
    assert desk.answers() == [Answered(answered, "answered", "Yes")]


def test_an_answer_marks_its_task_as_changed_for_the_lists() -> None:
    desk = Desk()
    (number,) = desk.ask("first")
    desk.answer((number, "Yes"))
    job = desk.kept()
    newest = desk.store.children(DirtyTask, desk.tenant, TASKS)[-1]
    assert newest.job == job
    assert job.version == desk.task.version + 1


def test_who_answers_nothing_gets_what_is_there() -> None:
    desk = Desk()
    (number,) = desk.ask("first")
    desk.answer((number, "Yes"))
    assert desk.answer() == [Answered(number, "first", "Yes")]


def test_a_foreign_unknown_or_unlisted_task_is_not_found() -> None:
    desk = Desk()
    (number,) = desk.ask("first")
    unlisted = desk.add_task(task=False)
    stranger = Principal(accounts.create_tenant(desk.deps, name="other").id, "user-x", USUAL_SCOPES)
    for principal, task in ((stranger, desk.task.number), (desk.anna, 99), (desk.anna, unlisted.number)):
        with pytest.raises(NotFound):
            checklists.answer(desk.deps, principal, task_number=task, given=[(number, "Yes")])


def test_a_task_has_at_most_100_answers_of_1_000_characters_and_100_000_bytes() -> None:
    desk = Desk()
    numbers = desk.ask(*(f"question {number}" for number in range(102)))
    desk.answer(*((number, "Yes") for number in numbers[:99]))
    for given in (
        [(number, "Yes") for number in numbers[99:101]],
        [(numbers[99], "x" * 1_001)],
        [(number, "я" * 1_000) for number in numbers[:52]],
    ):
        with pytest.raises(Invalid):
            desk.answer(*given)
    assert [one.is_answered for one in desk.store.all(Question)] == [True] * 99 + [False] * 3
    assert len(desk.answer((numbers[99], "x" * 1_000))) == 100


def test_answers_of_8_threads_are_all_kept() -> None:
    desk = Desk()
    numbers = desk.ask(*(f"question {number}" for number in range(8)))
    all_at_once(partial(desk.answer, (number, f"answer {number}")) for number in numbers)
    assert [(one.checklist_id, one.answer) for one in desk.answers()] == [(one, f"answer {one}") for one in numbers]


def test_no_question_is_both_reworded_and_answered_in_any_of_40_races() -> None:
    desk = Desk()

    def reword(number: int) -> str:
        try:
            return checklists.edit(desk.deps, desk.anna, number, question=f"reworded {number}").question
        except InUse:
            return f"question {number}"

    def answered(number: int) -> str:
        return next(one.question for one in desk.answer((number, "Yes")) if one.checklist_id == number)

    for attempt in range(40):
        (number,) = desk.ask(f"question {attempt + 1}")
        worded, seen = all_at_once([partial(reword, number), partial(answered, number)])
        assert worded == seen == desk.answers()[-1].question


def test_of_8_threads_that_ask_the_same_questions_each_is_asked_once() -> None:
    store = Crowded(MemoryStore())
    deps = memory_deps(store=store)

    def asking(shift: int) -> int:
        done = 0
        for number in range(10):
            try:
                ask(deps, f"{'Q' if shift % 2 else 'q'}uestion {(number + shift) % 10}")
            except Taken:
                continue
            done += 1
        return done

    assert sum(all_at_once(partial(asking, shift) for shift in range(8))) == 10
    assert len(asked(deps)) == 10
    assert {one.tenant_id for one in store.children(Question, TENANT, ANNA.key_id)} == {TENANT}
    assert store.lost > 0
