"""`make serve` as its own process: what it says when, what it mends by itself, and what it leaves behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.memory import descendants
from local.emulator import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

START_S = 90.0
END_S = 90.0


class Serve:
    """One `make serve`, all of whose files are below `home`."""

    def __init__(self, home: Path) -> None:
        self.local_file = home / "local.json"
        self.said = home / "said"
        command = [sys.executable, "-m", "local.serve", "--port", "0", "--home", str(home)]
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)

    def described(self) -> dict[str, Any]:
        """What its local.json says, as soon as there is one."""
        wait_for(lambda: self.local_file.exists() or self.process.poll() is not None, START_S, self.said.read_text)
        described: dict[str, Any] = json.loads(self.local_file.read_text())
        return described

    def family(self) -> dict[int, str]:
        """All its processes that live, with their command lines."""
        return {pid: command for pid in descendants(self.process.pid) if (command := command_of(pid))}

    def pid_of(self, script: str) -> int:
        """The one process that runs this script."""
        (pid,) = [pid for pid, command in self.family().items() if script in command]
        return pid


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], Serve]]:
    started = []

    def start() -> Serve:
        started.append(Serve(tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def test_serve_replaces_a_killed_worker_refuses_a_second_serve_and_leaves_nothing_when_it_is_killed(
    serve: Callable[[], Serve],
) -> None:
    first = serve()
    described = first.described()
    with urllib.request.urlopen(described["base_url"] + "/") as page:
        assert page.status == 200
    worker = first.pid_of("transcribe_worker/worker.py")
    engines = [pid for pid in descendants(worker) if command_of(pid)]

    second = serve()
    assert second.process.wait(END_S) == 1
    assert f"already runs on {first.local_file.parent}/state: process {first.process.pid}, port" in text_of(first.said)
    assert json.loads(first.local_file.read_text()) == described

    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: "a new worker runs" in text_of(first.said), END_S, first.said.read_text)
    assert first.pid_of("transcribe_worker/worker.py") != worker
    assert not [pid for pid in engines if command_of(pid)]

    family = first.family()
    assert len(family) > 3, "emulator, worker and Lambdas"
    first.process.kill()
    wait_for(lambda: not [pid for pid in family if command_of(pid)], END_S, lambda: str(family))
    assert first.local_file.exists()

    third = serve()
    wait_for(lambda: not third.local_file.exists(), END_S, third.said.read_text)
    again = third.described()
    assert again["presign"] == described["presign"]
    os.killpg(third.pid_of("emulator_main.py"), signal.SIGKILL)
    assert third.process.wait(END_S) == 1
    assert "ended by itself" in text_of(third.said)
    assert not third.local_file.exists()


@pytest.mark.parametrize(("module", "number"), [("local.serve", signal.SIGHUP), ("local.demo", signal.SIGTERM)])
def test_a_runner_that_is_told_to_end_while_it_starts_leaves_nothing(
    tmp_path: Path, module: str, number: signal.Signals
) -> None:
    home = ["--port", "0", "--home", str(tmp_path)] if module == "local.serve" else []
    command = [sys.executable, "-m", module, *home]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as runner:
        wait_for(lambda: any("emulator_main" in command_of(pid) for pid in descendants(runner.pid)), START_S, str)
        family = list(descendants(runner.pid))
        runner.send_signal(number)
        assert runner.wait(END_S) == (0 if module == "local.serve" else 130)
    wait_for(lambda: not [pid for pid in family if command_of(pid)], END_S, lambda: str(family))
    assert not (tmp_path / "local.json").exists()


def command_of(pid: int) -> str:
    """A process's command line; empty once it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def text_of(path: Path) -> str:
    """What was said, without the terminal's line breaks."""
    return path.read_text().replace("\n", "")


def wait_for(condition: Callable[[], object], timeout_s: float, explain: Callable[[], str]) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, explain()
        time.sleep(0.05)
