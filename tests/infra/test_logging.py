"""What reaches a function's log under Lambda's JSON format, whose runtime has put its own handler on the root logger."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from callscribe import names, wiring
from callscribe.dialects.front import Access, Front, log_refusal
from callscribe.errors import Unavailable
from infra.alarms import SERVER_ERROR_LOG, UNEXPECTED_LOG


class JsonLines(logging.Formatter):
    """As the runtime writes them, in short."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({"level": record.levelname, "message": record.getMessage(), "logger": record.name})


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The log of a process whose root logger is as the runtime leaves it for application level INFO."""
    root, ours = logging.getLogger(), logging.getLogger(names.SERVICE)
    before = (root.handlers[:], root.level, ours.level)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root.handlers[:], root.level = [handler], logging.INFO
    yield stream
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def test_our_information_and_the_warnings_of_others_pass_once_each(lines: io.StringIO) -> None:
    wiring.configure_logging()
    for logger in (f"{names.SERVICE}.sweep", "botocore.credentials"):
        logging.getLogger(logger).debug("%s debugs", logger)
        logging.getLogger(logger).info("%s informs", logger)
        logging.getLogger(logger).warning("%s warns", logger)
    written = [json.loads(line)["message"] for line in lines.getvalue().splitlines()]
    assert written == ["callscribe.sweep informs", "callscribe.sweep warns", "botocore.credentials warns"]


class Answers:
    """A resolver whose every answer has one status."""

    def __init__(self, status: int) -> None:
        self._status = status

    def append_context(self, **additional_context: Any) -> None:
        """Nothing is kept."""

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        return {"statusCode": self._status}


@pytest.mark.parametrize(("status", "alarming"), [(500, True), (503, False), (502, False), (400, False), (200, False)])
def test_the_alarms_words_are_in_the_line_of_a_call_that_was_answered_500_and_of_no_other(
    lines: io.StringIO, status: int, alarming: bool
) -> None:
    wiring.configure_logging()
    front = Front(
        resolver=Answers(status),
        routes={("GET", "/"): Access()},
        admit=lambda *_: pytest.fail("nobody is to be admitted"),
        refuse=lambda error, _call: pytest.fail(str(error)),
        decorate=lambda _event: {},
        now_ms=lambda: 0,
    )
    front({"requestContext": {"http": {"method": "GET"}}, "rawPath": "/"}, None)
    (line,) = lines.getvalue().splitlines()
    assert f"status={status}" in line
    assert (SERVER_ERROR_LOG in line) is alarming


def test_the_doors_alarm_hears_of_an_error_that_nobody_expected_and_not_of_a_service_that_was_away(
    lines: io.StringIO,
) -> None:
    wiring.configure_logging()
    log_refusal(Unavailable("dynamodb: no answer"))
    assert UNEXPECTED_LOG not in lines.getvalue()
    log_refusal(RuntimeError("a defect"))
    assert UNEXPECTED_LOG in lines.getvalue().splitlines()[-1]
