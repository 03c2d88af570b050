"""Lends slots. A process that dies gives nothing back, so each is lent for a time, and no more than there are."""

from contextlib import suppress

from callscribe.domain.records import Change, insert, update
from callscribe.domain.slots import Slot
from callscribe.errors import Conflict, Unavailable
from callscribe.ports import Deps

_KEPT_MS = 86_400_000  # after its lease; far longer than any holder can live, so that a version never comes twice


def lease(deps: Deps, *, scope: str, name: str, count: int, life_s: float) -> Slot | None:
    """A slot for at most `life_s`, or None where all `count` are lent."""
    for _ in range(2 * count):  # whoever loses a race takes another one
        now_ms = deps.now_ms()
        known = {slot.number: slot for slot in deps.store.children(Slot, scope, name)}
        free = [number for number in range(count) if number not in known or known[number].until_ms <= now_ms]
        if not free:
            return None
        number = free[int.from_bytes(deps.random_bytes(4), "big") % len(free)]
        change = _lent(known.get(number), Slot(scope, name, number, now_ms + round(1000 * life_s), 0))
        try:
            deps.store.commit(change)
        except Conflict:
            continue
        slot: Slot = change.after
        return slot
    return None


def give_back(deps: Deps, slot: Slot) -> None:
    """End a lease early. One that has run out may belong to somebody else by now and is left alone; one that cannot
    be ended now runs out.
    """
    with suppress(Conflict, Unavailable):
        deps.store.commit(update(slot, until_ms=0))


def _lent(known: Slot | None, wanted: Slot) -> Change:
    forget_at_ms = wanted.until_ms + _KEPT_MS
    if known is None:
        return insert(Slot(wanted.scope, wanted.name, wanted.number, wanted.until_ms, forget_at_ms))
    return update(known, until_ms=wanted.until_ms, forget_at_ms=forget_at_ms)
