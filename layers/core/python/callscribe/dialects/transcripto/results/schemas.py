"""What the area's routes take and answer, on the wire."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from callscribe.dialects.omitting import no_default, omittable
from callscribe.dialects.transcripto import queries
from callscribe.dialects.transcripto.documenting import Done, Wire
from callscribe.dialects.transcripto.results import values
from callscribe.dialects.transcripto.results.criteria import (
    BEST_ALIGNMENT,
    DIRECTIONS,
    MOST_ID,
    MOST_MINUTES,
    MOST_PAGES,
    MOST_PER_PAGE,
    STATUSES,
    TYPES,
    USUAL_PER_PAGE,
)
from callscribe.domain.dictionaries import MOST_SATISFIED, POLITENESS
from callscribe.domain.tasks import TaskStatus


def _given(schema: dict[str, Any], description: str, **shown: Any) -> Any:
    """A criterion: null asks for nothing. Its content is judged by `criteria`, which names the rule that broke."""
    return Field(
        default=None,
        description=description,
        json_schema_extra=lambda made: _describe(made, {"anyOf": [schema, {"type": "null"}], **shown}),
    )


def _describe(made: dict[str, Any], schema: dict[str, Any]) -> None:
    no_default(made)
    made.update(schema)


def _integer(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _words(words: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


def _one_or_several(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item, "maxItems": values.MOST_VALUES}]}


_TEXT: Final = {"type": "string", "maxLength": values.MOST_CHARACTERS}
_CODE: Final = {
    "type": "string",
    "pattern": "^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Za-z]{1,10}|[0-9]{1,15})$",
}
_IDS: Final = _one_or_several(_integer(0, MOST_ID))
_RATING: Final = _integer(POLITENESS[0], POLITENESS[-1])
_MOMENT: Final = {
    "anyOf": [
        {"type": "string", "format": "date", "examples": ["2025-10-01"]},
        {"type": "string", "format": "date-time", "examples": ["2025-10-01T10:00:00+03:00"]},
    ]
}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": BEST_ALIGNMENT}
_SATISFACTION: Final = _integer(0, MOST_SATISFIED)
_MINUTES: Final = {"type": "number", "minimum": 0, "maximum": MOST_MINUTES}
_ONE_OF: Final = "One or several of the ids that `GET /dictionaries` lists."
_UTC: Final = (
    "of the call: its `call_datetime`, else 00:00 of its `call_date`, else the making of its task; UTC where no zone is"
    " given."
)
Criterion = Annotated[Any, "judged by `criteria.read`"]


class FilterRequest(Wire):
    """T-18. What the tasks of the list have in common; what is null, blank or missing asks for nothing."""

    task_code: Criterion = _given(_CODE, queries.ANY_NAME)
    task_id: Criterion = _given(_integer(0, MOST_ID), "The task's id.")
    date_from: Criterion = _given(_MOMENT, f"The first moment {_UTC}")
    date_to: Criterion = _given(_MOMENT, f"The last moment, a date with its whole day, {_UTC}")
    task_type: Criterion = _given(_words(TYPES), "Its type.")
    status: Criterion = _given(_words(STATUSES), "Where it stands. No task is ever `completed2`.")
    call_type: Criterion = _given(_words(DIRECTIONS), "Who called whom.")
    operator_name: Criterion = _given(_TEXT, "Part of the operator's name, whatever the case.")
    message: Criterion = _given(_TEXT, "Words that all stand in its summary or its text: a letter or a digit at least.")
    tone_id: Criterion = _given(_IDS, _ONE_OF)
    resolved_status_id: Criterion = _given(_IDS, _ONE_OF)
    priority_id: Criterion = _given(_IDS, _ONE_OF)
    funnel_stage_id: Criterion = _given(_IDS, _ONE_OF)
    risk_signal_id: Criterion = _given(_IDS, _ONE_OF)
    sales_signal_id: Criterion = _given(_IDS, _ONE_OF)
    script_alignment_min: Criterion = _given(_SHARE, "How well the script was kept to, in percent: at least.")
    script_alignment_max: Criterion = _given(_SHARE, "At most.")
    customer_satisfaction_score_min: Criterion = _given(_SATISFACTION, "At least.")
    customer_satisfaction_score_max: Criterion = _given(_SATISFACTION, "At most.")
    operator_politeness: Criterion = _given(_one_or_several(_RATING), "One of these ratings.")
    operator_politeness_min: Criterion = _given(_RATING, "At least.")
    operator_politeness_max: Criterion = _given(_RATING, "At most.")
    tags_any: Criterion = _given(_one_or_several(_TEXT), "One of these tags, whatever the case.")
    tags_all: Criterion = _given(_one_or_several(_TEXT), "Each of these tags, whatever the case.")
    length_min: Criterion = _given(_MINUTES, "Minutes, at least.")
    length_max: Criterion = _given(_MINUTES, "Minutes, at most.")
    checklist_id: Criterion = _given(_integer(0, MOST_ID), "A question that was answered for the task.")
    answers: Criterion = _given(
        _one_or_several(_TEXT), "With `checklist_id`, and only with it: its answer is one of these."
    )
    page: Criterion = _given(_integer(1, MOST_PAGES), "Counted from 1.", examples=[1])
    per_page: Criterion = _given(
        _integer(1, MOST_PER_PAGE), f"How many tasks a page has; {USUAL_PER_PAGE} where it is not given.", examples=[12]
    )


class ListedTaskAnswer(Wire):
    """T-18. One task of a list. Times: ISO 8601 with `+00:00`."""

    id: int
    type: str = Field(json_schema_extra={"enum": list(TYPES)})
    status: str = Field(json_schema_extra={"enum": [str(status) for status in TaskStatus]})
    file_name: str | None
    created_at: str | None = Field(examples=["2025-10-20T08:45:14+00:00"])
    updated_at: str | None
    operator_name: str | None
    call_time: str | None
    call_type: str | None
    call_date: str | None = Field(examples=["2025-10-20"])
    error_message: str | None
    directory_id: int | None
    task_length: float = Field(description="Minutes; 0 for a chat.", examples=[64.2])
    task_code: str = Field(description="UUID.")
    report_type: str | None
    customer_satisfaction_score: int | None


class PaginationAnswer(Wire):
    """Which page this is, of how many."""

    current_page: int
    per_page: int
    total_tasks: int
    total_pages: int


class FilterAnswer(Done):
    """T-18. A page of the list, last changed first."""

    tasks: list[ListedTaskAnswer]
    pagination: PaginationAnswer


class TaskResultAnswer(Wire):
    """T-19. What came of a task. A report has `report_files` (T-A13)."""

    blog_post: str | None
    image_prompt: str | None
    normalized_text: str | None
    original_text: str | None = Field(
        description="A turn to a line; a chat as it was sent.", examples=["Operator: good morning\nCustomer: hello"]
    )
    original_text_url: str = omittable("Where the text is to be had for a while, if it is too long for an answer.")
    report_files: list[str] = Field(default=[], json_schema_extra=no_default)


class GetTaskAnswer(Done):
    """T-19. One task. Times: ISO 8601 with `+00:00`."""

    id: int
    type: str = Field(json_schema_extra={"enum": list(TYPES)})
    status: str = Field(json_schema_extra={"enum": [str(status) for status in TaskStatus]})
    file_name: str | None
    created_at: str
    updated_at: str
    call_date: str | None
    error_message: str | None
    directory_id: int | None
    report_type: str | None
    task_code: str
    task_length: float = Field(description="Minutes; 0 for a chat.")
    task_error_code: int | None = Field(
        description="Why the task failed, as a number of `GET /dictionaries`; null unless `status` is `error`, or where"
        " it was cancelled. (The `error_code` beside it is this request's.)",
        examples=[4026],
    )
    task_result: TaskResultAnswer | None
    report_files: list[str] = Field(
        default=[],
        description="Only of a report that is completed: names for `GET /user/callreport/file`.",
        json_schema_extra=no_default,
    )


class TranscriptAnswer(Wire):
    """What was said, in figures."""

    language: str | None = Field(description="BCP 47.")
    turns: int


class ScoresAnswer(Wire):
    """How well it went: `csat` from 0 to 10, the others from 0 to 1."""

    csat: int | None
    politeness: float | None
    empathy: float | None


class NotesAnswer(Wire):
    """Details, in words."""

    decision_driver: str | None
    emotional_dynamics: str | None
    funnel_stage: str | None
    intention: str | None
    key_obstacles: str | None
    next_action: str | None
    operator_commitments: str | None
    product_or_service: str | None
    reason_for_contact: str | None
    risk_signals: str | None
    root_cause: str | None
    sales_signals: str | None


class Analysis(Wire):
    """T-06. What a call was about. Keys may be added."""

    summary: str
    sentiment: Literal["positive", "neutral", "negative"]
    scores: ScoresAnswer
    actions: list[str]
    tags: list[str]
    analysis_notes: NotesAnswer


class CheckedAnswer(Wire):
    """One question of a script."""

    question_id: int
    title: str
    value: bool


class CheckedScriptAnswer(Wire):
    """How well a script was kept to, from 0 to 1."""

    checklist_id: int
    title: str
    score: float
    answers: list[CheckedAnswer]


class AnalysisAnswer(Done):
    """T-20. The analysis of a call or a chat."""

    task_code: str
    call_datetime: str | None
    call_type: str | None
    duration_sec: int
    transcript: TranscriptAnswer
    analysis: Analysis
    call_checklists: list[CheckedScriptAnswer] | None
    category_ids: list[int] | None
    customer_satisfaction_score: int | None


class TermAnswer(Wire):
    """A word of a list, in the language that was asked for and in all that there are."""

    id: int
    name: str
    names: dict[str, str]


class WordAnswer(Wire):
    """A word that is sent as it is, and what it means."""

    value: str
    meaning: str


class PolitenessAnswer(Wire):
    """T-L3. A rating, as lists are filtered by it, and the share that an analysis shows of it."""

    rating: int
    score: float


class CodeAnswer(Wire):
    """A number of `error_code`, and what it means at an endpoint; null: everywhere else."""

    error_code: int
    endpoint: str | None
    message: str


class DictionariesAnswer(Done):
    """T-A17. Everything that is said by numbers and fixed words."""

    tone: list[TermAnswer]
    resolved_status: list[TermAnswer]
    priority: list[TermAnswer]
    funnel_stage: list[TermAnswer]
    risk_signal: list[TermAnswer]
    sales_signal: list[TermAnswer]
    operator_politeness: list[PolitenessAnswer]
    task_types: list[WordAnswer]
    statuses: list[WordAnswer]
    error_codes: list[CodeAnswer]
