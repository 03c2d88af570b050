"""Peak memory of this process and its children, all generations, as Linux's proportional set size (PSS).

A page that n processes share counts 1/n in each, so the sum counts every page once; files in the page cache that no
process has mapped are not counted. This process is that which runs the laptop cloud's front (and, in a benchmark, the
clients and the receiver, so that the sum is above rather than below what `make serve` takes).
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_INTERVAL_S = 0.5


class MemoryWatch:
    """A context manager; `peak_bytes` is the largest sum that was seen, looking twice a second."""

    def __init__(self) -> None:
        self.peak_bytes = 0
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

    def _watch(self) -> None:
        while not self._done.wait(_INTERVAL_S):
            self.peak_bytes = max(self.peak_bytes, total_bytes(os.getpid()))


def total_bytes(pid: int) -> int:
    """Memory of a process and all its descendants now."""
    return sum(_proportional_bytes(one) for one in (pid, *descendants(pid)))


def descendants(pid: int) -> Iterator[int]:
    """Process ids of all children, their children, and so on."""
    parents = dict(_parents())
    found = {pid}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    yield from found - {pid}


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
