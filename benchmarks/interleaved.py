"""Compares commands in one interleaved run: each in processes of its own, pinned to one core, in random order.

Only ratios between the cases of one run say anything. Before the rounds that count come two that do not: one lets
Python write its bytecode, and one asks the interpreter itself whether it read all of it from there.
"""

import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks import report

MIN_ROUNDS: Final = 7
_TIMEOUT_S: Final = 900.0
_P90: Final = 0.9
_CLOCKS_DIFFER: Final = (1.02, 0.02)  # a share and seconds, by which two readings of a process's time may
# With PYTHONVERBOSE an interpreter names the file of every module's code: 'quoted' for bytecode, bare for source.
_COMPILED: Final = re.compile(r"^# code object from ([^'\"\n].*)$", re.MULTILINE)
_VERBOSE: Final = re.compile(r"^import ", re.MULTILINE)
_NOT_INHERITED: Final = ("PYTHONDONTWRITEBYTECODE", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME", "PYTHONPYCACHEPREFIX")


class CaseFailed(RuntimeError):
    """Raised when a case's process ends badly, or its last line of output is not the JSON that it must be."""


class BytecodeMissing(RuntimeError):
    """Raised when modules of a case were compiled from source, or its command cannot be asked whether they were."""


@dataclass(frozen=True, slots=True)
class Case:
    """A Python command whose last line on stdout is a JSON object with `cpu_s`, the CPU seconds of what it measured.

    Numbers beside it are carried along. `environment` is added to this process's own.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU seconds of a case, one for each round that counts, and all that the case reported in that round."""

    values: tuple[float, ...]
    reports: tuple[Mapping[str, Any], ...] = ()

    @property
    def median(self) -> float:
        """Of the CPU seconds."""
        return statistics.median(self.values)

    @property
    def p90_over_p50(self) -> float:
        """How far the slow rounds are from the middle one; 1 where all are alike."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, round(_P90 * (len(ordered) - 1)))] / self.median

    def median_of(self, name: str) -> float:
        """Of another number that the case reported in every round."""
        return statistics.median(float(one[name]) for one in self.reports)


def compare(
    cases: Sequence[Case], *, rounds: int = MIN_ROUNDS, seed: int = 1, core: int | None = None
) -> dict[str, Sample]:
    """Run all cases `rounds` times, each round in an order of its own, on one core (default: the last allowed).

    Raises CaseFailed and BytecodeMissing; ValueError for fewer than `MIN_ROUNDS` rounds and for a name used twice.
    """
    if rounds < MIN_ROUNDS:
        raise ValueError(f"{rounds} rounds say too little; at least {MIN_ROUNDS}")
    if len({case.name for case in cases}) < len(cases):
        raise ValueError("two cases have the same name")
    pinned = _default_core() if core is None else core
    for case in cases:
        _run(case, pinned)  # writes the bytecode that is not there yet
    for case in cases:
        require_bytecode(case, pinned)
    order, dice = list(cases), random.Random(seed)
    reports: dict[str, list[Mapping[str, Any]]] = {case.name: [] for case in cases}
    for _ in range(rounds):
        dice.shuffle(order)
        for case in order:
            reports[case.name].append(_report_of(_run(case, pinned), case))
    return {name: Sample(tuple(float(one["cpu_s"]) for one in kept), tuple(kept)) for name, kept in reports.items()}


def require_bytecode(case: Case, core: int | None = None) -> None:
    """Run a case once, with the interpreter telling where every module's code came from.

    Raises BytecodeMissing if any was compiled from source: by this process or by one that it started.
    """
    told = _run(case, core, {"PYTHONVERBOSE": "1"}).stderr
    if not _VERBOSE.search(told):
        raise BytecodeMissing(f"{case.name}: its interpreter does not say what it loads; is the command Python's?")
    compiled = _COMPILED.findall(told)
    if compiled:
        raise BytecodeMissing(f"{case.name}: {len(compiled)} modules were compiled from source, such as {compiled[0]}")


def table(samples: Mapping[str, Sample], *, base: str, unit_s: float = 1e-3, unit: str = "ms") -> str:
    """The cases as text: median CPU time, spread, and the ratio to the case `base`."""
    rows = [
        [name, f"{one.median / unit_s:.1f}", f"{one.p90_over_p50:.2f}", f"{one.median / samples[base].median:.2f}"]
        for name, one in samples.items()
    ]
    return report.table(["case", f"CPU {unit}", "p90/p50", f"× {base}"], rows)


def kept(samples: Mapping[str, Sample]) -> dict[str, Any]:
    """The same for a results file, every round in it."""
    return {
        name: {"median_cpu_s": one.median, "p90_over_p50": one.p90_over_p50, "rounds": list(one.reports)}
        for name, one in samples.items()
    }


def _default_core() -> int | None:
    return max(os.sched_getaffinity(0)) if sys.platform == "linux" else None


def _run(case: Case, core: int | None, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    before_s = _children_cpu_s()
    done = subprocess.run(
        case.command,
        env={**environment, **case.environment, **(extra or {})},
        preexec_fn=lambda: _pin(core),  # this process has no threads that a fork could surprise
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        raise CaseFailed(f"{case.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    _check(_report_of(done, case), case, _children_cpu_s() - before_s)
    return done


def _pin(core: int | None) -> None:
    if core is not None and sys.platform == "linux":
        os.sched_setaffinity(0, {core})


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _report_of(done: subprocess.CompletedProcess[str], case: Case) -> Mapping[str, Any]:
    lines = done.stdout.strip().splitlines()
    try:
        found = json.loads(lines[-1])
        float(found["cpu_s"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise CaseFailed(f"{case.name}: its last line is no JSON object with cpu_s: {lines[-1:]}") from error
    return dict(found)


def _check(found: Mapping[str, Any], case: Case, process_s: float) -> None:
    """What a part of a process took cannot be more than what all of it took: that would be another clock."""
    share, spare_s = _CLOCKS_DIFFER
    if found["cpu_s"] > process_s * share + spare_s:
        raise CaseFailed(f"{case.name} reports {found['cpu_s']} s, its process took {process_s:.3f} s of CPU")
