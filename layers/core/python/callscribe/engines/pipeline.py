"""From an audio file to a transcript: decode, find speech, recognise, put in order, tell speakers apart.

Everything streams: a file of twelve hours needs no more samples in memory than one of an hour.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from callscribe.domain.audio import AudioFacts
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.domain.work_figures import WorkFigures
from callscribe.engines.base import (
    Chunk,
    Diarizer,
    Engine,
    EngineInfo,
    Hints,
    LanguageGuess,
    Recognised,
    Samples,
    settle_language,
)
from callscribe.engines.desk import Task
from callscribe.engines.languages import tell_languages
from callscribe.engines.pieces import Piece, cut_speech, join_spans, segments_of
from callscribe.engines.pool import ChunkPool, Feed
from callscribe.engines.speakers import TwoSpeakers, split_by_speaker
from callscribe.media.decode import decode_blocks
from callscribe.media.speech import SpeechRules
from callscribe.ports import DEFAULT_OPTIONS, SpeechPipeline, Transcribed, TranscriptionOptions

Blocks = Callable[[Path, AudioFacts], Iterable[Samples]]


def make_transcriber(
    engine: Engine,
    *,
    blocks: Blocks = decode_blocks,
    diarizer: Callable[[], Diarizer] = TwoSpeakers,
    pool: ChunkPool | None = None,
) -> SpeechPipeline:
    """A transcriber on top of an engine, for any number of threads; nobody needs to close it but to close the engine.

    `blocks` streams a file's samples, shape (channels, frames), 16 kHz. `diarizer` makes one for each recording that
    needs it. `pool`: the engine's, where another than the default is wanted.
    """
    return PooledTranscriber(engine.info, pool or ChunkPool(engine), blocks, diarizer)


class PooledTranscriber:
    """See `ports.SpeechPipeline`. Each call reads one recording; their chunks meet in one pool."""

    def __init__(self, info: EngineInfo, pool: ChunkPool, blocks: Blocks, diarizer: Callable[[], Diarizer]) -> None:
        self._info = info
        self._pool = pool
        self._blocks = blocks
        self._diarizer = diarizer

    def __call__(self, path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
        """See `ports.Transcriber`."""
        wanted = settle_language(self._info, options.language)
        told_apart = options.diarize and facts.channels == 1  # of two channels each is a speaker
        assembly = Assembly(self._info, facts, wanted, self._diarizer() if told_apart else None)
        with (
            self._pool.open(tenant_id=options.tenant_id, hints=Hints(options.vocabulary)) as feed,
            closing(feed.paced(self._blocks(path, facts))) as blocks,
        ):
            for piece, recognised in recognise(feed, pieces_of(self._info, blocks, facts.channels), wanted):
                assembly.add(piece, recognised)
        return Transcribed(assembly.finish(), _figures(facts, assembly, feed))

    def stop(self) -> None:
        """See `ports.SpeechPipeline`."""
        self._pool.stop()

    def close(self) -> None:
        """See `ports.SpeechPipeline`."""
        self._pool.close()


def pieces_of(info: EngineInfo, blocks: Iterable[Samples], channels: int) -> Iterator[Piece]:
    """The speech of a recording, in pieces such as the engine likes best; `blocks` are of shape (channels, frames)."""
    pieces = cut_speech(blocks, channels, SpeechRules(max_span_s=info.max_chunk_s))
    return join_spans(pieces, info.max_chunk_s) if info.joins_spans else pieces


def recognise(feed: Feed, pieces: Iterable[Piece], language: str | None) -> Iterator[tuple[Piece, Recognised]]:
    """The pieces of one recording, in their order, with what the engine heard in them.

    Without a language each channel's own is found first, where the engine can tell them apart.
    """
    handed_in: deque[_HandedIn] = deque()
    detects = language is None and feed.detects_language
    for piece, guess in tell_languages(pieces, feed) if detects else ((piece, None) for piece in pieces):
        chunk = Chunk(piece.samples)
        while handed_in and (handed_in[0].task.answer.done() or not feed.has_room(chunk)):
            yield handed_in.popleft().take(feed)
        handed_in.append(_HandedIn(piece, guess, feed.submit(chunk, guess.language if guess else language)))
    feed.finish()
    while handed_in:
        yield handed_in.popleft().take(feed)


@dataclass(frozen=True, slots=True)
class _HandedIn:
    """A piece whose answer is to be taken yet; `guess`: the language that its channel was taken for."""

    piece: Piece
    guess: LanguageGuess | None
    task: Task

    def take(self, feed: Feed) -> tuple[Piece, Recognised]:
        recognised = feed.take(self.task)
        if self.guess is None:
            return self.piece, recognised
        told = replace(recognised, language=self.guess.language, language_probability=self.guess.probability)
        return self.piece, told


@dataclass(slots=True)
class Assembly:
    """Collects what was recognised in the pieces of one recording, by channel in order, and makes the transcript."""

    info: EngineInfo
    facts: AudioFacts
    language: str | None  # what the caller asked for
    diarizer: Diarizer | None = None  # tells the speakers of a mono recording apart; else nobody listens for them
    segments: list[Segment] = field(default_factory=list)
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
        if self.diarizer is not None:
            for part in piece.spans:
                self.diarizer.listen(piece.samples_of(part), part.span.start_s)
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
        if self.diarizer is None:
            yield from self.segments  # one voice or several: nobody has listened for it
            return
        voices = self.diarizer.voices()
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


def _figures(facts: AudioFacts, assembly: Assembly, feed: Feed) -> WorkFigures:
    fill = feed.batch_fill
    return WorkFigures(
        audio_s=round(facts.duration_s * facts.channels, 3),
        speech_s=round(assembly.speech_s, 3),
        device_s=round(feed.device_s, 6),
        batch_fill=None if fill is None else round(fill, 4),
    )


def _mean_confidence(segments: Iterable[Segment]) -> float | None:
    known = [word.confidence for segment in segments for word in segment.words if word.confidence is not None]
    return sum(known) / len(known) if known else None
