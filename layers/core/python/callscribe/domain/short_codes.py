"""Short codes: a task's id in base 36, for people to say and type. They can be guessed, so that they open nothing."""

import re
from typing import Final

_DECIMAL: Final = re.compile(r"[0-9]{1,15}")
_SHORT: Final = re.compile(r"[0-9A-Za-z]{1,10}")  # what 10**15 takes


def number_of(given: str) -> int | None:
    """The id that a text names: digits alone are the id itself, else it is a short code in either case; None if none.

    So the short code of an id that has no letter in base 36 cannot be used: the text is the id of another task.
    """
    if _DECIMAL.fullmatch(given):
        return int(given)
    return int(given, 36) if _SHORT.fullmatch(given) else None
