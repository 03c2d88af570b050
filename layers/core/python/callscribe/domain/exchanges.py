"""Exchanges: requests that wait for the transcript of their own audio, which nobody keeps.

Equal requests share one exchange, and so one job, which is paid once. It ends when the last of them has its answer,
or some time after its job has ended; then the job's contents are erased.

OPEN ──▶ ENDING ──▶ ENDED ──▶ OPEN (the next round, another job)
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class ExchangeState(StrEnum):
    """Where an exchange stands."""

    OPEN = "OPEN"  # its job is under way, or its result waits to be fetched
    ENDING = "ENDING"  # nobody may join any more; whoever comes upon it erases what it leaves
    ENDED = "ENDED"  # nothing is left of it but this record


@dataclass(frozen=True, slots=True)
class Waiter:
    """A request that waits. One that never left (its process died) counts no longer after `until_ms`."""

    id: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """What equal requests of one credential share. `digest`: see `request_digest`; `job_id` is of the present round.

    It is never deleted while it may matter, so that its version never comes twice.
    """

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "digest")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    digest: str
    job_id: str
    state: ExchangeState
    due_at_ms: int | None  # when the sweeper must look at it; None once it has ended
    waiters: tuple[Waiter, ...] = ()
    forget_at_ms: int | None = None  # set once it has ended
    version: int = 0

    def others(self, waiter_id: str, *, now_ms: int) -> tuple[Waiter, ...]:
        """Who waits besides this one."""
        return tuple(one for one in self.waiters if one.id != waiter_id and one.until_ms > now_ms)


def request_digest(key: bytes, *, credential_id: str, parts: Sequence[str], audio: bytes | None) -> str:
    """HMAC-SHA256, hex, of what makes two requests equal: who asks, what for, and the audio itself if it came along."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in (credential_id, *parts):
        raw = part.encode()
        mac.update(len(raw).to_bytes(8, "big") + raw)  # no two lists of parts give the same bytes
    if audio is not None:
        mac.update(hashlib.sha256(audio).digest())
    return mac.hexdigest()
