from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks


def test_all_benchmarks_are_those_that_need_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def note(name: str) -> bool:
        ran.append(name)
        return True

    monkeypatch.setattr(benchmarks, "run", note)
    assert benchmarks.main([]) == 0
    assert set(benchmarks.BENCHMARKS) - set(ran) == {"gpu", "gpu-sweep"}


def test_a_benchmark_with_torch_says_what_to_do_where_torch_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmarks, "_TORCH_PYTHON", tmp_path / "python")
    assert benchmarks.main(["gpu"]) == 1
    assert "gpu needs torch: make .venv-torch/.installed" in capsys.readouterr().err
