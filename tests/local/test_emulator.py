"""The emulator's process: started, stopped without a trace, and its state kept over a restart."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.deploy import stack_outputs
from local.emulator import ROOT, Emulator, EmulatorError, EmulatorSettings, aws_environment, scrubbed_environment
from tests.local import sample
from tests.local.conftest import start_cloud


@pytest.mark.emulator
def test_an_orderly_stop_keeps_the_state_and_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    first = start_cloud(tmp_path, state_dir=state_dir)
    pid, temp_dir = first.emulator.pid, first.emulator.temp_dir
    assert pid
    assert temp_dir
    first.put_item("job#kept")
    first.client("s3").put_object(Bucket=first.outputs["Bucket"], Key="kept", Body=b"bytes")
    first.invoke("StepName")
    assert len(_group(pid)) >= 2
    first.emulator.stop()
    assert _group(pid) == []
    assert not temp_dir.exists()

    with Emulator(EmulatorSettings(log_file=tmp_path / "again.log", state_dir=state_dir)) as again:
        outputs = stack_outputs(sample.STACK, again.endpoint_url)
        assert outputs["Table"] == first.outputs["Table"]
        key = {"pk": {"S": "job#kept"}, "sk": {"S": "a"}}
        assert "Item" in again.client("dynamodb").get_item(TableName=outputs["Table"], Key=key)
        assert again.client("s3").get_object(Bucket=outputs["Bucket"], Key="kept")["Body"].read() == b"bytes"
        # Its environment holds a queue's URL with the port of the first run.
        assert again.client("lambda").invoke(FunctionName=outputs["SlowName"]).get("FunctionError") is None


@pytest.mark.emulator
def test_a_killed_runner_leaves_no_emulator(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from local.emulator import Emulator, EmulatorSettings
emulator = Emulator(EmulatorSettings(log_file=Path(sys.argv[1])))
emulator.start()
print(emulator.pid, emulator.temp_dir, flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as runner:
        assert runner.stdout
        pid_text, temp_dir = runner.stdout.readline().split()
        pid = int(pid_text)
        runner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while _group(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _group(pid) == []
    assert not Path(temp_dir).exists()


@pytest.mark.emulator
def test_one_that_does_not_end_is_killed_and_its_log_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.emulator._STOP_GRACE_S", 0.2)
    log_file = tmp_path / "log"
    running = Emulator(EmulatorSettings(log_file=log_file))
    running.start()
    assert running.pid is not None
    group = running.pid
    os.kill(group, signal.SIGSTOP)
    running.stop()
    assert _group(group) == []
    assert "killed: it did not end within 0.2 s" in log_file.read_text()


@pytest.mark.emulator
def test_a_patch_that_does_not_fit_is_named_at_start(tmp_path: Path) -> None:
    settings = EmulatorSettings(log_file=tmp_path / "log", extra_env={"CALLSCRIBE_SKIP_PATCHES": "no_such_patch"})
    emulator = Emulator(settings)
    with pytest.raises(EmulatorError, match="no_such_patch"):
        emulator.start()
    assert emulator.pid is None


@pytest.mark.emulator
def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = EmulatorSettings(log_file=tmp_path / "log", port=taken.getsockname()[1], ready_timeout_s=10)
        with pytest.raises(EmulatorError, match="already in use"):
            Emulator(settings).start()


def test_a_missing_environment_is_said(tmp_path: Path) -> None:
    settings = EmulatorSettings(log_file=tmp_path / "log", python=tmp_path / "nothing")
    with pytest.raises(EmulatorError, match="make setup"):
        Emulator(settings).start()


def test_nothing_of_a_real_account_reaches_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"):
        monkeypatch.setenv(name, "real")
    environment = scrubbed_environment() | aws_environment("http://127.0.0.1:1")
    assert "real" not in environment.values()
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "PATH" in environment


def _group(group_id: int) -> list[int]:
    """The live processes of a process group."""
    members = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(entry.name)) == group_id and " Z " not in (entry / "stat").read_text():
                members.append(int(entry.name))
        except OSError:
            continue
    return members
