"""Words put together as their script writes them: with spaces between, or without."""

import re
from collections.abc import Iterable

# Scripts that write no space between words: Thai, Lao, Burmese, Khmer, CJK punctuation with kana, Han, and full-width
# forms. Hangul is not among them.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff5e]")


def join_words(words: Iterable[str]) -> str:
    """The words as one line."""
    line = ""
    for word in words:
        line += word if not line or _touch(line[-1], word[:1]) else f" {word}"
    return line


def _touch(before: str, after: str) -> bool:
    return bool(_UNSPACED.match(before) and _UNSPACED.match(after))
