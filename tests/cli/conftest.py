"""A running service, and the command line pointed at it or at fakes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from callscribe.cli import app
from callscribe.cli.session import Tools
from callscribe.cli.stages import Stage
from tests.cli.service import WAV, Service, running

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def shared() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def service(shared: Service) -> Service:
    shared.faults.clear()
    shared.requests.clear()
    return shared


@pytest.fixture
def run(service: Service, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on the running service's stage, as after `make serve`."""
    for name in ("STAGE", "BASE_URL", "APP_ID", "API_KEY", "TENANT"):
        monkeypatch.delenv(f"CALLSCRIBE_{name}", raising=False)
    stage = Stage(
        name="local",
        base_url=service.base_url,
        app_id=service.key.id,
        api_key=service.secret,
        tenant_id=service.tenant.id,
    )
    tools = Tools(find_stage=lambda _name: stage, open_deps=lambda _stage: service.deps, retry_delay_s=0.001)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), obj=tools)

    return invoke


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "call.wav"
    path.write_bytes(WAV + b"\0" * 1000)
    return path
