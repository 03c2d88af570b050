"""What must always be so with the money, checked against every record there is (the docstring of domain/credits)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from callscribe.adapters.memory import MemoryStore
from callscribe.domain.credits import Balance, Entry, EntryKind, Hold, HoldState

T = TypeVar("T", Entry, Hold)
Figures = tuple[int, int, int]  # available, held, spent


def unbalanced(store: MemoryStore) -> list[str]:
    """Each broken invariant in words, of all balances."""
    entries, holds = _by_account(store.all(Entry)), _by_account(store.all(Hold))
    balances = store.all(Balance)
    broken = [
        problem
        for row in balances
        for problem in _broken(row, entries[row.tenant_id, row.account], holds[row.tenant_id, row.account])
    ]
    known = {(row.tenant_id, row.account) for row in balances}
    return broken + [f"{place} has lines and no balance" for place in (entries.keys() | holds.keys()) - known]


def net_of(store: MemoryStore, hold_id: str) -> Figures:
    """What all lines of one hold come to."""
    lines = [line for line in store.all(Entry) if line.id.partition("/")[2] == hold_id]
    return _sum(lines)


def _broken(row: Balance, lines: list[Entry], holds: list[Hold]) -> Iterable[str]:
    figures = (row.available, row.held, row.spent)
    if min(figures) < 0:
        yield f"{row.account}: a figure below zero in {figures}"
    if _sum(lines) != figures:
        yield f"{row.account}: the lines sum to {_sum(lines)}, not to {figures}"
    topped_up = sum(line.available for line in lines if line.event is EntryKind.TOP_UP)
    if sum(figures) != topped_up:
        yield f"{row.account}: {figures} is not what was topped up, {topped_up}"
    if row.held != sum(hold.amount for hold in holds if hold.state is HoldState.OPEN):
        yield f"{row.account}: held is not the sum of the open holds"
    if row.spent != sum(hold.settled for hold in holds if hold.state is HoldState.SETTLED):
        yield f"{row.account}: spent is not the sum of what was settled"
    yield from _ended_twice(lines, holds)


def _ended_twice(lines: list[Entry], holds: list[Hold]) -> Iterable[str]:
    kinds: dict[str, list[EntryKind]] = defaultdict(list)
    for line in lines:
        if line.event is not EntryKind.TOP_UP:
            kinds[line.id.partition("/")[2]].append(line.event)
    wanted = {
        HoldState.OPEN: [EntryKind.HOLD],
        HoldState.SETTLED: [EntryKind.HOLD, EntryKind.SETTLE],
        HoldState.RELEASED: [EntryKind.HOLD, EntryKind.RELEASE],
    }
    for hold in holds:
        if sorted(kinds.pop(hold.id, [])) != sorted(wanted[hold.state]):
            yield f"hold {hold.id} is {hold.state}, its lines say otherwise"
        if (hold.state is HoldState.OPEN) != (hold.due_at_ms is not None):
            yield f"hold {hold.id} is {hold.state} and due at {hold.due_at_ms}"
    yield from (f"lines without a hold: {hold_id}" for hold_id in kinds)


def _sum(lines: list[Entry]) -> Figures:
    return (
        sum(line.available for line in lines),
        sum(line.held for line in lines),
        sum(line.spent for line in lines),
    )


def _by_account(rows: list[T]) -> dict[tuple[str, str], list[T]]:
    found: dict[tuple[str, str], list[T]] = defaultdict(list)
    for row in rows:
        found[row.tenant_id, row.account].append(row)
    return found
