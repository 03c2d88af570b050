"""local/engine.py: the engine of `make serve ENGINE=… MODEL_DIR=…`, tried before anything else is started."""

import argparse
import time
from pathlib import Path

import pytest

from callscribe import names
from callscribe.domain.transcripts import Segment
from local import engine, workers
from local.demo import DemoFailed, judge
from local.engine import ChosenEngine, EngineError, add_engine_arguments, chosen_engine, try_engine
from local.recordings import demo_recording
from local.system import LocalSystem, SystemSettings
from tests.engines.models import WHISPER

AT_ONCE_S = 20.0  # this machine may be busy


def chosen(*arguments: str) -> ChosenEngine:
    parser = argparse.ArgumentParser()
    add_engine_arguments(parser)
    return chosen_engine(parser.parse_args(arguments))


def test_without_a_choice_it_is_the_embedded_engine_with_its_own_model() -> None:
    engine = chosen()
    assert engine == ChosenEngine()
    assert engine.is_embedded
    assert engine.environment == {names.ENV_ENGINE: "pocketsphinx"}
    assert str(engine) == "pocketsphinx (embedded)"


def test_a_directory_relative_to_the_callers_becomes_absolute_for_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = chosen("--engine", "faster-whisper", "--model-dir", "models/turbo")
    directory = str(tmp_path / "models" / "turbo")
    assert engine.environment == {names.ENV_ENGINE: "faster-whisper", names.ENV_MODEL_DIR: directory}
    assert str(engine) == f"faster-whisper with {directory}"
    assert not engine.is_embedded


def test_a_good_engine_says_which_model_it_has_and_where_it_runs() -> None:
    said = try_engine(ChosenEngine("faster-whisper", WHISPER))
    assert said.startswith("faster-whisper-")
    assert "/tiny_whisper_ct2@sha256:" in said
    assert " on cpu" in said


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (ChosenEngine("dragon"), "is one of: .*faster-whisper"),
        (ChosenEngine("faster-whisper"), "needs a directory with model.bin"),
        (ChosenEngine("faster-whisper", Path("/nowhere")), "'/nowhere' is no directory"),
        (ChosenEngine("pocketsphinx", WHISPER), "brings its own model"),
    ],
    ids=lambda value: str(value),
)
def test_a_wrong_engine_or_directory_ends_the_start_at_once_with_a_clear_error(
    tmp_path: Path, engine: ChosenEngine, said: str
) -> None:
    started_s = time.monotonic()
    settings = SystemSettings(port=0, log_dir=tmp_path, engine=engine)
    with pytest.raises(EngineError, match=said) as raised, LocalSystem(settings):
        pytest.fail("it started")
    assert time.monotonic() - started_s < AT_ONCE_S
    assert "Traceback" not in str(raised.value)
    assert list(tmp_path.iterdir()) == [], "neither cloud nor worker was started"


def test_a_directory_without_the_models_files_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"lacks model\.bin, config\.json, tokenizer\.json"):
        try_engine(ChosenEngine("faster-whisper", tmp_path))


def test_a_broken_model_is_an_error_too(tmp_path: Path) -> None:
    for file in WHISPER.iterdir():
        (tmp_path / file.name).write_bytes(b"{}")
    with pytest.raises(EngineError, match="the engine faster-whisper cannot be used"):
        try_engine(ChosenEngine("faster-whisper", tmp_path))


def test_a_worker_may_take_as_long_to_load_a_model_as_the_trial_may() -> None:
    assert ChosenEngine("faster-whisper", Path("models/turbo")).ready_within_s == engine._TRIAL_S
    assert ChosenEngine().ready_within_s == workers.READY_TIMEOUT_S < engine._TRIAL_S


def test_only_the_embedded_engines_words_are_judged() -> None:
    recording = demo_recording()
    wrong = [Segment("nothing of the kind", 0.0, 1.0, 0, str(channel), None) for channel in range(2)]
    with pytest.raises(DemoFailed, match="word error rate"):
        judge(recording, wrong, ChosenEngine())
    judge(recording, wrong, ChosenEngine("faster-whisper", WHISPER))


def test_with_any_engine_both_speakers_must_be_there() -> None:
    recording = demo_recording()
    one = [Segment("only one of them", 0.0, 1.0, 0, "0", None)]
    with pytest.raises(DemoFailed, match="speakers"):
        judge(recording, one, ChosenEngine("faster-whisper", WHISPER))
