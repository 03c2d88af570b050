"""From an audio file to a transcript: decode, find speech, recognise, put in order, tell speakers apart.

Everything streams: a file of twelve hours needs no more samples in memory than one of a minute.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from callscribe.domain.audio import AudioFacts
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.engines.base import (
    NO_HINTS,
    Chunk,
    DetectsLanguage,
    Engine,
    EngineInfo,
    Hints,
    LanguageGuess,
    Recognised,
    Samples,
    settle_language,
)
from callscribe.engines.languages import Told, tell_languages
from callscribe.engines.pieces import Piece, cut_speech, join_spans, segments_of
from callscribe.engines.speakers import VoiceWindow, describe_voice, split_by_speaker, tell_apart
from callscribe.media.decode import decode_blocks
from callscribe.media.speech import SpeechRules
from callscribe.ports import Transcriber

_BATCH = 16  # chunks handed to the engine at a time

Blocks = Callable[[Path, AudioFacts], Iterable[Samples]]


def make_transcriber(engine: Engine, *, blocks: Blocks = decode_blocks, hints: Hints = NO_HINTS) -> Transcriber:
    """A `Transcriber` on top of an engine; `blocks` streams a file's samples, shape (channels, frames), 16 kHz."""

    def transcribe(path: Path, facts: AudioFacts, *, language: str | None, diarize: bool = True) -> Transcript:
        wanted = settle_language(engine.info, language)
        assembly = Assembly(engine.info, facts, wanted, diarize=diarize)
        pieces = pieces_of(engine.info, blocks(path, facts), facts.channels)
        for piece, recognised in recognise(engine, pieces, wanted, hints):
            assembly.add(piece, recognised)
        return assembly.finish()

    return transcribe


def pieces_of(info: EngineInfo, blocks: Iterable[Samples], channels: int) -> Iterator[Piece]:
    """The speech of a recording, in pieces such as the engine likes best; `blocks` are of shape (channels, frames)."""
    pieces = cut_speech(blocks, channels, SpeechRules(max_span_s=info.max_chunk_s))
    return join_spans(pieces, info.max_chunk_s) if info.joins_spans else pieces


def recognise(
    engine: Engine, pieces: Iterable[Piece], language: str | None, hints: Hints
) -> Iterator[tuple[Piece, Recognised]]:
    """The pieces of one recording with what the engine heard in them.

    Without a language each channel's own is found first, where the engine can tell them apart.
    """
    if language is None and isinstance(engine, DetectsLanguage):
        told = tell_languages(pieces, engine)
    else:
        told = ((piece, None) for piece in pieces)
    for batch in _batches(told):
        for guess in dict.fromkeys(guess for _, guess in batch):
            alike = [piece for piece, other in batch if other == guess]
            chunks = [Chunk(piece.samples) for piece in alike]
            heard = engine.transcribe(chunks, language=guess.language if guess else language, hints=hints)
            for piece, recognised in zip(alike, heard, strict=True):
                yield piece, _as_told(recognised, guess)


@dataclass(slots=True)
class Assembly:
    """Collects what was recognised in the pieces of one recording, in any order, and makes the transcript."""

    info: EngineInfo
    facts: AudioFacts
    language: str | None  # what the caller asked for
    diarize: bool = True  # whether to tell the speakers of a mono recording apart; each channel is one anyway
    segments: list[Segment] = field(default_factory=list)
    voices: list[VoiceWindow] = field(default_factory=list)
    languages: dict[str, float] = field(default_factory=dict)  # seconds of speech in each
    probabilities: list[float] = field(default_factory=list)
    speech_s: float = 0.0

    def add(self, piece: Piece, recognised: Recognised) -> None:
        """Take one piece's result; its times become absolute."""
        self.speech_s += piece.speech_s
        if (spoken := recognised.language) is not None:
            self.languages[spoken] = self.languages.get(spoken, 0.0) + piece.speech_s
        if recognised.language_probability is not None:
            self.probabilities.append(recognised.language_probability)
        if self.diarize and self.facts.channels == 1:
            for part in piece.spans:
                self.voices += describe_voice(piece.samples_of(part), part.span.start_s)
        self.segments += segments_of(piece, recognised, self.facts.duration_s)

    def finish(self) -> Transcript:
        """The transcript: segments by start, with speakers and warnings."""
        segments = sorted(self._with_speakers(), key=lambda segment: (segment.start_s, segment.channel, segment.end_s))
        probabilities = self.probabilities if self.language is None else []
        return Transcript(
            segments=tuple(segments),
            language=self.language or max(self.languages, key=self.languages.__getitem__, default=None),
            language_probability=round(sum(probabilities) / len(probabilities), 4) if probabilities else None,
            engine=self.info.name,
            model=self.info.model,
            duration_s=self.facts.duration_s,
            speech_s=round(min(self.speech_s, self.facts.duration_s * self.facts.channels), 3),
            warnings=tuple(self._warnings(segments)),
        )

    def _with_speakers(self) -> Iterator[Segment]:
        if self.facts.channels > 1:
            yield from (replace(segment, speaker=str(segment.channel)) for segment in self.segments)
            return
        if not self.diarize:
            yield from self.segments  # one voice or several: nobody has listened for it
            return
        voices = tell_apart(sorted(self.voices, key=lambda window: window.start_s))
        for segment in self.segments:
            yield from split_by_speaker(segment, voices)

    def _warnings(self, segments: list[Segment]) -> Iterator[str]:
        if not segments:
            return
        rate_hz, least_hz = self.facts.sample_rate_hz, self.info.min_sample_rate_hz
        if rate_hz < least_hz:
            yield (
                f"smoke-test transcript: the engine {self.info.name} is made for speech sampled at {least_hz} Hz or "
                f"more; at {rate_hz} Hz expect more wrong words than right ones"
            )
        mean, least = _mean_confidence(segments), self.info.doubtful_below
        if self.language is None and mean is not None and least is not None and mean < least:
            yield (
                f"mean confidence {mean:.2f} is below {least:.2f}: the speech may be in a language that the engine "
                f"{self.info.name} does not know"
            )


def _as_told(recognised: Recognised, guess: LanguageGuess | None) -> Recognised:
    if guess is None:
        return recognised
    return replace(recognised, language=guess.language, language_probability=guess.probability)


def _mean_confidence(segments: Iterable[Segment]) -> float | None:
    known = [word.confidence for segment in segments for word in segment.words if word.confidence is not None]
    return sum(known) / len(known) if known else None


def _batches(told: Iterable[Told]) -> Iterator[list[Told]]:
    remaining = iter(told)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
