"""One total deadline for everything that a request does."""

import time
from dataclasses import dataclass

from callscribe.errors import OutboundFailed


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock, in seconds."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The moment that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining_s(self) -> float:
        """Seconds left, above 0. Raises OutboundFailed(timeout) when there are none."""
        left_s = self.at_s - time.monotonic()
        if left_s <= 0:
            raise timed_out()
        return left_s


def timed_out() -> OutboundFailed:
    """The error of a request whose time is over."""
    return OutboundFailed("timeout", "the other side took too long")
