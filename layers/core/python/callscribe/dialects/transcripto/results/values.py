"""Values of criteria as a request gives them: JSON's own types, or text as a query has it.

None and blank text are no value. Text loses its control characters, which nothing that is searched has. Every reader
raises Refused (INVALID), which names the parameter and its rule.
"""

import re
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.dialects.transcripto.dates import DATE_OR_TIME, read_day_or_time
from callscribe.domain.texts import one_line

V = TypeVar("V")

MOST_CHARACTERS: Final = 1_000
MOST_VALUES: Final = 100
_INTEGER: Final = re.compile(r"([+-]?[0-9]{1,18})(\.0{1,18})?")
_NULL: Final = "null"  # how a query has it where its client writes every value as text
_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][+-]?[0-9]{1,3})?")
_LOST_PLUS: Final = re.compile(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})")  # a bare + means a space in a query


def bad(name: str, rule: str) -> Refused:
    """What is raised for a value that breaks a rule."""
    return Refused(Problem.INVALID, f"{name}: {rule}")


def text(name: str, given: Any) -> str | None:
    """Text of at most MOST_CHARACTERS, without space around it."""
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > MOST_CHARACTERS:
        raise bad(name, f"must be text of at most {MOST_CHARACTERS} characters")
    return one_line(given) or None


def wording(name: str, given: Any) -> str | None:
    """Text in which there is something to be found: a letter or a digit."""
    found = text(name, given)
    if found is not None and not any(map(str.isalnum, found)):
        raise bad(name, "must have a letter or a digit")
    return found


def word(name: str, given: Any, words: Collection[str]) -> str | None:
    """One of these words, whatever its case."""
    found = (text(name, given) or "").lower() or None if _may_be_text(given) else ""
    if found is not None and found not in words:
        raise bad(name, f"must be one of {', '.join(words)}")
    return found


def integer(name: str, given: Any, *, least: int, most: int) -> int | None:
    """An integer; 3.0 is 3, as it is in JSON."""
    value = _plain(given)
    if isinstance(value, str) and (written := _INTEGER.fullmatch(value)):
        value = int(written[1])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None:
        return None
    if not is_integer(value) or not least <= value <= most:
        raise bad(name, f"must be an integer from {least} to {most}")
    return int(value)


def number(name: str, given: Any, *, least: float, most: float) -> float | None:
    """A finite number."""
    value = _plain(given)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if value is None:
        return None
    if not (is_integer(value) or isinstance(value, float)) or not least <= value <= most:
        raise bad(name, f"must be a number from {least:g} to {most:g}")
    return float(value)


def several(name: str, given: Any, read: Callable[[str, Any], V | None]) -> tuple[V, ...]:
    """What `read` makes of one value, of each of a list, or of each part of text with commas; no value twice."""
    items = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]
    if len(items) > MOST_VALUES:
        raise bad(name, f"must have at most {MOST_VALUES} values")
    found = (read(name, item) for item in items)
    return tuple(dict.fromkeys(value for value in found if value is not None))


def moment(name: str, given: Any, *, whole_day: bool) -> int | None:
    """Epoch ms; of a date without a time its first moment, or the last one of the `whole_day`. UTC where no zone is."""
    if not _may_be_text(given):
        raise bad(name, DATE_OR_TIME)
    value = text(name, given)
    if value is None:
        return None
    try:
        return read_day_or_time(_LOST_PLUS.sub(r"\1+\2", value), whole_day=whole_day)
    except ValueError as error:
        raise bad(name, DATE_OR_TIME) from error


def _may_be_text(given: object) -> bool:
    return given is None or isinstance(given, str)


def is_integer(value: object) -> bool:
    """Whether JSON has it as an integer: `true` is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _plain(given: Any) -> Any:
    """Of a number: text without space around it, None where it is blank or says null; anything else as it is."""
    if not isinstance(given, str):
        return given
    written = given.strip()
    return None if written in ("", _NULL) else written
