"""How a benchmark tells what it found: a table with goals, and a dated JSON file with the machine's description."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from callscribe.costs import inputs

FOLDER = Path(__file__).parents[1] / "build" / "benchmarks"  # ignored by git, and left alone by `make clean`


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure beside the most (`at_most`) or the least that it may be.

    `out_of_reach`: by arithmetic that the benchmark shows, nothing could meet it; it is told, but fails no run.
    """

    name: str
    value: float
    limit: float
    at_most: bool = True
    out_of_reach: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def __str__(self) -> str:
        sign = "≤" if self.at_most else "≥"
        verdict = "met" if self.met else "MISSED, out of reach" if self.out_of_reach else "MISSED"
        return f"{self.name}: {self.value:.4g} (goal {sign} {self.limit:.4g}): {verdict}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of columns, the first to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def machine() -> dict[str, Any]:
    """What this runs on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": list(os.getloadavg()),
    }


def save(name: str, results: Mapping[str, Any], goals: Sequence[Goal], folder: Path = FOLDER) -> Path:
    """Keep results, goals, inputs and machine in a file of their own; its path."""
    now = datetime.now(UTC)
    path = folder / f"{now:%Y-%m-%dT%H%M%S.%fZ}-{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "benchmark": name,
        "at": now.isoformat(),
        "machine": machine(),
        "goals": [{**asdict(goal), "met": goal.met} for goal in goals],
        "results": results,
        "inputs": {key: asdict(one) for key, one in inputs.all_inputs().items()},
    }
    path.write_text(json.dumps(kept, indent=1, default=str, ensure_ascii=False) + "\n")
    return path


def conclude(name: str, results: Mapping[str, Any], goals: Sequence[Goal]) -> int:
    """Print the goals, keep everything, and answer the exit status: 1 when a goal is missed."""
    print()
    for goal in goals:
        print(goal)
    path = save(name, results, goals)
    print(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 0 if all(goal.met or goal.out_of_reach for goal in goals) else 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
