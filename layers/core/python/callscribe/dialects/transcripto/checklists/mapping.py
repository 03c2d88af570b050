"""Checklists as the contract shows them."""

from collections.abc import Iterable

from callscribe.dialects.transcripto.checklists.schemas import AnswerBody, QuestionBody
from callscribe.domain.shelves import Question
from callscribe.services.checklists import Answered


def question(one: Question) -> dict[str, object]:
    """One question."""
    return QuestionBody(id=one.id, question=one.question, is_active=one.is_active).model_dump()


def answers(found: Iterable[Answered]) -> list[dict[str, object]]:
    """T-A15: each question, by its id and wording, with its answer as text."""
    return [
        AnswerBody(checklist_id=one.checklist_id, question=one.question, answer=one.answer).model_dump()
        for one in found
    ]
