"""local/state_lock.py: two laptop clouds never write one state folder."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import state_lock
from local.emulator import ROOT
from local.state_lock import StateInUse, StateLock

HOLD = """
import subprocess, sys, time
from pathlib import Path
from local.state_lock import StateLock
with StateLock(Path(sys.argv[1]), port=8421) as lock:
    sleeps = [sys.executable, "-c", f"import time; time.sleep({sys.argv[2]})"]
    child = subprocess.Popen(sleeps, pass_fds=(lock.descriptor,))
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[float], "subprocess.Popen[str]"]]:
    """Starts a process that holds the lock, and whose child has inherited it and lives for so many seconds."""
    started = []

    def hold(child_s: float) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", HOLD, str(tmp_path), str(child_s)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline()
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_one_is_told_process_and_port_of_the_first(
    holder: Callable[[float], "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    first = holder(1)
    with pytest.raises(StateInUse, match=f"process {first.pid}, port 8421"), StateLock(tmp_path, port=1):
        raise AssertionError("it was locked")


def test_the_lock_of_a_killed_one_is_free_once_its_child_is_gone(
    holder: Callable[[float], "subprocess.Popen[str]"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = holder(2)
    first.kill()
    first.wait()
    with monkeypatch.context() as patched:
        patched.setattr(state_lock, "_CLEARING_UP_S", 0.2)
        with pytest.raises(StateInUse), StateLock(tmp_path, port=1):
            raise AssertionError("its child has the state still")
    with StateLock(tmp_path, port=1):
        assert (tmp_path / "lock.json").read_text() == f'{{"pid": {os.getpid()}, "port": 1}}'


def test_the_lock_is_free_after_an_orderly_end(tmp_path: Path) -> None:
    for port in (1, 2):
        with StateLock(tmp_path, port=port):
            pass
