"""The ledger: top-ups, and amounts that are held first, then settled or released exactly once.

`holding`, `settling` and `releasing` give the steps of a transaction, so that the transaction that moves a job moves
its money too; `hold`, `settle` and `release` are such a transaction by themselves.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from callscribe.domain.credits import Balance, Entry, EntryKind, Hold, HoldState
from callscribe.domain.prices import Account, Price
from callscribe.domain.records import Adjustment, Step, insert, update
from callscribe.errors import Conflict, Exhausted, InsufficientCredits, Invalid, NotFound, Unavailable
from callscribe.ports import Deps

_TRIES = 5  # to end a hold that others change at the same moment


def balance(deps: Deps, *, tenant_id: str, account: Account) -> Balance:
    """What a tenant has in an account; all zero where it never had anything."""
    return deps.store.get(Balance, tenant_id, account) or Balance(tenant_id, account)


def entries(deps: Deps, tenant_id: str, *, account: Account | None = None) -> Iterator[Entry]:
    """A tenant's ledger, newest line first; of one account, or of all."""
    lines = deps.store.listed(Entry, tenant_id)
    return (line for line in lines if account in (None, line.account))


def top_up(deps: Deps, *, tenant_id: str, account: Account, amount: int, reference: str, note: str = "") -> Balance:
    """Add an amount (a negative one takes back what is available); the same reference counts once.

    Raises Invalid for an amount of 0 and for a reference that stands for something else, InsufficientCredits when
    more is taken back than is available.
    """
    if amount == 0:
        raise Invalid("amount", "must not be 0")
    line = _top_up_line(deps, tenant_id, account, amount, reference, note)
    try:
        deps.store.commit(_adjustment(line), insert(line))
    except Exhausted as error:
        raise insufficient(deps, tenant_id, account, -amount) from error
    except Conflict:
        known = deps.store.get(Entry, tenant_id, line.id)
        if known is None:
            raise
        if (known.account, known.available) != (account, amount):
            raise Invalid("reference", "stands for another top-up already") from None
    return balance(deps, tenant_id=tenant_id, account=account)


def topping_up(
    deps: Deps, *, tenant_id: str, account: Account, amount: int, reference: str, note: str = ""
) -> list[Step]:
    """The steps that add an amount, or take a negative one back; none for 0.

    A commit of these steps raises Exhausted when less is available than is taken back, Conflict when the reference
    was used before.
    """
    if amount == 0:
        return []
    line = _top_up_line(deps, tenant_id, account, amount, reference, note)
    return [_adjustment(line), insert(line)]


def require_funds(deps: Deps, *, tenant_id: str, price: Price | None) -> None:
    """Raises InsufficientCredits when an account that has to pay holds nothing: before any length is known."""
    if price is None or price.per_s == 0:
        return
    available = balance(deps, tenant_id=tenant_id, account=price.account).available
    if available <= 0:
        raise InsufficientCredits(price.account, available=available)


def insufficient(deps: Deps, tenant_id: str, account: Account, amount: int) -> InsufficientCredits:
    """The error that says so, with what is available now."""
    available = balance(deps, tenant_id=tenant_id, account=account).available
    return InsufficientCredits(account, available=available, required=amount)


def find_hold(deps: Deps, *, tenant_id: str, hold_id: str) -> Hold | None:
    """The hold of this id, whatever became of it."""
    return deps.store.get(Hold, tenant_id, hold_id)


def holding(
    deps: Deps, *, tenant_id: str, hold_id: str, account: Account, amount: int, deadline_at_ms: int
) -> list[Step]:
    """The steps that set an amount aside, none for 0. Raises InsufficientCredits where it is clear beforehand.

    A commit of these steps raises Exhausted when others were faster, Conflict when the hold was made before.
    """
    if amount < 0:
        raise ValueError("a hold is not negative")
    if amount == 0:
        return []
    if balance(deps, tenant_id=tenant_id, account=account).available < amount:
        raise insufficient(deps, tenant_id, account, amount)
    made = Hold(
        tenant_id=tenant_id,
        id=hold_id,
        account=account,
        amount=amount,
        state=HoldState.OPEN,
        created_at_ms=deps.now_ms(),
        deadline_at_ms=deadline_at_ms,
        due_at_ms=deadline_at_ms,
    )
    line = _entry(deps, tenant_id, account, EntryKind.HOLD, hold_id, available=-amount, held=amount)
    return [insert(made), _adjustment(line), insert(line)]


def settling(deps: Deps, hold: Hold, amount: int | None = None) -> list[Step]:
    """The steps that spend an amount of an open hold (all of it by default) and release the rest; none once ended."""
    if hold.state is not HoldState.OPEN:
        return []
    spent = hold.amount if amount is None else amount
    if not 0 <= spent <= hold.amount:
        raise ValueError("what is settled must have been held")
    line = _entry(
        deps,
        hold.tenant_id,
        hold.account,
        EntryKind.SETTLE,
        hold.id,
        available=hold.amount - spent,
        held=-hold.amount,
        spent=spent,
    )
    ended = update(hold, state=HoldState.SETTLED, settled=spent, due_at_ms=None)
    return [ended, _adjustment(line), insert(line)]


def releasing(deps: Deps, hold: Hold) -> list[Step]:
    """The steps that give an open hold back; none once it has ended."""
    if hold.state is not HoldState.OPEN:
        return []
    line = _entry(
        deps,
        hold.tenant_id,
        hold.account,
        EntryKind.RELEASE,
        hold.id,
        available=hold.amount,
        held=-hold.amount,
    )
    return [update(hold, state=HoldState.RELEASED, due_at_ms=None), _adjustment(line), insert(line)]


def hold(deps: Deps, *, tenant_id: str, hold_id: str, account: Account, amount: int, deadline_at_ms: int) -> Hold:
    """Set an amount aside; a hold of this id that exists already is answered as it is.

    Raises InsufficientCredits, and ValueError for an amount below 1.
    """
    if amount < 1:
        raise ValueError("nothing is held for nothing")
    known = find_hold(deps, tenant_id=tenant_id, hold_id=hold_id)
    if known is not None:
        return known
    steps = holding(
        deps,
        tenant_id=tenant_id,
        hold_id=hold_id,
        account=account,
        amount=amount,
        deadline_at_ms=deadline_at_ms,
    )
    try:
        with suppress(Conflict):  # somebody else made it
            deps.store.commit(*steps)
    except Exhausted as error:
        raise insufficient(deps, tenant_id, account, amount) from error
    return _existing_hold(deps, tenant_id, hold_id)


def settle(deps: Deps, *, tenant_id: str, hold_id: str, amount: int | None = None) -> Hold:
    """Spend an amount of a hold (all of it by default), unless it has ended. Raises NotFound."""
    return _finish(deps, tenant_id, hold_id, lambda open_hold: settling(deps, open_hold, amount))


def release(deps: Deps, *, tenant_id: str, hold_id: str) -> Hold:
    """Give a hold back, unless it has ended. Raises NotFound."""
    return _finish(deps, tenant_id, hold_id, lambda open_hold: releasing(deps, open_hold))


def _finish(deps: Deps, tenant_id: str, hold_id: str, ending: Callable[[Hold], list[Step]]) -> Hold:
    """The hold once it has ended, by us or by whoever was first."""
    for _ in range(_TRIES):
        found = _existing_hold(deps, tenant_id, hold_id)
        if found.state is not HoldState.OPEN:
            return found
        with suppress(Conflict):  # it has ended meanwhile, or the sweeper looked at it
            deps.store.commit(*ending(found))
            return _existing_hold(deps, tenant_id, hold_id)
    raise Unavailable(f"the hold {hold_id} changed too often")


def _existing_hold(deps: Deps, tenant_id: str, hold_id: str) -> Hold:
    found = find_hold(deps, tenant_id=tenant_id, hold_id=hold_id)
    if found is None:
        raise NotFound(f"no hold {hold_id}")
    return found


def _top_up_line(deps: Deps, tenant_id: str, account: Account, amount: int, reference: str, note: str) -> Entry:
    """The line of a top-up, to a balance that is there."""
    _ensure(deps, tenant_id, account)
    return _entry(deps, tenant_id, account, EntryKind.TOP_UP, reference, available=amount, note=note)


def _ensure(deps: Deps, tenant_id: str, account: Account) -> None:
    """The balance's record, made where there is none: only what is stored can be adjusted."""
    if deps.store.get(Balance, tenant_id, account) is None:
        try:
            deps.store.commit(insert(Balance(tenant_id, account)))
        except Conflict:
            return


def _entry(
    deps: Deps,
    tenant_id: str,
    account: Account,
    kind: EntryKind,
    reference: str,
    *,
    available: int = 0,
    held: int = 0,
    spent: int = 0,
    note: str = "",
) -> Entry:
    return Entry(
        tenant_id=tenant_id,
        id=f"{kind}/{reference}",
        account=account,
        event=kind,
        at_ms=deps.now_ms(),
        available=available,
        held=held,
        spent=spent,
        note=note,
    )


def _adjustment(line: Entry) -> Adjustment:
    """What a line does to its balance."""
    changes = {"available": line.available, "held": line.held, "spent": line.spent}
    return Adjustment(Balance(line.tenant_id, line.account), {name: by for name, by in changes.items() if by})
