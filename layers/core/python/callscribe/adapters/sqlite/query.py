"""Criteria as SQL over one file's `tasks t`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from callscribe.domain.searching import phrases
from callscribe.domain.tasks import LABELS, MOST_INTEGER, Criteria, Range, folded, storable


@dataclass(slots=True)
class Where:
    """Conditions that must all hold, and the values of their placeholders."""

    conditions: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, condition: str, *values: object) -> None:
        """One more condition."""
        self.conditions.append(condition)
        self.values += map(_bound, values)

    def one_of(self, column: str, wanted: Sequence[object]) -> None:
        """The column holds one of these; no condition for none."""
        if wanted:
            self.add(f"{column} IN ({_marks(wanted)})", *wanted)

    def within(self, column: str, wanted: Range) -> None:
        """The column lies in this range; null never does."""
        if wanted.least is not None:
            self.add(f"{column} >= ?", wanted.least)
        if wanted.most is not None:
            self.add(f"{column} <= ?", wanted.most)

    @property
    def sql(self) -> str:
        """To be put after WHERE."""
        return " AND ".join(self.conditions) or "1"


def where(criteria: Criteria) -> Where:
    """What a row must fulfil."""
    found = Where()
    if criteria.code is not None:
        found.add("t.id IN (SELECT id FROM shown WHERE code = ?)", criteria.code)
    for column in ("id", "type", "status", "call_type"):
        value = getattr(criteria, column)
        found.one_of(f"t.{column}", [] if value is None else [value])
    for label in LABELS:
        found.one_of(f"t.{label}_id", criteria.labels.get(label, ()))
    found.one_of("t.politeness", criteria.politenesses)
    found.within("t.moment_ms", criteria.moment_ms)
    for column in ("script_alignment", "satisfaction", "politeness", "length_min"):
        found.within(f"t.{column}", getattr(criteria, column))
    if operator := folded(criteria.operator or ""):
        found.add("instr(t.operator_folded, ?) > 0", operator)
    _add_tags(found, criteria)
    _add_answers(found, criteria)
    _add_words(found, criteria)
    return found


def _add_tags(found: Where, criteria: Criteria) -> None:
    tagged = "t.id IN (SELECT task_id FROM tags WHERE tag_folded IN ({}))"
    if any_of := _folded(criteria.tags_any):
        found.add(tagged.format(_marks(any_of)), *any_of)
    for tag in _folded(criteria.tags_all):
        found.add(tagged.format("?"), tag)


def _add_answers(found: Where, criteria: Criteria) -> None:
    """Without an answer: whoever has answered the question at all."""
    if criteria.checklist_id is None:
        return
    answers = _folded(criteria.answers)
    given = f" AND answer_folded IN ({_marks(answers)})" if answers else ""
    answered = f"t.id IN (SELECT task_id FROM answers WHERE checklist_id = ?{given})"
    found.add(answered, criteria.checklist_id, *answers)


def _add_words(found: Where, criteria: Criteria) -> None:
    """Each phrase is quoted, so that none is an operator; it has no quotation mark itself."""
    if wanted := phrases(criteria.words or ""):
        match = " ".join(f'"{phrase}"' for phrase in wanted)
        found.add("t.words_row IN (SELECT rowid FROM words WHERE words MATCH ?)", match)


def _bound(value: object) -> object:
    """What SQLite takes for the value: no integer of more than 64 bits, and no half of a character, equals anything."""
    if isinstance(value, int) and abs(value) > MOST_INTEGER:
        return math.inf if value > 0 else -math.inf
    return storable(value) if isinstance(value, str) else value


def _folded(texts: Iterable[str]) -> list[str]:
    return sorted(set(map(folded, texts)))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
