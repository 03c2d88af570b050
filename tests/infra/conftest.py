"""One synthesis per target and test session, shared by all workers; layers are not built."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.infra.templates import Stage

STAGE = "test"
WITHOUT_LAYERS: dict[str, Any] = {"aws:cdk:bundling-stacks": []}


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return _synthesised("aws", tmp_path_factory)


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return _synthesised("local", tmp_path_factory)


@pytest.fixture(params=["aws", "local"])
def stage(request: pytest.FixtureRequest) -> Stage:
    found: Stage = request.getfixturevalue(request.param)
    return found


def _synthesised(target: str, factory: pytest.TempPathFactory) -> Stage:
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / f"assembly-{target}"
    with _locked(shared / f"{target}.lock"):
        if not (folder / "manifest.json").exists():
            from infra.assembly import build_app  # starts Node, so only where it is needed

            build_app({"target": target, "stage": STAGE, **WITHOUT_LAYERS}, outdir=str(folder)).synth()
    return Stage(folder, STAGE)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
