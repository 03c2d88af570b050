"""functions/transcribe_worker as the process that a laptop or a container runs, with an empty queue before it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from tests.functions.stage import ROOT

READY_S = 60.0
STOP_S = 10.0  # what `local.system` grants before it kills; a container's default is 30


class EmptyQueue(ThreadingHTTPServer):
    """SQS with one queue that never holds anything: it lets receivers wait for as long as they ask to.

    And DynamoDB with a table that holds nothing and takes everything; `said` is what was written.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Sqs)
        self.polled = threading.Event()
        self.closing = threading.Event()
        self.said: list[str] = []


@pytest.fixture
def queue() -> Iterator[EmptyQueue]:
    server = EmptyQueue()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def start(queue: EmptyQueue, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts the worker; its log is `worker.log`."""
    started: list[subprocess.Popen[bytes]] = []
    command = [sys.executable, str(ROOT / "functions" / "transcribe_worker" / "worker.py")]

    def begin(*arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / "worker.log").open("wb") as log:
            environment = environment_for(f"http://127.0.0.1:{queue.server_port}") | variables
            started.append(subprocess.Popen([*command, *arguments], env=environment, stdout=log, stderr=log))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def environment_for(endpoint_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CALLSCRIBE_"))}
    return kept | {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": endpoint_url,
        "NO_PROXY": "127.0.0.1",
        names.ENV_TABLE: "records",
        names.ENV_AUDIO_BUCKET: "audio",
        names.ENV_RESULTS_BUCKET: "results",
        names.ENV_WORK_QUEUE: f"{endpoint_url}/123456789012/work",
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_waits_for_work_ends_in_time_when_it_is_told_to(
    start: Callable[..., "subprocess.Popen[bytes]"], queue: EmptyQueue, tmp_path: Path, number: signal.Signals
) -> None:
    process = start()
    assert queue.polled.wait(READY_S), (tmp_path / "worker.log").read_text()
    process.send_signal(number)
    assert process.wait(STOP_S) == 0
    log = (tmp_path / "worker.log").read_text()
    assert "worker ready" in log
    assert "worker stopped" in log
    assert "Traceback" not in log


def test_an_idle_worker_leaves_by_itself_when_it_is_told_how_long_to_wait(
    start: Callable[..., "subprocess.Popen[bytes]"], queue: EmptyQueue, tmp_path: Path
) -> None:
    process = start("--idle-s", "1")
    assert queue.polled.wait(READY_S), (tmp_path / "worker.log").read_text()
    started_s = time.monotonic()
    assert process.wait(1 + READY_S) == 0
    assert time.monotonic() - started_s > 0.5  # it asked for the first time a little earlier
    assert "worker stopped" in (tmp_path / "worker.log").read_text()


def test_a_worker_says_that_it_is_there_by_the_name_that_its_pool_has_for_it(
    start: Callable[..., "subprocess.Popen[bytes]"], queue: EmptyQueue, tmp_path: Path
) -> None:
    process = start("--idle-s", "1", **{names.ENV_WORKER_ID: "batch-job-7"})
    assert process.wait(READY_S) == 0, (tmp_path / "worker.log").read_text()
    assert any("WorkerSeen" in said and "batch-job-7" in said for said in queue.said), queue.said


def test_settings_that_make_no_sense_end_the_worker_before_it_takes_any_work(
    start: Callable[..., "subprocess.Popen[bytes]"], queue: EmptyQueue, tmp_path: Path
) -> None:
    process = start(**{names.ENV_WORKER: '{"slots": 0}'})
    assert process.wait(READY_S) != 0
    assert "a worker has at least 1 slot" in (tmp_path / "worker.log").read_text()
    assert not queue.polled.is_set()


def test_a_worker_does_not_outlive_the_process_that_started_it(queue: EmptyQueue, tmp_path: Path) -> None:
    script = str(ROOT / "functions" / "transcribe_worker" / "worker.py")
    runner = f"""
import os, subprocess, sys, time
command = [sys.executable, {script!r}, "--parent-pid", str(os.getpid())]
with open({str(tmp_path / "worker.log")!r}, "wb") as log:
    worker = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
print(worker.pid, flush=True)
time.sleep(100)
"""
    environment = environment_for(f"http://127.0.0.1:{queue.server_port}")
    command = [sys.executable, "-c", runner]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        worker = Path("/proc", process.stdout.readline().strip())
        assert queue.polled.wait(READY_S), (tmp_path / "worker.log").read_text()
        assert lives(worker)
        process.kill()
    deadline_s = time.monotonic() + STOP_S
    while lives(worker):
        assert time.monotonic() < deadline_s, "the worker is left"
        time.sleep(0.1)


def lives(process: Path) -> bool:
    try:
        return " Z " not in (process / "stat").read_text()
    except OSError:
        return False


class _Sqs(BaseHTTPRequestHandler):
    server: EmptyQueue

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        action = self.headers["x-amz-target"].partition(".")[2]
        if action == "ReceiveMessage":
            self.server.polled.set()
            self.server.closing.wait(json.loads(body)["WaitTimeSeconds"])
        elif action != "GetItem":
            self.server.said.append(f"{action} {body.decode()}")
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
