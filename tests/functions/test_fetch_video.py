"""functions/fetch_video as a process: one order by its arguments, as a container has it, or a queue of them."""

import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.services.videos import Order, read_refusal
from local.loopback import LoopbackServer
from tests.adapters.media_site import SOUND, MediaSite
from tests.functions.stage import ROOT

READY_S = 60.0
SCRIPT = ROOT / "functions" / "fetch_video" / "task.py"
Start = Callable[..., "subprocess.Popen[bytes]"]


class OrderQueue(LoopbackServer):
    """SQS with one queue: `said` is what is asked of it, `bodies` what it hands out, once each."""

    def __init__(self) -> None:
        self.bodies: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []
        self.server = _SqsServer(("127.0.0.1", 0), _Sqs)
        self.server.orders = self
        super().__init__(self.server, "sqs")


class _SqsServer(ThreadingHTTPServer):
    daemon_threads = True
    orders: OrderQueue


class _Sqs(BaseHTTPRequestHandler):
    server: _SqsServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        action = self.headers["x-amz-target"].partition(".")[2]
        self.server.orders.said.append(action)
        answer: dict[str, Any] = {}
        if action == "ReceiveMessage":
            try:
                body = self.server.orders.bodies.get(timeout=0.2)
                answer = {"Messages": [{"MessageId": "m1", "ReceiptHandle": "r1", "Body": body}]}
            except queue.Empty:
                pass
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def site() -> Iterator[MediaSite]:
    with MediaSite() as serving:
        yield serving


@pytest.fixture
def orders() -> Iterator[OrderQueue]:
    with OrderQueue() as serving:
        yield serving


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the process; its log is `task.log`."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CALLSCRIBE_"))}
        environment = kept | {names.ENV_SETTINGS: '{"allow_loopback": true}', "TMPDIR": str(tmp_path)} | variables
        with (tmp_path / "task.log").open("wb") as log:
            started.append(
                subprocess.Popen([sys.executable, str(SCRIPT), *arguments], env=environment, stdout=log, stderr=log)
            )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def ordered(site: MediaSite, path: str, put: str = "/audio/t1/j1", *, total_s: float = 60) -> Order:
    return Order(site.url(path), site.url(f"{put}?signature=s3cret"), "job-1", 1_000_000, total_s)


def arguments_of(order: Order) -> list[str]:
    """As the pipe of infra/video_stack.py makes them of the message's fields."""
    message = order.message()
    return [text for field in names.VIDEO_ORDER for text in (f"--{field.replace('_', '-')}", message[field])]


def drained(orders: OrderQueue) -> dict[str, str]:
    endpoint = f"http://127.0.0.1:{orders.port}"
    return {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": endpoint,
        "NO_PROXY": "127.0.0.1",
        names.ENV_VIDEO_QUEUE: f"{endpoint}/123456789012/videos",
    }


def until(done: Callable[[], bool], log: Path, within_s: float = READY_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.05)


def test_the_arguments_are_the_fields_of_an_order(site: MediaSite) -> None:
    assert set(names.VIDEO_ORDER) == set(ordered(site, "/a").message())


def test_T_15_one_order_by_arguments_puts_the_sound_where_it_was_ordered_to(
    site: MediaSite, start: Start, tmp_path: Path
) -> None:
    process = start(*arguments_of(ordered(site, "/talk.flac")))
    assert process.wait(READY_S) == 0, (tmp_path / "task.log").read_text()
    assert site.server.put == {"/audio/t1/j1?signature=s3cret": SOUND}
    log = (tmp_path / "task.log").read_text()
    assert "job=job-1 fetched" in log
    assert "s3cret" not in log
    assert "talk.flac" not in log
    assert [path.name for path in tmp_path.iterdir()] == ["task.log"]


def test_T_A26_a_site_that_refuses_is_an_honest_answer_and_no_failure_of_ours(
    site: MediaSite, start: Start, tmp_path: Path
) -> None:
    process = start(*arguments_of(ordered(site, "/status/403")))
    assert process.wait(READY_S) == 0, (tmp_path / "task.log").read_text()
    (body,) = site.server.put.values()
    assert read_refusal(body) == "the site refused: it answered 403"


def test_a_storage_that_does_not_take_it_is_a_failure(site: MediaSite, start: Start, tmp_path: Path) -> None:
    process = start(*arguments_of(ordered(site, "/talk.flac", "/expired")))
    assert process.wait(READY_S) == 1
    log = (tmp_path / "task.log").read_text()
    assert "the storage answered 403" in log
    assert "s3cret" not in log


@pytest.mark.parametrize("arguments", [[], ["--link", "https://youtu.be/dQw4w9WgXcQ"]])
def test_half_an_order_is_none(start: Start, tmp_path: Path, arguments: list[str]) -> None:
    assert start(*arguments).wait(READY_S) == 1
    assert "no whole order" in (tmp_path / "task.log").read_text()


def test_T_A26_a_container_of_a_real_stage_takes_no_link_to_its_own_machine(
    site: MediaSite, start: Start, tmp_path: Path
) -> None:
    process = start(*arguments_of(ordered(site, "/talk.flac")), **{names.ENV_SETTINGS: ""})
    assert process.wait(READY_S) == 0, (tmp_path / "task.log").read_text()
    (body,) = site.server.put.values()
    assert "site that is supported" in str(read_refusal(body))
    assert site.asked == []


def test_T_15_a_queue_is_drained_one_order_after_the_other_and_nonsense_is_left_in_it(
    site: MediaSite, orders: OrderQueue, start: Start, tmp_path: Path
) -> None:
    for body in (
        json.dumps({"no": "order"}),
        "not even JSON",
        json.dumps(ordered(site, "/talk.flac", "/audio/t1/j1").message()),
        json.dumps(ordered(site, "/status/410", "/audio/t1/j2").message()),
    ):
        orders.bodies.put(body)
    start("--drain", **drained(orders))
    until(lambda: len(site.server.put) == 2, tmp_path / "task.log")
    assert "video fetcher ready" in (tmp_path / "task.log").read_text()
    assert site.server.put["/audio/t1/j1?signature=s3cret"] == SOUND
    assert read_refusal(site.server.put["/audio/t1/j2?signature=s3cret"]) == "the site refused: it answered 410"
    assert orders.said.count("DeleteMessage") == 2  # of the two that are orders


def test_an_order_is_gone_from_the_queue_before_its_download_as_with_a_pipe(
    site: MediaSite, orders: OrderQueue, start: Start, tmp_path: Path
) -> None:
    orders.bodies.put(json.dumps(ordered(site, "/endless").message()))
    process = start("--drain", **drained(orders))
    until(lambda: "/endless" in site.asked, tmp_path / "task.log")
    assert orders.said.count("DeleteMessage") == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == -signal.SIGTERM


def test_a_fetcher_that_drains_does_not_outlive_the_process_that_started_it(
    orders: OrderQueue, start: Start, tmp_path: Path
) -> None:
    process = start("--drain", "--parent-pid", "1", **drained(orders))
    assert process.wait(READY_S) == -signal.SIGKILL
