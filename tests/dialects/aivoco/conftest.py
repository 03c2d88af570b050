"""A stage of dialect `aivoco` in memory."""

import io
import logging
from collections.abc import Iterator

import pytest

from tests.dialects.aivoco.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything any logger says, of every level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)
