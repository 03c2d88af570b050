"""Slots: how many may do something at one time, over all processes of a stage."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the places that `scope` has for `name`. It is lent until `until_ms`, and then free again by itself."""

    KEY: ClassVar[tuple[str, ...]] = ("scope", "name", "number")
    LISTED: ClassVar[str | None] = None

    scope: str
    name: str
    number: int  # from 0
    until_ms: int
    forget_at_ms: int
    version: int = 0
