"""Texts of clients, cleaned once, where they come in: what controls a terminal, a table or a file is never stored.

Nor is it stored in two spellings that look alike: й is one character, as keyboards write it, and not и with a mark,
as some file systems do (NFC).
"""

import re
import unicodedata
from typing import Final

# Controls, the two separators that some take for line ends, and halves of characters, which no UTF-8 holds.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BUT_LINE_BREAKS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LINE_END: Final = re.compile("\r\n?")
# Controls, halves of characters, format characters such as the joiners, and marks that need a letter to stand on.
_UNSEEN: Final = frozenset({"Cc", "Cs", "Cf", "Mn", "Me"})
_MOST_MARKS: Final = 30
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0")  # of Hangul: letters by their category


def one_line(text: str) -> str:
    """A name, say: a space in place of each control character, none round it."""
    return composed(_CONTROLS.sub(" ", text)).strip()


def lines(text: str) -> str:
    """The same for text of several lines, with one kind of line end however they came."""
    return composed(_BUT_LINE_BREAKS.sub(" ", _LINE_END.sub("\n", text))).strip()


def is_blank(text: str) -> bool:
    """Whether it shows nothing: it is empty, or has blanks, controls and characters without a width only."""
    return all(c.isspace() or c in _FILLERS or unicodedata.category(c) in _UNSEEN for c in set(text))


def caseless(text: str) -> str:
    """What two texts have in common that differ in case, or in how their accents are written, only."""
    return composed(composed(text).casefold())


def composed(text: str) -> str:
    """NFC. Of the marks on one letter those beyond the thirtieth go, as Unicode's stream-safe text has it (UAX #15):
    no language has so many, and the time to put them in order grows with the square of their number.
    """
    if text.isascii():
        return text
    marks = re.escape("".join(c for c in set(text) if unicodedata.combining(c)))
    bounded = re.sub(f"([{marks}]{{{_MOST_MARKS}}})[{marks}]+", r"\1", text) if marks else text
    return unicodedata.normalize("NFC", bounded)
