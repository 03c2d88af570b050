"""One laptop cloud for all end-to-end tests, with the roles' permissions enforced, and a door beside it."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from callscribe import names
from callscribe.client import Client
from local.receiver import Receiver
from local.system import LocalSystem, SystemSettings
from tests.e2e.integrator import mor_client

# Short waits, so that a fourth attempt, or another worker, comes within seconds. All tests have one address.
CONTEXT = {"callback_schedule_s": "0,1,1,1,2,2", "work_visibility_s": "6", "requests_per_minute": "1000"}


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    settings = SystemSettings(port=0, auth=True, log_dir=tmp_path_factory.mktemp("logs"), context=CONTEXT, door=True)
    with LocalSystem(settings) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


@pytest.fixture
def client(system: LocalSystem) -> Iterator[Client]:
    made = system.credentials
    with Client(system.base_url, made.app_id, made.api_key) as opened:
        yield opened


@pytest.fixture
def mor(system: LocalSystem) -> Iterator[httpx.Client]:
    """A client of dialect `mor`, logged in."""
    with mor_client(system) as opened:
        yield opened


@pytest.fixture(scope="session")
def clip() -> Path:
    """Three seconds of genuine speech."""
    return Path(__file__).parents[1] / "audio" / "librivox-0880.flac"


@contextlib.contextmanager
def told(system: LocalSystem, *functions: str, **settings: Any) -> Iterator[None]:
    """Deployed functions with other settings than the stage's, for as long as this lasts."""
    client = system.emulator.client("lambda")
    listed = _deployed(system, *functions)
    before = {one["FunctionName"]: one["Environment"]["Variables"] for one in listed}
    for name, variables in before.items():
        changed = json.dumps(json.loads(variables.get(names.ENV_SETTINGS, "{}")) | settings)
        configured = {"Variables": variables | {names.ENV_SETTINGS: changed}}
        client.update_function_configuration(FunctionName=name, Environment=configured)
    try:
        yield
    finally:
        for name, variables in before.items():
            client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


@contextlib.contextmanager
def hurried(system: LocalSystem, function: str, *, timeout_s: int) -> Iterator[None]:
    """A deployed function that has less time for its answers than the stage's, for as long as this lasts."""
    client = system.emulator.client("lambda")
    (listed,) = _deployed(system, function)
    client.update_function_configuration(FunctionName=listed["FunctionName"], Timeout=timeout_s)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=listed["FunctionName"], Timeout=listed["Timeout"])


def _deployed(system: LocalSystem, *functions: str) -> list[dict[str, Any]]:
    wanted = {f"callscribe: {name}" for name in functions}
    listed = system.emulator.client("lambda").list_functions()["Functions"]
    found = [one for one in listed if one["Description"] in wanted]
    assert len(found) == len(wanted)
    return found
