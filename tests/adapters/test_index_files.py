"""The port `IndexFiles` on the fake and on S3 as moto mocks it, and the SQLite index of tasks on top of it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callscribe.adapters.aws.index_files import S3IndexFiles
from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.sqlite.index import SqliteTaskIndex, has_words_index
from callscribe.domain.tasks import EVERYTHING, Criteria, TaskRow, TaskStatus, TaskType
from callscribe.errors import Conflict
from callscribe.ports import IndexFiles
from tests.adapters.cloud import REGION

BUCKET = "index"
JANUARY_MS, FEBRUARY_MS = 1_767_225_600_000, 1_769_904_000_000


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


def test_rows_that_were_taken_in_are_found_in_all_months(index: SqliteTaskIndex) -> None:
    index.take_in("t1", "2026-01", [task(1), task(2)], gone=())
    index.take_in("t1", "2026-02", [task(3, created_at_ms=FEBRUARY_MS)], gone=())
    index.take_in("t1", "2026-01", [replace(task(2), version=2, operator_name="Ivanov")], gone=[1])
    assert ids(index, "t1") == [3, 2]
    assert ids(index, "t1", Criteria(operator="ivan")) == [2]
    assert index.versions("t1", "2026-01") == {2: 2}
    assert ids(index, "t2") == []


def test_another_process_sees_what_was_written_with_its_next_question(tmp_path: Path) -> None:
    files = MemoryIndexFiles()
    writer, reader = (SqliteTaskIndex(files, folder(tmp_path, name)) for name in ("writer", "reader"))
    writer.take_in("t1", "2026-01", [task(1)], gone=())
    assert ids(reader, "t1") == [1]
    writer.take_in("t1", "2026-01", [task(2)], gone=())
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
                index.take_in("t1", "2026-01", [task(number)], gone=())
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
        index.take_in("t1", "2026-01", [replace(task(1), code=None)], gone=())  # type: ignore[arg-type]  # what fails
    assert list(tmp_path.iterdir()) == []
    assert ids(index, "t1") == []


def test_this_interpreter_indexes_words() -> None:
    assert has_words_index()


def task(task_id: int, *, created_at_ms: int = JANUARY_MS) -> TaskRow:
    changed_ms = created_at_ms + task_id
    return TaskRow(task_id, f"c{task_id}", TaskType.CALL, TaskStatus.PENDING, created_at_ms, changed_ms, 1)


def ids(index: SqliteTaskIndex, tenant_id: str, wanted: Criteria = EVERYTHING) -> list[int]:
    found = index.find(tenant_id, wanted, fresh=[], hidden=(), page=1, per_page=100)
    assert found.total == len(found.rows)
    return [row.id for row in found.rows]


def written(folder_path: Path, body: bytes) -> Path:
    path = folder_path / "body"
    path.write_bytes(body)
    return path


def folder(parent: Path, name: str) -> Path:
    path = parent / name
    path.mkdir()
    return path
