"""What it takes to be kept in the store: an identity, a version, and how the record is found again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, runtime_checkable


@runtime_checkable
class Record(Protocol):
    """A frozen dataclass that the store keeps. `KEY` names the identifying fields, in order.

    The first field of KEY is the tenant id, but for the global look-ups (by the digest of a key, a login or a public
    link, or by a report's code), the operator's list of tenants, counters, slots and the pool of workers.
    LISTED names the field (milliseconds) that orders the tenant's list of this kind, or None.
    A record with a field `due_at_ms` that is not None is found by `Store.due`; one with `forget_at_ms`
    is removed some time after that moment (never rely on when).
    """

    KEY: ClassVar[tuple[str, ...]]
    LISTED: ClassVar[str | None]

    @property
    def version(self) -> int:
        """Counts the changes; a write succeeds only if the stored version is the one that was read."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a transaction: `before` is what must be stored now (None: nothing), `after` what replaces it."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One step of a transaction for a record that many write to: add to some of its integer fields.

    It needs no reading first and conflicts with nobody. `record` says which one, by its key alone; it must be
    stored already. No field named in `add` may become negative. A record that is ever adjusted is never changed
    by a `Change` but for its insertion.
    """

    record: Any
    add: Mapping[str, int]


Step = Change | Adjustment


def insert(record: Record) -> Change:
    """Store a record that must not exist yet."""
    return Change(None, record)


def update(before: Record, /, **fields: Any) -> Change:
    """Replace `before`, which must be stored unchanged, by a copy with other fields and the next version."""
    return Change(before, replace(before, version=before.version + 1, **fields))  # type: ignore[type-var]  # every Record is a dataclass


def delete(before: Record) -> Change:
    """Remove `before`, which must be stored unchanged."""
    return Change(before, None)


def identity(record: Record) -> tuple[str | int, ...]:
    """The record's key values, in the order of KEY."""
    return tuple(getattr(record, name) for name in record.KEY)
