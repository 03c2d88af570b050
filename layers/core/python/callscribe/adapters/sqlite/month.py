"""One file of the index: the tasks that a tenant made in one month.

A task's words stand in a contentless full-text index under a number of their own. What a word is has been decided
before they come there (`domain.searching`): the tokenizer, `ascii`, has nothing left to do but to split at spaces. Such
an index forgets only what it is told again; the words of a task that went, or was changed, are therefore read from the
index itself. Of a task that went the version stays, so that nobody who comes late with an older one brings it back. A
task that said nothing stands in it nowhere.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from callscribe.adapters.sqlite import query
from callscribe.adapters.sqlite.trouble import Damaged, made_out, told_apart
from callscribe.domain.searching import searched
from callscribe.domain.tasks import (
    DAY_MS,
    EVERYTHING,
    LABELS,
    Criteria,
    TaskRow,
    TaskStatus,
    TaskType,
    day_name,
    folded,
    month_of,
)

SCHEMA_VERSION = 2  # counts up when the tables change, or what stands in them for the same task
NOTHING: Final[Mapping[int, int]] = {}
_LABEL_COLUMNS = tuple(f"{label}_id" for label in LABELS)
# What criteria ask for stands in narrow rows, so that a query reads little; what is only shown, beside them.
_ASKED = (
    *("id", "type", "status", "updated_at_ms", "call_type", "length_min"),
    *("satisfaction", "politeness", "script_alignment"),
    *_LABEL_COLUMNS,
)
_SHOWN = (
    *("code", "created_at_ms", "version", "file_name", "operator_name", "call_at_ms", "call_date"),
    *("error_message", "directory_id", "report_type"),
)
_TEXTS: Final = frozenset(
    {
        *("type", "status", "call_type", "code", "file_name", "operator_name"),
        *("call_date", "error_message", "report_type", "tags_json", "answers_json"),
    }
)
_NEVER_NULL: Final = ("code", "created_at_ms", "updated_at_ms", "version", "length_min")
_WORDS = "CREATE VIRTUAL TABLE words USING fts5(said, content='', tokenize='ascii')"
_NO_WORDS: Final = 0  # in place of a words_row, which are counted from 1
_SCHEMA = f"""
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL, updated_at_ms INTEGER NOT NULL,
    moment_ms INTEGER NOT NULL, call_type TEXT, length_min REAL NOT NULL, satisfaction INTEGER, politeness INTEGER,
    script_alignment REAL, {", ".join(f"{column} INTEGER" for column in _LABEL_COLUMNS)},
    operator_folded TEXT, words_row INTEGER NOT NULL
);
CREATE INDEX tasks_by_change ON tasks (updated_at_ms, id);
CREATE TABLE shown (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL, created_at_ms INTEGER NOT NULL, version INTEGER NOT NULL,
    file_name TEXT, operator_name TEXT, call_at_ms INTEGER, call_date TEXT, error_message TEXT, directory_id INTEGER,
    report_type TEXT,
    tags_json TEXT NOT NULL, answers_json TEXT NOT NULL, words_digest BLOB NOT NULL
);
CREATE INDEX shown_by_code ON shown (code);
CREATE TABLE tags (tag_folded TEXT NOT NULL, task_id INTEGER NOT NULL, PRIMARY KEY (tag_folded, task_id)) WITHOUT ROWID;
CREATE TABLE answers (
    checklist_id INTEGER NOT NULL, answer_folded TEXT NOT NULL, task_id INTEGER NOT NULL,
    PRIMARY KEY (checklist_id, answer_folded, task_id)
) WITHOUT ROWID;
CREATE INDEX tags_of_task ON tags (task_id);
CREATE INDEX answers_of_task ON answers (task_id);
CREATE TABLE gone (id INTEGER PRIMARY KEY, version INTEGER NOT NULL);
{_WORDS};
CREATE TABLE counters (words_row INTEGER NOT NULL);
INSERT INTO counters VALUES (0);
PRAGMA user_version = {SCHEMA_VERSION};
"""

_ASKED_COLUMNS = (*_ASKED, "moment_ms", "operator_folded", "words_row")
_SHOWN_COLUMNS = ("id", *_SHOWN, "tags_json", "answers_json", "words_digest")
_READ = (*_ASKED, *_SHOWN, "tags_json", "answers_json")
_KNOWN = """
SELECT id, version FROM shown WHERE id IN (SELECT value FROM json_each(:ids))
UNION ALL SELECT id, version FROM gone WHERE id IN (SELECT value FROM json_each(:ids))
"""
# Kept by SQLite, which has room on disk: what a thousand tasks said is more than Python should hold.
_ERASED = """
CREATE TEMP TABLE erased AS SELECT doc, group_concat(term, ' ') AS said FROM temp.said
WHERE doc BETWEEN ? AND ? AND doc IN (SELECT value FROM json_each(?)) GROUP BY doc
"""
# What is no number there is left out: text would count from 1 again, and NULL look like a row of ours without a value.
_COUNTED = "UPDATE counters SET words_row = words_row + 1 WHERE typeof(words_row) = 'integer' RETURNING words_row"
# The same days as `TaskRow.day`: whole ones, rounded down before 1970 as well.
_DAYS = f"""
SELECT (moment_ms - iif(moment_ms < 0, {DAY_MS - 1}, 0)) / {DAY_MS} AS day, count(*)
FROM tasks t WHERE type = ? AND {{}} GROUP BY day
"""

_Values = Sequence[Any] | Mapping[str, Any]  # of placeholders, as sqlite3 takes them
Place = tuple[int, int]  # time of the last change, id: the order of every list, backwards


class MonthFile:
    """An open file, or one in memory where `path` is None; a context manager. Everything raises as `told_apart` does.

    A file is written by one process at a time, and read by none while it is: what is read are copies. Threads may
    share it if they take turns.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        is_new = path is None or not path.exists()
        with told_apart(path):
            self._database = sqlite3.connect(
                ":memory:" if path is None else path, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare(is_new=is_new)
        except BaseException:
            self.close()
            raise

    def _prepare(self, *, is_new: bool) -> None:
        # What is deleted is overwritten; and a draft that a crash may cost need not reach the disk before it is sent.
        with told_apart(self._path):
            self._database.executescript(
                "PRAGMA secure_delete = ON; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"
            )
            if is_new:
                self._database.executescript(_SCHEMA)
        version = self._one("PRAGMA user_version")
        if self._path is not None and version != SCHEMA_VERSION:
            raise Damaged(self._path, f"an index file of version {version}, not {SCHEMA_VERSION}: rebuild it")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def put(self, rows: Iterable[TaskRow], *, gone: Mapping[int, int] = NOTHING) -> None:
        """Take in rows, each of which replaces an older version of itself, and forget tasks; all or nothing.

        A row that is not newer than the one that is there changes nothing. `gone`: ids, and since which version.
        """
        with self._transaction():
            outdated = [self._put(row) for row in rows]
            outdated += [self._bury(task_id, version) for task_id, version in gone.items()]
            self._erase_words([words_row for words_row in outdated if words_row])

    def drop_words(self) -> bool:
        """Forget what was said in all of its tasks, and make the file as small as that leaves it; whether it was more.

        Those that are put in later have their words again.
        """
        if not self._one("SELECT EXISTS (SELECT 1 FROM tasks WHERE words_row)"):
            return False
        with self._transaction():
            self._database.execute("DROP TABLE words")
            self._database.execute(_WORDS)
            self._database.execute("UPDATE tasks SET words_row = ?", (_NO_WORDS,))
            self._database.execute("UPDATE shown SET words_digest = ?", (_digest(""),))
        with told_apart(self._path):
            self._database.execute("VACUUM")
        return True

    def matches(self, criteria: Criteria, hidden: Collection[int] = (), *, limit: int) -> tuple[int, list[Place]]:
        """How many tasks fit, those with a hidden id left out, and where the first of them stand, at most `limit`."""
        where = _where(criteria, hidden)
        if criteria != EVERYTHING:  # whoever counts them must look at all of them: once is enough
            found = self._all(f"SELECT updated_at_ms, id FROM tasks t WHERE {where.sql}", where.values)
            with made_out(self._path):
                places = _whole(sorted(found, reverse=True)[:limit])
            return len(found), places
        sql = f"SELECT updated_at_ms, id FROM tasks t WHERE {where.sql} ORDER BY updated_at_ms DESC, id DESC LIMIT ?"
        total = self._one(f"SELECT count(*) FROM tasks t WHERE {where.sql}", *where.values)
        return int(total), self._numbers(sql, (*where.values, limit))

    def highest(self, hidden: Collection[int] = (), *, limit: int) -> list[int]:
        """The highest ids of tasks, those that are hidden left out."""
        where = _where(EVERYTHING, hidden)
        sql = f"SELECT id FROM tasks t WHERE {where.sql} ORDER BY id DESC LIMIT ?"
        return [task_id for (task_id,) in self._numbers(sql, (*where.values, limit))]

    def days(self, hidden: Collection[int] = ()) -> dict[int, int]:
        """How many calls there were on each day, counted from 1970-01-01, those with a hidden id left out."""
        where = _where(EVERYTHING, hidden)
        found = dict(self._numbers(_DAYS.format(where.sql), (TaskType.CALL, *where.values)))
        with made_out(self._path):
            list(map(day_name, found))
        return found

    def rows(self, ids: Collection[int]) -> dict[int, TaskRow]:
        """The tasks of these ids, all of which are in it, without their words."""
        wanted = "t.id IN (SELECT value FROM json_each(?))"
        sql = f"SELECT {', '.join(_READ)} FROM tasks t JOIN shown USING (id) WHERE {wanted}"
        found = self._all(sql, (json.dumps(list(ids)),))
        with made_out(self._path):
            known = {values[0]: _restored(values) for values in found}
            return {task_id: known[task_id] for task_id in ids}

    def require_sound(self) -> None:
        """Look at all of it. Raises Damaged where its pages, indexes and rows do not fit together."""
        if self._path is not None and self._all("PRAGMA integrity_check(1)") != [("ok",)]:
            raise Damaged(self._path, "what is in it does not fit together")

    def versions(self) -> dict[int, int]:
        """The version of every task in it, by id."""
        return dict(self._numbers("SELECT id, version FROM shown"))

    def gone(self) -> dict[int, int]:
        """Since which version each task is gone that once was in it, by id."""
        return dict(self._numbers("SELECT id, version FROM gone"))

    def known(self, ids: Collection[int]) -> dict[int, int]:
        """The versions of those of these tasks that are, or were, in it."""
        return dict(self._numbers(_KNOWN, {"ids": json.dumps(list(ids))})) if ids else {}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with told_apart(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._database.in_transaction:  # SQLite ends some by itself
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _put(self, row: TaskRow) -> int | None:
        """The number of the words that the row had before, if they are others now."""
        version, said_before, row_before = self._stands(row.id)
        if version >= row.version:
            return None
        digest = _digest(row.words)
        words_row = row_before if said_before == digest else self._add_words(row.words)
        if row_before is not None:
            self._forget(row.id)
        self._insert("tasks", _ASKED_COLUMNS, [(*_asked(row), words_row)])
        self._insert("shown", _SHOWN_COLUMNS, [(*_shown(row), digest)])
        tags = {(folded(tag), row.id) for tag in row.tags}
        self._insert("tags", ("tag_folded", "task_id"), sorted(tags))
        answers = {(question, folded(answer), row.id) for question, answer in row.answers}
        self._insert("answers", ("checklist_id", "answer_folded", "task_id"), sorted(answers))
        return None if words_row == row_before else row_before

    def _insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self._database.executemany(sql, rows)

    def _bury(self, task_id: int, version: int) -> int | None:
        """The number of the words that it had."""
        known, _, words_row = self._stands(task_id)
        if known >= version:
            return None
        self._forget(task_id)
        self._database.execute("REPLACE INTO gone (id, version) VALUES (?, ?)", (task_id, version))
        return words_row

    def _stands(self, task_id: int) -> tuple[int, bytes | None, int | None]:
        """A task's version (-1 for none), and the digest and number of its words; neither of one that is gone."""
        sql = "SELECT version, words_row, words_digest FROM shown JOIN tasks USING (id) WHERE id = ?"
        found = self._database.execute(sql, (task_id,)).fetchone()
        gone = self._database.execute("SELECT version FROM gone WHERE id = ?", (task_id,)).fetchone()
        version, words_row, digest = found or (*(gone or (-1,)), None, None)
        with made_out(self._path):
            _whole([(version,), (words_row,)] if found else [(version,)])
        return version, digest, words_row

    def _erase_words(self, words_rows: Collection[int]) -> None:
        """Leave no trace of them: whoever deletes a task deletes what was said.

        Reads the whole index of words, once for all of them, and writes it anew.
        """
        if not words_rows:
            return
        self._database.execute("CREATE VIRTUAL TABLE temp.said USING fts5vocab(main, words, instance)")
        limits = (min(words_rows), max(words_rows))  # are quicker to judge by than the list
        self._database.execute(_ERASED, (*limits, json.dumps(list(words_rows))))
        self._database.execute("INSERT INTO words (words, rowid, said) SELECT 'delete', doc, said FROM temp.erased")
        self._database.execute("DROP TABLE temp.erased")
        self._database.execute("DROP TABLE temp.said")
        self._database.execute("INSERT INTO words (words) VALUES ('optimize')")  # until then they only do not count

    def _forget(self, task_id: int) -> None:
        for table, column in (("tasks", "id"), ("shown", "id"), ("tags", "task_id"), ("answers", "task_id")):
            self._database.execute(f"DELETE FROM {table} WHERE {column} = ?", (task_id,))

    def _add_words(self, words: str) -> int:
        if not (said := searched(words)):
            return _NO_WORDS
        counted = self._numbers(_COUNTED)
        with made_out(self._path):
            ((words_row,),) = counted
        self._database.execute("INSERT INTO words (rowid, said) VALUES (?, ?)", (words_row, said))
        return int(words_row)

    def _one(self, sql: str, *values: object) -> Any:
        return self._all(sql, values)[0][0]

    def _numbers(self, sql: str, values: _Values = ()) -> list[Any]:
        found = self._all(sql, values)
        with made_out(self._path):
            return _whole(found)

    def _all(self, sql: str, values: _Values = ()) -> list[Any]:
        with told_apart(self._path):
            return self._database.execute(sql, values).fetchall()


def _whole(rows: list[Any]) -> list[Any]:
    """The same rows. Raises TypeError where something in them is no whole number."""
    if not all(type(value) is int for row in rows for value in row):
        raise TypeError("no whole number")
    return rows


def _digest(words: str) -> bytes:
    return hashlib.sha256(words.encode()).digest()


def _where(criteria: Criteria, hidden: Collection[int]) -> query.Where:
    where = query.where(criteria)
    if hidden:
        where.add("t.id NOT IN (SELECT value FROM json_each(?))", json.dumps(list(hidden)))
    return where


def _asked(row: TaskRow) -> Iterator[object]:
    """In the order of _ASKED_COLUMNS, but for the last one."""
    plain = _ASKED[: -len(_LABEL_COLUMNS)]
    yield from (getattr(row, name) for name in plain)
    yield from (row.labels.get(label) for label in LABELS)
    yield row.moment_ms
    yield None if row.operator_name is None else folded(row.operator_name)


def _shown(row: TaskRow) -> Iterator[object]:
    """In the order of _SHOWN_COLUMNS, but for the last one."""
    yield row.id
    yield from (getattr(row, name) for name in _SHOWN)
    yield json.dumps(row.tags)
    yield json.dumps(row.answers)


def _restored(values: tuple[Any, ...]) -> TaskRow:
    """Raises ValueError, TypeError and the like for what was no row of ours."""
    known = dict(zip(_READ, values, strict=True))
    _require_types(known)
    ids = {label: known.pop(f"{label}_id") for label in LABELS}
    tags, answers = json.loads(known.pop("tags_json")), json.loads(known.pop("answers_json"))
    return TaskRow(
        **known | {"type": TaskType(known["type"]), "status": TaskStatus(known["status"])},
        labels={label: label_id for label, label_id in ids.items() if label_id is not None},
        tags=tuple(tags),
        answers=tuple((question, answer) for question, answer in answers),
    )


def _require_types(known: Mapping[str, Any]) -> None:
    for name, value in known.items():
        missing = value is None and name in _NEVER_NULL
        if missing or not isinstance(value, str | None if name in _TEXTS else int | float | None):
            raise TypeError(name)
    month_of(known["created_at_ms"])
    month_of(known["updated_at_ms"])
