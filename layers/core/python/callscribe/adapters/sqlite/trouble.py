"""What can be wrong with a file of the index, told apart by SQLite's own codes.

Nothing of what is in a file stands in these errors: they are logged.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from callscribe.errors import Unavailable

_SURROUNDINGS: Final = frozenset(
    {
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM),
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
    }
)
_TAKEN_WRONG: Final = (ValueError, TypeError, LookupError, ArithmeticError)


class Damaged(sqlite3.DatabaseError):
    """The file at `path` is none of ours, or of another version, or broken: it must be made anew."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(why)
        self.path = path


@contextmanager
def told_apart(path: Path | None) -> Iterator[None]:
    """Raises Damaged for what is wrong with this file, Unavailable for what is wrong round it; mistakes of ours stay
    what they are: statements that Python refuses, rows that lack a value, and all that goes wrong in memory.

    A damaged file can make any statement fail that works on all others: its schema has other names, say, or its keys
    come twice.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF in _SURROUNDINGS:  # the higher bits say more of the same
            raise Unavailable(f"SQLite: {error}") from error
        ours = isinstance(error, Damaged | sqlite3.ProgrammingError) or code == sqlite3.SQLITE_CONSTRAINT_NOTNULL
        if path is None or ours:
            raise
        raise Damaged(path, getattr(error, "sqlite_errorname", "text that is no UTF-8")) from None
    except UnicodeDecodeError:
        if path is None:
            raise
        raise Damaged(path, "text that is no UTF-8") from None


@contextmanager
def made_out(path: Path | None) -> Iterator[None]:
    """Raises Damaged where a file's values are not what they should be. Round what is made of these values alone."""
    try:
        yield
    except _TAKEN_WRONG as error:
        if path is None:
            raise
        raise Damaged(path, f"a value that cannot be made out ({type(error).__name__})") from None
