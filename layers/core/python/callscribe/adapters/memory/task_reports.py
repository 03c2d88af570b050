"""Task tokens that somebody waits for."""

import threading
from dataclasses import dataclass

ERROR_CHARACTERS = 256
CAUSE_CHARACTERS = 32_768


@dataclass(frozen=True, slots=True)
class Failed:
    """One reported failure."""

    task_token: str
    error: str
    cause: str


class MemoryTaskReports:
    """Knows which tokens are `waiting`, and what was reported for the others."""

    def __init__(self, *waiting: str) -> None:
        self._lock = threading.Lock()
        self._waiting = set(waiting)
        self.succeeded: list[str] = []
        self.failed: list[Failed] = []

    def wait_for(self, task_token: str) -> None:
        """An execution starts to wait for this token."""
        with self._lock:
            self._waiting.add(task_token)

    def give_up(self, task_token: str) -> None:
        """The execution waits no more: it timed out or was stopped."""
        with self._lock:
            self._waiting.discard(task_token)

    def succeed(self, task_token: str) -> bool:
        """See `ports.TaskReports.succeed`."""
        with self._lock:
            if task_token not in self._waiting:
                return False
            self._waiting.remove(task_token)
            self.succeeded.append(task_token)
            return True

    def fail(self, task_token: str, *, error: str, cause: str) -> bool:
        """See `ports.TaskReports.fail`. Raises ValueError for texts that Step Functions would refuse."""
        if len(error) > ERROR_CHARACTERS or len(cause) > CAUSE_CHARACTERS:
            raise ValueError("error or cause is too long")
        with self._lock:
            if task_token not in self._waiting:
                return False
            self._waiting.remove(task_token)
            self.failed.append(Failed(task_token, error, cause))
            return True
