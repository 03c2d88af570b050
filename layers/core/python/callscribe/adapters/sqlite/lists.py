"""One list from several files, and from the rows that no file holds yet."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice
from operator import attrgetter

from callscribe.adapters.sqlite.month import MonthFile
from callscribe.domain.tasks import Criteria, Found, TaskRow, TaskType, Unwritten, day_name

Part = tuple[MonthFile, Collection[int]]  # a file, and the ids of its tasks that do not count


def find(files: Sequence[MonthFile], unwritten: Unwritten, criteria: Criteria, *, page: int, per_page: int) -> Found:
    """One page (from 1) of the tasks that fit.

    Rows that no file holds yet are judged by the very same statements, in a file that is in memory.
    """
    parts, fresh = parted(files, unwritten)
    if not fresh:
        return _listed(parts, criteria, page, per_page)
    with MonthFile() as in_memory:
        in_memory.put(fresh)
        return _listed([*parts, (in_memory, ())], criteria, page, per_page)


def latest(files: Sequence[MonthFile], unwritten: Unwritten, count: int) -> tuple[TaskRow, ...]:
    """The tasks of the highest ids, at most `count`, the highest first."""
    parts, fresh = parted(files, unwritten)
    rows = {row.id: replace(row, words="") for row in heapq.nlargest(count, fresh, key=attrgetter("id"))}
    for file, hidden in parts:
        rows |= file.rows(file.highest(hidden, limit=count))
    return tuple(rows[task_id] for task_id in sorted(rows, reverse=True)[:count])


def days(files: Sequence[MonthFile], unwritten: Unwritten) -> dict[str, int]:
    """How many calls there were on each day that had any, by `YYYY-MM-DD`."""
    parts, fresh = parted(files, unwritten)
    calls = Counter(row.day for row in fresh if row.type is TaskType.CALL)
    for file, hidden in parts:
        calls.update(file.days(hidden))
    return {day_name(day): count for day, count in sorted(calls.items())}


def parted(files: Sequence[MonthFile], unwritten: Unwritten) -> tuple[list[Part], list[TaskRow]]:
    """The files with what is outdated in each, and the rows that are newer than what is in them."""
    known = [file.known(unwritten.versions.keys()) for file in files]
    taken_in = {
        task_id for found in known for task_id, version in found.items() if version >= unwritten.versions[task_id]
    }
    parts: list[Part] = [(file, found.keys() - taken_in) for file, found in zip(files, known, strict=True)]
    return parts, [row for row in unwritten.rows if row.id not in taken_in]


def _listed(parts: Sequence[Part], criteria: Criteria, page: int, per_page: int) -> Found:
    last = page * per_page
    found = [file.matches(criteria, hidden, limit=last) for file, hidden in parts]
    lists = [[(place, number) for place in places] for number, (_, places) in enumerate(found)]
    chosen = list(islice(heapq.merge(*lists, reverse=True), last - per_page, last))
    ids: defaultdict[int, list[int]] = defaultdict(list)
    for (_, task_id), number in chosen:
        ids[number].append(task_id)
    rows = {number: parts[number][0].rows(of_file) for number, of_file in ids.items()}
    total = sum(count for count, _ in found)
    return Found(tuple(rows[number][place[1]] for place, number in chosen), total)
