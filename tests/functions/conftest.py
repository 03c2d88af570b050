"""The stage that the handlers are imported in."""

from collections.abc import Iterator
from functools import cache

import pytest
from moto import mock_aws

from callscribe import wiring
from callscribe.adapters.aws.clients import client
from tests.adapters.cloud import REGION
from tests.functions.stage import Stage, make_stage, open_stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage of a mocked, otherwise empty AWS; the environment names its resources."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}, "batch": {"use_docker": False}}):
        machine, environment = make_stage(client)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(wiring, "_client_of", cache(lambda service, _target: client(service)))
        yield open_stage(machine, client)
