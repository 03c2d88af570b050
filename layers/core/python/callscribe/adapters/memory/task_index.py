"""An index of tasks that looks at each of them: what the real one must agree with."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from callscribe.adapters.memory.plain_scan import scan
from callscribe.domain.tasks import Criteria, Found, TaskRow, TaskType, Unwritten, day_name
from callscribe.errors import Conflict

_Known = tuple[int, TaskRow | None]  # version, and the row of a task that is not gone


def _no_months() -> defaultdict[tuple[str, str], dict[int, _Known]]:
    return defaultdict(dict)


@dataclass
class MemoryTaskIndex:
    """`ports.TaskIndex`, safe under threads. `taken_in` counts the calls of `take_in`."""

    taken_in: int = 0
    _months: defaultdict[tuple[str, str], dict[int, _Known]] = field(default_factory=_no_months)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(
        self,
        tenant_id: str,
        criteria: Criteria,
        unwritten: Callable[[], Unwritten],
        *,
        page: int,
        per_page: int,
    ) -> Found:
        """See `ports.TaskIndex.find`."""
        rows = scan(self._all(tenant_id, unwritten), criteria)
        first = (page - 1) * per_page
        return Found(tuple(rows[first : first + per_page]), len(rows))

    def latest(self, tenant_id: str, unwritten: Callable[[], Unwritten], count: int) -> tuple[TaskRow, ...]:
        """See `ports.TaskIndex.latest`."""
        rows = sorted(self._all(tenant_id, unwritten), key=attrgetter("id"), reverse=True)
        return tuple(replace(row, words="") for row in rows[:count])

    def days(self, tenant_id: str, unwritten: Callable[[], Unwritten]) -> dict[str, int]:
        """See `ports.TaskIndex.days`."""
        calls = [row.day for row in self._all(tenant_id, unwritten) if row.type is TaskType.CALL]
        return {day_name(day): count for day, count in Counter(calls).items()}

    def take_in(self, tenant_id: str, month: str, rows: Sequence[TaskRow], *, gone: Mapping[int, int]) -> None:
        """See `ports.TaskIndex.take_in`."""
        with self._lock:
            self.taken_in += 1
            for task_id, version, row in _changes(rows, gone):
                _keep(self._months[tenant_id, month], task_id, (version, row))

    def drop_words(self, tenant_id: str, month: str) -> None:
        """See `ports.TaskIndex.drop_words`."""
        with self._lock:
            known = self._months[tenant_id, month]
            for task_id, (version, row) in known.items():
                known[task_id] = (version, row and replace(row, words=""))

    def rewrite(self, tenant_id: str, month: str, rows: Iterable[TaskRow], *, gone: Mapping[int, int]) -> None:
        """See `ports.TaskIndex.rewrite`."""
        now = {task_id: (version, row) for task_id, version, row in _changes(rows, gone)}
        with self._lock:
            known = self._months[tenant_id, month]
            for task_id, (version, row) in known.items():
                if row is not None and (task_id not in now or now[task_id][0] < version):
                    raise Conflict(f"task {task_id} has changed")
                if row is None:
                    _keep(now, task_id, (version, None))
            self._months[tenant_id, month] = now

    def versions(self, tenant_id: str, month: str) -> dict[int, int]:
        """See `ports.TaskIndex.versions`."""
        with self._lock:
            known = self._months[tenant_id, month]
            return {task_id: version for task_id, (version, row) in known.items() if row is not None}

    def months(self, tenant_id: str) -> list[str]:
        """See `ports.TaskIndex.months`."""
        with self._lock:
            return sorted(month for (owner, month), known in self._months.items() if owner == tenant_id and known)

    def _all(self, tenant_id: str, unwritten: Callable[[], Unwritten]) -> list[TaskRow]:
        """The rows of this moment: nothing is taken in while the changes are read."""
        with self._lock:
            changed = unwritten()
            known: dict[int, _Known] = {}
            for (owner, _), of_month in self._months.items():
                known |= of_month if owner == tenant_id else {}
        rows = {row.id: row for row in changed.rows}
        for task_id, version in changed.versions.items():
            _keep(known, task_id, (version, rows.get(task_id)))
        return [row for _, row in known.values() if row is not None]


def _changes(rows: Iterable[TaskRow], gone: Mapping[int, int]) -> Iterator[tuple[int, int, TaskRow | None]]:
    yield from ((row.id, row.version, row) for row in rows)
    yield from ((task_id, version, None) for task_id, version in gone.items())


def _keep(known: dict[int, _Known], task_id: int, now: _Known) -> None:
    """Whichever of the two is newer."""
    if task_id not in known or known[task_id][0] < now[0]:
        known[task_id] = now
