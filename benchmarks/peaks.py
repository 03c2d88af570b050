"""Peak resident memory of groups of processes, from /proc: never less than it was.

Each process counts with the most that it ever had (VmHWM), pages that it shares with others included; a group's peak is
the largest sum over processes that lived at the same time.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_INTERVAL_S = 0.25


class PeakWatch:
    """A context manager; `peak_bytes` has an entry for each group, a name and the ids of its processes just now."""

    def __init__(self, groups: Mapping[str, Callable[[], Iterable[int]]]) -> None:
        self.peak_bytes = dict.fromkeys(groups, 0)
        self._groups = groups
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(_INTERVAL_S):
            self._look()

    def _look(self) -> None:
        for name, pids in self._groups.items():
            self.peak_bytes[name] = max(self.peak_bytes[name], sum(map(most_bytes, pids())))


def most_bytes(pid: int) -> int:
    """The most resident memory that a process has had so far; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
