"""Worker processes beside the laptop cloud: started, waited for, started again when they end, and ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local.emulator import ROOT

READY_LINE = b"worker ready"
READY_TIMEOUT_S = 60.0
GRACE_S = 10.0
_LOG_TAIL_LINES = 30
_QUICK_END_S = 10.0  # who ends sooner than this after its start is started again ever later
_LONGEST_PAUSE_S = 30.0


class WorkerError(RuntimeError):
    """Raised when a worker does not become ready; the message ends with the tail of its log."""


class WorkerProcess:
    """One worker as a child process; ready when it says so in its log, and gone when this process is gone.

    Another kind of process says what it is by the three constants, and by `arguments` how it is called.
    """

    name = "worker"
    script = "functions/transcribe_worker/worker.py"
    ready_line = READY_LINE

    def __init__(self, environment: Mapping[str, str], log_file: Path, *arguments: str) -> None:
        """Start it; see `wait_until_ready`."""
        self._log_file = log_file
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / self.script), "--parent-pid", str(os.getpid()), *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, and id of the group that its engine processes belong to."""
        return self._process.pid

    def status(self) -> int | None:
        """Its exit status (negative: the signal that ended it), or None while it lives."""
        return self._process.poll()

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return once it has said that it is ready. Raises WorkerError when it ends before, or says nothing."""
        deadline_s = time.monotonic() + timeout_s
        while self.ready_line not in self._log():
            if self.status() is not None:
                raise WorkerError(
                    f"the {self.name} ended with status {self.status()} before it was ready{self._tail()}"
                )
            if time.monotonic() > deadline_s:
                raise WorkerError(f"the {self.name} was not ready within {timeout_s:g} s{self._tail()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, to it and its engine processes: as if the machine were gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Let it finish the work at hand for some seconds, then end it; the rest is taken up by another worker."""
        if self.status() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
        self.kill()

    def _log(self) -> bytes:
        """What this process has written, not those before it."""
        with self._log_file.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def _tail(self) -> str:
        lines = self._log().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "; its log ends:\n" + "\n".join(lines)


class KeptWorker:
    """A worker that is started again when it has ended: at once, or ever later when it keeps ending at once."""

    def __init__(
        self,
        start: Callable[[], WorkerProcess],
        *,
        report: Callable[[str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start it. `report` gets a line for every end and every new start."""
        self._start = start
        self._report = report
        self._now_s = now_s
        self._started_s = now_s()
        self._quick_ends = 0
        self._again_at_s: float | None = None
        self.process = start()

    def keep(self) -> None:
        """Start it again if it has ended and its pause is over; call this every second or so."""
        if self._again_at_s is None and self.process.status() is not None:
            self._again_at_s = self._now_s() + self._pause_s()
        if self._again_at_s is not None and self._now_s() >= self._again_at_s:
            self._again_at_s = None
            self._started_s = self._now_s()
            self.process = self._start()
            self._report(f"a new {self.process.name} runs as process {self.process.pid}")

    def stop(self) -> None:
        """End it for good."""
        self.process.stop()

    def _pause_s(self) -> float:
        """Clear up after an end, and say how long to wait before the next start."""
        status = self.process.status()
        self.process.kill()  # what is left of its group
        is_quick = self._now_s() - self._started_s < _QUICK_END_S
        self._quick_ends = self._quick_ends + 1 if is_quick else 0
        pause_s = min(2.0 ** (self._quick_ends - 1), _LONGEST_PAUSE_S) if is_quick else 0.0
        self._report(
            f"{self.process.name} {self.process.pid} ended with status {status}; a new one starts in {pause_s:g} s"
        )
        return pause_s
