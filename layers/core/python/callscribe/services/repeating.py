"""Something that is done again and again beside other work."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

_JOIN_S = 2.0  # a call under way may be waiting for a service that does not answer


@contextmanager
def repeating(action: Callable[[], object], *, every_s: float, name: str, at_once: bool = False) -> Iterator[None]:
    """Call `action` every so many seconds, in a thread of its own, for as long as this context lasts.

    The first call comes `at_once`, or after `every_s`. One that fails is logged, and is no reason not to make the next.
    """
    over = threading.Event()

    def run() -> None:
        pause_s = 0.0 if at_once else every_s
        while not over.wait(pause_s):
            pause_s = every_s
            try:
                action()
            except Exception:
                log.exception("%s failed", name)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_JOIN_S)
