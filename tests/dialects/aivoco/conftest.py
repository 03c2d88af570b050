"""A stage of dialect `aivoco` in memory."""

import pytest

from tests.dialects.aivoco.world import World


@pytest.fixture
def world() -> World:
    return World()
