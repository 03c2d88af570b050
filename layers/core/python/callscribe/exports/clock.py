"""When each character of a segment's text was spoken."""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

from callscribe.domain.transcripts import Segment


class Clock:
    """Times by position, where a position counts the characters of the text without its spaces.

    The words' own times are used where the words spell the text; otherwise time is in proportion to position.
    """

    def __init__(self, segment: Segment, adapt: Callable[[str], str]) -> None:
        spoken = [(_compact(adapt(word.text)), word.start_s, word.end_s) for word in segment.words]
        text = _compact(adapt(segment.text))
        if "".join(word for word, _, _ in spoken) != text:
            spoken = [(text, segment.start_s, segment.end_s)]
        self._words = [entry for entry in spoken if entry[0]]
        self._ends = list(accumulate(len(word) for word, _, _ in self._words))

    def times_ms(self, begin: int, end: int) -> tuple[int, int]:
        """When the characters begin ≤ position < end were spoken."""
        return self._at_ms(begin, begin), self._at_ms(end - 1, end)

    def _at_ms(self, inside: int, position: int) -> int:
        """The time of a boundary of the word that holds the character `inside`."""
        number = bisect_right(self._ends, inside)
        word, start_s, end_s = self._words[number]
        passed = position - (self._ends[number] - len(word))
        return round(1000 * (start_s + (end_s - start_s) * passed / len(word)))


def _compact(text: str) -> str:
    return text.replace(" ", "")
