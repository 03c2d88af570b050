"""The index of all tenants: its files where they are kept, and copies of those that were asked for in a folder here."""

import hashlib
import logging
import shutil
import sqlite3
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakValueDictionary, finalize

from callscribe import names
from callscribe.adapters.sqlite import lists
from callscribe.adapters.sqlite.month import MonthFile
from callscribe.adapters.sqlite.trouble import Damaged
from callscribe.domain.tasks import Criteria, Found, TaskRow, Unwritten
from callscribe.errors import Conflict, Unreadable
from callscribe.ports import IndexFiles

_log = logging.getLogger(__name__)
_SUFFIX = ".sqlite"
_MOST_OPEN = 64  # files of one process: four years and more of one tenant, or a year of five
_MOST_BYTES = 512_000_000  # of them together: six years and more of 120,000 tasks; half of the scratch space
_LOOKS = 5  # for files and changes of one moment


@dataclass(slots=True)
class _Copy:
    tenant_id: str
    month: str
    etag: str
    file: MonthFile
    path: Path
    size_bytes: int

    def remove(self) -> None:
        """Close and delete it."""
        self.file.close()
        self.path.unlink(missing_ok=True)


class SqliteTaskIndex:
    """`ports.TaskIndex`. Copies are kept in `folder` by their ETag, the least used ones go first.

    Without one it makes a folder of its own when it first needs it, which goes with the index, or with the process.
    One question of a tenant at a time: a copy is one connection. `close` gives all of them back.
    """

    def __init__(self, files: IndexFiles, folder: Path | None = None) -> None:
        self._files = files
        self._kept_in = folder
        self._turns: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()  # by tenant
        self._lock = threading.Lock()  # of what follows; held for moments
        self._asking: set[str] = set()  # tenants, whose copies are in use
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._seen: OrderedDict[str, dict[str, str]] = OrderedDict()  # the ETags of each tenant's files at last

    def find(
        self,
        tenant_id: str,
        criteria: Criteria,
        unwritten: Callable[[], Unwritten],
        *,
        page: int,
        per_page: int,
    ) -> Found:
        """See `ports.TaskIndex.find`: one listing, and a download of each file that has changed."""
        with self._asked(tenant_id, unwritten) as (files, changed):
            return lists.find(files, changed, criteria, page=page, per_page=per_page)

    def latest(self, tenant_id: str, unwritten: Callable[[], Unwritten], count: int) -> tuple[TaskRow, ...]:
        """See `ports.TaskIndex.latest`."""
        with self._asked(tenant_id, unwritten) as (files, changed):
            return lists.latest(files, changed, count)

    def days(self, tenant_id: str, unwritten: Callable[[], Unwritten]) -> dict[str, int]:
        """See `ports.TaskIndex.days`."""
        with self._asked(tenant_id, unwritten) as (files, changed):
            return lists.days(files, changed)

    def take_in(self, tenant_id: str, month: str, rows: Sequence[TaskRow], *, gone: Mapping[int, int]) -> None:
        """See `ports.TaskIndex.take_in`."""
        with self._draft(tenant_id, month) as draft, _reported(tenant_id, month):
            with MonthFile(draft.path) as file:
                file.put(rows, gone=gone)
            self._replace(draft)

    def drop_words(self, tenant_id: str, month: str) -> None:
        """See `ports.TaskIndex.drop_words`."""
        with self._draft(tenant_id, month) as draft, _reported(tenant_id, month):
            if draft.etag is None:
                return
            with MonthFile(draft.path) as file:
                file.require_sound()
                had_words = file.drop_words()
            if had_words:
                self._replace(draft)

    def rewrite(self, tenant_id: str, month: str, rows: Iterable[TaskRow], *, gone: Mapping[int, int]) -> None:
        """See `ports.TaskIndex.rewrite`.

        A file that is sound in itself is believed: a version in it that its task never had, which a damaged value can
        be, is a Conflict every time, until somebody removes the file.
        """
        with self._draft(tenant_id, month) as draft:
            kept, buried = _content(draft.path)
            anew = replace(draft, path=draft.path.with_name("anew"))  # beside a broken one journals may be left
            with MonthFile(anew.path) as file:
                file.put(rows, gone={**buried, **gone})
                now = {**file.versions(), **file.gone()}
            if any(now.get(task_id, -1) < version for task_id, version in kept.items()):
                raise Conflict(f"{draft.key} holds something newer")
            self._replace(anew)

    def versions(self, tenant_id: str, month: str) -> dict[int, int]:
        """See `ports.TaskIndex.versions`."""
        with self._draft(tenant_id, month) as draft:
            return _content(draft.path)[0]

    def months(self, tenant_id: str) -> list[str]:
        """See `ports.TaskIndex.months`."""
        return sorted(_month(key) for key in self._files.etags(_prefix(tenant_id)))

    def close(self) -> None:
        """Remove all copies."""
        with self._lock:
            while self._copies:
                self._copies.popitem()[1].remove()

    def _folder(self) -> Path:
        with self._lock:
            if self._kept_in is None:
                self._kept_in = Path(tempfile.mkdtemp(prefix="index-"))
                finalize(self, shutil.rmtree, self._kept_in, ignore_errors=True)
            return self._kept_in

    @contextmanager
    def _asked(self, tenant_id: str, unwritten: Callable[[], Unwritten]) -> Iterator[tuple[list[MonthFile], Unwritten]]:
        """See `_now`. The files stay open until the question is answered, however many there are."""
        with self._turn(tenant_id):
            try:
                yield self._now(tenant_id, unwritten)
            except Damaged as error:  # it shows now and then only to whoever reads far enough
                raise self._unreadable(tenant_id, error) from error

    @contextmanager
    def _turn(self, tenant_id: str) -> Iterator[None]:
        """One question of a tenant at a time, whose copies nobody else removes."""
        with self._lock:
            turn = self._turns.setdefault(tenant_id, threading.Lock())
        with turn:
            with self._lock:
                self._asking.add(tenant_id)
            try:
                yield
            finally:
                with self._lock:
                    self._asking.remove(tenant_id)
                    self._make_room()

    def _now(self, tenant_id: str, unwritten: Callable[[], Unwritten]) -> tuple[list[MonthFile], Unwritten]:
        """All files of one moment, and what was unwritten then: the files were the same before that was read and after.

        Where they change all the time the last ones are taken: then each task is as it was at some moment of its own.
        """
        with self._lock:
            before = self._seen.get(tenant_id)
        for _ in range(_LOOKS):
            changed = unwritten()
            copies = self._opened(tenant_id)
            seen = {copy.month: copy.etag for copy in copies}
            if seen == before:
                break
            before = seen
        with self._lock:
            self._seen[tenant_id] = seen
            self._seen.move_to_end(tenant_id)
        return [copy.file for copy in copies], changed

    def _opened(self, tenant_id: str) -> list[_Copy]:
        """All of a tenant's files, as they were listed or newer. Raises Unreadable, which names all that are."""
        copies: list[_Copy] = []
        unreadable: list[str] = []
        for key, etag in sorted(self._files.etags(_prefix(tenant_id)).items()):
            try:
                copy = self._known(key, etag) or self._fetched(tenant_id, key)
            except Damaged as error:
                _tell(tenant_id, _month(key), error)
                unreadable.append(_month(key))
            else:
                copies += [] if copy is None else [copy]  # it went meanwhile
        if unreadable:
            raise Unreadable(unreadable)
        return copies

    def _known(self, key: str, etag: str) -> _Copy | None:
        """The copy with that ETag; another one is removed."""
        with self._lock:
            copy = self._copies.get(key)
            if copy is None:
                return None
            if copy.etag != etag:
                self._copies.pop(key).remove()
                return None
            self._copies.move_to_end(key)
            return copy

    def _fetched(self, tenant_id: str, key: str) -> _Copy | None:
        path = self._folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{_SUFFIX}"
        etag = self._files.fetch(key, path)
        if etag is None:
            return None
        try:
            file = MonthFile(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        copy = _Copy(tenant_id, _month(key), etag, file, path, path.stat().st_size)
        with self._lock:
            self._copies[key] = copy
        return copy

    def _unreadable(self, tenant_id: str, error: Damaged) -> Unreadable:
        """The month of the copy that turned out to be damaged, which is removed."""
        with self._lock:
            (key,) = (key for key, copy in self._copies.items() if copy.path == error.path)
            self._copies.pop(key).remove()
        _tell(tenant_id, _month(key), error)
        return Unreadable([_month(key)])

    def _make_room(self) -> None:
        """Remove the least used copies that are not in use. To be called with the lock held."""
        size_bytes = sum(copy.size_bytes for copy in self._copies.values())
        for key, copy in list(self._copies.items()):
            if len(self._copies) <= _MOST_OPEN and size_bytes <= _MOST_BYTES:
                break
            if copy.tenant_id not in self._asking:
                self._copies.pop(key).remove()
                size_bytes -= copy.size_bytes
        while len(self._seen) > _MOST_OPEN:
            self._seen.popitem(last=False)

    def _replace(self, draft: "_Draft") -> None:
        if self._files.replace(draft.key, draft.path, etag=draft.etag) is None:
            raise Conflict(f"somebody else wrote {draft.key}")

    @contextmanager
    def _draft(self, tenant_id: str, month: str) -> Iterator["_Draft"]:
        """A copy of its own to write to."""
        folder = Path(tempfile.mkdtemp(dir=self._folder()))
        try:
            key, path = _key(tenant_id, month), folder / "draft"
            yield _Draft(key, path, self._files.fetch(key, path))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Draft:
    """`etag`: of the file that it replaces, None for a new one."""

    key: str
    path: Path
    etag: str | None


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


def _content(path: Path) -> tuple[dict[int, int], dict[int, int]]:
    """The versions of a file's tasks, and of those that are gone; nothing of a file that cannot be read."""
    try:
        with MonthFile(path) as file:
            file.require_sound()
            return file.versions(), file.gone()
    except Damaged:
        return {}, {}


@contextmanager
def _reported(tenant_id: str, month: str) -> Iterator[None]:
    try:
        yield
    except Damaged as error:
        _tell(tenant_id, month, error)
        raise Unreadable([month]) from error


def _tell(tenant_id: str, month: str, error: Damaged) -> None:
    _log.error("tenant %s: the index file of %s cannot be read: %s", tenant_id, month, error)


def _prefix(tenant_id: str) -> str:
    return f"{names.TASKS_PREFIX}{tenant_id}/"


def _key(tenant_id: str, month: str) -> str:
    return f"{_prefix(tenant_id)}{month}{_SUFFIX}"


def _month(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(_SUFFIX)
