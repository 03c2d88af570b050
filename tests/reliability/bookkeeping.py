"""Random bookkeeping: steps that may be repeated, refused or killed half-way, beside a model that knows what is due.

The model is ten lines of arithmetic and knows no store. After each step the ledger must agree with it, and with itself
(`audit`).
"""

import contextlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from callscribe.adapters.memory import Crash, ManualClock, MemoryStore, RaiseAt, faulty_deps, memory_deps
from callscribe.domain.credits import HoldState
from callscribe.domain.prices import Account
from callscribe.errors import InsufficientCredits, Invalid, NotFound
from callscribe.ports import Deps
from callscribe.services import ledger
from callscribe.services.sweep import sweep
from tests.reliability.audit import unbalanced

TENANT = "t1"
HOLD_LIFE_S = 3_600
SWEEP_S = 300


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done. `killed_at`: the process dies at this moment of its port calls, and another repeats it."""

    action: str  # top_up, hold, settle, release, pass
    name: int = 0  # which reference or hold
    account: Account = Account.CREDITS
    amount: int = 0  # to add, take back or hold; seconds that pass
    share: int | None = None  # percent of a hold that is settled; None: all of it
    killed_at: int | None = None


_NAMES = st.integers(0, 7)
_ACCOUNTS = st.sampled_from(Account)
_KILLED = st.none() | st.integers(0, 7)
STEPS = st.one_of(
    st.builds(Step, st.just("top_up"), _NAMES, _ACCOUNTS, st.integers(-60, 100), killed_at=_KILLED),
    st.builds(Step, st.just("hold"), _NAMES, _ACCOUNTS, st.integers(1, 60), killed_at=_KILLED),
    st.builds(Step, st.just("hold"), _NAMES, _ACCOUNTS, st.integers(1, 60), killed_at=_KILLED),
    st.builds(Step, st.just("settle"), _NAMES, share=st.none() | st.integers(0, 100), killed_at=_KILLED),
    st.builds(Step, st.just("release"), _NAMES, killed_at=_KILLED),
    st.builds(Step, st.just("pass"), amount=st.integers(0, HOLD_LIFE_S), killed_at=_KILLED),
)


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as the model sees it."""

    account: Account
    amount: int
    until_ms: int
    state: HoldState = HoldState.OPEN
    settled: int = 0


class Books:
    """The ledger and the model. `do` takes a step in both; `broken` says what does not agree."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = ManualClock()
        self.deps = memory_deps(store=self.store, now_ms=self.clock)
        self.done: Counter[str] = Counter()
        self._top_ups: dict[str, tuple[Account, int]] = {}
        self._holds: dict[str, Held] = {}

    def do(self, step: Step) -> None:
        """Take the step; how it ended must be what the model expects."""
        if step.action == "pass":
            self.clock.advance(step.amount)
        if step.killed_at is not None:
            with contextlib.suppress(Crash):
                self._really(faulty_deps(self.deps, RaiseAt(step.killed_at, Crash())), step)
        ended = self._really(self.deps, step)
        expected = getattr(self, f"_expect_{step.action}")(step)
        assert ended == expected, f"{step} ended as {ended}, not as {expected}"
        self.done[f"{step.action} {ended}"] += 1

    def broken(self) -> list[str]:
        """Every invariant and every figure that is not as it must be."""
        problems = unbalanced(self.store)
        for account in Account:
            row = ledger.balance(self.deps, tenant_id=TENANT, account=account)
            figures, wanted = (row.available, row.held, row.spent), self._figures(account)
            problems += [] if figures == wanted else [f"{account}: {figures}, the model has {wanted}"]
        return problems

    def _really(self, deps: Deps, step: Step) -> str:
        try:
            getattr(self, f"_do_{step.action}")(deps, step)
        except (InsufficientCredits, Invalid, NotFound) as error:
            return type(error).__name__
        return "done"

    def _do_top_up(self, deps: Deps, step: Step) -> None:
        ledger.top_up(deps, tenant_id=TENANT, account=step.account, amount=step.amount, reference=f"r{step.name}")

    def _do_hold(self, deps: Deps, step: Step) -> None:
        ledger.hold(
            deps,
            tenant_id=TENANT,
            hold_id=f"h{step.name}",
            account=step.account,
            amount=step.amount,
            deadline_at_ms=self.clock() + 1000 * HOLD_LIFE_S,
        )

    def _do_settle(self, deps: Deps, step: Step) -> None:
        known = self._holds.get(f"h{step.name}")
        amount = None if known is None or step.share is None else known.amount * step.share // 100
        ledger.settle(deps, tenant_id=TENANT, hold_id=f"h{step.name}", amount=amount)

    def _do_release(self, deps: Deps, step: Step) -> None:
        ledger.release(deps, tenant_id=TENANT, hold_id=f"h{step.name}")

    def _do_pass(self, deps: Deps, step: Step) -> None:
        sweep(deps, renderer_of=_no_renderer)

    def _expect_top_up(self, step: Step) -> str:
        known = self._top_ups.get(f"r{step.name}")
        if step.amount == 0:
            return "Invalid"
        if known is not None:
            return "done" if known == (step.account, step.amount) else "Invalid"
        if self._figures(step.account)[0] + step.amount < 0:
            return "InsufficientCredits"
        self._top_ups[f"r{step.name}"] = (step.account, step.amount)
        return "done"

    def _expect_hold(self, step: Step) -> str:
        if f"h{step.name}" in self._holds:
            return "done"
        if self._figures(step.account)[0] < step.amount:
            return "InsufficientCredits"
        self._holds[f"h{step.name}"] = Held(step.account, step.amount, self.clock() + 1000 * HOLD_LIFE_S)
        return "done"

    def _expect_settle(self, step: Step) -> str:
        known = self._holds.get(f"h{step.name}")
        amount = 0 if known is None else known.amount if step.share is None else known.amount * step.share // 100
        return self._expect_end(step, HoldState.SETTLED, settled=amount)

    def _expect_release(self, step: Step) -> str:
        return self._expect_end(step, HoldState.RELEASED)

    def _expect_end(self, step: Step, state: HoldState, **fields: Any) -> str:
        known = self._holds.get(f"h{step.name}")
        if known is None:
            return "NotFound"
        if known.state is HoldState.OPEN:
            self._holds[f"h{step.name}"] = replace(known, state=state, **fields)
        return "done"

    def _expect_pass(self, step: Step) -> str:
        for name, held in self._holds.items():
            if held.state is HoldState.OPEN and held.until_ms <= self.clock():
                self._holds[name] = replace(held, state=HoldState.RELEASED)
        return "done"

    def _figures(self, account: Account) -> tuple[int, int, int]:
        topped_up = sum(amount for where, amount in self._top_ups.values() if where is account)
        mine = [held for held in self._holds.values() if held.account is account]
        held = sum(one.amount for one in mine if one.state is HoldState.OPEN)
        spent = sum(one.settled for one in mine)
        return topped_up - held - spent, held, spent


def _no_renderer(dialect: str) -> Any:
    raise AssertionError(f"no job, no callback of {dialect}")
