import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from callscribe.engines import load_diarizer
from callscribe.engines.pipeline import make_transcriber
from callscribe.engines.pyannote_files import FILES, load_model, load_pipeline
from callscribe.engines.pyannote_speakers import judge_of, judged_of
from callscribe.errors import Invalid
from local.recordings import read_clip
from tests.engines.fakes import NO_FILE, ScriptedEngine, facts_of, in_blocks
from tests.engines.torch.random_pyannote import CONFIG, save_checkpoint, write_random_pyannote

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]  # pyannote warns of much, torchcodec first


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_pyannote(tmp_path_factory.mktemp("diarization") / "model", seed=2)


@pytest.fixture
def copied(model_dir: Path, tmp_path: Path) -> Path:
    return shutil.copytree(model_dir, tmp_path / "model")


CALL = read_clip("pv-diar")[: 14 * 16_000]


def test_the_speakers_of_a_recording_are_told_by_the_real_pipeline(model_dir: Path) -> None:
    make = load_diarizer("pyannote", model_dir)
    diarizer = make()
    diarizer.listen(CALL[: 6 * 16_000], 100.0)
    diarizer.listen(CALL[6 * 16_000 :], 200.0)
    voices = diarizer.voices()
    turns = voices._turns  # type: ignore[attr-defined]  # of BlockDiarizer
    assert turns
    assert all(
        100.0 <= turn.start_s < turn.end_s <= 106.0 or 200.0 <= turn.start_s < turn.end_s <= 208.0 for turn in turns
    )
    assert {voices.speaker_at(time_s) for time_s in (0.0, 103.0, 205.0)} <= {str(n) for n in range(voices.count)}
    assert make() is not diarizer


@pytest.mark.parametrize("seconds", [0.1, 1.0])
def test_a_recording_shorter_than_the_pipelines_window_is_no_problem(model_dir: Path, seconds: float) -> None:
    diarizer = load_diarizer("pyannote", model_dir)()
    diarizer.listen(CALL[: round(seconds * 16_000)], 0.0)
    assert diarizer.voices().count >= 1


def test_silence_has_one_speaker(model_dir: Path) -> None:
    diarizer = load_diarizer("pyannote", model_dir)()
    assert diarizer.voices().count == 1


def test_a_mono_recording_gets_its_speakers_from_the_diarizer(model_dir: Path) -> None:
    transcriber = make_transcriber(
        ScriptedEngine(), blocks=in_blocks(CALL[None]), diarizer=load_diarizer("pyannote", model_dir)
    )
    transcript = transcriber(NO_FILE, facts_of(CALL[None])).transcript
    assert transcript.segments
    assert all(segment.speaker is not None for segment in transcript.segments)


def test_our_loading_makes_the_pipeline_that_pyannotes_own_makes(model_dir: Path) -> None:
    from pyannote.audio import Pipeline

    ours, theirs = (
        judge_of(pipeline)(CALL) for pipeline in (load_pipeline(model_dir), Pipeline.from_pretrained(model_dir))
    )
    assert ours.turns == theirs.turns
    np.testing.assert_allclose(ours.voices, theirs.voices)


def test_each_turn_gets_the_voice_of_its_own_label() -> None:
    from pyannote.core import Annotation, Segment

    whole, alone = Annotation(), Annotation()
    for first, last, label in ((0, 2, "SPEAKER_01"), (1, 3, "SPEAKER_00")):
        whole[Segment(first, last), label] = label
    alone[Segment(0, 2), "x"], alone[Segment(2, 3), "x"] = "SPEAKER_01", "SPEAKER_00"
    heard = SimpleNamespace(
        speaker_diarization=whole, exclusive_speaker_diarization=alone, speaker_embeddings=np.array([[0.0], [1.0]])
    )
    judged = judged_of(heard)
    assert [(turn.start_s, turn.end_s, float(judged.voices[turn.speaker, 0])) for turn in judged.turns] == [
        (0.0, 2.0, 1.0),
        (2.0, 3.0, 0.0),
    ]


def test_loading_and_listening_asks_for_no_connection(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was asked for")

    for way_out in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, way_out, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    diarizer = load_diarizer("pyannote", model_dir)()
    diarizer.listen(CALL, 0.0)
    assert diarizer.voices().count >= 1


def test_nothing_is_reported_to_the_packages_makers() -> None:
    from pyannote.audio.telemetry import metrics

    assert not metrics.is_metrics_enabled()
    assert os.environ["OTEL_SDK_DISABLED"] == "true"


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_is_missing_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(Invalid, match=f"lacks {name}"):
        load_diarizer("pyannote", copied)


class Evil:
    """What unpickling would run."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self._trace),))


def test_code_in_a_checkpoint_is_not_run(copied: Path, tmp_path: Path) -> None:
    checkpoint = copied / "segmentation" / "pytorch_model.bin"
    save_checkpoint(load_model(checkpoint), checkpoint, callbacks=Evil(tmp_path / "ran"))
    with pytest.raises(Invalid, match="holds objects that are not read"):
        load_diarizer("pyannote", copied)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_package_is_refused(copied: Path) -> None:
    checkpoint = copied / "embedding" / "pytorch_model.bin"
    content = {"pyannote.audio": {"architecture": {"module": "subprocess", "class": "Popen"}}}
    for wrong in (content, {}, [1]):
        torch.save(wrong, checkpoint)
        with pytest.raises(Invalid, match="no model of pyannote"):
            load_diarizer("pyannote", copied)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("name: pyannote.audio.pipelines.SpeakerDiarization", "name: subprocess.Popen"),
        ("segmentation: $model/segmentation", "segmentation: pyannote/segmentation-3.0"),
        ("plda: $model/plda", "plda: $model/plda\n    token: secret"),
        ("params:\n  clustering", "preprocessors:\n  audio: {name: os.system}\nparams:\n  clustering"),
    ],
)
def test_a_configuration_that_asks_for_more_is_refused(copied: Path, said: str, instead: str) -> None:
    assert said in CONFIG
    (copied / "config.yaml").write_text(CONFIG.replace(said, instead, 1))
    with pytest.raises(Invalid, match="must describe pyannote"):
        load_diarizer("pyannote", copied)


@pytest.mark.parametrize("content", ["", "- a list", "pipeline: {}"])
def test_a_configuration_of_something_else_is_refused(copied: Path, content: str) -> None:
    (copied / "config.yaml").write_text(content)
    with pytest.raises(Invalid, match="must describe pyannote"):
        load_diarizer("pyannote", copied)
