"""Money: what a second of audio costs, what a tenant has, and what is held for the jobs that are under way.

All amounts are integers in the account's smallest unit. Nothing is ever spent that was not held first, and every
hold ends exactly once: settled (spent) or released. Per account

    available ≥ 0, held ≥ 0, available + held + spent = sum of all top-ups,
    held = sum of the open holds, spent = sum of what was settled.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

MICRO = 1_000_000


class Account(StrEnum):
    """What a tenant pays from. Credits and units are counted in millionths, seconds as they are."""

    CREDITS = "credits"
    UNITS = "units"  # what the operator's enterprise credentials pay with ("admin units" of dialect `aivoco`)
    SECONDS = "seconds"  # of audio, prepaid
    # What a tariff grants for its time: of calls, of other recordings, of videos; then pieces.
    CALL_SECONDS = "call-seconds"
    AUDIO_SECONDS = "audio-seconds"
    VIDEO_SECONDS = "video-seconds"
    CHATS = "chats"
    REPORTS = "reports"

    @property
    def scale(self) -> int:
        """How many of the smallest unit make one as it is shown."""
        return MICRO if self in (Account.CREDITS, Account.UNITS) else 1


@dataclass(frozen=True, slots=True)
class Plan:
    """How a tenant pays: from which account, and what a started second costs, in each account's smallest unit."""

    account: Account = Account.CREDITS
    credits_m_per_s: int = 0
    units_m_per_s: int = 0

    def price_per_s(self, account: Account) -> int:
        """Of one started second, in the account's smallest unit. A second costs one second."""
        return {Account.CREDITS: self.credits_m_per_s, Account.UNITS: self.units_m_per_s}.get(account, 1)


@dataclass(frozen=True, slots=True)
class Price:
    """What a job will cost: fixed when it is made, so that a new plan changes no job under way."""

    account: Account
    per_s: int

    def of(self, duration_s: float) -> int:
        """In the account's smallest unit, by started seconds."""
        return math.ceil(duration_s) * self.per_s


@dataclass(frozen=True, slots=True)
class Balance:
    """What a tenant has in one account. Only ever adjusted, see `records.Adjustment`."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "account")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    account: Account
    available: int = 0
    held: int = 0
    spent: int = 0
    version: int = 0


class HoldState(StrEnum):
    """An open hold ends exactly once."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount set aside for one job (or another purpose, by its id) until it is settled or released."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    id: str
    account: Account
    amount: int
    state: HoldState
    created_at_ms: int
    deadline_at_ms: int
    due_at_ms: int | None  # the sweeper releases what is still open then
    settled: int = 0
    version: int = 0


class EntryKind(StrEnum):
    """What an entry of the ledger says."""

    TOP_UP = "top-up"
    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: by how much each figure of the balance changed. The lines sum to the balance."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = "at_ms"

    tenant_id: str
    id: str  # `<kind>/<hold id or reference>`: the same line cannot be written twice
    account: Account
    event: EntryKind
    at_ms: int
    available: int
    held: int
    spent: int
    note: str = ""
    version: int = 0


def shown(account: str, amount: int) -> str:
    """An amount as people read it: `12.5` credits, `90` seconds; no digits are lost."""
    scale = Account(account).scale
    whole, part = divmod(abs(amount), scale)
    digits = f"{part:0{len(str(scale)) - 1}d}".rstrip("0") if scale > 1 else ""
    return f"{'-' if amount < 0 else ''}{whole}{'.' if digits else ''}{digits}"
