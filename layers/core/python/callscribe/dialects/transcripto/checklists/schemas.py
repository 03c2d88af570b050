"""T-21 … T-25, T-A16 on the wire."""

from pydantic import Field

from callscribe.dialects.transcripto.documenting import Done, Wire
from callscribe.dialects.transcripto.shelving import NeededNumber, NeededText
from callscribe.services.checklists import MAX_ANSWER_CHARACTERS, MAX_ANSWERS, MAX_QUESTION_CHARACTERS


class QuestionRequest(Wire):
    """The wording of a question."""

    question: NeededText = Field(
        description=f"Up to {MAX_QUESTION_CHARACTERS} characters; each question once, in whatever case.",
        examples=["Did the operator introduce themselves?"],
    )


class QuestionBody(Wire):
    """One question."""

    id: int = Field(examples=[101])
    question: str = Field(examples=["Did the operator introduce themselves?"])
    is_active: bool


class QuestionsAnswer(Done):
    """All active questions."""

    data: list[QuestionBody]


class QuestionAnswer(Done):
    """The question as it now is."""

    message: str
    data: QuestionBody


class QuestionDeletedAnswer(Done):
    """It is asked no longer; its answers stay."""

    message: str
    id: int = Field(examples=[101])


class AnswerRequest(Wire):
    """An answer to one question. Unknown and hidden questions are passed over."""

    checklist_id: NeededNumber = Field(examples=[7])
    answer: str = Field(
        description=f"Up to {MAX_ANSWER_CHARACTERS} characters; a task has up to {MAX_ANSWERS} answers.",
        examples=["Yes"],
    )


class AnswerBody(Wire):
    """A question and its answer (T-A15)."""

    checklist_id: int = Field(examples=[7])
    question: str = Field(examples=["Did they state the plan conditions?"])
    answer: str = Field(examples=["Yes"])


class AnswersAnswer(Done):
    """All answers of a task."""

    data: list[AnswerBody]


class AnswersSavedAnswer(AnswersAnswer):
    """All answers of the task as they now are."""

    message: str
