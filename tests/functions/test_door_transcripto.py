"""Forms with large files through the door, by real clients; what the gateway's way is told of them (T-L1)."""

import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.dialects.transcripto import forms
from functions.door.app import dialect_of
from local.front import INLINE_BODY_BYTES, DoorWay, Front
from tests.dialects.conftest import Client
from tests.dialects.transcripto.world import World, multipart
from tests.functions.running_door import RunningDoor, running_door
from tests.waiting import SOON_S

CALL = "/addtaskcall"
LARGE_BYTES = 20_000_000


@pytest.fixture
def door(world: World) -> Iterator[RunningDoor]:
    with running_door(("transcripto", world.anonymous.handler)) as running:
        yield running


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Client:
    return world.client()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("door") / "звонок 1.wav"
    path.write_bytes(b"RIFF" + bytes(range(256)) * (LARGE_BYTES // 256))
    return path


def curl(port: int, client: Client, *more: str) -> tuple[int, dict[str, Any]]:
    """As the document's own sample has it; status and body of the only answer."""
    command = ["curl", "-sS", "-w", "\n%{http_code} %{num_redirects}", "-X", "POST", f"http://127.0.0.1:{port}{CALL}"]
    sent = [*command, "-H", f"Authorization: Bearer {client.token}", *more]
    out = subprocess.run(sent, capture_output=True, check=True, timeout=2 * SOON_S).stdout.decode()
    body, _, how = out.rpartition("\n")
    status, redirects = how.split()
    assert redirects == "0"
    return int(status), json.loads(body)


def test_T_L1_curl_sends_20_mb_in_a_form_through_the_door_without_a_redirect(
    world: World, client: Client, door: RunningDoor, large: Path
) -> None:
    status, answer = curl(
        door.port, client, "-F", f"file=@{large}", "-F", "operator_name=Иван", "-F", "call_type=inbound"
    )
    assert (status, answer["success"]) == (200, True)
    job = world.job(answer["code"])
    assert job.task is not None
    assert (job.task.file_name, job.task.operator_name) == ("звонок 1.wav", "Иван")
    assert world.uploads.read(job.audio_key) == large.read_bytes()


def test_T_L1_the_laptops_front_hands_a_large_form_to_the_door_and_a_small_one_to_the_gateway(
    world: World, client: Client, door: RunningDoor, large: Path
) -> None:
    way = DoorWay(door.port, max_body_bytes=names.DOOR_MAX_BODY_BYTES, wait_s=10)
    with Front("http://127.0.0.1:9", "api", door=way) as front:
        assert curl(front.port, client, "-F", f"file=@{large}") == (200, {
            "success": True, "error_code": 0, "id": 1, "code": world.uploads.keys()[0].rpartition("/")[2],
        })  # fmt: skip
        status, answer = curl(front.port, client, "-F", "file=small")
        assert (status, "does not answer" in answer["message"]) == (502, True)  # there is no gateway here


def test_T_L1_at_the_gateway_the_same_form_is_told_of_the_door(world: World, client: Client, large: Path) -> None:
    answer = client.send("POST", CALL, **multipart(file=large.read_bytes()[:INLINE_BODY_BYTES]))
    assert (answer.status, answer.json["error_code"]) == (200, 4024)
    assert "the door" in answer.json["error_message"]
    assert world.uploads.keys() == []


def test_T_L1_a_form_of_all_that_the_inline_limit_allows_is_taken(world: World, client: Client) -> None:
    frame = len(multipart(file=b"x")["body"]) - 1
    exact = multipart(file=b"x" * (INLINE_BODY_BYTES - frame))
    assert client.send("POST", CALL, **exact).json["success"]
    assert (
        client.send("POST", CALL, **multipart(file=b"x" * (INLINE_BODY_BYTES - frame + 1))).json["error_code"] == 4024
    )


def test_T_L1_above_80_mb_the_door_itself_answers_413(client: Client, door: RunningDoor) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Length": str(names.DOOR_MAX_BODY_BYTES + 1)}
    assert door.ask("POST", CALL, b"", headers | {"Expect": "100-continue"}).status == 413


def test_T_L1_other_requests_are_answered_while_a_large_form_is_read(
    client: Client, door: RunningDoor, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, read = threading.Event(), threading.Event(), forms.read

    def read_when_told(*arguments: Any) -> forms.Form:
        begun.set()
        assert go_on.wait(2 * SOON_S)
        return read(*arguments)

    monkeypatch.setattr(forms, "read", read_when_told)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(curl, door.port, client, "-F", f"file=@{large}")
        assert begun.wait(SOON_S)
        other = door.ask("GET", "/user/tariff", headers={"Authorization": f"Bearer {client.token}"})
        assert (other.status, json.loads(other.content)["success"]) == (200, True)
        assert not sending.done()
        go_on.set()
        status, answer = sending.result()
    assert (status, answer["success"]) == (200, True)


@pytest.mark.parametrize(
    "path",
    [
        "/addtaskcall",
        "/user/tariff",
        "/auth/login",
        "/tasks/filter",
        "/transcripto/docs",
        "/checklist/answer/1",
        "/api/calls_analysis_v2/x",
    ],
)
def test_the_door_knows_the_paths_of_this_dialect_at_the_root(path: str) -> None:
    assert dialect_of(path) == "transcripto"
