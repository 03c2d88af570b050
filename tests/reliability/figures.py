"""The money's figures (safety.md 6 and 8), measured now and printed as tables: `python -m tests.reliability.figures`.

Exit status 1 when a goal is missed.
"""

import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from callscribe.adapters.memory import Crash, MemoryStore, memory_deps
from callscribe.domain.credits import Entry
from callscribe.errors import Unavailable
from tests.adapters.contention import Contention, contend, contended_table
from tests.reliability import test_bookkeeping
from tests.reliability.audit import net_of, unbalanced
from tests.reliability.chaos import wreak
from tests.reliability.crashes import chosen, moments, strike
from tests.reliability.judge import problems, stored
from tests.reliability.paths import WAYS
from tests.reliability.way import Way

THREADS = 8
STRETCHES = 100
GOOD_RUNS = ("upload, completed", "source, completed")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, what came out, what had to, and whether that is so."""

    what: str
    value: str
    goal: str
    met: bool


def main() -> int:
    """Measure and print everything."""
    logging.disable(logging.CRITICAL)  # the faults are meant
    began_s = time.monotonic()
    ways = [_way(name, way) for name, way in WAYS.items()]
    _table("Every way of a job, and what it comes to (credits are held, settled or released in millionths)", ways)
    figures = [figure for measure in (_bookkeeping, _contention, _crashes, _bad_luck) for figure in measure()]
    _table("Figures", figures)
    missed = [one for one in (*ways, *figures) if not one.met]
    took_s = time.monotonic() - began_s
    sys.stdout.write(f"\n{len(missed)} of {len(ways) + len(figures)} goals missed; it took {took_s:.0f} s\n")
    return 1 if missed else 0


def _way(name: str, way: Way) -> Figure:
    cloud = way.cloud_for()
    job = way.lead(cloud)
    now = stored(cloud, job)
    _, _, spent = net_of(cloud.store, job.id)
    ended = "deleted" if now is None else str(now.state)
    code = "" if now is None or now.failure is None else f" ({now.failure.code})"
    state_met = (None if now is None else now.state) is way.state
    met = state_met and not problems(cloud, job, paid=way.paid, price_m=way.price_m)
    return Figure(name, f"{ended}{code}: {spent}", str(way.price_m * way.paid), met)


def _bookkeeping() -> Iterator[Figure]:
    test_bookkeeping.broken.clear()
    try:
        test_bookkeeping.test_no_invariant_breaks_in_500_times_50_random_steps()
    except AssertionError as error:
        test_bookkeeping.broken.append(str(error))
    examples = test_bookkeeping.taken.pop("examples", 0)
    broken, steps = len(test_bookkeeping.broken), test_bookkeeping.taken.total()
    met = not broken and examples >= test_bookkeeping.EXAMPLES
    yield Figure(f"invariants broken in {examples} × {steps // max(1, examples)} random steps", str(broken), "0", met)


def _contention() -> Iterator[Figure]:
    store = MemoryStore()
    outcome = contend(memory_deps(store=store), threads=THREADS, holds=10_000, covered=6_000)
    lines = sum(line.available for line in store.all(Entry))
    yield _overspend("in memory", 10_000, 6_000, outcome, agreed=not unbalanced(store) and lines == 0)
    with contended_table() as (table, faults):
        outcome = contend(memory_deps(store=table), threads=THREADS, holds=500, covered=300)
        lines = sum(line.available for line in table.listed(Entry, outcome.balance.tenant_id))
        yield _overspend("on moto", 500, 300, outcome, agreed=lines == outcome.balance.available)
        yield Figure("conflicts and throttlings injected meanwhile", str(faults.met), "> 50", faults.met > 50)


def _overspend(where: str, holds: int, covered: int, outcome: Contention, *, agreed: bool) -> Figure:
    what = f"overspent in {holds} contending holds by {THREADS} threads, {covered} covered, {where}"
    over = outcome.succeeded - covered
    kept = (outcome.balance.available, outcome.balance.held) == (covered - outcome.succeeded, outcome.succeeded)
    met = over == 0 and kept and agreed and outcome.succeeded + outcome.refused == holds
    return Figure(what, str(over), "0", met)


def _crashes() -> Iterator[Figure]:
    yield _struck("killed", Crash, list(WAYS))
    yield _struck("cut off", Unavailable, list(GOOD_RUNS))


def _struck(how: str, error: type[BaseException], names: list[str]) -> Figure:
    tried = [strike(name, index, error) for name in names for index in chosen(moments(WAYS[name]))]
    wrong = sum(bool(one.problems) for one in tried)
    what = f"unbalanced or unended after being {how} at {len(tried)} moments of {len(names)} ways"
    return Figure(what, str(wrong), "0", wrong == 0 and bool(tried))


def _bad_luck() -> Iterator[Figure]:
    ends = [wreak(seed) for seed in range(STRETCHES)]
    faults, wrong = sum(struck for _, struck in ends), sum(len(found) for found, _ in ends)
    what = f"the same after {STRETCHES} stretches of bad luck, {faults} faults in all"
    yield Figure(what, str(wrong), "0", wrong == 0 and faults > 1_000)


def _table(title: str, figures: list[Figure]) -> None:
    widths = [max(len(text) for text in column) for column in zip(*map(_cells, figures), strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(_cells(one), widths, strict=True)) for one in figures]
    sys.stdout.write(f"\n{title}\n" + "".join(f"  {line.rstrip()}\n" for line in lines))


def _cells(figure: Figure) -> tuple[str, ...]:
    return figure.what, figure.value, f"goal {figure.goal}", "met" if figure.met else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
