"""Texts of clients, cleaned once, where they come in: what controls a terminal, a table or a file is never stored."""

import re
from typing import Final

# Controls, the two separators that some take for line ends, and halves of characters, which no UTF-8 holds.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BUT_LINE_BREAKS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LINE_END: Final = re.compile("\r\n?")


def one_line(text: str) -> str:
    """A name, say: a space in place of each control character, none round it."""
    return _CONTROLS.sub(" ", text).strip()


def lines(text: str) -> str:
    """The same for text of several lines, with one kind of line end however they came."""
    return _BUT_LINE_BREAKS.sub(" ", _LINE_END.sub("\n", text)).strip()
