"""A simulated day at three sizes: drain workers under our scaling policy, one job per file, and the floor.

The floor is what the day's audio takes on GPUs that are never idle. Run: `make bench NAME=sim` (about a minute);
`--calls 10000` for one size alone. Every figure it starts from is in `callscribe/costs/inputs.toml`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import report
from benchmarks.report import Goal
from callscribe.costs import sites
from callscribe.costs.calls import Day, make_day
from callscribe.costs.fleet import Outcome, Site, run
from callscribe.costs.inputs import all_inputs, number, numbers
from callscribe.domain.scaling import ScalingSettings

SIZES = (10_000, 100_000, 1_000_000)
MACHINES = ("reference", "g6.xlarge")
GOAL_FLOOR = 1.6
GOAL_PER_FILE = 1 / 50
SEED = 1
OUT_OF_REACH = (
    "Out of reach is what not even GPUs that are never idle would reach: a slower GPU works longer on a file, so that\n"
    "the start that one job per file pays for each is a smaller part of it. Such a goal does not fail this run."
)
HEAD = (
    "calls a day, workers",
    "GPU h",
    "useful",
    "× floor",
    "÷ per-file",
    "wait p50",
    "p99",
    "longest",
    "GPUs",
    "lost",
)


@dataclass(frozen=True)
class Row:
    """One simulated day. `share` is its paid time as a part of what one job per file pays; None where not compared."""

    machine: str
    calls: int
    workers: str
    outcome: Outcome
    share: float | None
    took_s: float

    def cells(self) -> list[str]:
        """The line of the table."""
        one = self.outcome
        return [
            f"{self.calls:,} {self.workers}",
            f"{one.paid_s / 3_600:,.1f}",
            f"{one.useful:.1%}",
            f"{one.over_floor:.2f}",
            "" if self.share is None else f"1/{1 / self.share:.0f}",
            *(_duration(wait_s) for wait_s in (one.wait_s(50), one.wait_s(99), one.wait_s(100))),
            str(one.most_workers),
            str(one.interrupted),
        ]

    def kept(self) -> dict[str, Any]:
        """For the JSON file."""
        one = self.outcome
        return {
            "machine": self.machine,
            "calls": self.calls,
            "workers": self.workers,
            "paid_gpu_hours": one.paid_s / 3_600,
            "floor_gpu_hours": one.floor_s / 3_600,
            "over_floor": one.over_floor,
            "share_of_per_file": self.share,
            "wait_s": {str(percent): one.wait_s(percent) for percent in (50, 90, 99, 100)},
            "machines_booted": one.machines,
            "most_workers": one.most_workers,
            "interrupted": one.interrupted,
            "decisions_that_changed": one.changes,
            "simulated_in_s": round(self.took_s, 1),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables beside the goals; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, action="append", help="a size; may be repeated")
    sizes = parser.parse_args(arguments).calls or SIZES
    print(_assumptions())
    rows = [row for machine in MACHINES for row in _machine(machine, sizes)]
    what_if = _what_if(max(sizes))
    found = goals(rows)
    for goal in found:
        if goal.out_of_reach:
            print(f"\n{OUT_OF_REACH}")
            break
    return report.conclude("sim", {"rows": [row.kept() for row in [*rows, *what_if]]}, found)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """The goals, for workers that start at once: both at the largest size, on every machine.

    One job per file pays the start with every file. Where the work itself is a larger part of that than the goal, not
    even the floor reaches it.
    """
    largest = max(row.calls for row in rows)
    found = []
    for row in rows:
        if row.calls == largest and row.workers == "drain":
            name = f"{row.calls:,} calls a day on {row.machine}"
            found.append(Goal(f"{name}: paid time ÷ floor", row.outcome.over_floor, GOAL_FLOOR))
            least = least_share(sites.worker_rate(row.machine))
            share = 1.0 if row.share is None else row.share
            missed = Goal(
                f"{name}: paid time ÷ one job per file", share, GOAL_PER_FILE, out_of_reach=least > GOAL_PER_FILE
            )
            found.append(missed)
    return found


def least_share(rate: float) -> float:
    """The least part of one job per file's time that workers can pay, were they never idle: the audio's share of it."""
    work_s = number("calls.length_mean_s") * number("calls.channels") / rate
    return work_s / (work_s + number("worker.container_and_model_start_s"))


def _machine(machine: str, sizes: Sequence[int]) -> list[Row]:
    rate = sites.worker_rate(machine)
    print(
        f"\n{machine}: {rate:.0f} channel-seconds a second and worker; the floor itself is "
        f"1/{1 / least_share(rate):.0f} of the time that one job per file works"
    )
    rows = [row for calls in sizes for row in _size(machine, make_day(calls, SEED))]
    print(report.table(HEAD, [row.cells() for row in rows]))
    return rows


def _size(machine: str, day: Day) -> list[Row]:
    rate = sites.worker_rate(machine)
    per_file = _row(machine, "one job per file", day, sites.one_job_per_file(rate), sites.prompt())
    drain = _row(machine, "drain", day, sites.draining(rate), sites.prompt(), per_file)
    gather = _row(machine, "drain, gathering", day, sites.draining(rate), sites.gathering(), per_file)
    return [drain, gather, per_file]


def _what_if(calls: int) -> list[Row]:
    """What the result hangs on: each assumption at its worst, one at a time."""
    machine, day = "g6.xlarge", make_day(calls, SEED)
    site = sites.draining(sites.worker_rate(machine))
    slow_boot, long_tail = numbers("provider.boot_s")[1], numbers("provider.idle_tail_s")[1]
    variants = {
        "every boot the longest": replace(site, boot_s=(slow_boot, slow_boot)),
        "every idle tail the longest": replace(site, tail_s=(long_tail, long_tail)),
        "ten times the interruptions": replace(site, interruptions_per_s=10 * site.interruptions_per_s),
        "the lower speed published": replace(site, rate=sites.worker_rate(machine, gpu="low_gpu_rtfx")),
        "start of a minute": replace(site, start_s=60.0),
    }
    rows = [_row(machine, name, day, one, sites.prompt()) for name, one in variants.items()]
    print(f"\n{machine}, what the result hangs on")
    print(report.table(HEAD, [row.cells() for row in rows]))
    return rows


def _row(
    machine: str, workers: str, day: Day, site: Site, settings: ScalingSettings, per_file: Row | None = None
) -> Row:
    started_s = time.perf_counter()
    outcome = run(day, site, settings, SEED)
    share = outcome.paid_s / per_file.outcome.paid_s if per_file else None
    return Row(machine, len(day.arrivals_s), workers, outcome, share, time.perf_counter() - started_s)


def _assumptions() -> str:
    known = all_inputs()
    names = [name for name, one in known.items() if name.split(".")[0] in ("calls", "machines", "worker", "provider")]
    assumed = sum(known[name].assumed for name in names)
    return f"{len(names)} inputs in callscribe/costs/inputs.toml, {assumed} of them assumed; seed {SEED}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    sys.exit(main())
