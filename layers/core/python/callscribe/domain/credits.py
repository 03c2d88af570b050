"""Money: what a second of audio costs, what a tenant has, and what is held for the jobs that are under way.

All amounts are integers in the account's smallest unit. Nothing is ever spent that was not held first, and every
hold ends exactly once: settled (spent) or released. Per account

    available ≥ 0, held ≥ 0, available + held + spent = sum of all top-ups,
    held = sum of the open holds, spent = sum of what was settled.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from callscribe.domain.prices import Account


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
