"""Recordings transcribed at the same time, from real files, by an engine that answers with what it was given."""

import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.transcripts import Word
from callscribe.engines.base import Chunk, EngineInfo, Hints, Recognised
from callscribe.engines.pipeline import make_transcriber
from callscribe.engines.pool import ChunkPool
from callscribe.errors import FailureCode, JobFailed, Stopped
from callscribe.media.inspect import inspect
from callscribe.ports import SpeechPipeline, TranscriptionOptions
from local.recordings import CLIPS, demo_recording
from tests.engines.fakes import INFO, NO_FILE, Samples, facts_of

CLIP_NAMES = ("jfk", "pv-diar", "librivox-0870", "librivox-0880")


@dataclass
class Digesting:
    """Hears the digest of a chunk's samples, in two words, one of them told in the language that it was asked for."""

    info: EngineInfo = INFO
    sizes: list[int] = field(default_factory=list)

    def transcribe(self, chunks: Sequence[Chunk], *, language: str | None, hints: Hints) -> Iterator[Recognised]:
        self.sizes.append(len(chunks))
        return (self._digest(chunk, language) for chunk in chunks)

    def close(self) -> None:
        pass

    def _digest(self, chunk: Chunk, language: str | None) -> Recognised:
        texts = (f"{zlib.crc32(chunk.samples.tobytes()):08x}", str(language))
        half_s = chunk.duration_s / 2
        words = tuple(Word(text, at * half_s, (at + 1) * half_s, 0.9) for at, text in enumerate(texts))
        return Recognised(" ".join(texts), words)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, AudioFacts]:
    demo = demo_recording().write_wav(tmp_path_factory.mktemp("together") / "demo.wav")
    return {path: inspect(path, AudioLimits()) for path in [*(CLIPS / f"{name}.flac" for name in CLIP_NAMES), demo]}


def test_recordings_come_out_the_same_alone_and_together(files: dict[Path, AudioFacts]) -> None:
    engine = Digesting()
    transcribe = make_transcriber(engine, pool=ChunkPool(engine, linger_s=60.0))
    alone, chunks = {}, []
    for path, facts in files.items():
        engine.sizes.clear()
        alone[path] = transcribe(path, facts)
        chunks.append(sum(engine.sizes))
    engine.sizes.clear()
    jobs = [(path, facts, TranscriptionOptions(tenant_id=name)) for path, facts in files.items() for name in "abc"]
    with ThreadPoolExecutor(len(jobs)) as threads:
        together = list(threads.map(lambda job: transcribe(*job), jobs))
    for (path, _, _), done in zip(jobs, together, strict=True):
        assert done.transcript == alone[path].transcript
        assert done.figures.speech_s == alone[path].figures.speech_s
        assert done.figures.device_s > 0
    assert sum(engine.sizes) == 3 * sum(chunks)
    assert max(engine.sizes) == INFO.batch_chunks > max(chunks)  # filled from several


def test_a_file_that_breaks_its_decoder_fails_alone(files: dict[Path, AudioFacts], tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio at all")
    transcribe = make_transcriber(Digesting())
    facts = next(iter(files.values()))

    def outcome(path: Path) -> str:
        try:
            return transcribe(path, files.get(path, facts)).transcript.text
        except JobFailed as failed:
            return failed.failure.code

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(outcome, [*files, broken]))
    assert found[-1] == FailureCode.AUDIO_UNSUPPORTED
    assert all(len(text) > 8 for text in found[:-1])


def test_who_is_given_up_ends_its_decoding() -> None:
    ended: list[str] = []

    def blocks(path: Path, facts: AudioFacts) -> Iterator[Samples]:
        try:
            for _ in range(10_000):
                yield np.zeros((1, 16_000), np.float32)
                transcribe.stop()
        finally:
            ended.append("decoding")

    transcribe: SpeechPipeline = make_transcriber(Digesting(), blocks=blocks)
    with pytest.raises(Stopped):
        transcribe(NO_FILE, facts_of(np.zeros((1, 16_000), np.float32)))
    assert ended == ["decoding"]
