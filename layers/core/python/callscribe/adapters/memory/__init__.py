"""The ports in memory: the fakes that ship with the library. `memory_deps()` is a whole test set-up."""

from callscribe.adapters.memory.clock import ManualClock
from callscribe.adapters.memory.deps import CountedBytes, memory_deps
from callscribe.adapters.memory.downloads import MemoryDownloads
from callscribe.adapters.memory.executions import MemoryExecutions, Start
from callscribe.adapters.memory.faults import Crash, Moment, Plan, RaiseAt, Trace, When, faulty, faulty_deps
from callscribe.adapters.memory.inspector import MemoryInspector
from callscribe.adapters.memory.objects import MemoryObjects, UrlRefused
from callscribe.adapters.memory.queues import MemoryQueue
from callscribe.adapters.memory.store import MemoryStore
from callscribe.adapters.memory.task_reports import MemoryTaskReports
from callscribe.adapters.memory.webhooks import MemoryWebhooks, Post
from callscribe.adapters.memory.worker_pool import MemoryWorkerPool

__all__ = [
    "CountedBytes",
    "Crash",
    "ManualClock",
    "MemoryDownloads",
    "MemoryExecutions",
    "MemoryInspector",
    "MemoryObjects",
    "MemoryQueue",
    "MemoryStore",
    "MemoryTaskReports",
    "MemoryWebhooks",
    "MemoryWorkerPool",
    "Moment",
    "Plan",
    "Post",
    "RaiseAt",
    "Start",
    "Trace",
    "UrlRefused",
    "When",
    "faulty",
    "faulty_deps",
    "memory_deps",
]
