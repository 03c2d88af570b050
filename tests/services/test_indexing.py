"""services/indexing: changes are taken into the index, once and wholly, and it can be made anew (T-L2)."""

import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from sys import getsizeof
from typing import Any

import pytest
from moto import mock_aws

from callscribe.adapters.aws.clients import client
from callscribe.adapters.aws.index_files import S3IndexFiles
from callscribe.adapters.aws.table import DynamoStore
from callscribe.adapters.memory import ManualClock, MemoryQueue, MemoryStore, memory_deps
from callscribe.adapters.memory.faults import Crash, Moment, RaiseAt, Trace, When, faulty_deps
from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.memory.plain_scan import scan
from callscribe.adapters.sqlite.index import SqliteTaskIndex
from callscribe.domain.records import delete
from callscribe.domain.task_facts import ChecklistAnswer, TaskFacts, TaskType
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.tasks import EVERYTHING, Criteria, Found, TaskRow
from callscribe.errors import Conflict, Unavailable
from callscribe.ports import Deps, IndexFiles
from callscribe.services import indexing, task_lists, task_rows
from tests.adapters.cloud import REGION, TABLE, create_table, honour_tokens, locked
from tests.services.tasks_world import FEBRUARY_MS, JANUARY_MS, TENANT, Tasks

WRITERS = 10


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[Tasks]:
    index = SqliteTaskIndex(MemoryIndexFiles(), tmp_path)
    yield Tasks(memory_deps(task_index=index))
    index.close()


def listed(deps: Deps, criteria: Criteria = EVERYTHING) -> Found:
    return task_lists.find(deps, TENANT, criteria, page=1, per_page=1_000)


def right(tasks: Tasks, criteria: Criteria = EVERYTHING) -> Found:
    rows = scan(tasks.truth(), criteria)
    return Found(tuple(rows), len(rows))


def dirty(deps: Deps) -> list[DirtyTask]:
    return deps.store.children(DirtyTask, TENANT, TASKS)


def test_all_changes_of_all_months_are_taken_in_and_their_rows_go(tasks: Tasks) -> None:
    for number in range(1, 8):
        tasks.make(number, created_at_ms=JANUARY_MS if number % 2 else FEBRUARY_MS, words=f"said {number}")
    tasks.operator(1, "changed twice")
    tasks.operator(1, "Ivan")
    tasks.remove(2)
    assert indexing.fold_in(tasks.deps, TENANT, rows=2) == 7
    assert dirty(tasks.deps) == []
    assert listed(tasks.deps) == right(tasks)
    assert [row.id for row in listed(tasks.deps, Criteria(words="said", operator="ivan")).rows] == [1]
    assert indexing.fold_in(tasks.deps, TENANT) == 0


def test_a_change_that_comes_while_others_are_taken_in_stays_to_be_taken_in(tasks: Tasks) -> None:
    tasks.make(1)
    trace = _At("task_index", "take_in", lambda: tasks.operator(1, "meanwhile"))
    indexing.fold_in(faulty_deps(tasks.deps, trace), TENANT)
    assert [row.of_version for row in dirty(tasks.deps)] == [1]
    assert listed(tasks.deps) == right(tasks)
    indexing.fold_in(tasks.deps, TENANT)
    assert (dirty(tasks.deps), listed(tasks.deps)) == ([], right(tasks))


def test_rows_that_somebody_else_removed_do_not_keep_the_others(tasks: Tasks) -> None:
    for number in (1, 2, 3):
        tasks.make(number)
    trace = _At("task_index", "take_in", lambda: tasks.deps.store.commit(delete(dirty(tasks.deps)[1])))
    indexing.fold_in(faulty_deps(tasks.deps, trace), TENANT)
    assert dirty(tasks.deps) == []


def test_T_L2_an_indexer_that_dies_anywhere_loses_nothing(tmp_path: Path) -> None:
    """Lists are right at once, and so is what the next one makes of it."""
    moments = len(_folded(tmp_path / "learn", Trace()).moments)
    assert moments > 8
    for number in range(moments):
        _folded(tmp_path / str(number), RaiseAt(number, Crash()))


def _folded(folder: Path, plan: Any) -> Any:
    folder.mkdir()
    index = SqliteTaskIndex(MemoryIndexFiles(), folder)
    tasks = Tasks(memory_deps(task_index=index))
    for number in (1, 2, 3):
        tasks.make(number, created_at_ms=JANUARY_MS if number % 2 else FEBRUARY_MS)
    tasks.remove(3)
    with suppress(Crash):
        indexing.fold_in(faulty_deps(tasks.deps, plan), TENANT)
    assert listed(tasks.deps) == right(tasks)
    indexing.fold_in(tasks.deps, TENANT)
    assert (dirty(tasks.deps), listed(tasks.deps)) == ([], right(tasks))
    index.close()
    return plan


def test_one_writer_per_tenant_the_second_of_two_at_once_begins_again_and_nothing_is_lost(tmp_path: Path) -> None:
    files, store = MemoryIndexFiles(), MemoryStore()
    first, second = (_indexer(files, store, tmp_path / name) for name in ("first", "second"))
    tasks = Tasks(first)
    tasks.make(1)

    def overtake() -> None:
        tasks.make(2)
        indexing.fold_in(second, TENANT)
        tasks.operator(2, "meanwhile")

    slow = replace(first, task_index=SqliteTaskIndex(_Slow(files, overtake), tmp_path / "first"))
    assert indexing.fold_in(slow, TENANT) == 1
    assert (dirty(first), listed(first)) == ([], right(tasks))
    tasks.operator(1, "again")
    indexing.fold_in(first, TENANT)
    assert listed(second) == right(tasks)


@contextmanager
def in_memory() -> Iterator[tuple[Any, IndexFiles]]:
    yield MemoryStore(), MemoryIndexFiles()


@contextmanager
def on_aws() -> Iterator[tuple[Any, IndexFiles]]:
    with mock_aws():
        dynamodb, s3 = (locked(client(name, {"AWS_REGION": REGION})) for name in ("dynamodb", "s3"))
        create_table(dynamodb)
        honour_tokens(dynamodb)
        s3.create_bucket(Bucket="index", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield DynamoStore(dynamodb, TABLE, sleep=lambda _: None), S3IndexFiles(s3, "index")


@pytest.mark.parametrize(("world", "changes"), [(in_memory, 30), (on_aws, 3)])
def test_ten_writers_of_one_tenant_and_two_indexers_lose_no_update(
    world: Callable[[], Any], changes: int, tmp_path: Path
) -> None:
    """Whoever loses a race between the indexers comes again, as the queue would bring its message again."""
    with world() as (store, files):
        indexers = [_indexer(files, store, tmp_path / str(number)) for number in range(2)]
        for number in range(1, WRITERS + 1):
            Tasks(indexers[0]).make(number, created_at_ms=JANUARY_MS if number % 2 else FEBRUARY_MS)
        over = threading.Event()
        conflicts = []

        def write(number: int) -> None:
            tasks = Tasks(indexers[0], clock_ms=FEBRUARY_MS + 1_000 * number)
            for change in range(changes):
                tasks.operator(number, f"{number}/{change}")

        def fold(deps: Deps) -> None:
            while not over.is_set():
                try:
                    indexing.fold_in(deps, TENANT)
                except (Conflict, Unavailable) as error:
                    conflicts.append(error)

        with ThreadPoolExecutor(WRITERS + 2) as threads:
            folding = [threads.submit(fold, deps) for deps in indexers]
            list(threads.map(write, range(1, WRITERS + 1)))
            over.set()
            for one in folding:
                one.result()
        found = listed(_indexer(files, store, tmp_path / "reader"))
        assert {row.id: row.operator_name for row in found.rows} == {
            number: f"{number}/{changes - 1}" for number in range(1, WRITERS + 1)
        }
        assert {row.version for row in found.rows} == {changes}
        indexing.fold_in(indexers[0], TENANT)
        assert dirty(indexers[0]) == []
        assert listed(indexers[1]) == found


def test_asks_of_one_turn_are_one_message_that_comes_when_the_turn_is_over(tasks: Tasks) -> None:
    clock = ManualClock(1_767_225_600_000)
    queue = MemoryQueue(clock, delay_s=60, equal_once=True)
    deps = replace(tasks.deps, now_ms=clock, index_queue=queue)
    for seconds in (0, 30, 29.999):
        clock.advance(seconds)
        for tenant_id in (TENANT, "t2"):
            indexing.ask(deps, tenant_id)
    assert queue.take() == []
    clock.advance(0.001)
    indexing.ask(deps, TENANT)  # of the next turn
    assert queue.take() == [{"tenant_id": name, "turn": 29_453_760} for name in (TENANT, "t2")]
    assert queue.bodies == [{"tenant_id": TENANT, "turn": 29_453_761}]


def test_who_is_overtaken_all_the_time_gives_up_and_nothing_is_lost(tmp_path: Path) -> None:
    files, store = MemoryIndexFiles(), MemoryStore()
    first, second = (_indexer(files, store, tmp_path / name) for name in ("first", "second"))
    tasks = Tasks(first)
    tasks.make(1)

    def overtake() -> None:
        tasks.operator(1, f"at {tasks.clock_ms}")
        indexing.fold_in(second, TENANT)
        tasks.operator(1, f"at {tasks.clock_ms}")

    slow = replace(first, task_index=SqliteTaskIndex(_Slow(files, overtake, times=99), tmp_path / "first"))
    with pytest.raises(Conflict):
        indexing.fold_in(slow, TENANT)
    assert len(dirty(first)) == 1
    assert listed(first) == right(tasks)


def test_a_write_whose_answer_was_lost_and_that_was_repeated_is_no_error(tmp_path: Path) -> None:
    """The repetition finds the ETag of the first one, as if somebody else had written."""
    files = MemoryIndexFiles()
    deps = _indexer(files, MemoryStore(), tmp_path / "first")
    tasks = Tasks(deps)
    tasks.make(1, words="hello")
    with_loss = replace(deps, task_index=SqliteTaskIndex(_Repeating(files), tmp_path / "first"))
    assert indexing.fold_in(with_loss, TENANT) == 1
    assert (dirty(deps), listed(deps)) == ([], right(tasks))


def test_only_so_many_rows_are_read_at_once_and_what_is_left_is_asked_for_again(tasks: Tasks) -> None:
    for number in range(1, 8):
        tasks.make(number)
    tasks.operator(3, "changed")
    reads = _Reads(tasks.deps.store)
    deps = replace(tasks.deps, store=reads)
    queue = deps.index_queue
    assert isinstance(queue, MemoryQueue)
    assert indexing.fold_in(deps, TENANT, rows=3, longest_s=0) == 3
    assert [row.task_id for row in dirty(deps)] == [3, 4, 5, 6, 7]  # the third has another row
    assert [body["tenant_id"] for body in queue.take()] == [TENANT]
    assert listed(deps) == right(tasks)
    reads.sizes.clear()
    assert indexing.fold_in(deps, TENANT, rows=3) == 5
    assert reads.sizes == [3, 2]
    assert (dirty(deps), queue.bodies, listed(deps)) == ([], [], right(tasks))


def test_a_run_whose_time_is_over_stops_between_two_batches_and_asks_again(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_rows, "BATCH_BYTES", 1)
    clock = ManualClock()
    deps = replace(tasks.deps, now_ms=clock)
    for number in (1, 2, 3):
        tasks.make(number, words="hello")
    slow = faulty_deps(deps, _At("task_index", "take_in", lambda: clock.advance(30), times=9))
    assert indexing.fold_in(slow, TENANT, longest_s=50) == 2
    assert [row.task_id for row in dirty(deps)] == [3]
    assert len(deps.index_queue.bodies) == 1  # type: ignore[attr-defined]  # the fake's


def test_words_come_to_the_index_in_batches_of_so_many_bytes(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_rows, "BATCH_BYTES", 50_000)
    for number in range(1, 101):
        tasks.make(number, words=f"said {number} " * 500)
    noting = _Batches(tasks.deps)
    indexing.fold_in(replace(tasks.deps, task_index=noting), TENANT)
    one = getsizeof("said 100 " * 500)
    assert sum(rows for rows, _ in noting.batches) == 100
    assert 40_000 < max(size_bytes for _, size_bytes in noting.batches) < 50_000 + one


@pytest.mark.parametrize("make", [indexing.fold_in, indexing.rebuild])
def test_never_are_all_words_in_memory(
    make: Callable[[Deps, str], object], tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_rows, "BATCH_BYTES", 500_000)
    words = "said over and over again, " * 10_000
    for number in range(1, 101):
        tasks.make(number, words=words)
    tracemalloc.start()
    make(tasks.deps, TENANT)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 75 * len(words)  # half of it is what eight readers make of JSON
    assert len(listed(tasks.deps, Criteria(words="over again")).rows) == 100


def test_of_a_task_with_very_many_words_the_first_are_searched(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_rows, "MOST_WORDS", 14)
    tasks.make(1, words="alpha bravo charlie")
    for _ in range(2):
        found = [len(listed(tasks.deps, Criteria(words=word)).rows) for word in ("alpha", "bravo", "charlie")]
        assert found == [1, 1, 0]
        indexing.fold_in(tasks.deps, TENANT)


def test_rows_are_removed_in_transactions_that_no_size_of_them_makes_too_large(tasks: Tasks) -> None:
    """DynamoDB takes 4 MB, and an item may have 400 KB."""
    answers = (ChecklistAnswer(1, "a" * 390_000),)
    for number in range(1, 26):
        tasks.make(number, task=TaskFacts(TaskType.CALL, answers=answers))
    store = _Measured(tasks.deps.store)
    indexing.fold_in(replace(tasks.deps, store=store), TENANT)
    assert dirty(tasks.deps) == []
    assert 1_000_000 < store.most_bytes <= 4_194_304


def test_an_index_that_is_made_anew_holds_what_the_jobs_say(tasks: Tasks) -> None:
    for number in range(1, 6):
        tasks.make(number, created_at_ms=JANUARY_MS if number % 2 else FEBRUARY_MS, words=f"said {number}")
    tasks.make(6, task=None)
    indexing.fold_in(tasks.deps, TENANT)
    wrong = [replace(row, operator_name="from a mistake", words="wrong") for row in tasks.truth()]
    tasks.deps.task_index.rewrite(TENANT, "2026-01", [row for row in wrong if row.id % 2], gone={})
    tasks.make(7, words="not yet taken in")
    tasks.deps.store.commit(delete(tasks.job(5)))  # gone without a trace
    assert indexing.rebuild(tasks.deps, TENANT) == indexing.Rebuilt(tasks=5, months=2)
    for criteria in (EVERYTHING, Criteria(words="said"), Criteria(words="wrong"), Criteria(words="taken")):
        assert listed(tasks.deps, criteria) == right(tasks, criteria)
    assert [row.task_id for row in dirty(tasks.deps)] == [7]


def test_what_changes_while_the_index_is_made_anew_is_in_it_or_comes_into_it(tasks: Tasks) -> None:
    """Also what another one takes in between: then the month is made once more from what is now known."""
    for number in (1, 2, 3):
        tasks.make(number)
    indexing.fold_in(tasks.deps, TENANT)

    def meanwhile() -> None:
        tasks.operator(1, "meanwhile")
        tasks.remove(2)
        tasks.make(4)
        indexing.fold_in(tasks.deps, TENANT)
        tasks.operator(3, "later")

    indexing.rebuild(faulty_deps(tasks.deps, _At("task_index", "rewrite", meanwhile)), TENANT)
    assert listed(tasks.deps) == right(tasks)
    indexing.fold_in(tasks.deps, TENANT)
    assert (dirty(tasks.deps), listed(tasks.deps)) == ([], right(tasks))


def test_a_month_that_changes_all_the_time_is_given_up(tasks: Tasks) -> None:
    tasks.make(1)

    def again() -> None:
        tasks.operator(1, f"at {tasks.clock_ms}")
        indexing.fold_in(tasks.deps, TENANT)

    with pytest.raises(Conflict, match="2026-01"):
        indexing.rebuild(faulty_deps(tasks.deps, _At("task_index", "rewrite", again, times=99)), TENANT)
    assert listed(tasks.deps) == right(tasks)


class _Repeating:
    """Files whose first write is made twice, as by a client that did not hear of its success."""

    def __init__(self, files: MemoryIndexFiles) -> None:
        self._files, self._first = files, True

    def replace(self, key: str, path: Path, *, etag: str | None) -> str | None:
        if self._first:
            self._first = False
            self._files.replace(key, path, etag=etag)
        return self._files.replace(key, path, etag=etag)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


class _Reads:
    """A store that notes how many dirty rows were read at once."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.sizes: list[int] = []

    def children(self, *key: Any, **options: Any) -> list[Any]:
        found: list[Any] = self._store.children(*key, **options)
        self.sizes.append(len(found))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _Measured:
    """A store that notes how large the largest transaction was."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.most_bytes = 0

    def commit(self, *steps: Any) -> None:
        self.most_bytes = max(self.most_bytes, sum(len(repr(one.before)) for one in steps))
        self._store.commit(*steps)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _Batches:
    """An index that notes what comes to it at once: rows, and bytes of their words."""

    def __init__(self, deps: Deps) -> None:
        self._index = deps.task_index
        self.batches: list[tuple[int, int]] = []

    def take_in(self, tenant_id: str, month: str, rows: Sequence[TaskRow], *, gone: Mapping[int, int]) -> None:
        self.batches.append((len(rows), sum(getsizeof(row.words) for row in rows)))
        self._index.take_in(tenant_id, month, rows, gone=gone)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)


class _At:
    """A plan that does something before a call of a port, the first `times`."""

    def __init__(self, port: str, method: str, action: Callable[[], object], *, times: int = 1) -> None:
        self._before, self._action, self._left = Moment(port, method, When.BEFORE), action, times

    def __call__(self, moment: Moment) -> None:
        if moment == self._before and self._left:
            self._left -= 1
            self._action()


class _Slow:
    """Files whose writer is overtaken after it has read, the first `times`."""

    def __init__(self, files: MemoryIndexFiles, overtaken: Callable[[], object], *, times: int = 1) -> None:
        self._files, self._overtaken, self._left = files, overtaken, times

    def replace(self, key: str, path: Path, *, etag: str | None) -> str | None:
        if self._left:
            self._left -= 1
            self._overtaken()
        return self._files.replace(key, path, etag=etag)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


def _indexer(files: IndexFiles, store: Any, folder: Path) -> Deps:
    """A process of its own."""
    folder.mkdir(exist_ok=True)
    return memory_deps(store=store, task_index=SqliteTaskIndex(files, folder))
