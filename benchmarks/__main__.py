"""`python -m benchmarks [NAME]`: run one benchmark by its name, or all of them; `make bench NAME=…`."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_USAGE = 2
_TORCH_PYTHON = Path(__file__).parents[1] / ".venv-torch" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this package that prints figures, with its arguments; it exits 1 when it misses a goal."""

    module: str
    arguments: tuple[str, ...]
    description: str
    needs_torch: bool = False  # runs in .venv-torch, and only when it is asked for by name


BENCHMARKS = {
    "overhead": Benchmark("benchmarks.overhead", (), "what the system adds to the engine's time, job after job"),
    "load": Benchmark("benchmarks.overhead", ("--jobs", "25"), "25 recordings at once, and the memory they take"),
    "cold": Benchmark("benchmarks.cold", (), "CPU of a cold start and its first request, against other frameworks"),
    "warm": Benchmark("benchmarks.warm", (), "CPU of a request in a warm process, and the router's share of it"),
    "accuracy": Benchmark("benchmarks.accuracy", (), "the embedded engine's word error rate on genuine clips"),
    "decode": Benchmark("benchmarks.decode", (), "file to samples, by format, against PyAV, ffmpeg and libsndfile"),
    "long": Benchmark("benchmarks.long", (), "recordings of 3 h and 12 h within stated memory"),
    "pack": Benchmark("benchmarks.pack", (), "how much of a padded batch is speech"),
    "filter": Benchmark("benchmarks.filter", (), "a tenant's tasks by seven criteria, against a plain scan"),
    "sim": Benchmark("benchmarks.sim", (), "a simulated day of GPU workers against one job per file and the floor"),
    "cost": Benchmark("benchmarks.cost", (), "USD for an hour of audio, line by line"),
    "gpu": Benchmark(
        "benchmarks.gpu", (), "recognition on a GPU against a loop, a pipeline and the limit", needs_torch=True
    ),
    "gpu-sweep": Benchmark("benchmarks.gpu", ("--sweep",), "how our settings for a GPU were chosen", needs_torch=True),
}


def main(arguments: Sequence[str]) -> int:
    """0 when every benchmark that ran met its goals, 1 when one did not, 2 for a name that is not known."""
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are:\n{listing()}", file=sys.stderr)
        return _USAGE
    by_default = [name for name, one in BENCHMARKS.items() if not one.needs_torch]
    missed = [name for name in arguments or by_default if not run(name)]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def run(name: str) -> bool:
    """Run a benchmark in a process of its own, so that none warms the other; whether it met its goals."""
    benchmark = BENCHMARKS[name]
    print(f"== {name}: {benchmark.description}", flush=True)
    if benchmark.needs_torch and not _TORCH_PYTHON.exists():
        print(f"{name} needs torch: make .venv-torch/.installed sets it up", file=sys.stderr)
        return False
    python = str(_TORCH_PYTHON) if benchmark.needs_torch else sys.executable
    command = [python, "-m", benchmark.module, *benchmark.arguments]
    return subprocess.run(command, check=False).returncode == 0


def listing() -> str:
    """A line for every benchmark."""
    return "\n".join(f"  {name:10} {one.description}" for name, one in BENCHMARKS.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
