"""Peak memory of groups of processes, from /proc.

Two measures. The proportional set size (PSS): a page that n processes share counts 1/n in each, so a sum counts every
page once; files in the page cache that no process has mapped are not counted. And the most that each process ever had
resident (VmHWM), shared pages included: never less than it was, however seldom one looks.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_INTERVAL_S = 0.25


class PeakWatch:
    """A context manager; `peak_bytes` has an entry for each group: the largest sum over processes alive at one time.

    `groups`: a name, and what answers the ids of its processes just now. `bytes_of`: one of the measures.
    """

    def __init__(
        self, groups: Mapping[str, Callable[[], Iterable[int]]], *, bytes_of: Callable[[int], int] | None = None
    ) -> None:
        self.peak_bytes = dict.fromkeys(groups, 0)
        self._groups = groups
        self._bytes_of = bytes_of or most_bytes
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
            self.peak_bytes[name] = max(self.peak_bytes[name], sum(map(self._bytes_of, pids())))


def everybody() -> tuple[int, ...]:
    """The id of this process, and those of all its descendants.

    In a benchmark it runs the laptop cloud's front, the clients and the receiver: the sum is above rather than
    below what `make serve` takes.
    """
    return os.getpid(), *descendants(os.getpid())


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


def most_bytes(pid: int) -> int:
    """The most resident memory that a process has had so far (VmHWM); 0 once it is gone."""
    return _field_bytes(pid, "status", "VmHWM:")


def proportional_bytes(pid: int) -> int:
    """A process's proportional set size now; 0 once it is gone."""
    return _field_bytes(pid, "smaps_rollup", "Pss:")


def _field_bytes(pid: int, file: str, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
