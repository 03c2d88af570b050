"""A scripted engine, and samples in place of files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callscribe.domain.audio import AudioFacts
from callscribe.engines.base import Chunk, EngineInfo, Hints, Recognised

Samples = NDArray[np.float32]
NO_FILE = Path("there-is-no-file")
INFO = EngineInfo("scripted", "scripted@1", frozenset({"en"}), word_times=True, max_chunk_s=20.0, device="cpu")


@dataclass
class ScriptedEngine:
    """Gives the next of its answers for each chunk, the last one again and again; remembers how long chunks were."""

    answers: Sequence[Recognised] = (Recognised("something"),)
    info: EngineInfo = INFO
    chunks_s: list[float] = field(default_factory=list)

    def transcribe(self, chunks: Sequence[Chunk], *, language: str | None, hints: Hints) -> Iterator[Recognised]:
        for chunk in chunks:
            self.chunks_s.append(chunk.samples.size / 16_000)
            yield self.answers[min(len(self.chunks_s), len(self.answers)) - 1]

    def close(self) -> None:
        pass


def facts_of(samples: Samples, *, sample_rate_hz: int = 16_000) -> AudioFacts:
    return AudioFacts("wav", "pcm_s16le", samples.shape[0], sample_rate_hz, samples.shape[1] / 16_000, samples.nbytes)


def in_blocks(samples: Samples, frames: int = 160_000) -> Callable[[Path, AudioFacts], Iterable[Samples]]:
    def blocks(path: Path, facts: AudioFacts) -> Iterator[Samples]:
        for at in range(0, samples.shape[1], frames):
            yield samples[:, at : at + frames]

    return blocks


def with_rate(facts: AudioFacts, sample_rate_hz: int) -> AudioFacts:
    return replace(facts, sample_rate_hz=sample_rate_hz)
