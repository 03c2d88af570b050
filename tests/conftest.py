"""What all tests share: folders with a dear session fixture stay together on one process of `pytest -n`."""

from pathlib import Path

import pytest

TOGETHER = ("e2e", "local", "infra")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test of these folders the folder as its group (`--dist loadgroup`)."""
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0]
        if folder in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(folder))
