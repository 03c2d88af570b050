"""A file cut into pieces of speech, each of which becomes one chunk of an engine, and what was heard put back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

import numpy as np

from callscribe.domain.transcripts import Segment, Word
from callscribe.engines.base import Recognised, Samples
from callscribe.engines.speakers import of_words
from callscribe.media.speech import SAMPLE_RATE_HZ, Span, SpeechFinder, SpeechRules

# Between spans that share a chunk: enough for an engine to hear a pause, and never what sounded there (music, tones).
_PAUSE_S = 0.4


@dataclass(frozen=True, slots=True)
class Part:
    """A span of speech within a piece, which begins `at_s` seconds into the piece's samples."""

    at_s: float
    span: Span


@dataclass(frozen=True, slots=True)
class Piece:
    """Speech of one channel with its samples; 16 kHz, shape (frames,).

    Without `parts` the samples are the span as it was recorded; else several spans, with short silence between.
    """

    channel: int
    span: Span
    samples: Samples
    parts: tuple[Part, ...] = ()

    @property
    def spans(self) -> tuple[Part, ...]:
        """The spans of speech in it, at least one."""
        return self.parts or (Part(0.0, self.span),)

    @property
    def speech_s(self) -> float:
        """Seconds of speech."""
        return sum(part.span.duration_s for part in self.spans)

    def samples_of(self, part: Part) -> Samples:
        """The samples of one of its spans."""
        first = round(part.at_s * SAMPLE_RATE_HZ)
        return self.samples[first : first + round(part.span.duration_s * SAMPLE_RATE_HZ)]


def cut_speech(blocks: Iterable[Samples], channels: int, rules: SpeechRules) -> Iterator[Piece]:
    """The spans of speech of each channel, as soon as they are known; in order within a channel."""
    cutters = [_Cutter(channel, SpeechFinder(rules)) for channel in range(channels)]
    for block in blocks:
        for cutter in cutters:
            yield from cutter.push(np.ascontiguousarray(block[cutter.channel]))
    for cutter in cutters:
        yield from cutter.finish()


def join_spans(pieces: Iterable[Piece], max_piece_s: float) -> Iterator[Piece]:
    """Neighbouring pieces of a channel put together, each as long as `max_piece_s` allows.

    For engines that take as long for half a second as for half a minute.
    """
    held: dict[int, list[Piece]] = {}
    for piece in pieces:
        waiting = held.setdefault(piece.channel, [])
        if waiting and _joined_s([*waiting, piece]) > max_piece_s:
            yield _join(waiting)
            waiting.clear()
        waiting.append(piece)
    for waiting in held.values():
        yield _join(waiting)


def segments_of(piece: Piece, recognised: Recognised, duration_s: float) -> Iterator[Segment]:
    """What was heard in a piece, a segment for each of its spans, in seconds from the start of the file.

    A word belongs to the span that its middle is in, or else to the nearest; never to an earlier one than the word
    before it.
    """
    if not (piece.parts and recognised.words):
        segment = place(piece, recognised, duration_s)
        return iter(()) if segment is None else iter((segment,))
    return _segments_of_parts(piece, recognised, duration_s)


def place(piece: Piece, recognised: Recognised, duration_s: float) -> Segment | None:
    """What was heard in a piece of one span, in seconds from the start of the file; None where nothing was.

    Words follow one another without overlap, inside the piece and inside the file.
    """
    if not recognised.text.strip():
        return None
    at_s, end_s = (min(round(time_s, 3), duration_s) for time_s in (piece.span.start_s, piece.span.end_s))
    if not recognised.words:
        return Segment(recognised.text.strip(), at_s, end_s, piece.channel, None, None)
    words: list[Word] = []
    for word in recognised.words:
        starts_s, ends_s = (round(piece.span.start_s + time_s, 3) for time_s in (word.start_s, word.end_s))
        start_s = max(at_s, min(starts_s, end_s))
        at_s = max(start_s, min(ends_s, end_s))
        words.append(replace(word, start_s=start_s, end_s=at_s))
    return of_words(tuple(words), channel=piece.channel, speaker=None)


def _segments_of_parts(piece: Piece, recognised: Recognised, duration_s: float) -> Iterator[Segment]:
    for part, group in groupby(_with_parts(piece.parts, recognised.words), key=lambda pair: pair[0]):
        words = tuple(_earlier(word, part.at_s) for _, word in group)
        heard = Recognised(" ".join(word.text for word in words), words)
        alone = Piece(piece.channel, part.span, piece.samples_of(part))
        if segment := place(alone, heard, duration_s):
            yield segment


def _with_parts(parts: Sequence[Part], words: Iterable[Word]) -> Iterator[tuple[Part, Word]]:
    place_of_last = 0
    for word in words:
        middle_s = (word.start_s + word.end_s) / 2
        nearest = min(range(len(parts)), key=lambda at: _distance_s(parts[at], middle_s))
        place_of_last = max(place_of_last, nearest)
        yield parts[place_of_last], word


def _distance_s(part: Part, time_s: float) -> float:
    return max(part.at_s - time_s, time_s - part.at_s - part.span.duration_s, 0.0)


def _earlier(word: Word, by_s: float) -> Word:
    return replace(word, start_s=word.start_s - by_s, end_s=word.end_s - by_s)


def _join(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    parts: list[Part] = []
    samples: list[Samples] = []
    at = 0
    for before, piece in zip((None, *pieces), pieces, strict=False):
        pause = 0 if before is None else _frames(_pause_s(before, piece))
        samples += [np.zeros(pause, np.float32), piece.samples]
        parts.append(Part((at + pause) / SAMPLE_RATE_HZ, piece.span))
        at += pause + piece.samples.size
    span = Span(pieces[0].span.start_s, pieces[-1].span.end_s)
    return Piece(pieces[0].channel, span, np.concatenate(samples), tuple(parts))


def _joined_s(pieces: Sequence[Piece]) -> float:
    frames = sum(piece.samples.size for piece in pieces) + sum(_frames(_pause_s(*pair)) for pair in pairwise(pieces))
    return frames / SAMPLE_RATE_HZ


def _pause_s(before: Piece, after: Piece) -> float:
    return max(0.0, min(after.span.start_s - before.span.end_s, _PAUSE_S))


def _frames(time_s: float) -> int:
    return round(time_s * SAMPLE_RATE_HZ)


@dataclass(slots=True)
class _Cutter:
    """Keeps the samples of one channel for as long as a span may still need them."""

    channel: int
    finder: SpeechFinder
    kept: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    kept_from: int = 0  # the first kept sample's place in the channel

    def push(self, samples: Samples) -> list[Piece]:
        self.kept = np.concatenate([self.kept, samples])
        pieces = [self._cut(span) for span in self.finder.push(samples)]
        unneeded = max(0, self.finder.settled - self.kept_from)
        self.kept, self.kept_from = self.kept[unneeded:], self.kept_from + unneeded
        return pieces

    def finish(self) -> list[Piece]:
        return [self._cut(span) for span in self.finder.finish()]

    def _cut(self, span: Span) -> Piece:
        first, last = (_frames(time_s) - self.kept_from for time_s in (span.start_s, span.end_s))
        return Piece(self.channel, span, self.kept[first:last].copy())
