"""What is known about a call before anybody listens: the part of `domain.roles` that jobs and tenants carry."""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum


class Direction(StrEnum):
    """Who called whom: inbound, a customer called; outbound, an agent did."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known about a call before anybody listens: by its channels, or by its metadata."""

    agent_channel: int | None = None  # 0 or 1, of a two-channel recording
    direction: Direction | None = None
    agent_name: str | None = None
    company_name: str | None = None

    def over(self, general: "CallFacts") -> "CallFacts":
        """These facts, and where one is not known, the general one."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(general, **known)


NOTHING_KNOWN = CallFacts()
