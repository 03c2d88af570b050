"""The engine port: what a speech engine is given and what it gives back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from callscribe.domain.transcripts import Word
from callscribe.engines.batches import Batches
from callscribe.errors import FailureCode, JobFailed

Samples = NDArray[np.float32]
AUTO = "auto"
SAMPLE_RATE_HZ = 16_000
_ROUNDING_S = 0.001
_SILENCE = 1e-4


@dataclass(frozen=True, slots=True)
class Chunk:
    """Speech of one channel, of at most the engine's `max_chunk_s`; 16 kHz mono float32 in [-1, 1], shape (frames,)."""

    samples: Samples

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples.size / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was heard in one chunk. Word times are seconds from the chunk's start; empty text where nothing was."""

    text: str
    words: tuple[Word, ...] = ()
    language: str | None = None
    language_probability: float | None = None


@dataclass(frozen=True, slots=True)
class Hints:
    """What may help an engine; it is free to ignore it. `vocabulary`: names and terms, the most important first."""

    vocabulary: tuple[str, ...] = ()


NO_HINTS = Hints()


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """A primary BCP 47 subtag, and how probable it is among all that the engine knows, 0 to 1."""

    language: str
    probability: float


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is. `languages` are primary BCP 47 subtags; None stands for all."""

    name: str
    model: str  # id and digest
    languages: frozenset[str] | None
    word_times: bool
    max_chunk_s: float
    device: str
    min_sample_rate_hz: int = 8_000  # recordings below this are not what the model was made for
    doubtful_below: float | None = None  # a mean confidence under this says: perhaps another language
    joins_spans: bool = False  # a chunk costs the same however full it is: give it several spans of speech
    batch_chunks: int = 16  # so many chunks at a time suit it best
    batch_padded_s: float = float("inf")  # and so many seconds, every chunk taken for as long as the longest


class Engine(Protocol):
    """A recogniser, loaded once and used for many jobs. Not for use by two threads at a time."""

    @property
    def info(self) -> EngineInfo:
        """The same for as long as the engine lives."""
        ...

    def transcribe(self, chunks: Sequence[Chunk], *, language: str | None, hints: Hints) -> Iterable[Recognised]:
        """One result for each chunk, in order; the chunks may belong to several jobs.

        `language` None: the engine decides. Raises JobFailed (language_unsupported), Unavailable, and ValueError for
        a chunk that is too long.
        """
        ...

    def close(self) -> None:
        """Give back processes and memory; the engine is of no use afterwards."""
        ...


@runtime_checkable
class DetectsLanguage(Protocol):
    """What an engine that can tell languages apart has besides: so that a channel is judged by all that it says."""

    def detect_language(self, chunks: Sequence[Chunk]) -> LanguageGuess | None:
        """The language of all these chunks together, which are one voice's or one channel's; None where it cannot."""
        ...


@runtime_checkable
class SizesBatches(Protocol):
    """What an engine has besides that makes its batches smaller where its memory does not hold them."""

    @property
    def batches(self) -> Batches:
        """Knows how many chunks it takes at a time now."""
        ...


def check_lengths(info: EngineInfo, chunks: Iterable[Chunk]) -> None:
    """Raises ValueError for a chunk that the engine would cut off without a word."""
    for chunk in chunks:
        if chunk.duration_s > info.max_chunk_s + _ROUNDING_S:
            raise ValueError(f"a chunk of {chunk.duration_s:.2f} s is longer than the {info.max_chunk_s:g} s allowed")


def is_silent(chunk: Chunk) -> bool:
    """Whether there is nothing to hear: no samples, or none above -80 dBFS. A model may write words for that too."""
    return not chunk.samples.size or float(np.abs(chunk.samples).max()) < _SILENCE


def settle_language(info: EngineInfo, language: str | None) -> str | None:
    """The primary subtag to recognise, or None where the engine shall decide.

    Raises JobFailed (language_unsupported).
    """
    if language is None or language.lower() == AUTO:
        return None
    primary = language.replace("_", "-").split("-")[0].lower()
    if info.languages is not None and primary not in info.languages:
        known = ", ".join(sorted(info.languages))
        message = f"the speech engine {info.name} does not know the language {language!r}; it knows: {known}"
        raise JobFailed(FailureCode.LANGUAGE_UNSUPPORTED, message)
    return primary


class Voices(Protocol):
    """Who speaks when in one channel."""

    @property
    def count(self) -> int:
        """How many speakers there are, at least 1."""
        ...

    def speaker_at(self, time_s: float) -> str:
        """The speaker at a moment, "0" for the one heard first; where nobody speaks, the nearest."""
        ...


class Diarizer(Protocol):
    """Tells the speakers of one recording's only channel apart. Made anew for each recording."""

    def listen(self, samples: Samples, start_s: float) -> None:
        """Hear one span of speech, 16 kHz, shape (frames,), that begins `start_s` seconds into the recording.

        Spans come in order and do not overlap.
        """
        ...

    def voices(self) -> Voices:
        """Judge all that was heard; called once, at the end."""
        ...
