"""`python -m benchmarks [NAME]`: run one benchmark by its name, or all of them; `make bench NAME=…`."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_USAGE = 2


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this package that prints figures, with its arguments; it exits 1 when it misses a goal."""

    module: str
    arguments: tuple[str, ...]
    description: str


BENCHMARKS = {
    "overhead": Benchmark("benchmarks.overhead", (), "what the system adds to the engine's time, job after job"),
    "load": Benchmark("benchmarks.overhead", ("--jobs", "25"), "25 recordings at once, and the memory they take"),
    "accuracy": Benchmark("benchmarks.accuracy", (), "the embedded engine's word error rate on genuine clips"),
    "pack": Benchmark("benchmarks.pack", (), "how much of a padded batch is speech"),
    "sim": Benchmark("benchmarks.sim", (), "a simulated day of GPU workers against one job per file and the floor"),
    "cost": Benchmark("benchmarks.cost", (), "USD for an hour of audio, line by line"),
}


def main(arguments: Sequence[str]) -> int:
    """0 when every benchmark that ran met its goals, 1 when one did not, 2 for a name that is not known."""
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are:\n{listing()}", file=sys.stderr)
        return _USAGE
    missed = [name for name in arguments or BENCHMARKS if not run(name)]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def run(name: str) -> bool:
    """Run a benchmark in a process of its own, so that none warms the other; whether it met its goals."""
    benchmark = BENCHMARKS[name]
    print(f"== {name}: {benchmark.description}", flush=True)
    command = [sys.executable, "-m", benchmark.module, *benchmark.arguments]
    return subprocess.run(command, check=False).returncode == 0


def listing() -> str:
    """A line for every benchmark."""
    return "\n".join(f"  {name:10} {one.description}" for name, one in BENCHMARKS.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
