"""What can be wrong with a file of the index, told apart by SQLite's own codes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from callscribe.errors import Unavailable

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SURROUNDINGS: Final = frozenset(
    {
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM),
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY),
    }
)


class Damaged(sqlite3.DatabaseError):
    """The file at `path` is none of ours, or of another version, or broken: it must be made anew."""

    def __init__(self, path: Path | None, why: str) -> None:
        super().__init__(why)
        self.path = path


@contextmanager
def told_apart(path: Path | None) -> Iterator[None]:
    """Raises Damaged for what is wrong with this file, Unavailable for what is wrong round it; mistakes of ours stay
    what they are.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the higher bits say more of the same
        if code in _DAMAGE:
            raise Damaged(path, str(error)) from error
        if code in _SURROUNDINGS:
            raise Unavailable(f"SQLite: {error}") from error
        raise
