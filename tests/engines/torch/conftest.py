"""What runs in .venv-torch: elsewhere these files are collected as skipped, and not imported."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from callscribe.engines.base import Engine

REASON = "needs torch: run make test-torch"


class WithoutTorch(pytest.Module):
    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip(REASON, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if find_spec("torch") is None:
        skipped: WithoutTorch = WithoutTorch.from_parent(parent, path=module_path)
        return skipped
    return None


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Models this small are slower with two, and much slower beside another process that wants the same cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model_dirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of every family."""
    from tests.engines.torch.random_parakeet import write_random_parakeet

    folder = tmp_path_factory.mktemp("models")
    return {kind: write_random_parakeet(folder / kind, kind, seed=4) for kind in ("tdt", "ctc")}


@pytest.fixture(scope="session", params=["tdt", "ctc"])
def engine(request: pytest.FixtureRequest, model_dirs: dict[str, Path]) -> Iterator[Engine]:
    from callscribe.engines import load_engine

    loaded = load_engine("transformers", model_dirs[request.param])
    yield loaded
    loaded.close()
