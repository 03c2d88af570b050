"""Where a line of a subtitle may break: between words, and anywhere in scripts that write without spaces."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_JOINER = "\u200d"
_MARKS = frozenset({"Mn", "Mc", "Me", "Cf"})  # accents, vowel signs, enclosing marks; and joiners
_CLOSING = frozenset({"Pe", "Pf", "Po"})
# What also belongs to the character before it (UAX #29): Thai and Lao vowels, Japanese sound marks, skin tones, and
# the vowels and finals of Korean that is written in single letters.
_OTHERS_THAT_EXTEND = re.compile("[\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\u1160-\u11ff\ud7b0-\ud7ff]")
_FLAG_LETTER = re.compile("[\U0001f1e6-\U0001f1ff]")  # two of them make a flag


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text that stays whole, and whether a space stands before it."""

    text: str
    space_before: bool


def columns(text: str) -> int:
    """Width in characters; East Asian wide characters count as two, as subtitle guides for them do."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def tokens(text: str, *, max_columns: int) -> Iterator[Token]:
    """The tokens of cleaned text, none wider than `max_columns` (at least 2).

    A letter keeps its accents, an emoji its parts, unless they alone are wider.
    """
    for number, word in enumerate(text.split(" ")):
        for position, part in enumerate(_cut(word, max_columns)):
            yield Token(part, space_before=number > 0 and position == 0)


def _cut(word: str, max_columns: int) -> Iterator[str]:
    """Wide characters one by one (with closing punctuation), the rest in runs of at most `max_columns`."""
    if word.isascii():
        yield from (word[begin : begin + max_columns] for begin in range(0, len(word), max_columns))
        return
    part = before = ""
    for cluster in _clusters(word, max_columns):
        full = columns(part) + columns(cluster) > max_columns
        if part and (full or _may_break(before, cluster)):
            yield part
            part = ""
        part, before = part + cluster, cluster
    if part:
        yield part


def _clusters(word: str, max_columns: int) -> Iterator[str]:
    """What a reader takes for one character each; cut where one is wider than `max_columns`."""
    cluster = ""
    for character in word:
        full = columns(cluster) + _columns(character) > max_columns
        if cluster and (full or not _belongs(cluster, character)):
            yield cluster
            cluster = ""
        cluster += character
    yield cluster


def _belongs(cluster: str, character: str) -> bool:
    """Whether a character belongs to the cluster before it, near enough to UAX #29."""
    if cluster.endswith(_JOINER) or unicodedata.category(character) in _MARKS:
        return True
    if _FLAG_LETTER.match(character):
        return len(cluster) == 1 and _FLAG_LETTER.match(cluster) is not None
    return _OTHERS_THAT_EXTEND.match(character) is not None


def _may_break(before: str, after: str) -> bool:
    if unicodedata.category(after[0]) in _CLOSING:
        return False
    return _columns(before[0]) == 2 or _columns(after[0]) == 2


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
