"""One-bit changes of signed callbacks, put before an independent verifier."""

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from callscribe.domain.callbacks import sign_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SHORT_BODY = json.dumps(
    {"requestId": "job_1", "transcription": [{"text": "Grüße", "start": 0.5, "end": 1.25}]}
).encode()
SAMPLED_BITS = 2_000


@dataclass(frozen=True)
class Signed:
    """What a receiver gets: the three headers and the body."""

    headers: Mapping[str, str]
    body: bytes


def signed(body: bytes) -> Signed:
    return Signed(sign_headers("msg_job_1", body, secrets=[SECRET], now_s=int(time.time())), body)


def accepted(message: Signed) -> bool:
    """Whether the verifier accepts it; it raises ValueError for some malformed headers."""
    with suppress(WebhookVerificationError, ValueError):
        Webhook(SECRET).verify(message.body, dict(message.headers), json_parse=False)
        return True
    return False


def long_body() -> bytes:
    words = [{"text": f"word {number}", "start": number / 2, "end": number / 2 + 0.25} for number in range(1_500)]
    return json.dumps({"requestId": "job_2", "transcription": words}).encode()


def tampered() -> Iterator[Signed]:
    """Every bit of id, timestamp and a short body flipped, and a sample of the bits of a long body."""
    short, long = signed(SHORT_BODY), signed(long_body())
    for name in ("webhook-id", "webhook-timestamp"):
        for changed in all_flips(short.headers[name].encode()):
            yield replace(short, headers={**short.headers, name: changed.decode("latin-1")})
    for body in all_flips(short.body):
        yield replace(short, body=body)
    for bit in random.Random(1).sample(range(8 * len(long.body)), SAMPLED_BITS):
        yield replace(long, body=flipped(long.body, bit))


def all_flips(data: bytes) -> Iterator[bytes]:
    return (flipped(data, bit) for bit in range(8 * len(data)))


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
