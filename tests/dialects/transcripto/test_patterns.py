"""No pattern that reads what a client sends takes time that grows faster than the text."""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from callscribe import domain, exports, services
from callscribe.dialects import transcripto

PIECES = list('*- >[1:(aA./T_"=;\\\né&#')
MIXTURES = ["1:", "a ", "1.", "a.", "-1", "T1", "T1 ", "a/", "/a", "..", "https://a", "&#", "?v=", "a\n", "; a=", '"; ']
# The ways by which a text gets past the first part of a pattern.
STARTS = ["", "https://www.youtube.com/", "https://vk.com/video", "2025-10-20T", "report_", "T", "s3://bucket/", "a: "]
SIZE = 20_000
MOST_S = 0.25  # for one text: a pattern that is linear takes a hundredth of that
AT_A_BEGINNING = ("domain.chat_labels._HEAD",)  # of a line: nothing is searched for by these


def modules(package: ModuleType) -> Iterator[ModuleType]:
    yield package
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def patterns() -> Iterator[Any]:
    for package in (transcripto, domain, services, exports):
        for module in modules(package):
            for name, value in vars(module).items():
                found = [value, *value] if isinstance(value, dict) else [value]
                for number, one in enumerate(one for one in found if isinstance(one, re.Pattern)):
                    yield pytest.param(one, id=f"{module.__name__.removeprefix('callscribe.')}.{name}{number or ''}")


@pytest.mark.parametrize("pattern", list(patterns()))
def test_T_02_no_pattern_is_slow_on_any_text(pattern: re.Pattern[Any], request: pytest.FixtureRequest) -> None:
    for start in STARTS:
        for piece in (*PIECES, *MIXTURES):
            text: Any = start + (piece * SIZE)[:SIZE] + "\x00"
            if isinstance(pattern.pattern, bytes):
                text = text.encode()
            started_s = time.process_time()
            pattern.fullmatch(text)
            pattern.match(text)
            if request.node.callspec.id not in AT_A_BEGINNING:
                pattern.search(text)
            assert time.process_time() - started_s < MOST_S, (start, piece)
