"""One list from several files, and from the rows that no file holds yet."""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from callscribe.adapters.sqlite.month import MonthFile
from callscribe.domain.tasks import Criteria, Found, TaskRow


def find(
    files: Sequence[MonthFile],
    fresh: Iterable[TaskRow],
    hidden: Collection[int],
    criteria: Criteria,
    *,
    page: int,
    per_page: int,
) -> Found:
    """One page (from 1) of the tasks that fit, in all files without those of a hidden id, and among the fresh ones.

    The fresh rows are judged by the very same statements, in a file that is in memory.
    """
    with MonthFile() as unwritten:
        unwritten.put(fresh)
        parts = [*((file, hidden) for file in files), (unwritten, ())]
        last = page * per_page
        found = [file.matches(criteria, left_out, limit=last) for file, left_out in parts]
        lists = [[(place, number) for place in places] for number, (_, places) in enumerate(found)]
        chosen = list(islice(heapq.merge(*lists, reverse=True), last - per_page, last))
        ids: defaultdict[int, list[int]] = defaultdict(list)
        for (_, task_id), number in chosen:
            ids[number].append(task_id)
        rows = {number: parts[number][0].rows(of_file) for number, of_file in ids.items()}
        total = sum(count for count, _ in found)
        return Found(tuple(rows[number][place[1]] for place, number in chosen), total)
