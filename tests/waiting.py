"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable

SOON_S = 30.0  # what is waited for comes much earlier; a busy machine may take its time


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return once it is so. Raises AssertionError after SOON_S."""
    until_s = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.01)
