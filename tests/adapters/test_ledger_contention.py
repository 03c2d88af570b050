"""However many ask at once, no more is held than there is: on the fake by volume, on moto with faults."""

from typing import Any, TypeVar, cast

from callscribe.adapters.memory import MemoryStore, memory_deps
from callscribe.domain.credits import Balance, Entry, Hold
from callscribe.domain.prices import Account
from callscribe.domain.records import Record
from callscribe.ports import Store
from tests.adapters.contention import TENANT, Contention, contend, contended_table

R = TypeVar("R", bound=Record)
HOLDS, COVERED = 500, 300


def agreed(held: int, refused: int) -> Contention:
    """What has to come out: one version for the top-up and one for each hold."""
    return Contention(held, refused, Balance(TENANT, Account.CREDITS, available=0, held=held, version=held + 1))


def test_of_500_contending_holds_on_a_balance_of_300_exactly_300_succeed_whatever_gets_in_their_way() -> None:
    with contended_table() as (store, faults):
        deps = memory_deps(store=store)
        assert contend(deps, threads=8, holds=HOLDS, covered=COVERED) == agreed(COVERED, HOLDS - COVERED)
        assert faults.met >= COVERED // 4
        lines = list(store.listed(Entry, TENANT))
    assert (sum(line.available for line in lines), sum(line.held for line in lines)) == (0, COVERED)


def test_of_10_000_contending_holds_on_a_balance_of_6_000_exactly_6_000_succeed() -> None:
    store = MemoryStore()
    outcome = contend(memory_deps(store=store), threads=8, holds=10_000, covered=6_000)
    assert outcome == agreed(6_000, 4_000)
    assert len(store.all(Hold)) == 6_000
    assert sum(line.available for line in store.all(Entry)) == 0


class Outdated:
    """A store whose balances always look as they were after the top-up: whoever looks first learns nothing."""

    def __init__(self, store: Store, available: int) -> None:
        self._store = store
        self._available = available

    def get(self, kind: type[R], *key: str | int) -> R | None:
        if kind is Balance:
            return cast(R, Balance(TENANT, Account.CREDITS, available=self._available))
        return self._store.get(kind, *key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_not_looking_first_but_the_transaction_itself_keeps_the_balance_from_being_overspent() -> None:
    in_memory = MemoryStore()
    with contended_table() as (on_aws, _):
        for store in (in_memory, on_aws):
            contend(memory_deps(store=store), threads=1, holds=0, covered=20)
            outcome = contend(memory_deps(store=Outdated(store, 20)), threads=8, holds=40, covered=20)
            assert (outcome.succeeded, outcome.refused) == (20, 20)
            assert store.get(Balance, TENANT, Account.CREDITS) == agreed(20, 20).balance
