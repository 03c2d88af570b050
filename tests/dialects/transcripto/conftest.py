"""A stage of dialect `transcripto` in memory."""

import pytest

from tests.dialects.conftest import Client
from tests.dialects.transcripto.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Client:
    """Somebody of a tenant with a tariff, with the usual permissions."""
    return world.client()
