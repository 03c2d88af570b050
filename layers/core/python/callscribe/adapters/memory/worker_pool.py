"""A pool of workers that do nothing: a test says when one runs and when it is gone."""

import threading
from dataclasses import dataclass, field


@dataclass
class MemoryWorkerPool:
    """`ports.WorkerPool`, safe under threads. With `lists_lag` its lists stay as they were at the last `catch_up`.

    `names` of the workers that were asked for and `ended` (id and reason) are in order; `most` is how many there were
    at a time.
    """

    lists_lag: bool = False
    names: list[str] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    most: int = 0
    _starting: set[str] = field(default_factory=set)
    _running: set[str] = field(default_factory=set)
    _shown: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def submit(self, name: str) -> str:
        """See `ports.WorkerPool.submit`."""
        with self._lock:
            self.names.append(name)
            worker_id = f"worker-{len(self.names)}"
            self._starting.add(worker_id)
            self.most = max(self.most, len(self._starting) + len(self._running))
            return worker_id

    def starting(self) -> frozenset[str]:
        """See `ports.WorkerPool.starting`."""
        return self._lists()[0]

    def running(self) -> frozenset[str]:
        """See `ports.WorkerPool.running`."""
        return self._lists()[1]

    def end(self, worker_id: str, *, reason: str) -> None:
        """See `ports.WorkerPool.end`."""
        with self._lock:
            if worker_id in self._starting | self._running:
                self.ended.append((worker_id, reason))
                self.leave(worker_id)

    def run(self, worker_id: str) -> None:
        """Let one that was asked for run."""
        with self._lock:
            self._starting.remove(worker_id)
            self._running.add(worker_id)

    def start_again(self, worker_id: str) -> None:
        """Take a running one's machine away: it waits for another."""
        with self._lock:
            self._running.remove(worker_id)
            self._starting.add(worker_id)

    def leave(self, worker_id: str) -> None:
        """Let one be gone, by itself or for good with its machine."""
        with self._lock:
            self._starting.discard(worker_id)
            self._running.discard(worker_id)

    def catch_up(self) -> None:
        """Let the lists show what is so now."""
        with self._lock:
            self._shown = frozenset(self._starting), frozenset(self._running)

    def _lists(self) -> tuple[frozenset[str], frozenset[str]]:
        with self._lock:
            if not self.lists_lag:
                self.catch_up()
            return self._shown
