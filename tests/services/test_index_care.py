"""services/index_care and services/indexed_months: words that outlive the transcripts, and months that broke."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from callscribe.adapters.memory import ManualClock, MemoryQueue, memory_deps
from callscribe.adapters.memory.faults import Crash, RaiseAt, Trace, faulty_deps
from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.memory.task_index import MemoryTaskIndex
from callscribe.adapters.sqlite.index import SqliteTaskIndex
from callscribe.domain.indexed_months import IndexedMonth
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.tasks import DAY_MS, EVERYTHING, Criteria, end_of_month_ms, start_of_month_ms
from callscribe.errors import Unreadable
from callscribe.ports import Settings, TaskIndex
from callscribe.services import index_care, indexing, task_lists
from callscribe.services.sweep import sweep
from tests.reliability.cloud import render
from tests.services.tasks_world import FEBRUARY_MS, TENANT, Tasks

RETENTION_DAYS = 90
MARCH_MS = FEBRUARY_MS + 28 * DAY_MS
JANUARY_OVER_MS = FEBRUARY_MS + RETENTION_DAYS * DAY_MS
FEBRUARY_OVER_MS = MARCH_MS + RETENTION_DAYS * DAY_MS


class World:
    """A tenant's tasks, a clock, and what the queue and the sweeper do."""

    def __init__(self, index: TaskIndex) -> None:
        self.clock = ManualClock(MARCH_MS)
        self.queue = MemoryQueue(self.clock)
        self.deps = memory_deps(
            now_ms=self.clock, task_index=index, index_queue=self.queue, settings=settings(RETENTION_DAYS)
        )
        self.tasks = Tasks(self.deps)

    def at(self, moment_ms: int) -> None:
        self.clock.advance((moment_ms - self.clock()) / 1000)

    def sweep(self) -> dict[str, int]:
        return sweep(self.deps, renderer_of=render)

    def asked(self) -> bool:
        """Whether the index was asked for since this was asked last."""
        return bool(self.queue.take())

    def months(self) -> list[IndexedMonth]:
        return self.deps.store.children(IndexedMonth, TENANT, TASKS)

    def said(self, words: str = "said") -> list[int]:
        found = task_lists.find(self.deps, TENANT, Criteria(words=words), page=1, per_page=100)
        return [row.id for row in found.rows]

    def everything(self) -> list[int]:
        return [row.id for row in task_lists.find(self.deps, TENANT, EVERYTHING, page=1, per_page=100).rows]


def settings(days: int) -> Settings:
    return Settings(results_retention_days=days)


@pytest.fixture
def files() -> MemoryIndexFiles:
    return MemoryIndexFiles()


@pytest.fixture
def world(files: MemoryIndexFiles, tmp_path: Path) -> Iterator[World]:
    (tmp_path / "copies").mkdir()
    index = SqliteTaskIndex(files, tmp_path / "copies")
    yield World(index)
    index.close()


@pytest.fixture(params=["memory", "sqlite"])
def either(request: pytest.FixtureRequest) -> World:
    world: World = World(MemoryTaskIndex()) if request.param == "memory" else request.getfixturevalue("world")
    return world


def with_two_months(world: World) -> None:
    world.tasks.make(1, words="said in January")
    world.tasks.make(2, created_at_ms=FEBRUARY_MS, words="said in February")
    index_care.keep(world.deps, TENANT)


def break_month(files: MemoryIndexFiles, month: str, folder: Path) -> None:
    """As a file of another version is."""
    key, path = f"tasks/{TENANT}/{month}.sqlite", folder / "broken"
    etag = files.fetch(key, path)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 7")
    database.close()
    assert files.replace(key, path, etag=etag)


@pytest.mark.parametrize(
    ("month", "days"), [("2026-01", 31), ("2026-02", 28), ("2028-02", 29), ("2026-04", 30), ("2026-12", 31)]
)
def test_a_month_ends_where_the_next_one_begins(month: str, days: int) -> None:
    assert end_of_month_ms(month) - start_of_month_ms(month) == days * DAY_MS


def test_what_was_said_is_forgotten_with_the_transcripts_of_its_month(either: World) -> None:
    with_two_months(either)
    either.at(JANUARY_OVER_MS - 1)
    index_care.keep(either.deps, TENANT)
    assert either.said() == [2, 1]
    either.at(JANUARY_OVER_MS)
    index_care.keep(either.deps, TENANT)
    assert (either.said(), either.everything()) == ([2], [2, 1])
    assert [month.due_at_ms is None for month in either.months()] == [True, False]


def test_a_tenant_that_changes_nothing_any_more_has_its_words_forgotten_too(either: World) -> None:
    """The sweeper looks at each month once a week, until there is nothing left to forget."""
    with_two_months(either)
    either.asked()
    looks = 0
    while either.clock() < FEBRUARY_OVER_MS + DAY_MS:
        looks += sum(either.sweep().values())
        if either.asked():
            index_care.keep(either.deps, TENANT)
        either.clock.advance(DAY_MS / 2000)
    assert either.said() == []
    assert 20 < looks < 30
    either.clock.advance(30 * DAY_MS / 1000)
    assert (either.sweep(), either.asked()) == ({}, False)


def test_an_operator_who_keeps_less_than_before_is_heard_within_a_week(either: World) -> None:
    with_two_months(either)
    either.deps = replace(either.deps, settings=settings(5))
    either.clock.advance(7 * DAY_MS / 1000)
    assert either.sweep() == {"index_asked": 2}
    index_care.keep(either.deps, TENANT)
    assert either.said() == []


def test_words_that_come_late_into_a_month_that_is_over_go_again(either: World) -> None:
    """The storage removes transcripts some time after their last day."""
    with_two_months(either)
    either.at(JANUARY_OVER_MS)
    index_care.keep(either.deps, TENANT)
    either.tasks.operator(1, "Ivan")
    indexing.fold_in(either.deps, TENANT)
    assert either.said() == [1, 2]
    assert either.sweep()["index_asked"] == 1
    index_care.keep(either.deps, TENANT)
    assert either.said() == [2]


def test_whoever_dies_while_words_are_taken_in_or_forgotten_leaves_none_behind() -> None:
    """Whatever happened, the sweeper's next look ends well."""
    trace = Trace()
    forgotten(trace)
    assert len(trace.moments) > 12
    for number in range(len(trace.moments)):
        forgotten(RaiseAt(number, Crash()))


def forgotten(plan: RaiseAt | Trace) -> None:
    world = World(MemoryTaskIndex())
    world.tasks.make(1, words="said")
    world.at(JANUARY_OVER_MS)
    try:
        index_care.keep(faulty_deps(world.deps, plan), TENANT)
    except Crash:
        world.clock.advance(8 * DAY_MS / 1000)
        world.sweep()
        if world.asked():
            index_care.keep(world.deps, TENANT)
    assert world.deps.store.children(DirtyTask, TENANT, TASKS) == []
    assert (world.said(), world.everything()) == ([], [1])
    assert [month.due_at_ms for month in world.months()] == [None]


def test_a_month_of_another_version_is_made_anew_by_whoever_takes_changes_into_it(
    world: World, files: MemoryIndexFiles, tmp_path: Path
) -> None:
    with_two_months(world)
    break_month(files, "2026-01", tmp_path)
    world.tasks.operator(1, "Ivan")
    indexing.fold_in(world.deps, TENANT)
    assert world.said() == [1, 2]
    assert world.deps.store.children(DirtyTask, TENANT, TASKS) == []


@pytest.mark.parametrize(
    "ask",
    [
        World.everything,
        lambda world: task_lists.activity(world.deps, TENANT),
        lambda world: task_lists.latest(world.deps, TENANT, 5),
    ],
)
def test_months_that_nobody_changes_are_made_anew_after_somebody_failed_to_read_them(
    ask: Callable[[World], object], world: World, files: MemoryIndexFiles, tmp_path: Path
) -> None:
    """All that there are, by the sweeper's next look."""
    with_two_months(world)
    for month in ("2026-01", "2026-02"):
        break_month(files, month, tmp_path)
    with pytest.raises(Unreadable, match="2026-01, 2026-02"):
        ask(world)
    assert [month.unreadable for month in world.months()] == [True, True]
    assert world.sweep() == {"index_asked": 2}
    index_care.keep(world.deps, TENANT)
    assert world.said() == [2, 1]
    assert [(month.unreadable, month.due_at_ms) for month in world.months()] == 2 * [(False, MARCH_MS + 7 * DAY_MS)]


def test_a_month_that_is_over_and_cannot_be_read_is_made_anew_and_then_forgotten(
    world: World, files: MemoryIndexFiles, tmp_path: Path
) -> None:
    with_two_months(world)
    break_month(files, "2026-01", tmp_path)
    world.at(JANUARY_OVER_MS)
    index_care.keep(world.deps, TENANT)
    assert (world.said(), world.everything()) == ([2], [2, 1])


def test_months_for_which_there_is_no_time_are_asked_for_again(
    world: World, files: MemoryIndexFiles, tmp_path: Path
) -> None:
    with_two_months(world)
    for month in ("2026-01", "2026-02"):
        break_month(files, month, tmp_path)
    with pytest.raises(Unreadable):
        world.everything()
    world.asked()
    index_care.keep(world.deps, TENANT, longest_s=0)
    assert world.asked()
    assert [month.unreadable for month in world.months()] == [True, True]
