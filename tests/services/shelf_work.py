"""Who keeps things on shelves, and a store in which the readers of a shelf surely get in each other's way."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from callscribe.domain.accounts import USUAL_SCOPES
from callscribe.domain.records import Record, Step
from callscribe.errors import Conflict
from callscribe.ports import Store
from callscribe.services.accounts import Principal

R = TypeVar("R", bound=Record)
T = TypeVar("T")

TENANT = "t1"
ANNA = Principal(TENANT, "user-anna", USUAL_SCOPES)
BORIS = Principal(TENANT, "user-boris", USUAL_SCOPES)
FOREIGN = Principal("t2", "user-anna", USUAL_SCOPES)


class Crowded:
    """A store whose readers dwell on what they read, so that others change it meanwhile. `lost`: commits in vain."""

    def __init__(self, store: Store, *, dwell_s: float = 0.001) -> None:
        self._store = store
        self._dwell_s = dwell_s
        self._lock = threading.Lock()
        self.lost = 0

    def children(self, kind: type[R], *key_prefix: str | int, limit: int | None = None) -> list[R]:
        found = self._store.children(kind, *key_prefix, limit=limit)
        time.sleep(self._dwell_s)
        return found

    def commit(self, *steps: Step) -> None:
        try:
            self._store.commit(*steps)
        except Conflict:
            with self._lock:
                self.lost += 1
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def all_at_once(pieces: Iterable[Callable[[], T]]) -> list[T]:
    """The results of these pieces of work, each in a thread of its own, which begin together."""
    work = list(pieces)
    start = threading.Barrier(len(work))

    def begin(piece: Callable[[], T]) -> T:
        start.wait()
        return piece()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(begin, work))
