"""local/smoke.py: where it takes its target from, and that it notices a stage that is not callscribe's."""

import json
import threading
from argparse import Namespace
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from callscribe.cli.edge import UsageError
from local import smoke
from local.credentials import write_private

LOCAL_URL = "http://127.0.0.1:8420"


def arguments(base_url: str = LOCAL_URL, callback_url: str = "") -> Namespace:
    return Namespace(base_url=base_url, callback_url=callback_url, timeout_s=60.0)


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    """A folder where `make serve` runs."""
    presign = {"app_id": "app-local", "api_key": "cs_live_local"}
    content = {"stage": "local", "base_url": LOCAL_URL, "aws_endpoint": "http://127.0.0.1:4566", "presign": presign}
    write_private(tmp_path / ".callscribe" / "local.json", content)
    return tmp_path


@pytest.fixture
def stranger() -> Iterator[str]:
    """A web server that answers everything with a friendly page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Friendly)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_credential_of_the_environment_is_used_for_any_stage(tmp_path: Path) -> None:
    environment = {"APP_ID": "app-1", "API_KEY": "cs_live_1"}
    target = smoke.read_target(
        arguments("https://api.example.com/", "https://mine.example/hook"), environment, tmp_path
    )
    assert target == smoke.Target(
        "https://api.example.com", "app-1", "cs_live_1", callback_url="https://mine.example/hook", timeout_s=60.0
    )


@pytest.mark.parametrize("base_url", [LOCAL_URL, LOCAL_URL + "/"])
def test_the_laptops_stage_brings_its_own_credential(serving: Path, base_url: str) -> None:
    target = smoke.read_target(arguments(base_url), {}, serving)
    assert (target.app_id, target.api_key) == ("app-local", "cs_live_local")


def test_the_laptops_credential_goes_to_no_other_stage(serving: Path) -> None:
    with pytest.raises(UsageError, match=r"no credential for https://api\.example\.com: set APP_ID and API_KEY"):
        smoke.read_target(arguments("https://api.example.com"), {}, serving)


@pytest.mark.parametrize("environment", [{}, {"APP_ID": "app-1"}, {"API_KEY": "cs_live_1"}])
def test_without_a_whole_credential_it_says_what_to_set(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
) -> None:
    _only(monkeypatch, tmp_path, environment)
    assert smoke.main(["--base-url", "https://api.example.com"]) == 1
    assert "set APP_ID and API_KEY" in capsys.readouterr().out


@pytest.mark.parametrize("given", [[], ["--base-url", ""], ["--base-url", " "]])
def test_without_a_base_url_it_says_where_to_find_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    _only(monkeypatch, tmp_path, {"APP_ID": "app-1", "API_KEY": "cs_live_1"})
    assert smoke.main(given) == 1
    assert "make smoke BASE_URL=https://" in capsys.readouterr().out


def test_a_base_url_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _only(monkeypatch, tmp_path, {"APP_ID": "app-1", "API_KEY": "cs_live_1"})
    assert smoke.main(["--base-url", "api.example.com"]) == 1
    assert "http or https URL" in capsys.readouterr().out


def test_a_stage_that_is_not_callscribes_differs_in_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stranger: str
) -> None:
    _only(monkeypatch, tmp_path, {"APP_ID": "app-1", "API_KEY": "cs_live_1", "COLUMNS": "200"})
    assert smoke.main(["--base-url", stranger]) == 1
    printed = capsys.readouterr().out
    assert "0 of 11 steps work" in printed
    assert printed.count("differs") == 11
    assert "answered 200 instead of 401" in printed
    assert "cs_live_1" not in printed


def test_a_tampered_url_differs_in_its_signature_only() -> None:
    url = "https://audio.s3.eu-central-1.amazonaws.com/audio/t/j?X-Amz-Credential=A%2Fs3&X-Amz-Signature=abcdef&x-id=PutObject"
    assert smoke.tampered(url) == url.replace("abcdef", "ab0000")
    assert smoke.tampered(url.replace("abcdef", "ab0000")) == url.replace("abcdef", "ab1111")


def _only(monkeypatch: pytest.MonkeyPatch, folder: Path, environment: dict[str, str]) -> None:
    """Run in an empty folder, with these variables and no others of smoke's."""
    monkeypatch.chdir(folder)
    for name in ("APP_ID", "API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


class _Friendly(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps({"hello": "world"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
