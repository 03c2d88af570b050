"""The tables of attacks try thousands of passwords: none of them is about the price of a hash."""

from collections.abc import Iterator

import pytest

from tests.hashing import quick_scrypt


@pytest.fixture(scope="module", autouse=True)
def hashes_cost_nothing() -> Iterator[None]:
    with quick_scrypt():
        yield
