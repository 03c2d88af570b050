"""Keeping the index of tasks: changes are taken in as they gather, and all of it can be made anew.

Neither holds more words in memory than `task_rows.BATCH_BYTES` and what is being read, however many tasks there are.
"""

import contextlib
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from callscribe.domain.jobs import Job, JobNumber
from callscribe.domain.records import delete
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.tasks import TaskRow, end_of_month_ms, month_of, start_of_month_ms
from callscribe.errors import Conflict, Unreadable
from callscribe.ports import Deps
from callscribe.services import commits, indexed_months, task_rows
from callscribe.services.task_lists import newest_of
from callscribe.services.task_rows import batches

log = logging.getLogger(__name__)

_ROWS = 1_000  # dirty rows in memory: three kilobytes each, a hundred where a task has all answers that it may have
_AT_ONCE = 500  # jobs in memory
_DELETIONS = 10  # of one transaction: it may touch 4 MB, and an item may have 400 KB
LONGEST_S = 120  # half of the function's time: what was begun then still comes to its end
_TRIES = 5  # beside others who change the same month
_READERS = 8


def ask(deps: Deps, tenant_id: str) -> None:
    """Have a tenant's changes taken in. Asks of one turn become one: a turn is as long as what was asked for waits.

    So whatever was stored before an ask is there when the asks of its turn are heard.
    """
    turn = deps.now_ms() // (1000 * deps.settings.index_delay_s)
    deps.index_queue.send({"tenant_id": tenant_id, "turn": turn})


def fold_in(deps: Deps, tenant_id: str, *, rows: int = _ROWS, longest_s: float = LONGEST_S) -> int:
    """Take the changes of a tenant's tasks into the index; how many tasks they were of.

    They are read `rows` at a time. After `longest_s` nothing is begun any more, and where changes are left the index is
    asked for again. Raises Conflict where others wrote the same month again and again: nothing is lost, whoever comes
    next finds what is left.
    """
    until_ms = deps.now_ms() + round(1000 * longest_s)
    tasks: set[int] = set()
    left = True
    while left:
        taken_in, left = _fold_some(deps, tenant_id, rows, until_ms)
        tasks |= taken_in
        if left and deps.now_ms() >= until_ms:
            log.warning("tenant %s: took %d tasks in, and more are left: asked for again", tenant_id, len(tasks))
            ask(deps, tenant_id)
            break
    return len(tasks)


def _fold_some(deps: Deps, tenant_id: str, limit: int, until_ms: int) -> tuple[set[int], bool]:
    """The tasks that were taken in, and whether more may be left.

    A race is lost to whoever made the month anew, to a second indexer, or to an own write whose answer was lost and
    which was repeated: the next try begins with what is then there.
    """
    for attempt in range(1, _TRIES + 1):
        dirty = deps.store.children(DirtyTask, tenant_id, TASKS, limit=limit)
        taken_in: set[int] = set()
        try:
            for some in _fold(deps, tenant_id, dirty):
                taken_in |= set(some)
                if deps.now_ms() >= until_ms:
                    break
        except Conflict:
            if deps.now_ms() >= until_ms:
                raise
            time.sleep(commits.pause_s(deps, attempt))
        except Unreadable as error:  # of another version, where that has changed: so each month is made anew in turn
            for month in error.months:
                rebuild_month(deps, tenant_id, month)
            if deps.now_ms() >= until_ms:
                return taken_in, True
        else:
            return taken_in, len(dirty) == limit or taken_in != {row.task_id for row in dirty}
    raise Conflict(f"the tasks of tenant {tenant_id} are written by somebody else all the time")


def _fold(deps: Deps, tenant_id: str, dirty: Sequence[DirtyTask]) -> Iterator[list[int]]:
    """The ids of the tasks that were taken in, and whose rows are gone, batch by batch."""
    of_task: defaultdict[int, list[DirtyTask]] = defaultdict(list)
    for row in dirty:
        of_task[row.task_id].append(row)
    months: defaultdict[str, list[DirtyTask]] = defaultdict(list)
    for row in newest_of(dirty).values():
        months[month_of(row.created_at_ms)].append(row)
    for month, changed in months.items():
        indexed_months.note(deps, tenant_id, month)
        for taken_in in _take_in(deps, tenant_id, month, changed):
            _forget(deps, [row for task_id in taken_in for row in of_task[task_id]])
            yield taken_in


def _take_in(deps: Deps, tenant_id: str, month: str, changed: Sequence[DirtyTask]) -> Iterator[list[int]]:
    """The ids of the tasks that were taken in, batch by batch."""
    if gone := {row.task_id: row.of_version for row in changed if row.job is None}:
        deps.task_index.take_in(tenant_id, month, [], gone=gone)
        yield list(gone)
    rows = task_rows.with_words(deps, [row.job for row in changed if row.job is not None])
    for batch in task_rows.by_size(rows):
        deps.task_index.take_in(tenant_id, month, batch, gone={})
        yield [row.id for row in batch]


def _forget(deps: Deps, folded: Sequence[DirtyTask]) -> None:
    """Remove the rows that were read, and no later ones. Somebody else may have removed some of them."""
    for some in batches(folded, _DELETIONS):
        if not commits.committed(deps, *map(delete, some)):
            for row in some:
                commits.committed(deps, delete(row))


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How much was written anew."""

    tasks: int
    months: int


def rebuild(deps: Deps, tenant_id: str) -> Rebuilt:
    """Make the index of a tenant anew from its jobs, month by month, whatever is known of them.

    Changes go on meanwhile: what is newer than what was written here stays, or stays to be taken in. What is searched
    by words lies in a temporary file until its month is written. Raises Conflict for a month that changed too often.
    """
    made: defaultdict[str, list[str]] = defaultdict(list)
    for job in deps.store.listed(Job, tenant_id):
        if job.task is not None:
            made[month_of(job.created_at_ms)].append(job.id)
    months = sorted({*made, *deps.task_index.months(tenant_id)})
    tasks = sum(_rewritten(deps, tenant_id, month, made[month]) for month in months)
    return Rebuilt(tasks, len(months))


def rebuild_month(deps: Deps, tenant_id: str, month: str) -> None:
    """The same for one month."""
    made = deps.store.listed(Job, tenant_id, since_ms=start_of_month_ms(month), until_ms=end_of_month_ms(month))
    _rewritten(deps, tenant_id, month, [job.id for job in made if job.task is not None])


def _rewritten(deps: Deps, tenant_id: str, month: str, job_ids: Sequence[str]) -> int:
    indexed_months.note(deps, tenant_id, month)
    with tempfile.TemporaryFile() as words:
        written = _Month(deps, tenant_id, month, _Words(words)).rewrite(job_ids)
    log.info("tenant %s: wrote %d tasks of %s anew", tenant_id, written, month)
    return written


@dataclass
class _Words:
    """What was said in a month, by task, in a file: of a month with ten thousand long calls it is gigabytes."""

    _file: BinaryIO
    _places: dict[int, tuple[int, int]] = field(default_factory=dict)

    def keep(self, task_id: int, words: str) -> None:
        self._places[task_id] = (self._file.seek(0, 2), self._file.write(words.encode("utf-8", "surrogatepass")))

    def of(self, task_id: int) -> str:
        place, size_bytes = self._places[task_id]
        self._file.seek(place)
        return self._file.read(size_bytes).decode("utf-8", "surrogatepass")


@dataclass
class _Month:
    """The tasks of one month, read from the table again as far as the index knows more of them."""

    deps: Deps
    tenant_id: str
    month: str
    _words: _Words
    _rows: dict[int, TaskRow] = field(default_factory=dict)  # without their words
    _gone: dict[int, int] = field(default_factory=dict)

    def rewrite(self, job_ids: Sequence[str]) -> int:
        """How many tasks there were. The list that named them may lag behind: each is read consistently."""
        for some in batches(job_ids, _AT_ONCE):
            self._take(self._jobs(some))
        for _ in range(_TRIES):
            self._catch_up()
            with contextlib.suppress(Conflict):
                self.deps.task_index.rewrite(self.tenant_id, self.month, self._all(), gone=self._gone)
                return len(self._rows)
        raise Conflict(f"the tasks of {self.month} change too often")

    def _all(self) -> Iterator[TaskRow]:
        for row in self._rows.values():
            yield replace(row, words=self._words.of(row.id))

    def _catch_up(self) -> None:
        """Read again what the index knows of and is not here, or not so new."""
        known = self.deps.task_index.versions(self.tenant_id, self.month)
        newer = {
            number: version
            for number, version in known.items()
            if number not in self._rows or self._rows[number].version < version
        }
        found = set()
        for some in batches(sorted(newer), _AT_ONCE):
            jobs = self._numbered(some)
            self._take(jobs)
            found |= {job.number for job in jobs}
        for number in newer.keys() - found:
            self._rows.pop(number, None)
            self._gone[number] = newer[number]

    def _take(self, found: Iterable[Job]) -> None:
        for row in task_rows.with_words(self.deps, found):
            self._words.keep(row.id, row.words)
            self._rows[row.id] = replace(row, words="")

    def _numbered(self, numbers: Sequence[int]) -> list[Job]:
        records = (self.deps.store.get(JobNumber, self.tenant_id, number) for number in numbers)
        return self._jobs([record.job_id for record in records if record is not None])

    def _jobs(self, job_ids: Sequence[str]) -> list[Job]:
        """Those that are there, and tasks."""
        with ThreadPoolExecutor(_READERS) as readers:
            found = list(readers.map(lambda job_id: self.deps.store.get(Job, self.tenant_id, job_id), job_ids))
        return [job for job in found if job is not None and job.task is not None]
