"""Which words an engine was so unsure of that a reader is better told that they are unclear."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from callscribe.domain.transcripts import Segment, Word

UNCLEAR: Final = "[unclear]"

# By engine, because confidences of different engines do not compare; an engine that is not here is taken at its word.
#
# pocketsphinx: its posteriors. Of 447 words of the recordings in tests/audio (clear at 16 kHz; at 8 kHz; with noise)
# it gave 139 a value below 0.2; of those 52 %, 83 % and 77 % were wrong, and they are 35 % to 52 % of all wrong words.
# A higher threshold would mark more right words than wrong ones in clear speech.
#
# faster-whisper: the probability of the word's tokens, below which Whisper's own decoder takes a word for an anomaly
# when it looks for what it made up (`word_anomaly_score` in openai/whisper).
#
# onnx-asr, transformers: none. The models' makers give no threshold, and one that is not measured on the whole model's
# own mistakes would mark words by chance.
UNCLEAR_BELOW: Final[Mapping[str, float]] = {"pocketsphinx": 0.2, "faster-whisper": 0.15}

_RUN = re.compile(rf"{re.escape(UNCLEAR)}(?:\s+{re.escape(UNCLEAR)})+")


def clear_text(segment: Segment, engine: str) -> str:
    """The segment's text with UNCLEAR in place of each run of words that the engine was too unsure of.

    What has no confidence is clear. A segment without words is judged as a whole.
    """
    below = UNCLEAR_BELOW.get(engine)
    if below is None:
        return segment.text
    if not segment.words:
        return UNCLEAR if _unsure(segment.confidence, below) else segment.text
    return collapse("".join(_marked(segment.text, segment.words, below)))


def collapse(text: str) -> str:
    """One UNCLEAR in place of several in a row."""
    return _RUN.sub(UNCLEAR, text)


def _unsure(confidence: float | None, below: float) -> bool:
    return confidence is not None and confidence < below


def _marked(text: str, words: tuple[Word, ...], below: float) -> Iterator[str]:
    """The text piece by piece, found word by word, so that spacing and punctuation stay as the engine wrote them."""
    position = 0
    for word in words:
        written = word.text.strip()
        found = text.find(written, position)
        if not written or found < 0:  # the engine wrote the text otherwise than the word: it stays as it is
            continue
        yield text[position:found]
        yield UNCLEAR if _unsure(word.confidence, below) else written
        position = found + len(written)
    yield text[position:]
