"""The webhook receiver and the independent check of a callback."""

import base64
import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from standardwebhooks import Webhook

from local.receiver import GONE, Answer, CallbackNotVerified, Receiver, redirect_to, verify_callback

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def post(url: str, payload: Any, **headers: str) -> int:
    request = urllib.request.Request(url, json.dumps(payload).encode(), headers)

    class _Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> None:
            return None

    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def signed(body: dict[str, Any], *, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
    """A callback signed as the contract says, by means other than the product's."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, rfc8785.dumps(body), hashlib.sha256).digest()).decode()
    raw = json.dumps(body | {"signature": signature}, ensure_ascii=False).encode()
    now = datetime.now(UTC)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", now, raw.decode()),
    }
    return headers, raw


BODY = {"requestId": "r-1", "transcription": [{"text": "Grüße", "start": 1.5, "end": 2.0}], "createdAt": 1795237890957}


def test_a_request_is_recorded_as_it_came() -> None:
    with Receiver() as receiver:
        before = time.time()
        assert post(receiver.url + "/x?y=1", {"requestId": "r"}, **{"X-Custom": "v"}) == 200
        request = receiver.wait_for("r", 1)
    assert (request.method, request.path) == ("POST", "/callback/x?y=1")
    assert request.headers["x-custom"] == "v"
    assert request.body == b'{"requestId": "r"}'
    assert before <= request.arrived_at_s <= time.time()


def test_answers_follow_the_programme_and_then_the_default() -> None:
    with Receiver() as receiver:
        receiver.answer_with(500, redirect_to("http://127.0.0.1:1/"), GONE)
        assert [post(receiver.url, {"requestId": "r"}) for _ in range(4)] == [500, 302, 410, 200]
        assert receiver.wait_for("r", 1) == receiver.received[3]
        assert len(receiver.requests_for("r")) == 4


def test_a_slow_answer_is_slow() -> None:
    with Receiver() as receiver:
        receiver.answer_with(Answer(delay_s=0.3))
        started = time.monotonic()
        post(receiver.url, {})
        assert time.monotonic() - started >= 0.3


def test_waiting_ends_with_the_request_that_comes_later() -> None:
    with Receiver() as receiver:
        threading.Timer(0.2, post, (receiver.url, {"requestId": "late"})).start()
        assert receiver.wait_for("late", 5).json() == {"requestId": "late"}


def test_waiting_in_vain_says_what_came() -> None:
    with Receiver() as receiver:
        receiver.answer_with(then=500)
        post(receiver.url, {"requestId": "r"})
        with pytest.raises(TimeoutError, match="1 refused"):
            receiver.wait_for("r", 0.1)


def test_a_right_callback_is_verified() -> None:
    headers, raw = signed(BODY)
    assert verify_callback(SECRET, headers, raw)["requestId"] == "r-1"


def test_the_order_and_spacing_of_the_parsed_body_do_not_matter_to_its_signature() -> None:
    headers, raw = signed(dict(reversed(BODY.items())))
    assert verify_callback(SECRET, headers, raw)["createdAt"] == BODY["createdAt"]


@pytest.mark.parametrize("position", range(0, 120, 7))
def test_a_changed_bit_of_the_body_is_noticed(position: int) -> None:
    headers, raw = signed(BODY)
    tampered = bytearray(raw)
    tampered[position] ^= 1
    with pytest.raises(CallbackNotVerified, match="webhook-signature"):
        verify_callback(SECRET, headers, bytes(tampered))


def test_a_body_signature_by_another_secret_is_noticed() -> None:
    other = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()
    _, raw = signed(BODY, secret=other)
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, raw.decode()),
    }
    with pytest.raises(CallbackNotVerified, match="body's signature"):
        verify_callback(SECRET, headers, raw)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_missing_or_malformed_header_is_named(name: str) -> None:
    headers, raw = signed(BODY)
    with pytest.raises(CallbackNotVerified, match=name.lower()):
        verify_callback(SECRET, {key: value for key, value in headers.items() if key != name}, raw)
    with pytest.raises(CallbackNotVerified):
        verify_callback(SECRET, headers | {name: "malformed"}, raw)


def test_an_old_callback_is_refused() -> None:
    headers, raw = signed(BODY)
    with pytest.raises(CallbackNotVerified):
        verify_callback(SECRET, headers | {"Webhook-Timestamp": str(int(time.time()) - 3600)}, raw)
