"""Word error rate, as it is usually counted: lower case, no punctuation, "mr" read as "mister"."""

import re
from collections.abc import Sequence

_NOT_IN_WORDS = re.compile(r"[^\w\s']")
_READ_AS = {"mr": "mister"}


def words_of(text: str) -> list[str]:
    """The words that are compared."""
    return [_READ_AS.get(word, word) for word in _NOT_IN_WORDS.sub("", text.lower()).split()]


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """The fewest substitutions, deletions and insertions that turn one into the other."""
    costs = list(range(len(hypothesis) + 1))
    for row, wanted in enumerate(reference, start=1):
        diagonal, costs[0] = costs[0], row
        for column, heard in enumerate(hypothesis, start=1):
            substituted = diagonal + (wanted != heard)
            diagonal = costs[column]
            costs[column] = min(substituted, diagonal + 1, costs[column - 1] + 1)
    return costs[-1]


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Errors per word of the reference; above 1 where more was invented than said. ValueError for no reference."""
    wanted = words_of(reference)
    if not wanted:
        raise ValueError("a word error rate needs at least one word of reference")
    return count_errors(wanted, words_of(hypothesis)) / len(wanted)
