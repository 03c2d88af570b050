"""Tariffs: who has one, what is left of it, and that subscribing moves no more money than it says."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.adapters.memory import (
    Crash,
    ManualClock,
    MemoryStore,
    Moment,
    RaiseAt,
    When,
    faulty,
    faulty_deps,
    memory_deps,
)
from callscribe.domain.credits import Entry, HoldState
from callscribe.domain.prices import Account
from callscribe.domain.tariffs import ACCOUNTS, DAY_MS, TARIFFS, Subscription, Tariff
from callscribe.errors import Conflict, Invalid, NoTariff, NotFound, Unavailable
from callscribe.ports import Deps, Settings
from callscribe.services import accounts, ledger, tariffs
from tests.reliability.audit import unbalanced

PRO, ENTERPRISE, _ = TARIFFS
CALLS = Account.CALL_SECONDS


def with_tenant(clock: ManualClock | None = None, store: MemoryStore | None = None) -> tuple[Deps, str, MemoryStore]:
    store = MemoryStore() if store is None else store
    deps = memory_deps(store=store, now_ms=clock or ManualClock())
    return deps, accounts.create_tenant(deps, name="Example").id, store


def hold(deps: Deps, tenant_id: str, amount: int, hold_id: str, account: Account = CALLS) -> None:
    ledger.hold(
        deps,
        tenant_id=tenant_id,
        hold_id=hold_id,
        account=account,
        amount=amount,
        deadline_at_ms=deps.now_ms() + DAY_MS,
    )


def test_T_A24_the_default_tariffs_are_the_packages_of_the_document() -> None:
    described = {one.identifier: (one.call_minutes, one.chats, one.reports, one.prices.get("EUR")) for one in TARIFFS}
    assert described["pro"] == (5_000, 5_000, 31, 400.0)
    assert described["enterprise"] == (10_000, 10_000, 31, 600.0)
    assert described["enterprise-plus"][3] is None  # by volume


def test_subscribing_grants_exactly_what_the_tariff_says() -> None:
    deps, tenant_id, store = with_tenant(clock := ManualClock())
    tenant = tariffs.subscribe(deps, tenant_id, "pro")
    assert tenant.subscription == Subscription("pro", 1, clock(), clock() + 30 * DAY_MS)
    assert tariffs.remaining(deps, tenant_id) == PRO.granted()
    assert {entry.id for entry in store.all(Entry)} == {f"top-up/tariff/1/{account}" for account in ACCOUNTS}
    assert unbalanced(store) == []


def test_another_tariff_takes_the_place_of_the_one_before_and_holds_stay_as_they_are() -> None:
    deps, tenant_id, store = with_tenant()
    tariffs.subscribe(deps, tenant_id, "enterprise")
    hold(deps, tenant_id, 600, "job-1")
    hold(deps, tenant_id, 60, "job-2")
    ledger.settle(deps, tenant_id=tenant_id, hold_id="job-2")
    tenant = tariffs.subscribe(deps, tenant_id, "pro")  # which grants less
    assert tenant.subscription is not None
    assert (tenant.subscription.number, tenant.subscription.tariff) == (2, "pro")
    assert tariffs.remaining(deps, tenant_id) == PRO.granted()
    under_way = ledger.find_hold(deps, tenant_id=tenant_id, hold_id="job-1")
    assert under_way is not None
    assert under_way.state is HoldState.OPEN
    figures = ledger.balance(deps, tenant_id=tenant_id, account=CALLS)
    assert (figures.held, figures.spent) == (600, 60)
    assert unbalanced(store) == []


def test_what_is_left_over_of_a_tariff_does_not_add_up() -> None:
    deps, tenant_id, store = with_tenant()
    for _ in range(3):
        tariffs.subscribe(deps, tenant_id, "pro")
        assert tariffs.remaining(deps, tenant_id) == PRO.granted()
    assert len(store.all(Entry)) == len(ACCOUNTS)  # the later ones had nothing to add


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["pro", "enterprise", "enterprise-plus"]),
            st.tuples(st.sampled_from(ACCOUNTS), st.integers(1, 4_000)),
        ),
        max_size=12,
    )
)
def test_the_ledger_balances_whatever_was_subscribed_to_and_used(steps: list[str | tuple[Account, int]]) -> None:
    deps, tenant_id, store = with_tenant()
    for number, step in enumerate(steps):
        if isinstance(step, str):
            tariffs.subscribe(deps, tenant_id, step)
            assert tariffs.remaining(deps, tenant_id) == tariffs.find(deps, step).granted()
        elif tariffs.remaining(deps, tenant_id)[step[0]] >= step[1]:
            hold(deps, tenant_id, step[1], f"h{number}", step[0])
            if number % 3:
                ledger.settle(deps, tenant_id=tenant_id, hold_id=f"h{number}", amount=step[1] // number)
    assert unbalanced(store) == []


def test_whatever_breaks_off_a_subscription_can_be_done_again() -> None:
    for at in range(40):
        deps, tenant_id, store = with_tenant()
        broken = faulty_deps(deps, RaiseAt(at, Crash()))
        try:
            tariffs.subscribe(broken, tenant_id, "pro")
        except (Crash, Unavailable):
            tenant = accounts.get_tenant(deps, tenant_id)
            granted = tariffs.remaining(deps, tenant_id) == PRO.granted()
            assert granted == (tenant.subscription is not None), "all of it or nothing"
        tariffs.subscribe(deps, tenant_id, "pro")
        assert tariffs.remaining(deps, tenant_id) == PRO.granted()
        assert unbalanced(store) == []


def test_of_those_who_subscribe_at_once_each_counts_and_nothing_is_granted_twice() -> None:
    deps, tenant_id, store = with_tenant()
    barrier, met = threading.Barrier(2), threading.local()

    def meet(moment: Moment) -> None:
        if moment.method == "commit" and moment.when is When.BEFORE and not hasattr(met, "once"):
            met.once = True
            barrier.wait(timeout=30)

    meeting = replace(deps, store=faulty(store, meet))
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: tariffs.subscribe(meeting, tenant_id, name), ["pro", "enterprise"]))
    numbers = [tenant.subscription.number for tenant in done if tenant.subscription]
    assert sorted(numbers) == [1, 2]
    (last,) = (tenant.subscription for tenant in done if tenant.subscription and tenant.subscription.number == 2)
    assert tariffs.remaining(deps, tenant_id) == tariffs.find(deps, last.tariff).granted()
    assert unbalanced(store) == []


def test_a_task_that_holds_meanwhile_is_paid_from_what_is_granted() -> None:
    deps, tenant_id, store = with_tenant()
    tariffs.subscribe(deps, tenant_id, "enterprise")
    once = iter([True])

    def take_before_commit(moment: Moment) -> None:
        if moment.method == "commit" and moment.when is When.BEFORE and next(once, False):
            hold(deps, tenant_id, 9_990 * 60, "job-1")

    tariffs.subscribe(replace(deps, store=faulty(store, take_before_commit)), tenant_id, "pro")
    left = tariffs.remaining(deps, tenant_id)[CALLS]
    assert left == PRO.granted()[CALLS]  # 300,000 s could not be taken back any more: it looked again
    assert unbalanced(store) == []


def test_a_subscription_that_always_loses_says_so() -> None:
    deps, tenant_id, store = with_tenant()

    def contend(moment: Moment) -> None:
        if moment.method == "commit":
            raise Conflict("busy")

    with pytest.raises(Unavailable, match="changed too often"):
        tariffs.subscribe(replace(deps, store=faulty(store, contend)), tenant_id, "pro")


def test_unknown_tariffs_tenants_and_days_are_refused() -> None:
    deps, tenant_id, store = with_tenant()
    with pytest.raises(NotFound, match="there are: pro, enterprise, enterprise-plus"):
        tariffs.subscribe(deps, tenant_id, "basic")
    with pytest.raises(NotFound, match="no tenant"):
        tariffs.subscribe(deps, "t0", "pro")
    for days in (0, -1, 36_501):
        with pytest.raises(Invalid, match="days"):
            tariffs.subscribe(deps, tenant_id, "pro", days=days)
    assert store.all(Entry) == []


def test_a_tariff_is_active_from_its_first_moment_to_before_its_last() -> None:
    deps, tenant_id, _ = with_tenant(clock := ManualClock())
    with pytest.raises(NoTariff, match="no active tariff"):
        tariffs.active(deps, tenant_id)
    tariffs.subscribe(deps, tenant_id, "pro", starts_at_ms=clock() + 1000, days=2)
    with pytest.raises(NoTariff, match="has not begun"):
        tariffs.active(deps, tenant_id)
    clock.advance(1)
    assert tariffs.active(deps, tenant_id) == PRO
    clock.advance(2 * 86_400 - 0.001)
    assert tariffs.active(deps, tenant_id) == PRO
    clock.advance(0.001)
    with pytest.raises(NoTariff, match="has expired"):
        tariffs.active(deps, tenant_id)


def test_a_tariff_that_the_operator_took_away_is_none() -> None:
    deps, tenant_id, store = with_tenant()
    tenant = tariffs.subscribe(deps, tenant_id, "pro")
    assert tariffs.tariff_of(deps, tenant) == (PRO, tenant.subscription)
    other = Tariff(9, "Nine", "nine", 1, 1, 1, 1, 1, 1)
    without = memory_deps(store=store, settings=Settings(tariffs=(other,)))
    assert tariffs.tariff_of(without, tenant) is None
    with pytest.raises(NoTariff):
        tariffs.active(without, tenant_id)


def test_a_tariff_that_grants_nothing_of_a_kind_leaves_nothing_of_it() -> None:
    deps, tenant_id, store = with_tenant()
    bare = Tariff(9, "Bare", "bare", 1, 0, 0, 0, 0, 0)
    configured = memory_deps(store=store, now_ms=deps.now_ms, settings=Settings(tariffs=(*TARIFFS, bare)))
    tariffs.subscribe(configured, tenant_id, "pro")
    tariffs.subscribe(configured, tenant_id, "bare")
    assert set(tariffs.remaining(configured, tenant_id).values()) == {0}
    assert unbalanced(store) == []
