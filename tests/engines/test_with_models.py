"""What every engine with a model in a directory promises, on the tiny models of tests/fixtures."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callscribe.engines import ENGINES, load_engine
from callscribe.engines.base import NO_HINTS, Chunk, Engine, Recognised
from callscribe.errors import FailureCode, Invalid, JobFailed
from local.recordings import demo_recording, not_speech, read_clip
from tests.engines.conftest import Run
from tests.engines.models import MODELS

CLIPS = ("jfk", "librivox-0880", "librivox-0890", "librivox-0870", "pv-es")
EMPTY = Chunk(np.zeros(0, np.float32))


@pytest.fixture(scope="module", params=sorted(MODELS))
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    loaded = load_engine(request.param, MODELS[request.param])
    yield loaded
    loaded.close()


@pytest.fixture(params=sorted(MODELS))
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """An engine's name, and a model directory that may be changed."""
    shutil.copytree(MODELS[request.param], tmp_path / "model")
    return request.param, tmp_path / "model"


def heard(engine: Engine, *chunks: Chunk, language: str | None = "en") -> list[Recognised]:
    return list(engine.transcribe(chunks, language=language, hints=NO_HINTS))


def test_every_engine_but_the_embedded_one_is_tested_here() -> None:
    assert {"pocketsphinx", *MODELS, "transformers"} == set(ENGINES)  # that one in tests/engines/torch


def test_words_have_times_in_order_inside_the_chunk_and_a_confidence(engine: Engine) -> None:
    chunks = [Chunk(read_clip(name)) for name in CLIPS]
    results = heard(engine, *chunks)
    assert len(results) == len(chunks)
    for chunk, result in zip(chunks, results, strict=True):
        assert result.words
        assert result.text == " ".join(word.text for word in result.words)
        assert [word.text for word in result.words] == [word.text.strip() for word in result.words if word.text]
        edges = [edge for word in result.words for edge in (word.start_s, word.end_s)]
        assert edges == sorted(edges)
        assert edges[0] >= 0
        assert edges[-1] <= chunk.duration_s + 0.1
        assert all(type(word.start_s) is type(word.end_s) is type(word.confidence) is float for word in result.words)
        assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in result.words)


def assert_alike(found: list[Recognised], expected: list[Recognised]) -> None:
    """The same words; sums of floating-point numbers may come out a little different in a batch of another size."""
    assert [one.text for one in found] == [one.text for one in expected]
    for one, other in zip(found, expected, strict=True):
        for word, wanted in zip(one.words, other.words, strict=True):
            assert (word.start_s, word.end_s) == pytest.approx((wanted.start_s, wanted.end_s), abs=0.05)
            assert word.confidence == pytest.approx(wanted.confidence, abs=0.01)


def test_chunks_together_give_the_same_as_one_by_one_and_in_their_order(engine: Engine) -> None:
    chunks = [Chunk(read_clip(name)) for name in (*CLIPS, "jfk", "librivox-0880")]
    chunks[2:2] = [EMPTY, Chunk(read_clip("jfk")[:900])]
    alone = [heard(engine, chunk)[0] for chunk in chunks]
    assert_alike(heard(engine, *chunks), alone)
    assert_alike(heard(engine, *reversed(chunks)), alone[::-1])


def test_no_chunk_gives_no_result_and_an_empty_one_gives_no_words(engine: Engine) -> None:
    assert heard(engine) == []
    assert [(found.text, found.words) for found in heard(engine, EMPTY, EMPTY)] == [("", ())] * 2


def test_a_chunk_longer_than_allowed_is_refused_before_anything_is_recognised(engine: Engine) -> None:
    most = int(engine.info.max_chunk_s * 16_000)
    fits, does_not = (Chunk(np.zeros(frames, np.float32)) for frames in (most, most + 100))
    assert len(heard(engine, fits)) == 1
    with pytest.raises(ValueError, match="longer than"):
        engine.transcribe([fits, does_not], language="en", hints=NO_HINTS)


def test_a_language_that_the_model_does_not_know_is_a_typed_error(engine: Engine) -> None:
    with pytest.raises(JobFailed) as failed:
        engine.transcribe([EMPTY], language="zu-ZA", hints=NO_HINTS)
    assert failed.value.failure.code == FailureCode.LANGUAGE_UNSUPPORTED
    assert "'zu-ZA'" in failed.value.failure.message


@pytest.mark.parametrize("name", not_speech(1.0))
def test_nothing_is_heard_where_nobody_speaks(engine: Engine, run: Run, name: str) -> None:
    assert run(engine, not_speech()[name]).segments == ()


def test_both_channels_of_a_call_are_recognised(engine: Engine, run: Run) -> None:
    recording = demo_recording()
    transcript = run(engine, recording.samples)
    assert {segment.speaker for segment in transcript.segments} == {"0", "1"}
    assert {segment.channel for segment in transcript.segments} == {0, 1}
    assert (transcript.engine, transcript.model) == (engine.info.name, engine.info.model)
    words = [word for segment in transcript.segments for word in segment.words]
    assert all(0 <= word.start_s <= word.end_s <= recording.duration_s for word in words)


def test_the_id_of_a_model_is_stable_and_changes_with_one_byte_of_it(copied: tuple[str, Path]) -> None:
    name, folder = copied
    ids = [model_of(name, folder) for _ in range(2)]
    assert ids[0] == ids[1]
    assert ids[0].rpartition(":")[2] == model_of(name, MODELS[name]).rpartition(":")[2]
    config = folder / "config.json"
    config.write_bytes(config.read_bytes() + b" ")
    assert model_of(name, folder) != ids[0]
    (folder / "README.md").write_text("is no part of the model")
    config.write_bytes(config.read_bytes()[:-1])
    assert model_of(name, folder) == ids[0]


def model_of(name: str, folder: Path) -> str:
    engine = load_engine(name, folder)
    engine.close()
    return engine.info.model


def test_every_file_that_is_missing_is_named_at_the_start(copied: tuple[str, Path]) -> None:
    name, folder = copied
    for path in sorted(folder.iterdir()):
        moved = path.rename(folder.parent / path.name)
        with pytest.raises(Invalid, match="lacks") as refused:
            load_engine(name, folder)
        assert path.name in refused.value.rule.split(";")[0]
        assert refused.value.field == "model_dir"
        moved.rename(path)
    load_engine(name, folder).close()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_directory_that_is_missing_or_of_another_engine_says_what_is_needed(name: str, tmp_path: Path) -> None:
    (other,) = set(MODELS) - {name}
    for wrong in (None, tmp_path / "nowhere", tmp_path, MODELS[other]):
        with pytest.raises(Invalid, match=f"{name} needs .*config.json"):
            load_engine(name, wrong)


def test_the_embedded_engine_refuses_a_model_that_it_would_not_use() -> None:
    with pytest.raises(Invalid, match="brings its own model"):
        load_engine("pocketsphinx", MODELS["faster-whisper"])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_loading_and_recognising_asks_for_no_connection(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was asked for")

    for way_out in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, way_out, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    loaded = load_engine(name, MODELS[name])
    assert heard(loaded, Chunk(read_clip("jfk")))[0].words
    loaded.close()


def test_a_package_that_is_not_installed_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError("No module named 'onnx_asr'", name="onnx_asr")

    monkeypatch.setattr("callscribe.engines.import_module", missing)
    with pytest.raises(Invalid, match=r"onnx_asr: install callscribe\[asr,asr-onnx\]"):
        load_engine("onnx-asr", MODELS["onnx-asr"])
