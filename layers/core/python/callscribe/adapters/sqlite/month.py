"""One file of the index: the tasks that a tenant made in one month.

A task's words stand in a contentless full-text index under a number of their own: such an index cannot forget, so a
task whose words changed gets a new number, and the old one finds nothing that is still there.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from callscribe.adapters.sqlite import query
from callscribe.domain.tasks import EVERYTHING, LABELS, Criteria, TaskRow, TaskStatus, TaskType

SCHEMA_VERSION = 1
_LABEL_COLUMNS = tuple(f"{label}_id" for label in LABELS)
# What criteria ask for stands in narrow rows, so that a query reads little; what is only shown, beside them.
_ASKED = (
    *("id", "type", "status", "updated_at_ms", "call_at_ms", "call_type", "length_min"),
    *("satisfaction", "politeness", "script_alignment"),
    *_LABEL_COLUMNS,
)
_SHOWN = (
    *("code", "created_at_ms", "version", "file_name", "operator_name", "call_date"),
    *("error_message", "directory_id", "report_type"),
)
_SCHEMA = f"""
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL, updated_at_ms INTEGER NOT NULL,
    call_at_ms INTEGER, call_type TEXT, length_min REAL NOT NULL, satisfaction INTEGER, politeness INTEGER,
    script_alignment REAL, {", ".join(f"{column} INTEGER" for column in _LABEL_COLUMNS)},
    operator_folded TEXT, words_row INTEGER NOT NULL
);
CREATE INDEX tasks_by_change ON tasks (updated_at_ms, id);
CREATE TABLE shown (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL, created_at_ms INTEGER NOT NULL, version INTEGER NOT NULL,
    file_name TEXT, operator_name TEXT, call_date TEXT, error_message TEXT, directory_id INTEGER, report_type TEXT,
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
CREATE VIRTUAL TABLE words USING fts5(said, content='', tokenize='{query.TOKENIZER}');
CREATE TABLE counters (words_row INTEGER NOT NULL);
INSERT INTO counters VALUES (0);
PRAGMA user_version = {SCHEMA_VERSION};
"""

_ASKED_COLUMNS = (*_ASKED, "operator_folded", "words_row")
_SHOWN_COLUMNS = ("id", *_SHOWN, "tags_json", "answers_json", "words_digest")
_READ = (*_ASKED, *_SHOWN, "tags_json", "answers_json")
_HIDDEN = "t.id NOT IN (SELECT value FROM json_each(?))"

Place = tuple[int, int]  # time of the last change, id: the order of every list, backwards


class MonthFile:
    """An open file, or one in memory where `path` is None; a context manager. Raises sqlite3.DatabaseError for rubbish.

    A file is written by one process at a time, and read by none while it is: what is read are copies. Threads may
    share it if they take turns.
    """

    def __init__(self, path: Path | None = None) -> None:
        is_new = path is None or not path.exists()
        self._database = sqlite3.connect(
            ":memory:" if path is None else path, isolation_level=None, check_same_thread=False
        )
        if is_new:
            self._database.executescript(_SCHEMA)
        elif self._one("PRAGMA user_version") != SCHEMA_VERSION:
            self.close()
            raise sqlite3.DatabaseError(f"an index file of another version than {SCHEMA_VERSION}: rebuild it")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def put(self, rows: Iterable[TaskRow], *, gone: Iterable[int] = ()) -> None:
        """Take in rows, each of which replaces an older version of itself, and forget tasks; all or nothing.

        A row that is not newer than the one that is there changes nothing.
        """
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                self._put(row)
            for task_id in gone:
                self._forget(task_id)
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def matches(self, criteria: Criteria, hidden: Collection[int] = (), *, limit: int) -> tuple[int, list[Place]]:
        """How many tasks fit, those with a hidden id left out, and where the first of them stand, at most `limit`."""
        where = _where(criteria, hidden)
        if criteria != EVERYTHING:  # whoever counts them must look at all of them: once is enough
            found = self._database.execute(f"SELECT updated_at_ms, id FROM tasks t WHERE {where.sql}", where.values)
            places = sorted(found, reverse=True)
            return len(places), places[:limit]
        sql = f"SELECT updated_at_ms, id FROM tasks t WHERE {where.sql} ORDER BY updated_at_ms DESC, id DESC LIMIT ?"
        total = self._one(f"SELECT count(*) FROM tasks t WHERE {where.sql}", *where.values)
        return int(total), self._database.execute(sql, (*where.values, limit)).fetchall()

    def rows(self, ids: Collection[int]) -> dict[int, TaskRow]:
        """The tasks of these ids, without their words."""
        wanted = "t.id IN (SELECT value FROM json_each(?))"
        sql = f"SELECT {', '.join(_READ)} FROM tasks t JOIN shown USING (id) WHERE {wanted}"
        found = self._database.execute(sql, (json.dumps(list(ids)),))
        return {values[0]: _restored(values) for values in found}

    def versions(self) -> dict[int, int]:
        """The version of every task in it, by id."""
        return dict(self._database.execute("SELECT id, version FROM shown"))

    def _put(self, row: TaskRow) -> None:
        digest = hashlib.sha256(row.words.encode()).digest()
        sql = "SELECT version, words_digest, words_row FROM shown JOIN tasks USING (id) WHERE id = ?"
        known = self._database.execute(sql, (row.id,)).fetchone()
        if known is not None and known[0] >= row.version:
            return
        words_row = known[2] if known is not None and known[1] == digest else self._add_words(row.words)
        if known is not None:
            self._forget(row.id)
        self._insert("tasks", _ASKED_COLUMNS, [(*_asked(row), words_row)])
        self._insert("shown", _SHOWN_COLUMNS, [(*_shown(row), digest)])
        tags = {(tag.strip().casefold(), row.id) for tag in row.tags}
        self._insert("tags", ("tag_folded", "task_id"), sorted(tags))
        answers = {(question, answer.strip().casefold(), row.id) for question, answer in row.answers}
        self._insert("answers", ("checklist_id", "answer_folded", "task_id"), sorted(answers))

    def _insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self._database.executemany(sql, rows)

    def _forget(self, task_id: int) -> None:
        for table, column in (("tasks", "id"), ("shown", "id"), ("tags", "task_id"), ("answers", "task_id")):
            self._database.execute(f"DELETE FROM {table} WHERE {column} = ?", (task_id,))

    def _add_words(self, words: str) -> int:
        words_row = int(self._one("UPDATE counters SET words_row = words_row + 1 RETURNING words_row"))
        self._database.execute("INSERT INTO words (rowid, said) VALUES (?, ?)", (words_row, words))
        return words_row

    def _one(self, sql: str, *values: object) -> Any:
        return self._database.execute(sql, values).fetchone()[0]


def _where(criteria: Criteria, hidden: Collection[int]) -> query.Where:
    where = query.where(criteria)
    if hidden:
        where.add(_HIDDEN, json.dumps(list(hidden)))
    return where


def _asked(row: TaskRow) -> Iterator[object]:
    """In the order of _ASKED_COLUMNS, but for the last one."""
    plain = _ASKED[: -len(_LABEL_COLUMNS)]
    yield from (getattr(row, name) for name in plain)
    yield from (row.labels.get(label) for label in LABELS)
    yield None if row.operator_name is None else row.operator_name.casefold()


def _shown(row: TaskRow) -> Iterator[object]:
    """In the order of _SHOWN_COLUMNS, but for the last one."""
    yield row.id
    yield from (getattr(row, name) for name in _SHOWN)
    yield json.dumps(row.tags)
    yield json.dumps(row.answers)


def _restored(values: tuple[Any, ...]) -> TaskRow:
    known = dict(zip(_READ, values, strict=True))
    ids = {label: known.pop(f"{label}_id") for label in LABELS}
    tags, answers = json.loads(known.pop("tags_json")), json.loads(known.pop("answers_json"))
    return TaskRow(
        **known | {"type": TaskType(known["type"]), "status": TaskStatus(known["status"])},
        labels={label: label_id for label, label_id in ids.items() if label_id is not None},
        tags=tuple(tags),
        answers=tuple((question, answer) for question, answer in answers),
    )
