"""Dollars for an hour of audio, line by line, at 10,000 and 100,000 calls a day, beside what others charge.

The arithmetic is `callscribe.costs.model`, the same that `callscribe cost` answers with. Run: `make bench NAME=cost`.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from benchmarks import report
from benchmarks.report import Goal
from callscribe.costs import sites
from callscribe.costs.inputs import all_inputs, number, table
from callscribe.costs.model import MACHINES, Estimate, estimate, stated_plan
from callscribe.costs.one_job import Requests, count_requests

GOALS = {10_000: 0.020, 100_000: 0.010}


def main() -> int:
    """Print the lines beside the goals, which hold for the policy's defaults on spot; 1 when one is missed."""
    asked = count_requests(length_s=number("calls.length_mean_s"), channels=int(number("calls.channels")))
    print(f"one job, counted: {_told(asked)}\n")
    chosen = {calls: estimate(stated_plan(calls), asked) for calls in GOALS}
    head = ("USD for an hour of audio", *(f"{calls:,} calls a day" for calls in GOALS))
    print(report.table(head, _lines(list(chosen.values()))))
    print("\nother ways to run it")
    found = {name: one for calls in GOALS for name, one in ways(calls, asked).items()}
    print(
        report.table(("calls a day", "USD an hour", "GPU alone", "wait p99"), [_cells(*one) for one in found.items()])
    )
    print("\nwhat others charge for an hour of audio")
    print(report.table(("", "USD", "× ours, at 10,000", "× ours, at 100,000"), _competitors(chosen)))
    goals = [
        Goal(f"{calls:,} calls a day: USD for an hour of audio", chosen[calls].per_hour, GOALS[calls])
        for calls in GOALS
    ]
    results = {
        "requests_of_one_job": asdict(asked),
        "chosen": {f"{calls:,}": kept(one) for calls, one in chosen.items()},
        "ways": {name: kept(one) for name, one in found.items()},
    }
    return report.conclude("cost", results, goals)


def ways(calls: int, asked: Requests) -> dict[str, Estimate]:
    """Letting work gather, on demand, at the lower speed that was published, by Whisper, and on other machines."""
    plan = stated_plan(calls)
    others = {
        "gathering": replace(plan, settings=sites.gathering()),
        "on demand": replace(plan, pricing="on_demand"),
        "the lower speed published": replace(plan, gpu="low_gpu_rtfx"),
        "whisper-large-v3-turbo": replace(plan, gpu="whisper_gpu_rtfx"),
        **{machine: replace(plan, machine=machine) for machine in MACHINES[1:]},
    }
    return {f"{calls:,}, {name}": estimate(other, asked) for name, other in others.items()}


def kept(one: Estimate) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "plan": asdict(one.plan),
        "usd_per_audio_hour": one.per_hour,
        "wait_p99_s": one.outcome.wait_s(99),
        "gpu_hours_paid": one.outcome.paid_s / 3_600,
        "lines_usd_per_audio_hour": {name: usd / one.audio_hours for name, usd in one.lines.items()},
    }


def _cells(name: str, one: Estimate) -> list[str]:
    gpu = one.lines["GPU machines"] / one.audio_hours
    return [name, f"{one.per_hour:.4f}", f"{gpu:.4f}", f"{one.outcome.wait_s(99) / 60:.0f} min"]


def _lines(found: list[Estimate]) -> list[list[str]]:
    names = sorted(found[0].lines, key=lambda name: -found[0].lines[name] / found[0].audio_hours)
    rows = [[name, *(f"{one.lines[name] / one.audio_hours:.5f}" for one in found)] for name in names]
    settings = ["machines", *(f"{one.plan.machine} {one.plan.pricing}" for one in found)]
    return [*rows, ["all", *(f"{one.per_hour:.5f}" for one in found)], settings]


def _competitors(chosen: Mapping[int, Estimate]) -> list[list[str]]:
    return [
        [name, f"{usd:.4f}", *(f"{usd / one.per_hour:.1f}" for one in chosen.values())]
        for name, usd in table("competitors").items()
    ]


def _told(asked: Requests) -> str:
    assumed = sum(one.assumed for one in all_inputs().values())
    return (
        f"{asked.write_units:.0f} write and {asked.read_units:.0f} read units, {asked.s3_puts} PUTs, "
        f"{asked.s3_gets} GETs, {asked.results_bytes:,} bytes of results; "
        f"{len(all_inputs())} inputs, {assumed} of them assumed"
    )


if __name__ == "__main__":
    sys.exit(main())
