"""The child process can do nothing but read its file, and its every death is a clean failure."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callscribe.domain.audio import AudioLimits
from callscribe.errors import FailureCode, JobFailed, TooSlow, Unavailable
from callscribe.media import confine, messages, sandbox
from callscribe.media.inspect import inspect
from tests.corpora.audio_files import wav16

PROBE = "tests.media.probe_child"


def probe(folder: Path, mode: str, *, stall_s: float = 60.0, within_s: float | None = None) -> list[messages.Message]:
    path = folder / "audio"
    path.write_bytes(b"some bytes")
    with path.open("rb") as audio:
        return list(sandbox.run({"mode": mode}, audio, module=PROBE, stall_s=stall_s, within_s=within_s))


def failure(folder: Path, mode: str, **options: Any) -> JobFailed:
    with pytest.raises(JobFailed) as caught:
        probe(folder, mode, **options)
    assert caught.value.failure.code == FailureCode.AUDIO_UNREADABLE
    return caught.value


def test_no_credential_reaches_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    ((_, payload),) = probe(tmp_path, "report")
    seen = set(json.loads(payload)["environment"])
    assert seen <= {"PYTHONPATH", "LD_LIBRARY_PATH", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "LC_CTYPE"}


def test_the_confined_child_opens_neither_socket_nor_file_nor_pipe(tmp_path: Path) -> None:
    ((_, payload),) = probe(tmp_path, "report")
    refused = json.loads(payload)["refused"]
    assert refused == dict.fromkeys(refused, True)
    assert len(refused) == 5


@pytest.mark.parametrize("how", ["crash", "vanish", "babble", "lie", "eat_memory"])
def test_a_child_that_dies_or_talks_nonsense_means_an_unreadable_file(tmp_path: Path, how: str) -> None:
    assert failure(tmp_path, how).failure.message == "the file broke its decoder"


def test_a_child_that_spins_is_ended_by_its_processor_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "BASE_CPU_S", 1.0)  # as the child sets it
    assert "processor time" in failure(tmp_path, "spin").failure.message


def test_what_its_start_has_cost_is_not_counted_against_its_file(tmp_path: Path) -> None:
    assert [kind for kind, _ in probe(tmp_path, "start_slowly")] == [messages.FACTS]


def test_a_childs_death_is_told_in_the_log_with_what_it_was_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failure(tmp_path, "crash")
    assert f"decoder died: status {-signal.SIGSEGV}" in caplog.text
    assert '{"mode": "crash"}' in caplog.text


def test_a_child_that_is_ended_long_before_its_processor_limit_says_nothing_about_its_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="of processor time"):
        probe(tmp_path, "be_ended_early")


def test_a_child_that_somebody_killed_says_nothing_about_its_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="was killed"):
        probe(tmp_path, "be_killed")


def test_a_child_that_hangs_is_killed(tmp_path: Path) -> None:
    started = time.monotonic()
    assert "no progress for 2 s" in failure(tmp_path, "hang", stall_s=2.0).failure.message
    assert time.monotonic() - started < 20


def test_a_child_that_has_closed_its_pipe_is_not_waited_for(tmp_path: Path) -> None:
    started = time.monotonic()
    assert failure(tmp_path, "fall_silent", within_s=60).failure.message == "decoding did not end"
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("how", ["hang", "go_on"])
def test_a_child_whose_caller_waits_no_longer_is_killed_and_says_nothing_about_its_file(
    tmp_path: Path, how: str
) -> None:
    started = time.monotonic()
    with pytest.raises(TooSlow):
        probe(tmp_path, how, within_s=1.5)
    assert 1.4 < time.monotonic() - started < 20


def test_looking_into_a_real_file_ends_when_its_caller_waits_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "audio"
    path.write_bytes(wav16(np.zeros((1, 40_000), np.float32)))
    assert inspect(path, AudioLimits(), within_s=60).duration_s == 2.5
    with pytest.raises(TooSlow):
        inspect(path, AudioLimits(), within_s=0.01)  # in which no process even starts


def test_what_the_child_says_is_cut_and_stripped_of_control_characters(tmp_path: Path) -> None:
    message = failure(tmp_path, "shout").failure.message
    assert len(message) == sandbox.MAX_MESSAGE_CHARS
    assert message.isprintable()


def test_a_decoder_that_cannot_start_is_no_fault_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "audio").write_bytes(b"some bytes")
    with (tmp_path / "audio").open("rb") as audio, pytest.raises(Unavailable):
        list(sandbox.run({"mode": "inspect"}, audio, module="callscribe.media.no_such_module"))
