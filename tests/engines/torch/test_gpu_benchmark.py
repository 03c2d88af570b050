"""The benchmark `gpu` itself, on the CPU and small."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks import gpu, gpu_models, gpu_rows, gpu_whisper, report
from benchmarks.gpu import LIMIT, ONE_BY_ONE, OURS, PIPELINE, READY, Setting, Times
from callscribe.engines.transformers import Device, Transformers

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]
SETTING = Setting(20.0, gpu_models.TINY, gpu_whisper.TINY, Device("cpu", "float32", 32), judged=False)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report.save, "__defaults__", (tmp_path / "results",))
    return tmp_path / "results"


def test_all_rows_run_and_without_a_gpu_nothing_is_judged(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu.say(SETTING)
    assert gpu.compare(SETTING, tmp_path, rounds=2) == 0
    said = capsys.readouterr().out
    assert "NO GPU HERE" in said
    assert said.count("not judged: no GPU") == 3
    (kept,) = (json.loads(path.read_text()) for path in results.iterdir())
    assert kept["goals"] == []
    rows = kept["results"]["rows"]
    assert {OURS, READY, ONE_BY_ONE, PIPELINE, LIMIT} <= set(rows)
    assert all(len(row["seconds"]) == 2 for row in rows.values())
    assert rows[OURS]["tokens"] == rows[ONE_BY_ONE]["tokens"] > 0


def test_the_number_of_tokens_is_fixed_by_the_length_of_the_speech(tmp_path: Path) -> None:
    engine = Transformers(gpu_models.write_parakeet(tmp_path, gpu_models.TINY), SETTING.device)
    calls = gpu.make_calls(20.0)
    tokens = gpu_rows.in_ready_batches(engine, calls, 32)()
    assert tokens == pytest.approx(gpu.seconds_of(calls) * 12.5 / gpu_models.FRAMES_PER_TOKEN, rel=0.1)


def test_the_real_shape_is_that_of_the_published_model() -> None:
    from transformers import ParakeetForTDT, ParakeetTDTConfig

    sizes = {"hidden_size": 1_024, "num_hidden_layers": 24, "num_mel_bins": 128, "attention_bias": False}
    config = ParakeetTDTConfig(encoder_config={**sizes, "convolution_bias": False})
    assert config.vocab_size == gpu_models.REAL.pieces + 1
    with torch.device("meta"):
        count = sum(weights.numel() for weights in ParakeetForTDT(config).parameters())
    assert count == pytest.approx(0.627e9, rel=0.02)


@pytest.mark.parametrize("wrong", [{OURS: 0, READY: 0, ONE_BY_ONE: 0, PIPELINE: 0}, {OURS: 9}, {PIPELINE: 3}])
def test_rows_that_did_other_work_are_no_comparison(wrong: dict[str, int]) -> None:
    tokens = {OURS: 5, READY: 5, ONE_BY_ONE: 5, PIPELINE: 6, **wrong}
    with pytest.raises(ValueError, match="other work"):
        gpu.require_same_tokens({name: Times(tokens=count) for name, count in tokens.items()})


def test_a_missed_goal_fails_on_a_gpu_only(results: Path) -> None:
    times = {name: Times([1.0]) for name in (OURS, ONE_BY_ONE, PIPELINE, LIMIT)}
    goals = gpu.goals_of(times)
    assert [goal.met for goal in goals] == [False, False, True]
    assert gpu.conclude(goals, {}, judged=False) == 0
    assert gpu.conclude(goals, {}, judged=True) == 1


def test_the_first_round_is_thrown_away_and_every_round_has_every_row() -> None:
    ran: list[str] = []

    def note(name: str) -> int:
        ran.append(name)
        return len(ran)

    times = gpu.measure({name: partial(note, name) for name in "abc"}, rounds=3)
    assert [len(one.seconds) for one in times.values()] == [3, 3, 3]
    assert [sorted(ran[at : at + 3]) for at in range(0, 12, 3)] == [["a", "b", "c"]] * 4


def test_the_sweep_changes_one_setting_at_a_time() -> None:
    base = Device("cuda", "bfloat16", 32)
    seen = list(gpu.variants(base))
    assert seen[0][1] == seen[-1][1] == base
    for _, device in seen[1:-1]:
        changed = [
            name
            for name in ("precision", "batch", "bucket_s", "graphed", "compiled")
            if getattr(device, name) != getattr(base, name)
        ]
        assert len(changed) == 1
