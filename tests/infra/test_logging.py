"""What reaches a function's log under Lambda's JSON format, whose runtime has put its own handler on the root logger."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from callscribe import names, wiring


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
