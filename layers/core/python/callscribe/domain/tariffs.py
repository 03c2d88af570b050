"""Tariffs: what a tenant may use within a time, as data that the operator configures; and which one a tenant has."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from callscribe.domain.prices import Account

DAY_MS: Final = 86_400_000
MOST_DAYS: Final = 36_500
# What tariffs grant, and tasks are paid from.
ACCOUNTS: Final = (
    Account.CALL_SECONDS,
    Account.AUDIO_SECONDS,
    Account.VIDEO_SECONDS,
    Account.CHATS,
    Account.REPORTS,
)


@dataclass(frozen=True, slots=True)
class Tariff:
    """One plan: minutes, and pieces (chats, business reports), that are granted for `days`.

    `text_tokens` and `image_tokens` are shown to clients that know them; nothing spends them. `prices` are amounts by
    currency (ISO 4217).
    """

    id: int
    name: str
    identifier: str
    days: int
    call_minutes: int
    audio_minutes: int
    video_minutes: int
    chats: int
    reports: int
    text_tokens: int = 0
    image_tokens: int = 0
    transcription: bool = True
    image_generation: bool = False
    calls: bool = True
    prices: Mapping[str, float] = field(default_factory=dict)

    def granted(self) -> dict[Account, int]:
        """How much of each account it gives, in the account's smallest unit."""
        minutes = (self.call_minutes, self.audio_minutes, self.video_minutes)
        return dict(zip(ACCOUNTS, (*(60 * each for each in minutes), self.chats, self.reports), strict=True))


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which tariff a tenant has, and for how long; `number` counts its subscriptions. Epoch milliseconds."""

    tariff: str  # its identifier
    number: int
    starts_at_ms: int
    ends_at_ms: int

    def is_active(self, now_ms: int) -> bool:
        """Begun, and not over."""
        return self.starts_at_ms <= now_ms < self.ends_at_ms

    def days_left(self, now_ms: int) -> int:
        """Full days until its end, rounded up, at least 0 (T-11)."""
        return max(0, math.ceil((self.ends_at_ms - now_ms) / DAY_MS))


def parse(entries: Iterable[Mapping[str, Any]]) -> tuple[Tariff, ...]:
    """Tariffs from what a configuration says. Raises ValueError for what cannot be one."""
    known = {entry.name for entry in fields(Tariff)}
    made = []
    for entry in entries:
        if unknown := set(entry) - known:
            raise ValueError(f"tariffs: there is no field {min(unknown)!r}")
        try:
            made.append(Tariff(**entry))
        except TypeError as error:  # names the fields that are missing
            raise ValueError(f"tariffs: {error}") from error
    validate(made)
    return tuple(made)


def validate(tariffs: Sequence[Tariff]) -> None:
    """Raises ValueError unless each value is of its kind and not negative, and ids and identifiers differ."""
    for tariff in tariffs:
        _check_kinds(tariff)
        if not (tariff.id >= 1 and tariff.identifier.strip() and tariff.name.strip()):
            raise ValueError("tariffs: id must be 1 or more, identifier and name must not be empty")
        if not 1 <= tariff.days <= MOST_DAYS:
            raise ValueError(f"tariffs: {tariff.identifier}: days must be 1 to {MOST_DAYS}")
    for name in ("id", "identifier"):
        if len({getattr(tariff, name) for tariff in tariffs}) < len(tariffs):
            raise ValueError(f"tariffs: each needs its own {name}")


def _check_kinds(tariff: Tariff) -> None:
    for entry in fields(tariff):
        value = getattr(tariff, entry.name)
        if entry.name == "prices":
            fits = isinstance(value, Mapping) and all(_is_price(*price) for price in value.items())
        else:
            fits = type(value) is entry.type and not (entry.type is int and value < 0)
        if not fits:
            raise ValueError(f"tariffs: {tariff.identifier}: {entry.name} must not be {value!r}")


def _is_price(currency: object, amount: object) -> bool:
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    return isinstance(currency, str) and is_number and 0 <= amount < math.inf  # type: ignore[operator]  # it is a number


# The packages of the document's section 12 (T-A24). What it does not name, we chose.
TARIFFS: Final = (
    Tariff(1, "Pro", "pro", 30, 5_000, 5_000, 1_000, 5_000, 31, prices={"EUR": 400.0}),
    Tariff(4, "Enterprise", "enterprise", 30, 10_000, 10_000, 3_000, 10_000, 31, prices={"EUR": 600.0}),
    Tariff(5, "Enterprise+", "enterprise-plus", 30, 50_000, 50_000, 15_000, 50_000, 31),
)
