"""What the commands write: results on stdout, notices on stderr. Nothing from outside controls the terminal."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from callscribe.exports.text import clean


class Form(StrEnum):
    """How a command of an operator prints its result."""

    TEXT = "text"
    JSON = "json"


FormOption = Annotated[Form, typer.Option("-o", "--output", help="For people or for programs.")]


def notice(text: str) -> None:
    """One line on stderr."""
    typer.echo(clean(text), err=True)


def line(text: str) -> None:
    """One line of the result."""
    typer.echo(clean(text))


def document(value: Any) -> None:
    """The result as one line of JSON."""
    typer.echo(json.dumps(value, ensure_ascii=True))


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their content; nothing is ever cut, so that it can be copied."""
    cells = [[clean(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def moment(epoch_ms: int | None) -> str | None:
    """ISO 8601 in UTC, to the second; None for never."""
    if epoch_ms is None:
        return None
    return datetime.fromtimestamp(epoch_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
