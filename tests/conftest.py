"""What all tests share: how `pytest -n` deals them out, how properties are tried, and that a password is hashed once."""

from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # xdist has no types

from tests.hashing import remembered_scrypt

TOGETHER = ("tests/e2e/", "tests/local/", "tests/infra/")  # each with a dear session fixture

# What a run says depends on the code, neither on its luck nor on what else the machine does.
# `pytest --hypothesis-profile=explore` tries other values each time.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("explore"), derandomize=True)
settings.load_profile("steady")


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
    """Tests of one file stay on one process, and so do those of a folder that shares a dear fixture."""

    def _split_scope(self, nodeid: str) -> str:
        for folder in TOGETHER:
            if nodeid.startswith(folder):
                return folder
        return nodeid.split("::", 1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    """xdist asks this instead of looking at `--dist`; its own groups do not work with pytest 9."""
    return ByFolder(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let no two tests share an id, by which xdist tells them apart: of several it would run the first, as often.

    Schemathesis names a test by its operation, which pytest 9.2 leaves out of the id.
    """
    for item in items:
        label = getattr(item, "operation_label", None)
        if label is not None and item.id.params is None:
            item._id = item.id.with_params(label)
    shared = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if shared:
        raise pytest.UsageError(f"several tests have the id {shared[0]}")


def pytest_configure(config: pytest.Config) -> None:
    """From here on, collection included: some modules make users when they are imported."""
    patches = ExitStack()
    patches.enter_context(remembered_scrypt())
    config.add_cleanup(patches.close)
