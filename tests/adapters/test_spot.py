"""adapters/aws/spot.py against an instance metadata service on loopback."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from callscribe.adapters.aws.spot import SpotNotice

ACTION = "/latest/meta-data/spot/instance-action"


class Metadata(ThreadingHTTPServer):
    """The service as a machine sees it. `paths` are what it has to say; `token` is the one that is good now."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Service)
        self.token = "first"
        self.token_status = 200
        self.paths: dict[str, str] = {"/latest/meta-data/events/recommendations/rebalance": '{"noticeTime": "now"}'}
        self.failing = 0  # a status that every question is answered with
        self.asked: list[tuple[str, str]] = []
        self.silent = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def notice(self, action: str = "terminate") -> None:
        self.paths[ACTION] = f'{{"action": "{action}", "time": "2026-11-05T08:22:00Z"}}'


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    server = Metadata()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.silent.clear()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("action", ["terminate", "stop", "hibernate"])
def test_a_notice_is_seen_once_it_is_given(metadata: Metadata, action: str) -> None:
    notice = SpotNotice(service_url=metadata.url)
    assert [notice(), notice()] == [False, False]
    metadata.notice(action)
    assert notice()
    assert metadata.asked == [("PUT", "/latest/api/token"), *[("GET", ACTION)] * 3], "one token for all questions"


def test_a_recommendation_to_rebalance_is_no_notice(metadata: Metadata) -> None:
    assert metadata.paths
    assert not SpotNotice(service_url=metadata.url)()


def test_a_token_that_has_run_out_is_replaced(metadata: Metadata) -> None:
    notice = SpotNotice(service_url=metadata.url)
    assert not notice()
    metadata.token = "second"
    metadata.notice()
    assert [notice(), notice()] == [False, True]


@pytest.mark.parametrize("status", [400, 403, 500])
def test_without_a_token_nothing_is_asked_as_version_1_would(metadata: Metadata, status: int) -> None:
    metadata.token_status = status
    metadata.notice()
    assert not SpotNotice(service_url=metadata.url)()
    assert [method for method, _ in metadata.asked] == ["PUT"]


def test_a_service_that_is_out_of_order_is_no_notice(metadata: Metadata) -> None:
    notice = SpotNotice(service_url=metadata.url)
    metadata.failing = 503
    assert not notice()
    metadata.failing = 0
    metadata.notice()
    assert notice()


def test_a_service_that_is_silent_is_no_notice_and_holds_nobody_up(metadata: Metadata) -> None:
    metadata.silent.set()
    started_s = time.monotonic()
    assert not SpotNotice(service_url=metadata.url, timeout_s=1)()
    assert time.monotonic() - started_s < 20


def test_where_there_is_no_service_there_is_no_notice(metadata: Metadata) -> None:
    free = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    port = free.server_port
    free.server_close()
    assert not SpotNotice(service_url=f"http://127.0.0.1:{port}")()


def test_no_proxy_is_asked_about_this_machine(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    metadata.notice()
    assert SpotNotice(service_url=metadata.url)()


class _Service(BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        self.server.asked.append(("PUT", self.path))
        if self.headers["x-aws-ec2-metadata-token-ttl-seconds"] != "21600":
            self._answer(400)
        else:
            self._answer(self.server.token_status, self.server.token)

    def do_GET(self) -> None:
        self.server.asked.append(("GET", self.path))
        if self.headers["x-aws-ec2-metadata-token"] != self.server.token:
            self._answer(401)
        elif self.path in self.server.paths:
            self._answer(200, self.server.paths[self.path])
        else:
            self._answer(404)

    def _answer(self, status: int, body: str = "") -> None:
        while self.server.silent.is_set():
            time.sleep(0.02)
        self.send_response(self.server.failing or status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
