"""A stage of dialect `mor` in memory."""

import pytest

from tests.dialects.conftest import Client
from tests.dialects.mor.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Client:
    """Somebody with a good token and every permission."""
    return world.client()
