"""One laptop cloud at a time on one state folder."""

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_FILE = "lock.json"
_CLEARING_UP_S = 20.0  # an emulator whose runner was killed stops in an orderly way, which takes this long at most


class StateInUse(OSError):
    """Raised when a living process holds the state; the message names its process id and its port."""


class StateLock:
    """A context manager that holds a state folder for this process, and says for whom in a file inside it.

    `descriptor` is for the emulator to inherit: then the folder stays locked until the emulator, too, has written
    its last byte. Raises StateInUse.
    """

    def __init__(self, state_dir: Path, *, port: int) -> None:
        self._path = state_dir / _FILE
        self._port = port
        self.descriptor = -1

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock()
        except BaseException:
            os.close(self.descriptor)
            raise
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps({"pid": os.getpid(), "port": self._port}).encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def _lock(self) -> None:
        deadline_s = time.monotonic() + _CLEARING_UP_S
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._holder_lives() or time.monotonic() > deadline_s:
                    raise StateInUse(self._complaint()) from None
                time.sleep(0.1)
            else:
                return

    def _holder(self) -> dict[str, int]:
        """Process id and port of the last who got the lock; empty while it is being written."""
        try:
            return dict(json.loads(os.pread(self.descriptor, 1_000, 0)))
        except ValueError:
            return {}

    def _holder_lives(self) -> bool:
        try:
            os.kill(self._holder().get("pid", os.getpid()), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _complaint(self) -> str:
        holder = self._holder()
        return (
            f"callscribe already runs on {self._path.parent}: process {holder.get('pid', '?')}, "
            f"port {holder.get('port', '?')}; stop it first"
        )
