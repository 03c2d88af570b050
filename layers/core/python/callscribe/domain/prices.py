"""What a second of audio costs, and from which account it is paid: the part of `domain.credits` that jobs carry.

All amounts are integers in the account's smallest unit.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

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


def shown(account: str, amount: int) -> str:
    """An amount as people read it: `12.5` credits, `90` seconds; no digits are lost."""
    scale = Account(account).scale
    whole, part = divmod(abs(amount), scale)
    digits = f"{part:0{len(str(scale)) - 1}d}".rstrip("0") if scale > 1 else ""
    return f"{'-' if amount < 0 else ''}{whole}{'.' if digits else ''}{digits}"
