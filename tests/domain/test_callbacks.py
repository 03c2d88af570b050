"""Signing, schedule and judgement of callbacks."""

import base64
import hashlib
import hmac
import time
from itertools import pairwise

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from callscribe.domain.callbacks import (
    SCHEDULE_S,
    Outcome,
    judge,
    message_id,
    next_delay_s,
    sign_body,
    sign_headers,
)

# Published with Standard Webhooks 1.0.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = b'{"test": 2432232314}'


def delay_s(
    attempts: int, outcome: Outcome = Outcome.RETRY, *, jitter: float = 0, retry_after_s: float | None = None
) -> float | None:
    return next_delay_s(attempts, outcome, schedule_s=SCHEDULE_S, jitter=jitter, retry_after_s=retry_after_s)


def test_the_published_vector_is_reproduced() -> None:
    headers = sign_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", BODY, secrets=[SECRET], now_s=1_614_265_330)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_independent_verifier_accepts_our_signature() -> None:
    headers = sign_headers(message_id("job_1"), BODY, secrets=[SECRET], now_s=int(time.time()))
    assert headers["webhook-id"] == "msg_job_1"
    assert Webhook(SECRET).verify(BODY, headers) == {"test": 2_432_232_314}


def test_during_rotation_both_secrets_verify_and_no_third_does() -> None:
    headers = sign_headers("msg_1", BODY, secrets=[SECRET, OTHER_SECRET], now_s=int(time.time()))
    assert headers["webhook-signature"].count("v1,") == 2
    Webhook(SECRET).verify(BODY, headers)
    Webhook(OTHER_SECRET).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(bytes(32)).decode()).verify(BODY, headers)


@pytest.mark.parametrize("age_s", [-600, 600])
def test_an_old_or_future_timestamp_is_not_accepted(age_s: int) -> None:
    headers = sign_headers("msg_1", BODY, secrets=[SECRET], now_s=int(time.time()) - age_s)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers)


def test_the_body_signature_is_over_the_canonical_json() -> None:
    canonical = '{"a":"é","b":[1,0.5,1e-7],"c":null}'.encode()
    expected = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), canonical, hashlib.sha256).digest()
    signature = sign_body({"c": None, "b": [1, 0.5, 0.0000001], "a": "é"}, secret=SECRET)
    assert signature == base64.b64encode(expected).decode()


def test_the_body_signature_changes_with_any_field_but_not_with_their_order() -> None:
    fields = {"requestId": "job_1", "transcription": [{"text": "a", "start": 0.5}], "createdAt": 1}
    signature = sign_body(fields, secret=SECRET)
    assert sign_body(dict(reversed(fields.items())), secret=SECRET) == signature
    for name in fields:
        assert sign_body({**fields, name: "other"}, secret=SECRET) != signature
    assert sign_body(fields, secret=OTHER_SECRET) != signature


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (299, Outcome.DELIVERED),
        (101, Outcome.RETRY),
        (301, Outcome.RETRY),
        (308, Outcome.RETRY),
        (400, Outcome.RETRY),
        (404, Outcome.RETRY),
        (410, Outcome.GONE),
        (429, Outcome.RETRY_LATER),
        (500, Outcome.RETRY),
        (503, Outcome.RETRY),
    ],
)
def test_only_2xx_is_success_410_ends_it_and_429_asks_for_patience(status: int, outcome: Outcome) -> None:
    assert judge(status) is outcome


def test_ten_attempts_are_made_over_75_hours_and_35_minutes() -> None:
    delays = [delay_s(attempts) for attempts in range(11)]
    assert delays == [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, None]
    assert sum(SCHEDULE_S) == 75 * 3_600 + 35 * 60 + 5
    assert all(earlier < later for earlier, later in pairwise(SCHEDULE_S))


@pytest.mark.parametrize(("jitter", "expected_s"), [(-1, 240), (0, 300), (1, 360)])
def test_jitter_moves_a_delay_by_up_to_a_fifth(jitter: float, expected_s: float) -> None:
    assert delay_s(2, jitter=jitter) == pytest.approx(expected_s)


def test_after_429_or_a_time_out_at_least_a_minute_passes() -> None:
    assert delay_s(1, Outcome.RETRY_LATER) == 60
    assert delay_s(2, Outcome.RETRY_LATER) == 300


@pytest.mark.parametrize(("retry_after_s", "expected_s"), [(0, 300), (299, 300), (450, 450), (600, 600), (1e9, 600)])
def test_retry_after_is_honoured_between_the_delay_and_twice_the_delay(retry_after_s: float, expected_s: float) -> None:
    assert delay_s(2, retry_after_s=retry_after_s) == expected_s


def test_retry_after_429_counts_from_the_minute() -> None:
    assert delay_s(1, Outcome.RETRY_LATER, retry_after_s=90) == 90
    assert delay_s(1, Outcome.RETRY_LATER, retry_after_s=3_600) == 120


@pytest.mark.parametrize("jitter", [-1.0, 1.0])
def test_jitter_never_breaks_the_minute_after_429_or_a_time_out(jitter: float) -> None:
    delay = delay_s(1, Outcome.RETRY_LATER, jitter=jitter)
    assert delay is not None
    assert delay >= 60
