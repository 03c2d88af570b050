import pytest

from callscribe.adapters.memory import Crash, ManualClock, MemoryStore, RaiseAt, faulty_deps, memory_deps
from callscribe.domain.credits import Balance, Entry, EntryKind, Hold, HoldState
from callscribe.domain.prices import Account, Price
from callscribe.domain.records import update
from callscribe.errors import Conflict, InsufficientCredits, Invalid, NotFound, Unavailable
from callscribe.ports import Deps
from callscribe.services import ledger
from callscribe.services.sweep import sweep
from tests.reliability.audit import net_of, unbalanced
from tests.reliability.cloud import render

CREDITS = Account.CREDITS


def with_funds(amount: int = 100) -> tuple[Deps, MemoryStore, ManualClock]:
    store, clock = MemoryStore(), ManualClock()
    deps = memory_deps(store=store, now_ms=clock)
    top_up(deps, amount, "first")
    return deps, store, clock


def top_up(deps: Deps, amount: int, reference: str, account: Account = CREDITS) -> Balance:
    return ledger.top_up(deps, tenant_id="t1", account=account, amount=amount, reference=reference)


def hold(deps: Deps, amount: int = 60, hold_id: str = "h1", *, life_s: int = 60) -> Hold:
    deadline_at_ms = deps.now_ms() + 1000 * life_s
    return ledger.hold(
        deps, tenant_id="t1", hold_id=hold_id, account=CREDITS, amount=amount, deadline_at_ms=deadline_at_ms
    )


def figures(store: MemoryStore) -> tuple[int, int, int]:
    assert unbalanced(store) == []
    (row,) = store.all(Balance)
    return row.available, row.held, row.spent


def test_a_hold_is_settled_once_and_what_is_left_of_it_comes_back() -> None:
    deps, store, _ = with_funds()
    hold(deps)
    assert figures(store) == (40, 60, 0)
    for amount in (45, 60, None):
        ended = ledger.settle(deps, tenant_id="t1", hold_id="h1", amount=amount)
        assert (ended.state, ended.settled) == (HoldState.SETTLED, 45)
    assert ledger.release(deps, tenant_id="t1", hold_id="h1").state is HoldState.SETTLED
    assert figures(store) == (55, 0, 45)


def test_a_hold_that_was_released_is_never_settled() -> None:
    deps, store, _ = with_funds()
    hold(deps)
    ledger.release(deps, tenant_id="t1", hold_id="h1")
    assert ledger.settle(deps, tenant_id="t1", hold_id="h1").state is HoldState.RELEASED
    assert figures(store) == (100, 0, 0)


def test_a_hold_of_the_same_id_is_made_once_and_never_again() -> None:
    deps, store, _ = with_funds()
    assert hold(deps) == hold(deps) == hold(deps, 5)
    ledger.settle(deps, tenant_id="t1", hold_id="h1")
    assert hold(deps).state is HoldState.SETTLED
    assert figures(store) == (40, 0, 60)


def test_more_than_there_is_cannot_be_held_and_the_error_says_how_much_there_is() -> None:
    deps, store, _ = with_funds()
    with pytest.raises(InsufficientCredits) as refused:
        hold(deps, 101)
    assert (refused.value.account, refused.value.available, refused.value.required) == ("credits", 100, 101)
    assert hold(deps, 100).state is HoldState.OPEN
    assert figures(store) == (0, 100, 0)


def test_what_was_not_held_cannot_be_settled_and_nothing_is_not_held() -> None:
    deps, store, _ = with_funds()
    hold(deps)
    for amount in (61, -1):
        with pytest.raises(ValueError, match="held"):
            ledger.settle(deps, tenant_id="t1", hold_id="h1", amount=amount)
    for amount in (0, -1):
        with pytest.raises(ValueError, match="nothing"):
            hold(deps, amount, "h2")
    with pytest.raises(NotFound):
        ledger.release(deps, tenant_id="t1", hold_id="h2")
    assert figures(store) == (40, 60, 0)


def test_a_top_up_counts_once_and_its_reference_stands_for_nothing_else() -> None:
    deps, store, _ = with_funds()
    assert top_up(deps, 100, "first").available == 100
    with pytest.raises(Invalid, match="reference"):
        top_up(deps, 101, "first")
    with pytest.raises(Invalid, match="reference"):
        top_up(deps, 100, "first", Account.SECONDS)
    with pytest.raises(Invalid, match="must not be 0"):
        top_up(deps, 0, "second")
    assert figures_of(store, CREDITS) == (100, 0, 0)
    assert figures_of(store, Account.SECONDS) == (0, 0, 0)


def figures_of(store: MemoryStore, account: Account) -> tuple[int, int, int]:
    assert unbalanced(store) == []
    row = store.get(Balance, "t1", account)
    assert row is not None
    return row.available, row.held, row.spent


def test_what_is_held_cannot_be_taken_back_and_a_repeated_taking_back_counts_once() -> None:
    deps, store, _ = with_funds()
    hold(deps)
    with pytest.raises(InsufficientCredits):
        top_up(deps, -41, "back")
    assert top_up(deps, -40, "back").available == 0
    assert top_up(deps, -40, "back").available == 0  # though nothing is left to take
    assert figures(store) == (0, 60, 0)


def test_the_lines_of_the_ledger_tell_the_whole_story_and_sum_to_the_balance() -> None:
    deps, store, clock = with_funds()
    for number in range(3):
        clock.advance(1)
        hold(deps, 10 + number, f"h{number}")
    ledger.settle(deps, tenant_id="t1", hold_id="h0", amount=4)
    ledger.release(deps, tenant_id="t1", hold_id="h1")
    lines = list(ledger.entries(deps, "t1", account=CREDITS))
    assert [line.at_ms for line in lines] == sorted((line.at_ms for line in lines), reverse=True)
    assert [line.event for line in lines].count(EntryKind.HOLD) == 3
    total = tuple(sum(getattr(line, name) for line in lines) for name in ("available", "held", "spent"))
    assert total == figures(store) == (84, 12, 4)
    assert list(ledger.entries(deps, "t1", account=Account.UNITS)) == []
    assert list(ledger.entries(deps, "t2")) == []


def test_a_hold_whose_deadline_passed_is_released_by_the_sweeper_once() -> None:
    deps, store, clock = with_funds()
    hold(deps, 30, "h1", life_s=60)
    hold(deps, 30, "h2", life_s=7_200)
    clock.advance(60)
    assert sweep(deps, renderer_of=render) == {"hold_released": 1}
    assert sweep(deps, renderer_of=render) == {}
    assert figures(store) == (70, 30, 0)
    assert ledger.settle(deps, tenant_id="t1", hold_id="h1").state is HoldState.RELEASED
    assert net_of(store, "h1") == (0, 0, 0)


def test_a_step_that_dies_anywhere_and_is_repeated_has_one_effect() -> None:
    def story(deps: Deps) -> None:
        top_up(deps, 50, "second")
        hold(deps)
        ledger.settle(deps, tenant_id="t1", hold_id="h1", amount=45)

    for index in range(40):
        deps, store, _ = with_funds()
        plan = RaiseAt(index, Crash())
        try:
            story(faulty_deps(deps, plan))
        except Crash:
            story(deps)
        assert figures(store) == (105, 0, 45)
    assert plan.struck is None  # beyond the last moment


def test_a_change_to_the_hold_that_is_no_end_does_not_keep_it_open() -> None:
    deps, store, _ = with_funds()
    hold(deps)

    def look(_moment: object) -> None:
        seen = store.get(Hold, "t1", "h1")
        assert seen is not None
        if seen.state is HoldState.OPEN and seen.version == 0:
            store.commit(update(seen, due_at_ms=seen.deadline_at_ms + 1))

    assert ledger.release(faulty_deps(deps, look), tenant_id="t1", hold_id="h1").state is HoldState.RELEASED
    assert figures(store) == (100, 0, 0)


def test_a_hold_that_always_changes_is_given_up_aloud() -> None:
    deps, store, _ = with_funds()
    hold(deps)

    def interfere(_moment: object) -> None:
        seen = store.get(Hold, "t1", "h1")
        assert seen is not None
        store.commit(update(seen))

    with pytest.raises(Unavailable):
        ledger.release(faulty_deps(deps, interfere), tenant_id="t1", hold_id="h1")
    assert figures(store) == (40, 60, 0)


def test_who_has_to_pay_must_have_something_and_who_pays_nothing_need_not() -> None:
    deps = memory_deps()
    ledger.require_funds(deps, tenant_id="t1", price=None)
    ledger.require_funds(deps, tenant_id="t1", price=Price(CREDITS, 0))
    with pytest.raises(InsufficientCredits) as refused:
        ledger.require_funds(deps, tenant_id="t1", price=Price(CREDITS, 1))
    assert (refused.value.available, refused.value.required) == (0, None)
    top_up(deps, 1, "first")
    ledger.require_funds(deps, tenant_id="t1", price=Price(CREDITS, 1))


def test_accounts_and_tenants_do_not_pay_for_one_another() -> None:
    deps, _, _ = with_funds()
    for tenant_id, account in (("t1", Account.UNITS), ("t2", CREDITS)):
        with pytest.raises(InsufficientCredits):
            ledger.hold(deps, tenant_id=tenant_id, hold_id="h", account=account, amount=1, deadline_at_ms=1)


def test_holding_again_in_a_transaction_of_ones_own_is_a_conflict_and_holds_nothing_more() -> None:
    deps, store, _ = with_funds()
    hold(deps)
    steps = ledger.holding(deps, tenant_id="t1", hold_id="h1", account=CREDITS, amount=10, deadline_at_ms=1)
    with pytest.raises(Conflict):
        deps.store.commit(*steps)
    assert figures(store) == (40, 60, 0)
    assert len(store.all(Entry)) == 2
