"""Records in a dictionary, under one lock."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from callscribe.domain.counters import Counter
from callscribe.domain.records import Adjustment, Change, Record, Step, identity
from callscribe.errors import Conflict, Exhausted

R = TypeVar("R", bound=Record)
Key = tuple[str | int, ...]

TRANSACTION_STEPS = 100  # as DynamoDB's TransactWriteItems


class MemoryStore:
    """The `Store` of tests and of anything that may forget: strictly consistent, safe under threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kinds: dict[type[Any], dict[Key, Any]] = {}
        self._subscribers: list[tuple[type[Any], Callable[[Any], None]]] = []

    def get(self, kind: type[R], *key: str | int) -> R | None:
        """See `ports.Store.get`. Raises ValueError for a key of the wrong length."""
        if len(key) != len(kind.KEY):
            raise ValueError(f"{kind.__name__} has the key {kind.KEY}, not {len(key)} values")
        with self._lock:
            return self._records(kind).get(key)

    def children(self, kind: type[R], *key_prefix: str | int, limit: int | None = None) -> list[R]:
        """See `ports.Store.children`. Raises ValueError for a prefix of fewer than two values, or of too many."""
        size = len(key_prefix)
        if not 2 <= size <= len(kind.KEY):
            raise ValueError(f"{kind.__name__} is read by 2 to {len(kind.KEY)} values, not {size}")
        with self._lock:
            found = {key: record for key, record in self._records(kind).items() if key[:size] == key_prefix}
        return [found[key] for key in sorted(found)[:limit]]

    def listed(self, kind: type[R], tenant_id: str, *, since_ms: int = 0, until_ms: int | None = None) -> Iterator[R]:
        """See `ports.Store.listed`. Raises ValueError for a kind that is not LISTED."""
        if kind.LISTED is None:
            raise ValueError(f"{kind.__name__} is not listed")
        field = kind.LISTED
        with self._lock:
            of_tenant = [(getattr(r, field), key, r) for key, r in self._records(kind).items() if key[0] == tenant_id]
        found = [row for row in of_tenant if row[0] >= since_ms and (until_ms is None or row[0] < until_ms)]
        return iter([record for _, _, record in sorted(found, key=lambda row: row[:2], reverse=True)])

    def due(self, kind: type[R], *, now_ms: int, limit: int) -> list[R]:
        """See `ports.Store.due`."""
        with self._lock:
            dated = [(getattr(record, "due_at_ms", None), key, record) for key, record in self._records(kind).items()]
        found = [(due_ms, key, record) for due_ms, key, record in dated if due_ms is not None and due_ms <= now_ms]
        return [record for _, _, record in sorted(found, key=lambda row: row[:2])[:limit]]

    def commit(self, *steps: Step) -> None:
        """See `ports.Store.commit`. Raises ValueError for what no transaction can hold."""
        changes = tuple(step for step in steps if isinstance(step, Change))
        adjustments = [step for step in steps if isinstance(step, Adjustment)]
        _check(steps)
        with self._lock:
            for change in changes:
                self._require(change)
            stored = [self._to_adjust(adjustment) for adjustment in adjustments]
            adjusted = [_adjusted(*pair) for pair in zip(stored, adjustments, strict=True)]
            for change in changes:
                self._apply(change)
            for record in adjusted:
                self._records(type(record))[identity(record)] = record
        for change in changes:
            if change.before is None:
                self._announce(change.after)

    def count(self, scope: str, name: str, *, by: int = 1, forget_at_ms: int | None = None) -> int:
        """See `ports.Store.count`."""
        with self._lock:
            counters = self._records(Counter)
            known = counters.get((scope, name)) or Counter(scope, name)
            expiry_ms = forget_at_ms if known.forget_at_ms is None else known.forget_at_ms
            counted = replace(known, value=known.value + by, version=known.version + 1, forget_at_ms=expiry_ms)
            counters[(scope, name)] = counted
            return counted.value

    def on_insert(self, kind: type[R], callback: Callable[[R], None]) -> None:
        """Call back after every transaction that inserts such a record, in its thread: the table's stream."""
        self._subscribers.append((kind, callback))

    def all(self, kind: type[R]) -> list[R]:
        """Every record of a kind, of all tenants, by key: what only a test may ask."""
        with self._lock:
            records = self._records(kind)
            return [records[key] for key in sorted(records)]

    def remove_expired(self, *, now_ms: int) -> int:
        """What the table's time to live does, some time or other; how many records went."""
        with self._lock:
            gone = [(kind, key) for kind, key, expires_ms in self._expiries() if expires_ms <= now_ms]
            for kind, key in gone:
                del self._kinds[kind][key]
        return len(gone)

    def _expiries(self) -> Iterator[tuple[type[Any], Key, int]]:
        for kind, records in self._kinds.items():
            for key, record in records.items():
                if (expires_ms := getattr(record, "forget_at_ms", None)) is not None:
                    yield kind, key, expires_ms

    def _records(self, kind: type[R]) -> dict[Key, R]:
        return self._kinds.setdefault(kind, {})

    def _require(self, change: Change) -> None:
        kind, key = _place(change)
        stored = self._records(kind).get(key)
        wanted = None if change.before is None else change.before.version
        if (None if stored is None else stored.version) != wanted:
            raise Conflict(f"{kind.__name__} changed since it was read")

    def _to_adjust(self, adjustment: Adjustment) -> Any:
        kind, key = _place(adjustment)
        stored = self._records(kind).get(key)
        if stored is None:
            raise Conflict(f"there is no {kind.__name__} to adjust")
        return stored

    def _apply(self, change: Change) -> None:
        kind, key = _place(change)
        if change.after is None:
            del self._records(kind)[key]
        else:
            self._records(kind)[key] = change.after

    def _announce(self, record: Any) -> None:
        for kind, callback in self._subscribers:
            if type(record) is kind:
                callback(record)


def _adjusted(stored: Any, adjustment: Adjustment) -> Any:
    fields = {name: getattr(stored, name) + by for name, by in adjustment.add.items()}
    if any(fields[name] < 0 for name, by in adjustment.add.items() if by < 0):
        raise Exhausted(f"{type(stored).__name__} does not hold so much")
    return replace(stored, **fields, version=stored.version + 1)


def _place(step: Step) -> tuple[type[Any], Key]:
    if isinstance(step, Adjustment):
        return type(step.record), identity(step.record)
    record = step.after if step.before is None else step.before
    return type(record), identity(record)


def _check(steps: tuple[Step, ...]) -> None:
    if len(steps) > TRANSACTION_STEPS:
        raise ValueError(f"a transaction holds at most {TRANSACTION_STEPS} changes")
    changes = [step for step in steps if isinstance(step, Change)]
    if any(change.before is None and change.after is None for change in changes):
        raise ValueError("a change needs a record before or after it")
    moved = [c for c in changes if c.before and c.after and _place(c) != _place(Change(None, c.after))]
    if moved or len({_place(step) for step in steps}) < len(steps):
        raise ValueError("a transaction changes each record once, and never its key")
