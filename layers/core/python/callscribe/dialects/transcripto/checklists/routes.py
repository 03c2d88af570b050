"""Checklists (T-21 … T-25, T-A16): questions are each user's own, answers are the task's."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from callscribe.dialects.front import Access, Call
from callscribe.dialects.routing import Router
from callscribe.dialects.transcripto.answering import done, message, principal_of
from callscribe.dialects.transcripto.checklists import mapping
from callscribe.dialects.transcripto.checklists.schemas import (
    AnswerRequest,
    AnswersAnswer,
    AnswersSavedAnswer,
    QuestionAnswer,
    QuestionDeletedAnswer,
    QuestionRequest,
    QuestionsAnswer,
)
from callscribe.dialects.transcripto.codes import Problem
from callscribe.dialects.transcripto.documenting import Area, described
from callscribe.dialects.transcripto.shelving import PathNumber, Problems, change, path_number, refusing
from callscribe.dialects.transcripto.texts import Said
from callscribe.domain.accounts import Scope
from callscribe.errors import InUse, NotFound, Taken
from callscribe.ports import Deps
from callscribe.services import checklists, tasks

AREA: Final = Area("checklists", "Questions, each user's own, and what was answered for a task.")
CHECKLIST: Final = "/checklist"
# One name for what is a user's number in a GET and a question's id in a POST: to OpenAPI they are the same path.
ONE: Final = "/checklist/<number>"
DELETE: Final = "/checklist/delete/<checklist_id>"
ANSWERS: Final = "/checklist/answer/<task_id>"
_MAX_ANSWERS_BODY_BYTES: Final = 1_500_000  # 100 answers of 1,000 characters, each written as two escapes

ROUTES: Final[Mapping[tuple[str, str], Access]] = {
    ("GET", CHECKLIST): Access(Scope.READ),
    ("POST", CHECKLIST): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}"),
    ("GET", ONE): Access(Scope.READ),
    ("POST", ONE): Access(Scope.TRANSCRIBE, takes_json=True, empty_body="{}"),
    ("POST", DELETE): Access(Scope.TRANSCRIBE),
    ("GET", ANSWERS): Access(Scope.READ),
    ("POST", ANSWERS): Access(Scope.TRANSCRIBE, takes_json=True, max_body_bytes=_MAX_ANSWERS_BODY_BYTES),
}

_PROBLEMS: Final[Problems] = {Taken: Problem.DUPLICATE, InUse: Problem.ANSWERED}
_NO_TASK: Final[Problems] = {NotFound: Problem.TASK_NOT_FOUND}  # at ANSWERS nothing else can be missing


def router(deps: Deps) -> Router:
    """The area's routes."""
    router = Router()
    _question_routes(deps, router)
    _changing_routes(deps, router)
    _answer_routes(deps, router)
    return router


def _question_routes(deps: Deps, router: Router) -> None:
    @router.get(CHECKLIST, **described(AREA, "The caller's active questions (T-21)", "listQuestions", QuestionsAnswer))
    def own() -> Response[str]:
        principal = principal_of(router.call)
        found = checklists.questions(deps, principal.tenant_id, principal.key_id)
        return done(data=[mapping.question(one) for one in found])

    @router.get(
        ONE,
        description="`number` is the user's. Another one's questions are shown to an administrator (T-A22).",
        **described(AREA, "A user's active questions (T-21)", "listQuestionsOfUser", QuestionsAnswer),
    )
    def of_user(number: PathNumber) -> Response[str]:
        found = checklists.questions_of(deps, principal_of(router.call), path_number(number))
        return done(data=[mapping.question(one) for one in found])


def _changing_routes(deps: Deps, router: Router) -> None:
    @router.post(CHECKLIST, **described(AREA, "Create a question (T-22)", "createQuestion", QuestionAnswer))
    def create(body: Annotated[QuestionRequest, Body()]) -> Response[str]:
        return change(router.call, partial(_created, deps, router.call, body), _PROBLEMS)

    @router.post(
        ONE,
        description="`number` is the question's. What was answered keeps its wording.",
        **described(AREA, "Reword a question (T-23)", "editQuestion", QuestionAnswer),
    )
    def edit(number: PathNumber, body: Annotated[QuestionRequest, Body()]) -> Response[str]:
        return change(router.call, partial(_edited, deps, router.call, number, body), _PROBLEMS)

    @router.post(DELETE, **described(AREA, "Ask a question no longer (T-24)", "deleteQuestion", QuestionDeletedAnswer))
    def delete(checklist_id: PathNumber) -> Response[str]:
        return change(router.call, partial(_deleted, deps, router.call, checklist_id))


def _answer_routes(deps: Deps, router: Router) -> None:
    @router.get(ANSWERS, **described(AREA, "What was answered for a task (T-25)", "listAnswers", AnswersAnswer))
    def answers(task_id: PathNumber) -> Response[str]:
        return refusing(_NO_TASK, partial(_answers, deps, router.call, task_id))

    @router.post(
        ANSWERS,
        description="An extension: an earlier answer is replaced; unknown and hidden questions are passed over.",
        **described(AREA, "Answer questions for a task (T-A16)", "saveAnswers", AnswersSavedAnswer),
    )
    def answer(task_id: PathNumber, body: Annotated[list[AnswerRequest], Body()]) -> Response[str]:
        return change(router.call, partial(_answered, deps, router.call, task_id, body), _NO_TASK)


def _created(deps: Deps, call: Call, body: QuestionRequest) -> Response[str]:
    made = checklists.create(deps, principal_of(call), question=body.question)
    return done(message=message(call, Said.QUESTION_CREATED), data=mapping.question(made))


def _edited(deps: Deps, call: Call, number: str, body: QuestionRequest) -> Response[str]:
    changed = checklists.edit(deps, principal_of(call), path_number(number), question=body.question)
    return done(message=message(call, Said.QUESTION_UPDATED), data=mapping.question(changed))


def _deleted(deps: Deps, call: Call, checklist_id: str) -> Response[str]:
    number = path_number(checklist_id)
    checklists.hide(deps, principal_of(call), number)
    return done(message=message(call, Said.QUESTION_DELETED), id=number)


def _answers(deps: Deps, call: Call, task_id: str) -> Response[str]:
    job = tasks.find(deps, principal_of(call).tenant_id, str(path_number(task_id)))
    return done(data=mapping.answers(checklists.answers_of(deps, job)))


def _answered(deps: Deps, call: Call, task_id: str, body: list[AnswerRequest]) -> Response[str]:
    given = [(one.checklist_id, one.answer) for one in body]
    kept = checklists.answer(deps, principal_of(call), task_number=path_number(task_id), given=given)
    return done(message=message(call, Said.ANSWERS_SAVED), data=mapping.answers(kept))
