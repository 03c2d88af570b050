"""The benchmark `decode`: all ways give the same samples, the peers that are missing are told, and time is counted."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import decode as bench
from benchmarks.decode import ROWS, Row
from benchmarks.speech_files import two_voices, write_file

SECONDS = 8.0
NEEDS_FFMPEG = pytest.mark.skipif(bench.ffmpeg_program() is None, reason="no ffmpeg program: install the bench extra")


@pytest.fixture(params=ROWS, ids=lambda row: row.name)
def row(request: pytest.FixtureRequest) -> Row:
    chosen: Row = request.param
    return chosen


@pytest.fixture
def path(row: Row, tmp_path: Path) -> Path:
    return write_file(tmp_path / "audio", row.form, two_voices(SECONDS))


@NEEDS_FFMPEG
def test_samples_equal_those_of_the_ffmpeg_program(path: Path, row: Row) -> None:
    theirs = bench.by_ffmpeg(path)
    confined = bench.ours_confined(path)
    assert confined.shape == (row.form.channels, pytest.approx(theirs.shape[1], abs=1_700))  # AAC's padding
    assert bench.largest_difference(confined, theirs) < bench.TOLERANCE
    assert np.array_equal(confined, bench.ours(path))
    assert float(np.abs(theirs).max()) > 0.1


def test_samples_equal_those_of_pyav_frame_by_frame(path: Path) -> None:
    mine, theirs = bench.ours(path), bench.frame_by_frame(path)
    assert mine.shape == theirs.shape
    assert float(np.abs(mine - np.clip(theirs, -1, 1)).max()) < bench.TOLERANCE


def test_samples_that_differ_are_seen() -> None:
    samples = two_voices(1.0)
    other = samples.copy()
    other[1, 5_000] += 0.01
    assert bench.largest_difference(samples, other[:, :15_900]) == pytest.approx(0.01, rel=1e-3)
    assert bench.largest_difference(samples, samples) == 0


def test_a_peer_that_cannot_read_a_file_is_told_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "audio"
    path.write_bytes(b"no audio at all, whoever looks at it")
    assert bench.why_not(bench.SNDFILE, path)


def test_a_peer_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write_file(tmp_path / "audio", ROWS[0].form, two_voices(1.0))
    monkeypatch.setattr(bench, "ffmpeg_program", lambda: None)
    assert "install the bench extra" in (bench.why_not(bench.CLI, path) or "")


def test_the_processor_time_of_child_processes_counts(tmp_path: Path) -> None:
    path = write_file(tmp_path / "audio", ROWS[0].form, two_voices(1.0))
    assert bench.measure(bench.CONFINED, path)["cpu_s"] > bench.measure(bench.OURS, path)["cpu_s"] + 0.02


def test_a_goal_is_missed_by_slow_decoding_and_by_other_samples() -> None:
    results: dict[str, dict[str, float | None]] = {
        ROWS[0].name: {"ratio": 1.9, "difference": 1e-3},
        ROWS[2].name: {"ratio": 0.5, "difference": None},
    }
    goals = bench.goals([ROWS[0], ROWS[2]], results)
    assert [goal.met for goal in goals] == [False, False]
    assert len(goals) == 2
