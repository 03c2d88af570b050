"""The index of all tenants: its files where they are kept, and copies of those that were asked for in a folder here."""

import hashlib
import shutil
import sqlite3
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from callscribe.adapters.sqlite import lists
from callscribe.adapters.sqlite.month import MonthFile
from callscribe.domain.tasks import Criteria, Found, TaskRow
from callscribe.errors import Conflict
from callscribe.ports import IndexFiles

_SUFFIX = ".sqlite"
_MOST_OPEN = 64  # files of one process: four years and more of one tenant, or a year of five


@dataclass(slots=True)
class _Copy:
    etag: str
    file: MonthFile
    path: Path


class SqliteTaskIndex:
    """`ports.TaskIndex`. Copies are kept in `folder` by their ETag, the least used ones go first.

    One question at a time: a copy is one connection. `close` gives all of them back.
    """

    def __init__(self, files: IndexFiles, folder: Path) -> None:
        self._files = files
        self._folder = folder
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._lock = threading.Lock()

    def find(
        self,
        tenant_id: str,
        criteria: Criteria,
        *,
        fresh: Sequence[TaskRow],
        hidden: Collection[int],
        page: int,
        per_page: int,
    ) -> Found:
        """See `ports.TaskIndex.find`: one listing, and a download of each file that has changed."""
        with self._lock:
            etags = self._files.etags(_prefix(tenant_id))
            months = [file for key, etag in sorted(etags.items()) if (file := self._opened(key, etag))]
            return lists.find(months, fresh, hidden, criteria, page=page, per_page=per_page)

    def take_in(self, tenant_id: str, month: str, rows: Sequence[TaskRow], *, gone: Collection[int]) -> None:
        """See `ports.TaskIndex.take_in`."""
        key = _key(tenant_id, month)
        with self._draft(key) as (path, etag):
            with MonthFile(path) as file:
                file.put(rows, gone=gone)
            if self._files.replace(key, path, etag=etag) is None:
                raise Conflict(f"somebody else wrote {key}")

    def versions(self, tenant_id: str, month: str) -> dict[int, int]:
        """See `ports.TaskIndex.versions`."""
        with self._draft(_key(tenant_id, month)) as (path, _), MonthFile(path) as file:
            return file.versions()

    def close(self) -> None:
        """Remove all copies."""
        with self._lock:
            while self._copies:
                self._drop(next(iter(self._copies)))

    @contextmanager
    def _draft(self, key: str) -> Iterator[tuple[Path, str | None]]:
        """A copy of its own to write to, and the ETag that it has, None for a new file."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            path = folder / "draft"
            yield path, self._files.fetch(key, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _opened(self, key: str, etag: str) -> MonthFile | None:
        """The file with that ETag or a newer one; None where it went meanwhile."""
        known = self._copies.get(key)
        if known is None or known.etag != etag:
            known = self._fetched(key)
        if known is None:
            return None
        self._copies.move_to_end(key)
        while len(self._copies) > _MOST_OPEN:
            self._drop(next(iter(self._copies)))
        return known.file

    def _fetched(self, key: str) -> _Copy | None:
        if key in self._copies:
            self._drop(key)
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{_SUFFIX}"
        etag = self._files.fetch(key, path)
        if etag is None:
            return None
        copy = self._copies[key] = _Copy(etag, MonthFile(path), path)
        return copy

    def _drop(self, key: str) -> None:
        copy = self._copies.pop(key)
        copy.file.close()
        copy.path.unlink(missing_ok=True)


def has_words_index() -> bool:
    """Whether this interpreter's SQLite can index words; a function that needs it asserts so when it starts."""
    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE VIRTUAL TABLE words USING fts5(said)")
    except sqlite3.OperationalError:
        return False
    finally:
        database.close()
    return True


def _prefix(tenant_id: str) -> str:
    return f"tasks/{tenant_id}/"


def _key(tenant_id: str, month: str) -> str:
    return f"{_prefix(tenant_id)}{month}{_SUFFIX}"
