"""The captcha service at the operator's own URL (T-A10): asked by its protocol, and what its answers mean."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import EndpointConnectionError

from callscribe import names
from callscribe.adapters.aws.secret_text import REFRESH_S, SecretText
from callscribe.adapters.web.captcha import SiteVerify
from callscribe.errors import Unavailable
from callscribe.wiring import aws_deps
from tests.adapters.cloud import before_calls

SECRET = "0x4AAAAAAA-the-services-own-key"
HOME = "203.0.113.7"
SILENT = EndpointConnectionError(endpoint_url="https://aws.example")


@dataclass
class Service:
    """A captcha service that knows one token; `answer` replaces what it says."""

    url: str = ""
    answer: tuple[int, bytes] | None = None
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def judge(self, content_type: str, form: dict[str, list[str]]) -> tuple[int, bytes]:
        self.asked.append(form)
        if self.answer is not None:
            return self.answer
        if content_type != "application/x-www-form-urlencoded" or form.get("secret") != [SECRET]:
            return 200, b'{"success": false, "error-codes": ["invalid-input-secret"]}'
        good = form.get("response") == ["good & ünique=1"]
        return 200, json.dumps({"success": good, "error-codes": [] if good else ["invalid-input-response"]}).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    known = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            status, answer = known.judge(self.headers["content-type"], parse_qs(body, strict_parsing=True))
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.url = f"http://127.0.0.1:{server.server_port}/siteverify"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield known
        server.shutdown()
        thread.join()


def asking(url: str) -> SiteVerify:
    return SiteVerify(url, lambda: SECRET, allow_loopback=True)


def test_T_A10_the_service_is_told_secret_token_and_address_and_its_word_counts(service: Service) -> None:
    captcha = asking(service.url)
    assert captcha("good & ünique=1", address=HOME) is True
    assert captcha("bad", address=HOME) is False
    assert service.asked[0] == {"secret": [SECRET], "response": ["good & ünique=1"], "remoteip": [HOME]}


def test_T_A10_a_blank_token_is_not_worth_a_question(service: Service) -> None:
    assert asking(service.url)("  ", address=HOME) is False
    assert service.asked == []


def test_T_A10_half_a_character_is_no_good_token_and_no_error(service: Service) -> None:
    assert asking(service.url)("\ud800", address=HOME) is False


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"success": "true"}'),
        (200, b'{"success": 1}'),
        (302, b""),
        (200, b'{"success": false, "error-codes": ["missing-input-secret"]}'),
        (200, b'{"success": false, "error-codes": ["internal-error"]}'),
    ],
)
def test_T_A10_what_is_no_verdict_on_the_token_is_unavailable_and_no_log_holds_the_secret(
    service: Service, answer: tuple[int, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = answer
    with pytest.raises(Unavailable) as caught:
        asking(service.url)("a token of somebody", address=HOME)
    assert "no verdict" in caplog.text
    for private in (SECRET, "a token of somebody", HOME):
        assert private not in caplog.text + str(caught.value)


@pytest.mark.parametrize("codes", [b'["invalid-input-response"]', b'["timeout-or-duplicate"]', b"[7]", b"null"])
def test_T_A10_a_token_that_the_service_does_not_take_is_refused(service: Service, codes: bytes) -> None:
    service.answer = (200, b'{"success": false, "error-codes": ' + codes + b"}")
    assert asking(service.url)("bad", address=HOME) is False


def test_T_A10_a_service_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        asking("http://127.0.0.1:9/siteverify")("good", address=HOME)


def test_T_A10_no_other_address_than_a_public_one_is_asked(service: Service) -> None:
    with pytest.raises(Unavailable):
        SiteVerify(service.url, lambda: SECRET)("good", address=HOME)
    assert service.asked == []


def test_T_A10_an_answer_that_never_ends_is_not_waited_for(service: Service) -> None:
    service.answer = (200, b'{"success": true, "padding": "' + b"x" * 70_000 + b'"}')
    with pytest.raises(Unavailable):
        asking(service.url)("good", address=HOME)


def test_T_A10_the_wiring_asks_the_service_that_the_operator_named(
    service: Service, aws: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = aws("secretsmanager").create_secret(Name="captcha", SecretString=f"{SECRET}\n")
    monkeypatch.setenv(names.ENV_SETTINGS, json.dumps({"captcha_url": service.url, "allow_loopback": True}))
    monkeypatch.setenv(names.ENV_CAPTCHA_SECRET, made["ARN"])
    captcha = aws_deps("captcha").captcha
    assert [captcha(token, address=HOME) for token in ("good & ünique=1", "bad")] == [True, False]


def test_T_A10_without_such_a_service_any_token_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.ENV_SETTINGS, "{}")
    captcha = aws_deps("captcha").captcha
    assert [captcha(token, address=HOME) for token in ("x", " ")] == [True, False]


def test_a_secret_is_read_again_when_it_is_old_and_kept_while_nobody_answers(aws: Callable[[str], Any]) -> None:
    client, now_s = aws("secretsmanager"), 0.0
    arn = client.create_secret(Name="captcha", SecretString=" first ")["ARN"]
    secret = SecretText(client, arn, clock_s=lambda: now_s)
    assert secret() == "first"
    client.put_secret_value(SecretId=arn, SecretString="second")
    now_s += REFRESH_S - 1
    assert secret() == "first"
    now_s += 1
    before_calls(client, "GetSecretValue", SILENT, SILENT, SILENT)
    assert secret() == "first"
    now_s += REFRESH_S
    assert secret() == "second"


def test_a_secret_that_was_never_read_or_is_empty_is_unavailable(aws: Callable[[str], Any]) -> None:
    client = aws("secretsmanager")
    arn = client.create_secret(Name="captcha", SecretString=" ")["ARN"]
    with pytest.raises(Unavailable):
        SecretText(client, arn)()
    client.put_secret_value(SecretId=arn, SecretString="filled in")
    secret = SecretText(client, arn)
    before_calls(client, "GetSecretValue", SILENT, SILENT, SILENT)
    with pytest.raises(Unavailable):
        secret()
    assert secret() == "filled in"
