"""Counters that many write to at once: numbers of jobs, requests in a minute."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Counter:
    """A count by scope (a tenant's id, or the name of a limit) and name. See `ports.Store.count`."""

    KEY: ClassVar[tuple[str, ...]] = ("scope", "name")
    LISTED: ClassVar[str | None] = None

    scope: str
    name: str
    value: int = 0
    forget_at_ms: int | None = None
    version: int = 0
