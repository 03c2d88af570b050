"""The criteria of a list as a request gives them, by query or in JSON (T-18).

What is missing, null, blank or an empty list asks for nothing. Lists may be text with commas, as in a query; `message`
and `operator_name` are one text each, whatever commas they have.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from callscribe.dialects.transcripto.results import values
from callscribe.domain import short_codes
from callscribe.domain.call_facts import Direction
from callscribe.domain.dictionaries import MOST_SATISFIED, POLITENESS
from callscribe.domain.jobs import is_job_id
from callscribe.domain.tasks import LABELS, Criteria, Range, TaskStatus, TaskType

COMPLETED_2: Final = "completed2"  # T-A18: may be asked for, and no task ever has it
STATUSES: Final = (*map(str, TaskStatus), COMPLETED_2)
TYPES: Final = tuple(map(str, TaskType))
DIRECTIONS: Final = tuple(map(str, Direction))
BEST_ALIGNMENT: Final = 100
MOST_PAGES: Final = 1_000_000
MOST_PER_PAGE: Final = 100
USUAL_PER_PAGE: Final = 10
MOST_ID: Final = 10**15
MOST_MINUTES: Final = 10**9

_NO_CODE: Final = "must be a task's UUID, its id or its short code"

_id = partial(values.integer, least=0, most=MOST_ID)
_rating = partial(values.integer, least=POLITENESS[0], most=POLITENESS[-1])
_share = partial(values.number, least=0, most=BEST_ALIGNMENT)
_satisfaction = partial(values.integer, least=0, most=MOST_SATISFIED)
_minutes = partial(values.number, least=0, most=MOST_MINUTES)

ReadEnd = Callable[[str, Any], float | None]


@dataclass(frozen=True, slots=True)
class Question:
    """Which page of which list; `criteria` None where no task can ever fit."""

    criteria: Criteria | None
    page: int
    per_page: int


def read(given: Mapping[str, Any]) -> Question:
    """What these parameters, by their names, ask for. Raises Refused (INVALID)."""
    page = values.integer("page", given.get("page"), least=1, most=MOST_PAGES)
    per_page = values.integer("per_page", given.get("per_page"), least=1, most=MOST_PER_PAGE)
    return Question(_criteria(given), page or 1, per_page or USUAL_PER_PAGE)


def _criteria(given: Mapping[str, Any]) -> Criteria | None:
    status = values.word("status", given.get("status"), STATUSES)
    type_ = values.word("task_type", given.get("task_type"), TYPES)
    code, task_id, agree = _identity(given)
    checklist_id, answers = _answered(given)
    criteria = Criteria(
        code=code,
        id=task_id,
        type=None if type_ is None else TaskType(type_),
        status=None if status in (None, COMPLETED_2) else TaskStatus(status),
        moment_ms=_moment_ms(given),
        call_type=values.word("call_type", given.get("call_type"), DIRECTIONS),
        operator=values.text("operator_name", given.get("operator_name")),
        words=values.wording("message", given.get("message")),
        labels=_labels(given),
        script_alignment=_range(given, "script_alignment", _share),
        satisfaction=_range(given, "customer_satisfaction_score", _satisfaction),
        politenesses=values.several("operator_politeness", given.get("operator_politeness"), _rating),
        politeness=_range(given, "operator_politeness", _rating),
        tags_any=values.several("tags_any", given.get("tags_any"), values.text),
        tags_all=values.several("tags_all", given.get("tags_all"), values.text),
        length_min=_range(given, "length", _minutes),
        checklist_id=checklist_id,
        answers=answers,
    )
    return criteria if agree and status != COMPLETED_2 else None


def _identity(given: Mapping[str, Any]) -> tuple[str | None, int | None, bool]:
    """Code and id of the task that is asked for, each None where none is; and whether one task can have both."""
    task_id = _id("task_id", given.get("task_id"))
    raw = given.get("task_code")
    if not (raw is None or isinstance(raw, str) or values.is_integer(raw)):
        raise values.bad("task_code", _NO_CODE)
    code = values.text("task_code", None if raw is None else str(raw))
    if code is None or is_job_id(code.lower()):
        return None if code is None else code.lower(), task_id, True
    number = short_codes.number_of(code)
    if number is None:
        raise values.bad("task_code", _NO_CODE)
    return None, number, task_id in (None, number)


def _moment_ms(given: Mapping[str, Any]) -> Range:
    first = values.moment("date_from", given.get("date_from"), whole_day=False)
    last = values.moment("date_to", given.get("date_to"), whole_day=True)
    if first is not None and last is not None and first > last:
        raise values.bad("date_from", "must not be later than date_to")
    return Range(first, last)


def _labels(given: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    found = {label: values.several(f"{label}_id", given.get(f"{label}_id"), _id) for label in LABELS}
    return {label: ids for label, ids in found.items() if ids}


def _answered(given: Mapping[str, Any]) -> tuple[int | None, tuple[str, ...]]:
    """The question, and what it may have been answered: the document says only what both mean together."""
    checklist_id, answers = _id("checklist_id", given.get("checklist_id")), _answers(given.get("answers"))
    if answers and checklist_id is None:
        raise values.bad("answers", "must come with checklist_id")
    return checklist_id, answers


def _answers(given: Any) -> tuple[str, ...]:
    """Of text with commas both the parts and the whole are meant: an answer may have commas of its own."""
    found = values.several("answers", given, values.text)
    whole = values.text("answers", given) if isinstance(given, str) else None
    return found if whole is None or whole in found else (*found, whole)


def _range(given: Mapping[str, Any], name: str, read_end: ReadEnd) -> Range:
    first, last = f"{name}_min", f"{name}_max"
    least, most = read_end(first, given.get(first)), read_end(last, given.get(last))
    if least is not None and most is not None and least > most:
        raise values.bad(first, f"must not be more than {last}")
    return Range(least, most)
