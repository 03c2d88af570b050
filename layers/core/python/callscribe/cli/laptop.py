"""What this machine needs for the laptop cloud, looked at one by one."""

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from callscribe.cli.stages import LOCAL_FILE
from callscribe.services.diagnosis import EMBEDDED_ENGINE, Finding, Verdict

DEFAULT_PORT = 8420
_OLDEST, _NEWEST = (3, 11), (3, 13)
_LEAST_NODE, _GOOD_NODE = 20, 22
_NEEDED_GB = 3.0  # 25 recordings at once take 1.8 GB with the embedded engine
_TRIAL_S = 600.0
# A process of its own: a model takes gigabytes, and a broken one may take the process with it.
_TRIAL = """
import sys
from pathlib import Path
from callscribe.engines import load_engine
from callscribe.errors import CallscribeError
try:
    engine = load_engine(sys.argv[1], Path(sys.argv[2]) if sys.argv[2] else None)
except CallscribeError as error:
    sys.exit(str(error))
print(engine.info.model, "on", engine.info.device)
engine.close()
"""


@dataclass(frozen=True, slots=True)
class Laptop:
    """What is looked at. `folder` is where the command runs, in a clone of callscribe or below."""

    folder: Path
    port: int = DEFAULT_PORT
    engine: str | None = None
    model_dir: Path | None = None


def diagnose_laptop(laptop: Laptop) -> Iterator[Finding]:
    """Everything, in the order in which one would mend it."""
    yield python(sys.version_info[:2])
    yield node()
    yield memory(available_gb())
    yield environments(laptop.folder)
    yield port(laptop.folder, laptop.port)
    yield engine(laptop.engine or EMBEDDED_ENGINE, laptop.model_dir)


def python(version: tuple[int, int]) -> Finding:
    """Whether callscribe runs on this Python."""
    told = ".".join(map(str, version))
    if _OLDEST <= version <= _NEWEST:
        return Finding("Python", Verdict.OK, told)
    return Finding("Python", Verdict.MISSING, told, "callscribe needs 3.11, 3.12 or 3.13: make PYTHON=python3.12 setup")


def node() -> Finding:
    """Whether CDK can run: Node.js with npm on the PATH."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return Finding("Node.js", Verdict.MISSING, "node or npm is not on the PATH", "install Node.js 22")
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.match(r"v(\d+)\.", told)
    if found is None or int(found[1]) < _LEAST_NODE:
        return Finding("Node.js", Verdict.MISSING, told or "no version", "CDK needs 20 or newer; install 22")
    if int(found[1]) < _GOOD_NODE:
        return Finding("Node.js", Verdict.WARNING, told, "works, but past its end of life; install 22")
    return Finding("Node.js", Verdict.OK, told)


def memory(free_gb: float | None) -> Finding:
    """Whether the laptop cloud and the embedded engine have room."""
    if free_gb is None:
        return Finding("memory", Verdict.WARNING, "cannot be told on this system", f"{_NEEDED_GB:g} GB shall be free")
    told = f"{free_gb:.1f} GB free"
    if free_gb >= _NEEDED_GB:
        return Finding("memory", Verdict.OK, told)
    return Finding("memory", Verdict.WARNING, told, f"{_NEEDED_GB:g} GB are better: close something")


def available_gb() -> float | None:
    """Memory that programs may still take; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", lines, re.MULTILINE)
    return int(found[1]) * 1_024 / 1e9 if found else None


def environments(folder: Path) -> Finding:
    """Whether both environments are there: ours, and the laptop cloud's own."""
    root = next((above for above in (folder, *folder.parents) if (above / "cdk.json").is_file()), None)
    if root is None:
        return Finding("environments", Verdict.WARNING, "this is no clone of callscribe", "go to one for `make serve`")
    absent = [name for name in (".venv", ".venv-cloud", "node_modules") if not (root / name).is_dir()]
    if absent:
        return Finding("environments", Verdict.MISSING, f"{', '.join(absent)} is not there", "make setup")
    return Finding("environments", Verdict.OK, f"all there in {root}")


def port(folder: Path, number: int) -> Finding:
    """Whether `make serve` can listen, or does."""
    subject = f"port {number}"
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", number))
        except OSError as taken:
            if _serves_at(folder, number):
                return Finding(subject, Verdict.OK, "the laptop cloud listens there")
            told = f"cannot be listened at: {taken.strerror}"
            return Finding(subject, Verdict.WARNING, told, "make serve PORT=… with another")
    return Finding(subject, Verdict.OK, "free")


def engine(name: str, model_dir: Path | None) -> Finding:
    """Whether the engine loads its model, tried in a process of its own."""
    command = [sys.executable, "-c", _TRIAL, name, str(model_dir or "")]
    subject = f"engine {name}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TRIAL_S)
    except subprocess.TimeoutExpired:
        return Finding(subject, Verdict.MISSING, f"has not loaded within {_TRIAL_S:g} s", "is the disk that slow?")
    if done.returncode == 0:
        advice = "a smoke test: `callscribe models list` names real ones" if name == EMBEDDED_ENGINE else ""
        return Finding(subject, Verdict.OK, done.stdout.strip(), advice)
    last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    return Finding(subject, Verdict.MISSING, last, "callscribe models fetch NAME --into DIR, then MODEL_DIR=DIR/NAME")


def _serves_at(folder: Path, number: int) -> bool:
    for above in (folder, *folder.parents):
        try:
            told = json.loads((above / LOCAL_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return str(told.get("base_url", "")).endswith(f":{number}")
    return False
