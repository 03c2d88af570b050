"""At most so many threads at a time, in the order in which they came."""

import threading
from collections import deque


class Turnstile:
    """A semaphore that is fair: whoever comes again stands behind all who wait. Once closed, it lets all through."""

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._queue: deque[threading.Event] = deque()
        self._closed = False

    def enter(self) -> None:
        """Take a place, when one is free."""
        with self._lock:
            if self._closed or self._free:
                self._free -= 1
                return
            called = threading.Event()
            self._queue.append(called)
        called.wait()

    def leave(self) -> None:
        """Give a place back, to the one who has waited longest."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def close(self) -> None:
        """Let all through who wait, and all who come."""
        with self._lock:
            self._closed = True
            self._free -= len(self._queue)
            while self._queue:
                self._queue.popleft().set()
