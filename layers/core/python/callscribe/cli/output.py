"""What the commands write: results on stdout, notices on stderr. Nothing from outside controls the terminal."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from callscribe.errors import CallscribeError
from callscribe.exports.text import clean


class Form(StrEnum):
    """How a command of an operator prints its result."""

    TEXT = "text"
    JSON = "json"


class NotWritten(CallscribeError):
    """A result is there but cannot be written: a full disk, a folder that went away."""


FormOption = Annotated[Form, typer.Option("-o", "--output", help="For people or for programs.")]


def notice(text: str) -> None:
    """One line on stderr; lost where that cannot be written either."""
    with suppress(OSError):
        typer.echo(clean(text), err=True)


def emit(body: str | bytes) -> None:
    """Write to stdout as it is. Raises NotWritten, and BrokenPipeError where nobody reads any more."""
    try:
        typer.echo(body, nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise NotWritten(f"stdout cannot be written: {error.strerror}") from error


def drop_unwritten() -> None:
    """Let go of what stdout did not take, or the interpreter complains of it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):  # there is no descriptor behind a test's stdout
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def line(text: str) -> None:
    """One line of the result."""
    emit(clean(text) + "\n")


def document(value: Any) -> None:
    """The result as one line of JSON."""
    emit(json.dumps(value, ensure_ascii=True) + "\n")


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their content; nothing is ever cut, so that it can be copied."""
    cells = [[clean(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    emit("".join(f"{line.rstrip()}\n" for line in lines))  # cleaned cell by cell: `line` would close the gaps


def cell(value: Any) -> str:
    """A value in a table: a list by commas, `-` for nothing."""
    text = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return text or "-"


def moment(epoch_ms: int | None) -> str | None:
    """ISO 8601 in UTC, to the second; None for never."""
    if epoch_ms is None:
        return None
    return datetime.fromtimestamp(epoch_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
