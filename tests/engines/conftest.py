"""The real engine and the real clips, started once."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from callscribe.domain.audio import AudioFacts
from callscribe.domain.transcripts import Transcript
from callscribe.engines.base import Engine
from callscribe.engines.pipeline import make_transcriber
from callscribe.engines.pocketsphinx import PocketSphinx
from callscribe.ports import TranscriptionOptions
from local.recordings import demo_recording, read_clip
from tests.engines.fakes import NO_FILE, facts_of, in_blocks

Samples = NDArray[np.float32]
Run = Callable[..., Transcript]


@pytest.fixture(scope="session")
def sphinx() -> Iterator[PocketSphinx]:
    engine = PocketSphinx()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def run() -> Run:
    """Transcribe samples, shape (channels, frames), by an engine."""

    def transcribe(
        engine: Engine,
        samples: Samples,
        *,
        facts: AudioFacts | None = None,
        language: str | None = None,
        diarize: bool = True,
    ) -> Transcript:
        transcriber = make_transcriber(engine, blocks=in_blocks(samples))
        options = TranscriptionOptions(language=language, diarize=diarize)
        return transcriber(NO_FILE, facts or facts_of(samples), options).transcript

    return transcribe


@pytest.fixture(scope="session")
def demo(sphinx: PocketSphinx, run: Run) -> Transcript:
    return run(sphinx, demo_recording().samples)


@pytest.fixture(scope="session")
def three_people(sphinx: PocketSphinx, run: Run) -> Transcript:
    return run(sphinx, read_clip("pv-diar")[None])
