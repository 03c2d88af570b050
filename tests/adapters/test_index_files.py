"""The port `IndexFiles` on the fake and on S3 as moto mocks it, and the SQLite index of tasks on top of it."""

import gc
import itertools
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callscribe import names, wiring
from callscribe.adapters.aws.index_files import S3IndexFiles
from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.sqlite.index import SqliteTaskIndex, has_words_index
from callscribe.domain.tasks import EVERYTHING, Criteria, TaskRow, TaskStatus, TaskType, Unwritten
from callscribe.errors import Conflict, Unavailable, Unreadable
from callscribe.ports import IndexFiles
from tests.adapters.cloud import REGION

BUCKET = "index"
JANUARY_MS = 1_767_225_600_000
DAMAGE = """
PRAGMA writable_schema = ON;
CREATE TEMP TABLE before AS SELECT sql FROM sqlite_schema WHERE name = '{table}';
UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = '{table}';
PRAGMA writable_schema = RESET;
UPDATE {table} SET {column} = {value};
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = (SELECT sql FROM temp.before) WHERE name = '{table}';
"""


@pytest.fixture(params=["memory", "aws"])
def files(request: pytest.FixtureRequest, aws: Callable[[str], Any]) -> IndexFiles:
    if request.param == "memory":
        return MemoryIndexFiles()
    s3 = aws("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return S3IndexFiles(s3, BUCKET)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteTaskIndex]:
    found = SqliteTaskIndex(MemoryIndexFiles(), tmp_path)
    yield found
    found.close()


def test_a_file_comes_back_with_its_etag(files: IndexFiles, tmp_path: Path) -> None:
    etag = files.replace("tasks/t1/2026-01", written(tmp_path, b"one"), etag=None)
    assert files.etags("tasks/t1/") == {"tasks/t1/2026-01": etag}
    assert files.etags("tasks/t2/") == {}
    assert files.fetch("tasks/t1/2026-01", tmp_path / "copy") == etag
    assert (tmp_path / "copy").read_bytes() == b"one"


def test_a_missing_file_is_none_and_leaves_nothing(files: IndexFiles, tmp_path: Path) -> None:
    assert files.fetch("tasks/t1/2026-01", tmp_path / "copy") is None
    assert not (tmp_path / "copy").exists()


def test_only_who_saw_the_last_one_replaces_it(files: IndexFiles, tmp_path: Path) -> None:
    first = files.replace("k", written(tmp_path, b"one"), etag=None)
    assert files.replace("k", written(tmp_path, b"two"), etag=None) is None
    second = files.replace("k", written(tmp_path, b"two"), etag=first)
    assert second not in (None, first)
    assert files.replace("k", written(tmp_path, b"three"), etag=first) is None
    assert files.replace("other", written(tmp_path, b"three"), etag=first) is None
    assert files.fetch("k", tmp_path / "copy") == second


def test_another_process_sees_what_was_written_with_its_next_question(tmp_path: Path) -> None:
    files = MemoryIndexFiles()
    writer, reader = (SqliteTaskIndex(files, folder(tmp_path, name)) for name in ("writer", "reader"))
    writer.take_in("t1", "2026-01", [task(1)], gone={})
    assert ids(reader, "t1") == [1]
    writer.take_in("t1", "2026-01", [task(2)], gone={})
    assert ids(reader, "t1") == [2, 1]
    asked = files.requests
    assert ids(reader, "t1") == [2, 1]
    assert files.requests == asked + 1  # the listing: nothing has changed, so nothing is fetched
    reader.close()
    assert list((tmp_path / "reader").iterdir()) == []


def test_what_two_write_at_once_is_a_conflict_for_one_and_lost_for_none(tmp_path: Path) -> None:
    files = MemoryIndexFiles()
    conflicts = threading.Semaphore(0)

    def write(number: int) -> None:
        index = SqliteTaskIndex(files, folder(tmp_path, str(number)))
        while True:
            try:
                index.take_in("t1", "2026-01", [task(number)], gone={})
            except Conflict:
                conflicts.release()
            else:
                return

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(1, 13)))
    reader = SqliteTaskIndex(files, folder(tmp_path, "reader"))
    assert sorted(ids(reader, "t1")) == list(range(1, 13))
    reader.close()


def test_a_draft_that_fails_leaves_nothing_behind(index: SqliteTaskIndex, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="NOT NULL"):
        index.take_in("t1", "2026-01", [replace(task(1), code=None)], gone={})  # type: ignore[arg-type]  # what fails
    assert list(tmp_path.iterdir()) == []
    assert ids(index, "t1") == []


def test_this_interpreter_indexes_words() -> None:
    assert has_words_index()


def test_an_answer_is_of_one_moment_where_files_change_while_it_is_made(tmp_path: Path) -> None:
    """Task 2 is taken in between the look for changes and the look for files: so both are looked for again."""
    files = MemoryIndexFiles()
    writer, reader = (SqliteTaskIndex(files, folder(tmp_path, name)) for name in ("writer", "reader"))
    unwritten = {1: task(1), 2: task(2)}
    looks = []

    def look() -> Unwritten:
        rows = tuple(unwritten.values())
        looks.append(rows)
        if 2 in unwritten:
            del unwritten[2]
            writer.take_in("t1", "2026-01", [task(2)], gone={})
        return Unwritten({row.id: row.version for row in rows}, rows)

    found = reader.find("t1", EVERYTHING, look, page=1, per_page=10)
    assert ([row.id for row in found.rows], found.total) == ([2, 1], 2)
    assert [len(rows) for rows in looks] == [2, 1]
    reader.find("t1", EVERYTHING, look, page=1, per_page=10)
    assert len(looks) == 3  # nothing has changed since the last question: one look is enough
    reader.close()


def test_files_that_change_all_the_time_give_an_answer_all_the_same(tmp_path: Path) -> None:
    files = MemoryIndexFiles()
    writer, reader = (SqliteTaskIndex(files, folder(tmp_path, name)) for name in ("writer", "reader"))
    taken_in = itertools.count(1)

    def look() -> Unwritten:
        writer.take_in("t1", "2026-01", [task(next(taken_in))], gone={})
        return Unwritten()

    assert reader.find("t1", EVERYTHING, look, page=1, per_page=100).total == next(taken_in) - 1
    reader.close()


def test_an_index_without_a_folder_makes_one_when_it_needs_it_and_takes_it_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    index = SqliteTaskIndex(MemoryIndexFiles())
    assert (ids(index, "t1"), index.months("t1")) == ([], [])
    assert list(tmp_path.iterdir()) == []
    index.take_in("t1", "2026-01", [task(1)], gone={})
    assert ids(index, "t1") == [1]
    assert len(list(tmp_path.iterdir())) == 1
    index.close()
    del index
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_may_have_an_index_makes_no_folder_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    secret = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    wiring.aws_deps("task_index", environment={names.ENV_INDEX_BUCKET: BUCKET, "AWS_REGION": REGION, **secret})
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_leaves_no_folder_of_its_index_behind(tmp_path: Path) -> None:
    """As each command of the operator does."""
    code = (
        "from callscribe.adapters.memory.index_files import MemoryIndexFiles\n"
        "from callscribe.adapters.sqlite.index import SqliteTaskIndex\n"
        "index = SqliteTaskIndex(MemoryIndexFiles())\n"
        "index.take_in('t1', '2026-01', [], gone={1: 1})\n"
        "print(index.versions('t1', '2026-01'))"
    )
    environment = {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "{}\n"
    assert list(tmp_path.iterdir()) == []


def test_copies_beyond_what_there_is_room_for_go_after_the_question(tmp_path: Path) -> None:
    """Also where one question needs more of them."""
    index = SqliteTaskIndex(MemoryIndexFiles(), folder(tmp_path, "copies"))
    for number in range(70):
        index.take_in("t1", f"{2000 + number}-01", [task(number)], gone={})
    assert len(ids(index, "t1")) == 70
    assert len(list((tmp_path / "copies").iterdir())) == 64
    assert len(ids(index, "t1")) == 70
    index.close()


def test_a_file_that_cannot_be_read_is_no_answer_and_can_be_made_anew(tmp_path: Path) -> None:
    files = MemoryIndexFiles()
    index = SqliteTaskIndex(files, folder(tmp_path, "copies"))
    put_unreadable(files, "t1", "2026-01", tmp_path)
    for ask in (
        lambda: ids(index, "t1"),
        lambda: index.days("t1", Unwritten),
        lambda: index.take_in("t1", "2026-01", [task(1)], gone={}),
        lambda: index.drop_words("t1", "2026-01"),
    ):
        with pytest.raises(Unreadable) as caught:
            ask()
        assert caught.value.months == ("2026-01",)
        assert isinstance(caught.value, Unavailable)
        assert list((tmp_path / "copies").iterdir()) == []
    assert index.versions("t1", "2026-01") == {}
    index.rewrite("t1", "2026-01", [task(1)], gone={})
    assert ids(index, "t1") == [1]
    index.close()


@pytest.mark.parametrize("version", [0, 1, 99])
def test_a_file_of_another_version_cannot_be_read_and_is_made_anew(version: int, tmp_path: Path) -> None:
    """Version 1 was once written, and lies where somebody has upgraded."""
    files = MemoryIndexFiles()
    index = SqliteTaskIndex(files, folder(tmp_path, "copies"))
    index.take_in("t1", "2026-01", [task(1), task(2)], gone={})
    change_file(files, "t1", "2026-01", tmp_path, f"PRAGMA user_version = {version}")
    for ask in (lambda: ids(index, "t1"), lambda: index.take_in("t1", "2026-01", [task(3)], gone={})):
        with pytest.raises(Unreadable) as caught:
            ask()
        assert caught.value.months == ("2026-01",)
    index.rewrite("t1", "2026-01", [task(2)], gone={})
    assert ids(index, "t1") == [2]
    index.close()


@pytest.mark.parametrize("number", ["NULL", "'x'", "x'00'", "1.5", "9223372036854775807"])
def test_a_number_of_words_that_is_none_makes_the_file_unreadable(number: str, tmp_path: Path) -> None:
    """Nobody who hands in sound rows is told that they lack a value."""
    files = MemoryIndexFiles()
    index = SqliteTaskIndex(files, folder(tmp_path, "copies"))
    index.take_in("t1", "2026-01", [replace(task(1), words="said")], gone={})
    put_value(files, tmp_path, "counters", "words_row", number)
    with pytest.raises(Unreadable) as caught:
        index.take_in("t1", "2026-01", [replace(task(2), words="said")], gone={})
    assert caught.value.months == ("2026-01",)
    index.close()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("shown", "code", "NULL"),
        ("shown", "code", "x'41'"),
        ("shown", "file_name", "x'41'"),
        ("shown", "call_at_ms", "'soon'"),
        ("shown", "created_at_ms", "NULL"),
        ("shown", "created_at_ms", "1000000000000000000"),
        ("shown", "version", "NULL"),
        ("tasks", "updated_at_ms", "1000000000000000000"),
        ("tasks", "length_min", "NULL"),
        ("tasks", "satisfaction", "'very'"),
        ("tasks", "call_type", "x'41'"),
    ],
)
def test_a_value_of_a_kind_that_no_task_has_makes_the_file_unreadable(
    table: str, column: str, value: str, tmp_path: Path
) -> None:
    """None of them comes out in a list."""
    files = MemoryIndexFiles()
    index = SqliteTaskIndex(files, folder(tmp_path, "copies"))
    index.take_in("t1", "2026-01", [task(1)], gone={})
    put_value(files, tmp_path, table, column, value)
    with pytest.raises(Unreadable) as caught:
        ids(index, "t1")
    assert caught.value.months == ("2026-01",)
    index.close()


def test_a_sound_file_that_knows_a_newer_version_of_a_task_stays_a_conflict(tmp_path: Path) -> None:
    """Be it that somebody else took it in meanwhile, be it that this one value is damaged: it looks the same."""
    files = MemoryIndexFiles()
    index = SqliteTaskIndex(files, folder(tmp_path, "copies"))
    index.take_in("t1", "2026-01", [task(1)], gone={})
    put_value(files, tmp_path, "shown", "version", "65")
    for _ in range(2):
        with pytest.raises(Conflict):
            index.rewrite("t1", "2026-01", [task(1)], gone={})
    assert index.versions("t1", "2026-01") == {1: 65}
    index.close()


@pytest.mark.parametrize("version", [0, 99])
def test_all_months_that_cannot_be_read_are_named_at_once_and_in_the_log(
    version: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By tenant and month, without a word of what is in them. Another tenant's lists are none the worse for it."""
    files = MemoryIndexFiles()
    index = SqliteTaskIndex(files, folder(tmp_path, "copies"))
    for month in ("2026-01", "2026-02", "2026-03"):
        index.take_in("t1", month, [replace(task(1), operator_name="Ivanov", words="said")], gone={})
    index.take_in("t2", "2026-01", [task(5)], gone={})
    for month in ("2026-01", "2026-03"):
        change_file(files, "t1", month, tmp_path, f"PRAGMA user_version = {version}")
    with pytest.raises(Unreadable) as caught:
        ids(index, "t1")
    assert caught.value.months == ("2026-01", "2026-03")
    assert all(f"tenant t1: the index file of {month}" in caplog.text for month in caught.value.months)
    assert "said" not in caplog.text
    assert "Ivanov" not in caplog.text
    assert ids(index, "t2") == [5]
    index.close()


def test_damage_that_shows_only_to_whoever_reads_on_costs_the_copy_and_not_the_file(tmp_path: Path) -> None:
    index = SqliteTaskIndex(MemoryIndexFiles(), folder(tmp_path, "copies"))
    index.take_in("t1", "2026-01", [replace(task(number), code="c" * 90) for number in range(1, 91)], gone={})
    assert len(ids(index, "t1")) == 90
    (copy,) = (tmp_path / "copies").iterdir()
    with copy.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(b"\xff" * (copy.stat().st_size - 4096))
    with pytest.raises(Unreadable) as caught:
        ids(index, "t1", Criteria(code="x"))
    assert caught.value.months == ("2026-01",)
    assert len(ids(index, "t1")) == 90  # fetched again
    index.close()


def test_what_is_wrong_round_a_file_is_no_damage_and_makes_none(
    index: SqliteTaskIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, say: a month whose versions cannot be read for it must not pass for one that has none."""
    index.take_in("t1", "2026-01", [task(1)], gone={})
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", out_of_room)
        for ask in (lambda: ids(index, "t1"), lambda: index.versions("t1", "2026-01")):
            with pytest.raises(Unavailable) as caught:
                ask()
            assert not isinstance(caught.value, Unreadable)
        with pytest.raises(Unavailable):
            index.rewrite("t1", "2026-01", [], gone={})
    assert ids(index, "t1") == [1]


def out_of_room(*_: object, **__: object) -> sqlite3.Connection:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    raise error


def test_a_tenant_whose_question_takes_long_delays_no_other_tenants(tmp_path: Path) -> None:
    """Whether it waits for changes or for files."""
    index = SqliteTaskIndex(MemoryIndexFiles(), folder(tmp_path, "copies"))
    for tenant_id in ("t1", "t2"):
        index.take_in(tenant_id, "2026-01", [task(1)], gone={})
    asked, answered = threading.Event(), threading.Event()

    def look() -> Unwritten:
        asked.set()
        assert answered.wait(60)
        return Unwritten()

    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(index.find, "t1", EVERYTHING, look, page=1, per_page=10)
        assert asked.wait(30)
        try:
            assert threads.submit(ids, index, "t2").result(timeout=30) == [1]
        finally:
            answered.set()
        assert slow.result(timeout=30).total == 1
    index.close()


def test_copies_that_are_in_use_are_not_removed_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where they are the ones that were longest not asked for."""
    monkeypatch.setattr("callscribe.adapters.sqlite.index._MOST_OPEN", 1)
    index = SqliteTaskIndex(MemoryIndexFiles(), folder(tmp_path, "copies"))
    for tenant_id in ("t1", "t2"):
        for month in ("2026-01", "2026-02"):
            index.take_in(tenant_id, month, [replace(task(1 if month < "2026-02" else 2))], gone={})
    looks: list[int] = []

    def look() -> Unwritten:
        looks.append(len(looks))
        if len(looks) == 2:  # the files are there by now
            assert ids(index, "t2") == [2, 1]
        return Unwritten()

    assert index.find("t1", Criteria(code="c1"), look, page=1, per_page=10).total == 1
    assert len(looks) == 2
    assert len(list((tmp_path / "copies").iterdir())) == 1
    index.close()


def test_many_tenants_at_once_get_their_own_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callscribe.adapters.sqlite.index._MOST_OPEN", 3)
    index = SqliteTaskIndex(MemoryIndexFiles(), folder(tmp_path, "copies"))
    for number in range(8):
        for month in ("2026-01", "2026-02"):
            index.take_in(f"t{number}", month, [task(10 * number + int(month[-1]))], gone={})
    with ThreadPoolExecutor(8) as threads:
        asked = [number % 8 for number in range(160)]
        found = list(threads.map(lambda number: ids(index, f"t{number}"), asked))
    assert found == [[10 * number + 2, 10 * number + 1] for number in asked]
    assert len(list((tmp_path / "copies").iterdir())) == 3
    index.close()
    assert list((tmp_path / "copies").iterdir()) == []


def task(task_id: int) -> TaskRow:
    return TaskRow(task_id, f"c{task_id}", TaskType.CALL, TaskStatus.PENDING, JANUARY_MS, JANUARY_MS + task_id, 1)


def ids(index: SqliteTaskIndex, tenant_id: str, wanted: Criteria = EVERYTHING) -> list[int]:
    found = index.find(tenant_id, wanted, Unwritten, page=1, per_page=100)
    assert found.total == len(found.rows)
    return [row.id for row in found.rows]


def written(folder_path: Path, body: bytes) -> Path:
    path = folder_path / "body"
    path.write_bytes(body)
    return path


def put_unreadable(files: MemoryIndexFiles, tenant_id: str, month: str, folder_path: Path) -> None:
    assert files.replace(f"tasks/{tenant_id}/{month}.sqlite", written(folder_path, b"rubbish" * 1000), etag=None)


def change_file(files: MemoryIndexFiles, tenant_id: str, month: str, folder_path: Path, sql: str) -> None:
    key, path = f"tasks/{tenant_id}/{month}.sqlite", folder_path / "changed"
    etag = files.fetch(key, path)
    database = sqlite3.connect(path)
    database.executescript(sql)
    database.close()
    assert files.replace(key, path, etag=etag)


def put_value(files: MemoryIndexFiles, folder_path: Path, table: str, column: str, value: str) -> None:
    """As damage does, which heeds no constraint."""
    change_file(files, "t1", "2026-01", folder_path, DAMAGE.format(table=table, column=column, value=value))


def folder(parent: Path, name: str) -> Path:
    path = parent / name
    path.mkdir()
    return path
