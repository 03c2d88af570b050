"""The one way to change a shelf: read all of it, decide, and commit with a new version of the shelf's own record.

So no two changes of a shelf are decided on the same reading: names stay unique, trees stay trees and counts hold,
however many write at once. Whoever comes too late reads again and decides again.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from typing import Final, TypeVar

from callscribe.domain.records import Change, Record, insert, update
from callscribe.domain.shelves import Shelf
from callscribe.domain.texts import is_blank, lines, one_line
from callscribe.errors import Invalid, NotFound, Unavailable
from callscribe.ports import Deps
from callscribe.services.commits import committed, pause_s

R = TypeVar("R", bound=Record)
T = TypeVar("T")

Decide = Callable[[list[R]], tuple[Sequence[Change], T]]

MAX_RECORDS: Final = 1_000  # of one shelf
MAX_NAME_CHARACTERS: Final = 255
MAX_DESCRIPTION_CHARACTERS: Final = 2_000
# All texts of a shelf together, as JSON has them: each change reads them all, and a list may show them all at once.
MAX_TEXT_BYTES: Final = 3_000_000
MAX_RECORD_TEXT_BYTES: Final = 380_000  # an item of the table has at most 400 KiB
_TRIES: Final = 60


def change(
    deps: Deps,
    kind: type[R],
    tenant_id: str,
    owner: str,
    decide: Decide[R, T],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Change the shelf of this kind and owner as `decide` wants, and answer its result.

    `decide` takes all records, by id, and gives at most 99 steps with the result, or raises; it may be asked several
    times. Without steps nothing is written. Raises Invalid for more than a shelf can hold, and Unavailable where
    others kept changing it.
    """
    for attempt in range(_TRIES):
        if attempt:
            sleep(pause_s(deps, attempt))
        shelf = deps.store.get(Shelf, tenant_id, owner, kind.__name__)
        kept = deps.store.children(kind, tenant_id, owner)
        steps, result = decide(kept)
        if not steps:
            return result
        _require_room(kept, steps)
        # The shelf was read first: whatever changed after that, changed its version.
        if committed(deps, _counted(shelf, Shelf(tenant_id, owner, kind.__name__)), *steps):
            return result
    raise Unavailable("others kept changing the same list")


def numbering(deps: Deps, kind: type[Record], tenant_id: str) -> Callable[[], int]:
    """Gives one new id of this kind, the same one however often a decision asks for it, and none if it never asks."""

    @cache
    def new_id() -> int:
        return deps.store.count(tenant_id, kind.__name__)

    return new_id


def of_id(kept: Sequence[R], wanted: int, what: str) -> R:
    """The record of this id. Raises NotFound, which says what there is none of."""
    for record in kept:
        if getattr(record, "id", None) == wanted:
            return record
    raise NotFound(f"there is no such {what}")  # all unknown ids are answered alike


def page_of(found: Sequence[T], page: int, per_page: int) -> list[T]:
    """The page of this number, from 1; empty behind the last one."""
    return list(found[(page - 1) * per_page : page * per_page])


def required(field: str, given: str, *, most: int = MAX_NAME_CHARACTERS) -> str:
    """A text of one line without the blanks round it. Raises Invalid for one that shows nothing, or is too long."""
    text = one_line(given)
    if is_blank(text):
        raise Invalid(field, "must not be empty")
    return at_most(field, text, most)


def at_most(field: str, text: str, most: int) -> str:
    """The text, as it is. Raises Invalid for one of more characters."""
    if len(text) > most:
        raise Invalid(field, f"has {len(text)} characters; at most {most} are allowed")
    return text


def described(given: str | None) -> str | None:
    """A description of one or more lines. Raises Invalid for one that is too long."""
    return None if given is None else at_most("description", lines(given), MAX_DESCRIPTION_CHARACTERS)


def _counted(shelf: Shelf | None, new: Shelf) -> Change:
    return insert(new) if shelf is None else update(shelf)


def _require_room(kept: Sequence[Record], steps: Sequence[Change]) -> None:
    """Raises Invalid where the steps would put more on a shelf than it can hold; what makes it smaller is welcome."""
    added = sum((step.before is None) - (step.after is None) for step in steps)
    if added > 0 and len(kept) + added > MAX_RECORDS:
        raise Invalid("list", f"is full: it has {MAX_RECORDS} entries")
    grown = 0
    for step in steps:
        after_bytes = _text_bytes(step.after)
        if after_bytes > MAX_RECORD_TEXT_BYTES:
            raise Invalid("entry", f"has {after_bytes} bytes of text; at most {MAX_RECORD_TEXT_BYTES} are allowed")
        grown += after_bytes - _text_bytes(step.before)
    if grown > 0 and sum(map(_text_bytes, kept)) + grown > MAX_TEXT_BYTES:
        raise Invalid("list", f"is full: its texts may have {MAX_TEXT_BYTES} bytes together")


def _text_bytes(record: Record | None) -> int:
    """How many bytes its texts take in JSON."""
    if record is None:
        return 0
    values = (getattr(record, field.name) for field in fields(record))  # type: ignore[arg-type]  # every Record is a dataclass
    return sum(len(json.dumps(value, ensure_ascii=False).encode()) for value in values if isinstance(value, str))
