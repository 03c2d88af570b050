"""From an audio file to a transcript: decode, find speech, recognise, put in order, tell speakers apart.

Everything streams: a file of twelve hours needs no more samples in memory than one of a minute.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from callscribe.domain.audio import AudioFacts
from callscribe.domain.transcripts import Segment, Transcript, Word
from callscribe.engines.base import Chunk, Engine, EngineInfo, Hints, Recognised, Samples, settle_language
from callscribe.engines.speakers import VoiceWindow, describe_voice, of_words, split_by_speaker, tell_apart
from callscribe.media.decode import decode_blocks
from callscribe.media.speech import SAMPLE_RATE_HZ, Span, SpeechFinder, SpeechRules
from callscribe.ports import Transcriber

_BATCH = 16  # chunks handed to the engine at a time

Blocks = Callable[[Path, AudioFacts], Iterable[Samples]]


def make_transcriber(engine: Engine, *, blocks: Blocks = decode_blocks) -> Transcriber:
    """A `Transcriber` on top of an engine; `blocks` streams a file's samples, shape (channels, frames), 16 kHz."""

    def transcribe(path: Path, facts: AudioFacts, *, language: str | None, diarize: bool = True) -> Transcript:
        wanted = settle_language(engine.info, language)
        assembly = Assembly(engine.info, facts, wanted, diarize=diarize)
        rules = SpeechRules(max_span_s=engine.info.max_chunk_s)
        for batch in _batches(cut_speech(blocks(path, facts), facts.channels, rules)):
            chunks = [Chunk(piece.samples) for piece in batch]
            heard = engine.transcribe(chunks, language=wanted, hints=Hints())
            for piece, recognised in zip(batch, heard, strict=True):
                assembly.add(piece, recognised)
        return assembly.finish()

    return transcribe


@dataclass(frozen=True, slots=True)
class Piece:
    """A span of speech with its samples; 16 kHz, shape (frames,)."""

    channel: int
    span: Span
    samples: Samples


def cut_speech(blocks: Iterable[Samples], channels: int, rules: SpeechRules) -> Iterator[Piece]:
    """The spans of speech of each channel, as soon as they are known; in order within a channel."""
    cutters = [_Cutter(channel, SpeechFinder(rules)) for channel in range(channels)]
    for block in blocks:
        for cutter in cutters:
            yield from cutter.push(np.ascontiguousarray(block[cutter.channel]))
    for cutter in cutters:
        yield from cutter.finish()


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
        first, last = (round(time_s * SAMPLE_RATE_HZ) - self.kept_from for time_s in (span.start_s, span.end_s))
        return Piece(self.channel, span, self.kept[first:last].copy())


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
        self.speech_s += piece.span.duration_s
        if (spoken := recognised.language) is not None:
            self.languages[spoken] = self.languages.get(spoken, 0.0) + piece.span.duration_s
        if recognised.language_probability is not None:
            self.probabilities.append(recognised.language_probability)
        if self.diarize and self.facts.channels == 1:
            self.voices += describe_voice(piece.samples, piece.span.start_s)
        if segment := place(piece, recognised, self.facts.duration_s):
            self.segments.append(segment)

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


def place(piece: Piece, recognised: Recognised, duration_s: float) -> Segment | None:
    """What was heard in a piece, in seconds from the start of the file; None where nothing was.

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


def _mean_confidence(segments: Iterable[Segment]) -> float | None:
    known = [word.confidence for segment in segments for word in segment.words if word.confidence is not None]
    return sum(known) / len(known) if known else None


def _batches(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
