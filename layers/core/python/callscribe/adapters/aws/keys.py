"""Key values → the strings that DynamoDB sorts by.

Values are joined with `#`, and every character up to `%` inside a value is written as %XX. So no value can hold
a separator (two different keys never meet), and the strings sort as the tuples of values do: the separator is
lower than anything a value can start with, and escapes keep their order. Numbers have a fixed width.
"""

import re

SEPARATOR = "#"
INTEGER_DIGITS = 20
LAST_INTEGER = "9" * INTEGER_DIGITS
_UP_TO_PERCENT = re.compile(r"[\x00-%]")


def join(*values: str | int) -> str:
    """The values, each encoded, with separators between them."""
    return SEPARATOR.join(_encode(value) for value in values)


def path(*values: str | int) -> str:
    """The values, each followed by a separator, so that a shorter path is a prefix of the longer ones."""
    return "".join(_encode(value) + SEPARATOR for value in values)


def pad(number: int) -> str:
    """A number as text that sorts like it. Raises ValueError for one that is negative or too long."""
    if not 0 <= number < 10**INTEGER_DIGITS:
        raise ValueError(f"not a number for a key: {number}")
    return f"{number:0{INTEGER_DIGITS}d}"


def _encode(value: str | int) -> str:
    if isinstance(value, int):
        return pad(value)
    return _UP_TO_PERCENT.sub(lambda found: f"%{ord(found[0]):02X}", value)
