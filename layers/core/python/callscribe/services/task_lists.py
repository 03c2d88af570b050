"""A tenant's lists of tasks: what the index knows, and what changed since (design decision 11).

The rows of what changed are read first and the index's files after them: whoever folds a change in writes the file
before it removes the row, so that each change is seen in one of the two.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sys import getsizeof

from callscribe.domain.jobs import Job
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.tasks import Criteria, Found, TaskRow, Unwritten
from callscribe.errors import Unavailable
from callscribe.ports import Deps
from callscribe.services import task_rows
from callscribe.services.indexed_months import mended_later

log = logging.getLogger(__name__)

# What is not in the index yet and is judged while somebody waits. A thousand rows take some 0.4 s to read; transcripts
# are read in a dozen seconds; and words are held, and indexed, in a function's memory.
MOST_CHANGES = 10_000
MOST_CHANGES_BY_WORDS = 5_000
MOST_WORDS_BYTES = 64_000_000
_LAST_PAGE = 1_000_000_000  # is as empty as all behind it, and still a number that indexes can count to
Activity = Mapping[str, Mapping[str, Mapping[str, int]]]  # calls by year, month and day: "2026", "01", "31"


def find(deps: Deps, tenant_id: str, criteria: Criteria, *, page: int, per_page: int) -> Found:
    """One page (from 1) of the tasks that fit, last changed first, and how many there are in all."""
    changes = _Changes(deps, tenant_id, with_words=bool(criteria.words))
    with mended_later(deps, tenant_id):
        return deps.task_index.find(tenant_id, criteria, changes, page=min(page, _LAST_PAGE), per_page=per_page)


def latest(deps: Deps, tenant_id: str, count: int) -> tuple[TaskRow, ...]:
    """The tasks that were made last, at most `count`, the newest first."""
    with mended_later(deps, tenant_id):
        return deps.task_index.latest(tenant_id, _Changes(deps, tenant_id, with_words=False), count)


def activity(deps: Deps, tenant_id: str) -> Activity:
    """How many calls there were on each day (UTC) that had any."""
    tree: dict[str, dict[str, dict[str, int]]] = {}
    with mended_later(deps, tenant_id):
        calls = deps.task_index.days(tenant_id, _Changes(deps, tenant_id, with_words=False))
    for date, count in calls.items():
        year, month, day = date.split("-")
        tree.setdefault(year, {}).setdefault(month, {})[day] = count
    return tree


def newest_of(dirty: Sequence[DirtyTask]) -> dict[int, DirtyTask]:
    """By the task's id the row of its last change."""
    newest: dict[int, DirtyTask] = {}
    for row in dirty:
        known = newest.get(row.task_id)
        if known is None or known.of_version < row.of_version:
            newest[row.task_id] = row
    return newest


@dataclass
class _Changes:
    """Reads the tenant's dirty rows each time it is called, and each transcript once.

    Raises Unavailable, and logs so, where there are more than can be judged while somebody waits: an index that is so
    far behind (after an import of thousands of tasks) is there again in minutes, and a list without some of what was
    just said would be wrong, not late.
    """

    deps: Deps
    tenant_id: str
    with_words: bool
    _rows: dict[tuple[int, int], TaskRow] = field(default_factory=dict)

    def __call__(self) -> Unwritten:
        newest = newest_of(self._dirty())
        jobs = {(task_id, row.of_version): row.job for task_id, row in newest.items() if row.job is not None}
        self._rows = {key: row for key, row in self._rows.items() if key in jobs}
        self._make({key: job for key, job in jobs.items() if key not in self._rows})
        versions = {task_id: row.of_version for task_id, row in newest.items()}
        return Unwritten(versions, tuple(self._rows[key] for key in jobs))

    def _dirty(self) -> list[DirtyTask]:
        most = MOST_CHANGES_BY_WORDS if self.with_words else MOST_CHANGES
        dirty = self.deps.store.children(DirtyTask, self.tenant_id, TASKS, limit=most + 1)
        if len(dirty) > most:
            raise self._too_many(f"more than {most} changes of tasks")
        return dirty

    def _make(self, jobs: Mapping[tuple[int, int], Job]) -> None:
        if not self.with_words:
            self._rows.update(zip(jobs, map(task_rows.row_of, jobs.values()), strict=True))
            return
        held = sum(getsizeof(row.words) for row in self._rows.values())
        for key, row in zip(jobs, task_rows.with_words(self.deps, jobs.values()), strict=True):
            held += getsizeof(row.words)
            if held > MOST_WORDS_BYTES:
                raise self._too_many(f"more than {MOST_WORDS_BYTES} bytes of words")
            self._rows[key] = row

    def _too_many(self, what: str) -> Unavailable:
        log.warning("tenant %s: a list was refused, %s are not in the index yet", self.tenant_id, what)
        return Unavailable(f"{what} are still to be taken into the index: try again in a few minutes")
