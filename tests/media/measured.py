"""Running `inspect` while its child's processor time and memory are measured."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.errors import JobFailed
from callscribe.media import sandbox
from callscribe.media.inspect import inspect


@dataclass
class Usage:
    """What the child processes used: CPU seconds of each, and largest memory in MB of those
    that still stood when they were ended."""

    cpu_s: list[float]
    rss_mb: list[float]


def measure_children(monkeypatch: pytest.MonkeyPatch) -> Usage:
    """From now on, what each sandboxed child used is noted."""
    usage = Usage([], [])

    class Measured(subprocess.Popen[bytes]):
        def poll(self) -> int | None:
            return self.returncode  # only `wait` reaps, so that nothing is reaped unmeasured

        def kill(self) -> None:
            usage.rss_mb += _peak_mb(self.pid)
            super().kill()

        def wait(self, timeout: float | None = None) -> int:
            if self.returncode is None:
                _, status, spent = os.wait4(self.pid, 0)
                self.returncode = os.waitstatus_to_exitcode(status)
                usage.cpu_s.append(spent.ru_utime + spent.ru_stime)
            return self.returncode

    monkeypatch.setattr(f"{sandbox.__name__}.subprocess.Popen", Measured)
    return usage


def outcome(path: Path, limits: AudioLimits) -> AudioFacts | JobFailed:
    """The facts, or the failure as a value."""
    try:
        return inspect(path, limits)
    except JobFailed as failed:
        return failed


def _peak_mb(pid: int) -> list[float]:
    """The largest resident memory of a process that still stands; ru_maxrss would show its parent's instead."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return []
    return [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
