"""One laptop cloud for all end-to-end tests, with the roles' permissions enforced."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callscribe import names
from callscribe.client import Client
from local.receiver import Receiver
from local.system import LocalSystem, SystemSettings

# Short waits, so that a fourth attempt, or another worker, comes within seconds.
CONTEXT = {"callback_schedule_s": "0,1,1,1,2,2", "work_visibility_s": "6"}


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    settings = SystemSettings(port=0, auth=True, log_dir=tmp_path_factory.mktemp("logs"), context=CONTEXT)
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


@pytest.fixture(scope="session")
def clip() -> Path:
    """Three seconds of genuine speech."""
    return Path(__file__).parents[1] / "audio" / "librivox-0880.flac"


@contextlib.contextmanager
def told(system: LocalSystem, *functions: str, **settings: Any) -> Iterator[None]:
    """Deployed functions with other settings than the stage's, for as long as this lasts."""
    client = system.emulator.client("lambda")
    wanted = {f"callscribe: {name}" for name in functions}
    listed = [one for one in client.list_functions()["Functions"] if one["Description"] in wanted]
    assert len(listed) == len(wanted)
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
