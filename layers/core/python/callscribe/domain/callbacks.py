"""Callbacks: how they are signed, when they are tried again, and what an answer means.

Sources: Standard Webhooks 1.0 (headers, signature, schedule), RFC 8785 (canonical JSON of the body signature).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import rfc8785

# Seconds before each attempt: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
SCHEDULE_S: tuple[float, ...] = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.2
BUSY_DELAY_S = 60  # the least wait after 429 or a time-out
DISABLE_AFTER_MS = 5 * 86_400_000  # an endpoint that only failed for so long is disabled
EXCERPT_BYTES = 1_024


class CallbackState(StrEnum):
    """Where a callback (one delivery of a job's result, or one replay of it) stands."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"  # every attempt of the schedule failed
    DISABLED = "DISABLED"  # the endpoint said 410, or only failed for five days


class Outcome(StrEnum):
    """How one attempt ended."""

    DELIVERED = "delivered"
    RETRY = "retry"
    RETRY_LATER = "retry_later"  # 429 or time-out: at least BUSY_DELAY_S
    GONE = "gone"  # 410: the receiver wants no more


@dataclass(frozen=True, slots=True)
class Callback:
    """The outbox row: written in the transaction that ends the job, read from the table's stream."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "job_id", "replay")
    LISTED: ClassVar[str | None] = "created_at_ms"

    tenant_id: str
    job_id: str
    replay: int  # 0 for the first delivery
    url: str
    body_key: str  # object key of the bytes to send
    state: CallbackState
    created_at_ms: int
    deadline_at_ms: int  # when it has failed, whatever happened
    due_at_ms: int | None  # when the sweeper must look at it; None at the end
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    version: int = 0

    @property
    def execution_name(self) -> str:
        """Name of the execution that makes the later attempts."""
        return f"cb-{self.job_id}-{self.replay}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of the delivery log. Claimed (outcome None) before the request goes out."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "job_id", "replay", "number")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    job_id: str
    replay: int
    number: int  # 1 for the first
    started_at_ms: int
    outcome: Outcome | None = None
    status: int | None = None
    error: str | None = None
    duration_ms: int | None = None
    retry_after_s: float | None = None
    answer_excerpt: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is remembered about a receiver: since when it only fails, and whether it is disabled."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "url_sha256")
    LISTED: ClassVar[str | None] = "created_at_ms"

    tenant_id: str
    url_sha256: str
    url: str
    created_at_ms: int
    failing_since_ms: int | None = None
    disabled_at_ms: int | None = None
    disabled_because: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: `excerpt` is the first EXCERPT_BYTES of at most 64 KiB that were read."""

    status: int
    duration_ms: int
    excerpt: str = ""
    retry_after_s: float | None = None


def message_id(job_id: str) -> str:
    """`webhook-id`: the same on every attempt and replay of a job's callback."""
    return f"msg_{job_id}"


def sign_headers(message: str, body: bytes, *, secrets: Sequence[str], now_s: int) -> dict[str, str]:
    """The three Standard Webhooks headers. `secrets`: the current one first, then the one before it."""
    signed = f"{message}.{now_s}.".encode() + body
    signatures = [f"v1,{_base64_hmac(_secret_bytes(secret), signed)}" for secret in secrets]
    return {"webhook-id": message, "webhook-timestamp": str(now_s), "webhook-signature": " ".join(signatures)}


def sign_body(fields: Mapping[str, Any], *, secret: str) -> str:
    """Base64 HMAC-SHA256 over the RFC 8785 canonical JSON of a body without its `signature`."""
    return _base64_hmac(_secret_bytes(secret), rfc8785.dumps(dict(fields)))


def judge(status: int) -> Outcome:
    """What a status means: only 2xx is success, a redirect is a failure, 410 ends it, 429 asks for patience."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if status == 410:
        return Outcome.GONE
    return Outcome.RETRY_LATER if status == 429 else Outcome.RETRY


def next_delay_s(
    attempts: int,
    outcome: Outcome,
    *,
    schedule_s: Sequence[float],
    jitter: float,
    busy_s: float = BUSY_DELAY_S,
    retry_after_s: float | None = None,
) -> float | None:
    """Seconds from now to the attempt after `attempts` made ones, or None when the schedule is used up.

    `jitter` in [-1, 1] is scaled to ±20 %. A Retry-After is honoured between the delay and twice the delay.
    """
    if attempts >= len(schedule_s):
        return None
    least_s = busy_s if outcome is Outcome.RETRY_LATER else 0
    delay_s = max(schedule_s[attempts], least_s)
    if retry_after_s is not None:
        return min(max(delay_s, retry_after_s), 2 * delay_s)
    return max(delay_s * (1 + JITTER * jitter), least_s)


def _secret_bytes(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def _base64_hmac(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
