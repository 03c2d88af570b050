"""cli/board.py: what is told of recordings that are under way together."""

from contextlib import closing, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callscribe.cli.board import Row, run_all
from callscribe.cli.session import Session
from callscribe.client import Client
from callscribe.errors import CallscribeError, Unavailable


def told(_client: Client, number: int, row: Row) -> str:
    """The first is done, the second fails, and the third is under way until it is stopped."""
    if number == 1:
        raise Unavailable("out of order")
    while number == 2:
        row.sent(0)
    return "done"


def test_what_is_stopped_has_not_failed(capsys: pytest.CaptureFixture[str]) -> None:
    problems: dict[str, CallscribeError] = {}

    def failed(name: str, problem: CallscribeError) -> str:
        problems[name] = problem
        return "failed"

    session = cast("Session", SimpleNamespace(client=lambda _sleep: nullcontext(cast("Any", None))))
    with closing(run_all(session, ["a", "b", "c"], told, failed)) as outcomes:
        assert [next(outcomes), next(outcomes)] == ["done", "failed"]
    assert capsys.readouterr().err.splitlines() == ["b: failed", "c: stopped"]
    assert list(problems) == ["b", "c"]
