"""Tasks found as everybody would at first: look at each of them in Python. What the index must agree with, and beat."""

from collections.abc import Iterable
from dataclasses import replace

from callscribe.domain.searching import phrases, searched
from callscribe.domain.tasks import Criteria, TaskRow, folded


def scan(candidates: Iterable[TaskRow], wanted: Criteria) -> list[TaskRow]:
    """Those that fit, last changed first, without their words."""
    fitting = [replace(row, words="") for row in candidates if fits(row, wanted)]
    return sorted(fitting, key=lambda row: (row.updated_at_ms, row.id), reverse=True)


def fits(row: TaskRow, wanted: Criteria) -> bool:
    """Whether all criteria that are given hold."""
    return (
        _columns_fit(row, wanted) and _ranges_fit(row, wanted) and _lists_fit(row, wanted) and _words_fit(row, wanted)
    )


def _columns_fit(row: TaskRow, wanted: Criteria) -> bool:
    equal = ("code", "id", "type", "status", "call_type")
    operator = folded(wanted.operator or "")
    return all(getattr(wanted, name) in (None, getattr(row, name)) for name in equal) and (
        not operator or operator in folded(row.operator_name or "")
    )


def _ranges_fit(row: TaskRow, wanted: Criteria) -> bool:
    ranges = (
        (wanted.script_alignment, row.script_alignment),
        (wanted.satisfaction, row.satisfaction),
        (wanted.politeness, row.politeness),
        (wanted.length_min, row.length_min),
        (wanted.moment_ms, row.moment_ms),
    )
    return all(not limits or (value is not None and value in limits) for limits, value in ranges)


def _lists_fit(row: TaskRow, wanted: Criteria) -> bool:
    tags = _folded(row.tags)
    answers = _folded(answer for question, answer in row.answers if question == wanted.checklist_id)
    return (
        all(not ids or row.labels.get(label) in ids for label, ids in wanted.labels.items())
        and (not wanted.politenesses or row.politeness in wanted.politenesses)
        and (not wanted.tags_any or bool(tags & _folded(wanted.tags_any)))
        and tags >= _folded(wanted.tags_all)
        and (wanted.checklist_id is None or bool(answers & _folded(wanted.answers) if wanted.answers else answers))
    )


def _words_fit(row: TaskRow, wanted: Criteria) -> bool:
    if not wanted.words:
        return True
    said = f" {searched(row.words)} "
    return all(f" {phrase} " in said for phrase in phrases(wanted.words))


def _folded(texts: Iterable[str]) -> set[str]:
    return set(map(folded, texts))
