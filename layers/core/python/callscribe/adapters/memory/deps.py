"""All fakes together: a complete Deps in one call."""

import hashlib
import itertools
from typing import Any

from callscribe.adapters.memory.clock import ManualClock
from callscribe.adapters.memory.downloads import MemoryDownloads
from callscribe.adapters.memory.executions import MemoryExecutions
from callscribe.adapters.memory.inspector import MemoryInspector
from callscribe.adapters.memory.objects import MemoryObjects
from callscribe.adapters.memory.queues import MemoryQueue
from callscribe.adapters.memory.store import MemoryStore
from callscribe.adapters.memory.task_index import MemoryTaskIndex
from callscribe.adapters.memory.task_reports import MemoryTaskReports
from callscribe.adapters.memory.webhooks import MemoryWebhooks
from callscribe.adapters.memory.worker_pool import MemoryWorkerPool
from callscribe.domain.keyring import KeyRing
from callscribe.ports import Deps, Settings

KEYRING = KeyRing("1", {"1": b"an example root key of 32 bytes!"})


class CountedBytes:
    """Bytes that look random, are the same in every run, and never repeat within one."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __call__(self, size: int) -> bytes:
        """The next `size` bytes."""
        return hashlib.shake_256(str(next(self._numbers)).encode()).digest(size)


def _any_token(token: str, *, address: str) -> bool:  # noqa: ARG001 - the port's
    return bool(token.strip())


def memory_deps(**overrides: Any) -> Deps:
    """Fresh fakes in a frozen Deps; `overrides` by field name. Raises TypeError for a field that Deps lacks.

    Build a fake first to keep a typed hand on it: `memory_deps(store=store, now_ms=clock)`.
    """
    now_ms = overrides.get("now_ms") or ManualClock()
    fakes: dict[str, Any] = {
        "store": MemoryStore(),
        "uploads": MemoryObjects(now_ms, bucket="uploads"),
        "results": MemoryObjects(now_ms, bucket="results"),
        "transcriptions": MemoryExecutions(),
        "redeliveries": MemoryExecutions(),
        "callback_queue": MemoryQueue(now_ms),
        "fetch_queue": MemoryQueue(now_ms),
        "video_queue": MemoryQueue(now_ms),
        "index_queue": MemoryQueue(now_ms, equal_once=True),
        "task_index": MemoryTaskIndex(),
        "task_reports": MemoryTaskReports(),
        "work_gauge": MemoryQueue(now_ms),
        "worker_pool": MemoryWorkerPool(),
        "webhooks": MemoryWebhooks(),
        "downloader": MemoryDownloads(),
        "inspector": MemoryInspector(),
        "captcha": _any_token,
        "keyring": KEYRING,
        "settings": Settings(stage="local", public_base_url="https://callscribe.example"),
        "now_ms": now_ms,
        "random_bytes": CountedBytes(),
    }
    return Deps(**{**fakes, **overrides})
