"""local/door.py: the door as a process of the laptop cloud, with a cloud that says nothing."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callscribe import names
from local.door import DoorProcess, door_environment
from local.emulator import ROOT, Emulator, EmulatorSettings, aws_environment, free_port, scrubbed_environment
from local.workers import KeptWorker

WAIT_S = 20.0
ENVIRONMENT = {
    names.ENV_STAGE: "local",
    names.ENV_SETTINGS: "{}",
    names.ENV_TABLE: "table",
    names.ENV_AUDIO_BUCKET: "audio",
    names.ENV_RESULTS_BUCKET: "results",
    names.ENV_ROOT_KEYS_SECRET: "keys",
    names.ENV_FETCH_QUEUE: "http://127.0.0.1:9/fetch",
    names.ENV_DOOR_TRUSTED_PROXIES: "1",
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[int], DoorProcess]]:
    """Starts a door on this port and returns once it is ready."""
    started: list[DoorProcess] = []

    def door(port: int) -> DoorProcess:
        environment = scrubbed_environment() | aws_environment("http://127.0.0.1:9") | ENVIRONMENT
        started.append(DoorProcess(environment, tmp_path / "door.log", port=port))
        started[-1].wait_until_ready(WAIT_S)
        return started[-1]

    yield door
    for one in started:
        one.kill()


def ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def eventually(holds: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + WAIT_S
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return holds()


def test_a_door_that_says_it_is_ready_answers_and_is_gone_after_its_stop(start: Callable[[int], DoorProcess]) -> None:
    port = free_port()
    door = start(port)
    assert ask(port, "/healthz") == (200, b'{"status": "ok"}')
    assert ask(port, "/nowhere")[0] == 404
    door.stop()
    assert door.status() == 0  # of itself: it was not killed
    assert not listens(port)


def test_a_cloud_that_is_out_of_reach_is_an_answer_and_no_end(start: Callable[[int], DoorProcess]) -> None:
    port = free_port()
    start(port)
    status, content = ask(port, "/api/v1/get-transcription", "POST")
    assert status in (401, 500)
    assert "127.0.0.1:9" not in content.decode()
    assert ask(port, "/healthz")[0] == 200


def test_a_door_that_was_killed_is_started_again_on_its_port(start: Callable[[int], DoorProcess]) -> None:
    port, reports = free_port(), list[str]()
    kept = KeptWorker(lambda: start(port), report=reports.append)
    os.kill(kept.process.pid, signal.SIGKILL)
    assert eventually(lambda: kept.process.status() is not None)

    def is_back() -> bool:
        kept.keep()
        return listens(port)

    assert eventually(is_back)
    assert ask(port, "/healthz")[0] == 200
    assert [line.split()[0] for line in reports] == ["door", "a"]
    kept.stop()
    assert not listens(port)


def test_a_door_whose_parent_is_killed_ends_with_it(tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import os, pathlib, time\n"
        "from local.door import DoorProcess\n"
        f"door = DoorProcess(dict(os.environ), pathlib.Path({str(tmp_path / 'door.log')!r}), port={port})\n"
        "door.wait_until_ready()\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = scrubbed_environment() | aws_environment("http://127.0.0.1:9") | ENVIRONMENT
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=environment | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    with parent.stdout as lines:
        assert lines.readline() == b"ready\n"
        assert listens(port)
        parent.kill()
        parent.wait()
    assert eventually(lambda: not listens(port))


def test_the_door_is_told_its_stage_and_that_the_front_is_the_one_proxy(tmp_path: Path) -> None:
    emulator = Emulator(EmulatorSettings(tmp_path / "log"))  # never started
    outputs = {"TableName": "t", "FetchQueueUrl": "q", "Settings": json.dumps({"stage": "local"}), "Other": "x"}
    told = door_environment(emulator, outputs)
    assert told[names.ENV_TABLE] == "t"
    assert told[names.ENV_FETCH_QUEUE] == "q"
    assert (told[names.ENV_STAGE], told[names.ENV_DOOR_TRUSTED_PROXIES]) == ("local", "1")
    assert told["AWS_ENDPOINT_URL"] == emulator.endpoint_url
