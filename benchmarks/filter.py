"""A year of one tenant's tasks, asked for with seven criteria, page 1 and the total: the index against a plain scan.

The scan gets the items for nothing: in memory as JSON, words included; what reading them would cost is counted in
DynamoDB's read units. The index is asked as `/tasks/filter` asks: by the use case, with twenty tasks that it has not
taken in yet, whose transcripts are read for their words. Both answers must be equal. Times are of the processor; what
the requests would wait for is not in them, so they are counted.
Run: `make bench NAME=filter`; `-m benchmarks.filter 12000 120000 1000000` for other sizes.
"""

import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks import report
from benchmarks.report import Goal
from callscribe.adapters.memory import memory_deps
from callscribe.adapters.memory.faults import Trace, When, faulty_deps
from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.memory.plain_scan import scan
from callscribe.adapters.sqlite.index import SqliteTaskIndex
from callscribe.domain.audio import AudioFacts
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import insert
from callscribe.domain.task_facts import TaskFacts
from callscribe.domain.task_marks import marks
from callscribe.domain.tasks import LABELS, Criteria, Found, Range, TaskRow, TaskStatus, TaskType
from callscribe.domain.transcripts import Segment, Transcript, to_json
from callscribe.ports import Deps
from callscribe.services import task_lists
from callscribe.services.task_rows import row_of

T = TypeVar("T")

SIZES = (12_000, 120_000)
GOAL_SHARE, GOAL_P99_S, GOAL_AT = 0.05, 0.2, 120_000
PER_PAGE = 10
FRESH = 20
ROUNDS, SCANS = 200, 3
TENANT = "t"
WORDS_OF_A_CALL, VOCABULARY = 120, 4_000  # of a summary and a short text; what is said is drawn like words are used
SEED = 1
_YEAR_MS, _START_MS = 365 * 86_400_000, 1_735_689_600_000
_UNIT_BYTES = 8_192  # what half a read unit reads: consistency is not needed here

WANTED = Criteria(
    type=TaskType.CALL,
    status=TaskStatus.COMPLETED,
    moment_ms=Range(_START_MS + _YEAR_MS / 4, _START_MS + 3 * _YEAR_MS / 4),
    operator="ivan",
    words="w40",
    labels={"tone": (1, 2)},
    length_min=Range(1, 18),
)


@dataclass(frozen=True)
class Measured:
    """Seconds of processor time, and what was asked for; `kept_bytes` are the files of the index."""

    tasks: int
    total: int
    scan_s: float
    scan_read_units: float
    first_s: float
    median_s: float
    p99_s: float
    index_requests: float  # to S3, for the index's files
    transcript_requests: float  # to S3, for the words of what was not taken in yet
    store_requests: float  # to DynamoDB
    kept_bytes: int

    @property
    def share(self) -> float:
        """Of the scan's time."""
        return self.median_s / self.scan_s


def main(arguments: Sequence[str]) -> int:
    """Print a line for each size; 1 when a goal is missed."""
    found = [measure(size) for size in map(int, arguments or SIZES)]
    head = ("tasks", "fit", "scan", "its read units", "first query", "median", "p99", "share", "requests", "files")
    print(report.table(head, [_cells(one) for one in found]))
    goals = [Goal(f"{one.tasks:,} tasks: share of a plain scan", one.share, GOAL_SHARE) for one in found]
    goals += [Goal(f"{one.tasks:,} tasks: p99, s", one.p99_s, GOAL_P99_S) for one in found if one.tasks == GOAL_AT]
    return report.conclude("filter", {"measured": [asdict(one) for one in found]}, goals)


def measure(tasks: int) -> Measured:
    """One size. Raises AssertionError where index and scan disagree."""
    rows = list(make_rows(tasks - FRESH, random.Random(SEED)))
    with tempfile.TemporaryDirectory() as folder:
        files, trace = MemoryIndexFiles(), Trace()
        index = filled(files, Path(folder), rows)
        known = memory_deps(task_index=index)
        rows += [add_fresh(known, number) for number in range(tasks - FRESH + 1, tasks + 1)]
        items = [json.dumps(asdict(row)) for row in rows]
        deps = faulty_deps(known, trace)

        def ask() -> Found:
            return task_lists.find(deps, TENANT, WANTED, page=1, per_page=PER_PAGE)

        first_s, answer = timed(ask)
        asked = files.requests
        trace.moments.clear()
        took_s = sorted(timed(ask)[0] for _ in range(ROUNDS))
        calls = Counter(moment.port for moment in trace.moments if moment.when is When.BEFORE)
        scans = [timed(lambda: scan(map(_row, items), WANTED)) for _ in range(SCANS)]
        index.close()
    scanned = scans[0][1]
    if answer != Found(tuple(scanned[:PER_PAGE]), len(scanned)):
        raise AssertionError("the index and the scan disagree")
    return Measured(
        tasks=tasks,
        total=answer.total,
        scan_s=sorted(one[0] for one in scans)[SCANS // 2],
        scan_read_units=sum(map(len, items)) / _UNIT_BYTES,
        first_s=first_s,
        median_s=took_s[ROUNDS // 2],
        p99_s=took_s[ROUNDS * 99 // 100],
        index_requests=(files.requests - asked) / ROUNDS,
        transcript_requests=calls["results"] / ROUNDS,
        store_requests=calls["store"] / ROUNDS,
        kept_bytes=files.size_bytes,
    )


def make_rows(tasks: int, random_: random.Random) -> Iterable[TaskRow]:
    """Calls of a year, evenly; their words are drawn by Zipf's law."""
    vocabulary = [f"w{number}" for number in range(1, VOCABULARY)]
    weights = [1 / number for number in range(1, VOCABULARY)]
    for number in range(1, tasks + 1):
        at_ms = _START_MS + number * _YEAR_MS // (tasks + 1)
        yield TaskRow(
            id=number,
            code=f"{number:08x}-0000-4000-8000-000000000000",
            type=random_.choice((TaskType.CALL, TaskType.CALL, TaskType.CHAT)),
            status=random_.choice((TaskStatus.COMPLETED,) * 9 + (TaskStatus.ERROR,)),
            created_at_ms=at_ms,
            updated_at_ms=at_ms + random_.randrange(600_000),
            version=1,
            file_name=f"rec_{number}.wav",
            operator_name=random_.choice(("Ivanov", "Petrova", "Müller", "global", "Ivanova")),
            call_at_ms=at_ms,
            call_type=random_.choice(("inbound", "outbound")),
            call_date="2025-06-01",
            length_min=round(random_.lognormvariate(1, 1), 2),
            satisfaction=random_.randrange(11),
            politeness=random_.randrange(1, 6),
            script_alignment=round(random_.uniform(0, 100), 1),
            labels={label: random_.randrange(1, 7) for label in LABELS},
            tags=tuple(random_.sample(("eSIM", "APN", "billing", "outage"), 2)),
            answers=((7, random_.choice(("Yes", "No", "Partially"))),),
            words=" ".join(random_.choices(vocabulary, weights, k=WORDS_OF_A_CALL)),
        )


def add_fresh(deps: Deps, number: int) -> TaskRow:
    """A call that has just been transcribed; its row."""
    at_ms = _START_MS + _YEAR_MS // 2 + number
    job = Job(
        tenant_id=TENANT,
        id=f"{number:08x}-0000-4000-8000-000000000000",
        dialect="transcripto",
        key_id="u",
        state=JobState.COMPLETED,
        created_at_ms=at_ms,
        deadline_at_ms=at_ms,
        due_at_ms=None,
        number=number,
        audio=AudioFacts("wav", "pcm_s16le", 1, 8_000, 300.0, 4_800_000),
        changed_at_ms=at_ms,
        task=TaskFacts(TaskType.CALL, operator_name="Ivanov", call_at_ms=at_ms),
    )
    said = " ".join(f"w{word}" for word in range(WORDS_OF_A_CALL))
    transcript = Transcript((Segment(said, 0.0, 1.0, 0, "0", None),), "en", None, "fake", "fake", 300.0, 300.0)
    deps.results.put_if_absent(job.transcript_key, to_json(transcript), content_type="application/json")
    change = insert(job)
    deps.store.commit(change, *marks(change))
    return row_of(job, said)


def filled(files: MemoryIndexFiles, folder: Path, rows: Iterable[TaskRow]) -> SqliteTaskIndex:
    """An index that has taken these rows in."""
    index = SqliteTaskIndex(files, folder)
    months: defaultdict[str, list[TaskRow]] = defaultdict(list)
    for row in rows:
        months[row.month].append(row)
    for month, made in months.items():
        index.take_in(TENANT, month, made, gone={})
    return index


def timed(action: Callable[[], T]) -> tuple[float, T]:
    """Processor time in seconds, and the answer."""
    started_s = time.process_time()
    answer = action()
    return time.process_time() - started_s, answer


def _row(item: str) -> TaskRow:
    found = json.loads(item)
    found["type"], found["status"] = TaskType(found["type"]), TaskStatus(found["status"])
    found["tags"] = tuple(found["tags"])
    found["answers"] = tuple((question, answer) for question, answer in found["answers"])
    return TaskRow(**found)


def _cells(one: Measured) -> list[str]:
    return [
        f"{one.tasks:,}",
        f"{one.total:,}",
        f"{one.scan_s:.2f} s",
        f"{one.scan_read_units:,.0f}",
        f"{1000 * one.first_s:.0f} ms",
        f"{1000 * one.median_s:.1f} ms",
        f"{1000 * one.p99_s:.1f} ms",
        f"{one.share:.3f}",
        f"{one.index_requests:g} + {one.transcript_requests:g} to S3, {one.store_requests:g} to DynamoDB",
        f"{one.kept_bytes / 1e6:.0f} MB",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
