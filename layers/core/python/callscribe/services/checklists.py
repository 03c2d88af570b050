"""Checklists: a user's questions (T-21 … T-24) and what was answered to them for a task (T-25, T-A15, T-A16).

A question may be reworded until its first answer. One that goes is hidden where answers to it exist.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from callscribe.domain.accounts import Scope, User
from callscribe.domain.jobs import Job
from callscribe.domain.records import Change, delete, insert, update
from callscribe.domain.shelves import Question
from callscribe.domain.task_facts import ChecklistAnswer
from callscribe.domain.texts import caseless, lines
from callscribe.errors import Forbidden, InUse, Invalid, NotFound, Taken
from callscribe.ports import Deps
from callscribe.services import shelves, tasks, users
from callscribe.services.accounts import Principal

MAX_QUESTION_CHARACTERS: Final = 1_000
MAX_ANSWERS: Final = 100  # of one task
MAX_ANSWER_CHARACTERS: Final = 1_000
MAX_ANSWERS_BYTES: Final = 100_000  # of one task, together: they lie in the job's own record
_MARKED_AT_ONCE: Final = 50  # questions in one transaction


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, as it is worded, and what was answered."""

    checklist_id: int
    question: str
    answer: str


def questions(deps: Deps, tenant_id: str, owner: str) -> list[Question]:
    """The active questions of a user (by id) or key, in the order in which they were made."""
    return [one for one in deps.store.children(Question, tenant_id, owner) if one.is_active]


def questions_of(deps: Deps, principal: Principal, user_number: int) -> list[Question]:
    """The active questions of the user of this number: one's own, or any user's for an administrator (T-A22).

    Raises Forbidden for another one's, be there such a user or not, and NotFound where an administrator asks in vain.
    """
    own = deps.store.get(User, principal.tenant_id, principal.key_id)
    if own is not None and own.number == user_number:
        return questions(deps, principal.tenant_id, own.id)
    if Scope.ADMIN not in principal.scopes:
        raise Forbidden(Scope.ADMIN)
    for user in users.list_users(deps, principal.tenant_id):
        if 0 < user_number == user.number:  # 0: made before users were counted
            return questions(deps, principal.tenant_id, user.id)
    raise NotFound("there is no such user")


def create(deps: Deps, principal: Principal, *, question: str) -> Question:
    """Ask one more question. Raises Invalid, and Taken for one that is asked already, in whatever case."""
    wording = shelves.required("question", question, most=MAX_QUESTION_CHARACTERS)
    new_id = shelves.numbering(deps, Question, principal.tenant_id)

    def decide(kept: list[Question]) -> tuple[Sequence[Change], Question]:
        _require_new(kept, wording)
        made = Question(principal.tenant_id, principal.key_id, new_id(), wording, deps.now_ms())
        return (insert(made),), made

    return _change(deps, principal, decide)


def edit(deps: Deps, principal: Principal, question_id: int, *, question: str) -> Question:
    """Reword a question. Raises Invalid, NotFound, InUse where it was answered, and Taken."""
    wording = shelves.required("question", question, most=MAX_QUESTION_CHARACTERS)

    def decide(kept: list[Question]) -> tuple[Sequence[Change], Question]:
        known = _active(kept, question_id)
        if known.is_answered:
            raise InUse("question", "was answered: its wording stays")
        _require_new([one for one in kept if one != known], wording)
        change = update(known, question=wording)
        return (change,), change.after

    return _change(deps, principal, decide)


def hide(deps: Deps, principal: Principal, question_id: int) -> None:
    """Ask a question no longer. What was answered to it stays. Raises NotFound."""

    def decide(kept: list[Question]) -> tuple[Sequence[Change], None]:
        known = _active(kept, question_id)
        return (update(known, is_active=False) if known.is_answered else delete(known),), None

    _change(deps, principal, decide)


def answers_of(deps: Deps, job: Job) -> list[Answered]:
    """What was answered for a task, by anybody, in the order of the questions' ids; hidden questions included."""
    given = sorted(_answers(job), key=lambda one: one.checklist_id)
    worded = {
        (owner, one.id): one.question
        for owner in {one.owner for one in given}
        for one in deps.store.children(Question, job.tenant_id, owner)
    }
    return [
        Answered(one.checklist_id, worded[one.owner, one.checklist_id], one.answer)
        for one in given
        if (one.owner, one.checklist_id) in worded
    ]


def answer(deps: Deps, principal: Principal, *, task_number: int, given: Iterable[tuple[int, str]]) -> list[Answered]:
    """Answer some of the caller's questions for a task; all that is answered for it then.

    An earlier answer to the same question is replaced; of several in one request the last counts. Unknown and hidden
    questions are passed over (T-A16). Raises Invalid, and NotFound where there is no such task.
    """
    job = tasks.find(deps, principal.tenant_id, str(task_number))
    asked = {one.id for one in questions(deps, principal.tenant_id, principal.key_id)}
    new = {
        number: ChecklistAnswer(number, shelves.at_most("answer", text, MAX_ANSWER_CHARACTERS), principal.key_id)
        for number, text in ((number, lines(text)) for number, text in given)
        if number in asked
    }
    _together(_answers(job), new)  # so that no question counts as answered where its answer is refused
    active = _mark_answered(deps, principal, frozenset(new))
    still = {number: new[number] for number in active}
    after = tasks.changed(
        deps, job.tenant_id, job.id, lambda task: replace(task, answers=_together(task.answers, still))
    )
    return answers_of(deps, after)


def _change(
    deps: Deps, principal: Principal, decide: Callable[[list[Question]], tuple[Sequence[Change], shelves.T]]
) -> shelves.T:
    return shelves.change(deps, Question, principal.tenant_id, principal.key_id, decide)


def _active(kept: Sequence[Question], question_id: int) -> Question:
    return shelves.of_id([one for one in kept if one.is_active], question_id, "question")


def _require_new(others: Iterable[Question], wording: str) -> None:
    folded = caseless(wording)
    if any(one.is_active and caseless(one.question) == folded for one in others):
        raise Taken("question", "is asked already")


def _mark_answered(deps: Deps, principal: Principal, wanted: frozenset[int]) -> set[int]:
    """Note that these of the active questions are answered from now on, before any answer is stored; which they are."""
    numbers, active = sorted(wanted), set[int]()
    for start in range(0, len(numbers), _MARKED_AT_ONCE):
        some = frozenset(numbers[start : start + _MARKED_AT_ONCE])

        def decide(kept: list[Question], some: frozenset[int] = some) -> tuple[Sequence[Change], set[int]]:
            asked = [one for one in kept if one.is_active and one.id in some]
            return [update(one, is_answered=True) for one in asked if not one.is_answered], {one.id for one in asked}

        active |= _change(deps, principal, decide)
    return active


def _answers(job: Job) -> tuple[ChecklistAnswer, ...]:
    return job.task.answers if job.task else ()


def _together(known: Sequence[ChecklistAnswer], new: dict[int, ChecklistAnswer]) -> tuple[ChecklistAnswer, ...]:
    """Old and new answers, one for each question. Raises Invalid where they are too many."""
    together = tuple(({one.checklist_id: one for one in known} | new).values())
    if len(together) > MAX_ANSWERS:
        raise Invalid("answers", f"are {len(together)}; a task has at most {MAX_ANSWERS}")
    size_bytes = sum(len(one.answer.encode()) for one in together)
    if size_bytes > MAX_ANSWERS_BYTES:
        raise Invalid("answers", f"have {size_bytes} bytes together; those of a task have at most {MAX_ANSWERS_BYTES}")
    return together
