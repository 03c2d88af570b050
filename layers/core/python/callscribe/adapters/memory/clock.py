"""A clock that moves only when it is told to."""

import threading

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


class ManualClock:
    """Called, it answers epoch milliseconds: pass the object itself as `now_ms`."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._lock = threading.Lock()
        self._now_ms = now_ms

    def __call__(self) -> int:
        """The time now, in epoch milliseconds."""
        return self._now_ms

    def advance(self, seconds: float) -> int:
        """Move forward and answer the new time in milliseconds. Raises ValueError for a negative step."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        with self._lock:
            self._now_ms += round(seconds * 1000)
            return self._now_ms
