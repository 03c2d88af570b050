"""Which language each channel of a recording speaks, settled once, before anything of it is recognised.

Judged by the first half minute of speech, not of the recording: what rings and waits there has no language.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from callscribe.engines.base import Chunk, DetectsLanguage, LanguageGuess
from callscribe.engines.pieces import Piece

_ENOUGH_S = 30.0  # of speech; what a detector looks at
_SURE = 0.5  # a guess below this is worth less than a better one about the other channel of the same call

Told = tuple[Piece, LanguageGuess | None]


def tell_languages(pieces: Iterable[Piece], detector: DetectsLanguage) -> Iterator[Told]:
    """The pieces with their channel's language; those of a channel wait until enough of it has been said."""
    channels = _Channels(detector)
    for piece in pieces:
        yield from channels.push(piece)
    yield from channels.finish()


@dataclass(slots=True)
class _Channels:
    detector: DetectsLanguage
    waiting: dict[int, list[Piece]] = field(default_factory=dict)
    settled: dict[int, LanguageGuess | None] = field(default_factory=dict)

    def push(self, piece: Piece) -> list[Told]:
        if piece.channel in self.settled:
            return [(piece, self.settled[piece.channel])]
        waiting = self.waiting.setdefault(piece.channel, [])
        waiting.append(piece)
        return self._settle(piece.channel) if _speech_s(waiting) >= _ENOUGH_S else []

    def finish(self) -> Iterator[Told]:
        for channel in sorted(self.waiting, key=lambda channel: -_speech_s(self.waiting[channel])):
            yield from self._settle(channel)

    def _settle(self, channel: int) -> list[Told]:
        pieces = self.waiting.pop(channel)
        guess = self.detector.detect_language([Chunk(piece.samples) for piece in pieces])
        self.settled[channel] = guess = self._surest(guess)
        return [(piece, guess) for piece in pieces]

    def _surest(self, guess: LanguageGuess | None) -> LanguageGuess | None:
        if guess is not None and guess.probability >= _SURE:
            return guess
        others = [other for other in self.settled.values() if other is not None and other.probability >= _SURE]
        return max(others, key=lambda other: other.probability, default=guess)


def _speech_s(pieces: Iterable[Piece]) -> float:
    return sum(piece.speech_s for piece in pieces)
