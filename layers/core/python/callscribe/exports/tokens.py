"""Where a line of a subtitle may break: between words, and anywhere in scripts that write without spaces."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_JOINER = "\u200d"
_STICKS_TO_WHAT_PRECEDES = frozenset({"Mn", "Mc", "Me", "Pe", "Pf", "Po"})  # marks and closing punctuation


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text that stays whole, and whether a space stands before it."""

    text: str
    space_before: bool


def columns(text: str) -> int:
    """Width in characters; East Asian wide characters count as two, as subtitle guides for them do."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def tokens(text: str, *, max_columns: int) -> Iterator[Token]:
    """The tokens of cleaned text, none wider than `max_columns` (at least 2)."""
    for number, word in enumerate(text.split(" ")):
        for position, part in enumerate(_cut(word, max_columns)):
            yield Token(part, space_before=number > 0 and position == 0)


def _cut(word: str, max_columns: int) -> Iterator[str]:
    """Wide characters one by one (with what sticks to them), the rest in runs of at most `max_columns`."""
    if word.isascii():
        yield from (word[begin : begin + max_columns] for begin in range(0, len(word), max_columns))
        return
    part = ""
    for character in word:
        full = columns(part) + _columns(character) > max_columns
        if part and (full or _may_break(part[-1], character)):
            yield part
            part = ""
        part += character
    if part:
        yield part


def _may_break(before: str, after: str) -> bool:
    if _JOINER in (before, after) or unicodedata.category(after) in _STICKS_TO_WHAT_PRECEDES:
        return False
    return _columns(before) == 2 or _columns(after) == 2


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
