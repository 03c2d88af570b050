"""What a suite is handed: the ports of one family, and what stands outside them."""

from collections.abc import Callable
from dataclasses import dataclass

from callscribe.ports import (
    Executions,
    ExecutionState,
    ObjectStore,
    QueueGauge,
    Sender,
    TaskReports,
    WorkerPool,
    WorkQueue,
)


@dataclass(frozen=True)
class Bucket:
    """A bucket and a client's upload: key and body → version id. Others are known by their names."""

    port: ObjectStore
    upload: Callable[[str, bytes], str]
    upload_elsewhere: Callable[[str, str, bytes], str]  # the same, from the name of a bucket
    versions: Callable[[], list[str]]  # the key of every version of every object, delete markers included


@dataclass(frozen=True)
class Queue:
    """The two ends of a queue, and how full it is."""

    sender: Sender
    work: WorkQueue
    gauge: QueueGauge


@dataclass(frozen=True)
class Machine:
    """A state machine, and how an execution is made to end."""

    port: Executions
    end: Callable[[str, ExecutionState], None]


@dataclass(frozen=True)
class Waiting:
    """Task reports, and a token that an execution waits for."""

    port: TaskReports
    token: str
    heard: Callable[[], None]  # returns once the execution has taken a report in


@dataclass(frozen=True)
class Workers:
    """A pool of workers, and how one that was asked for begins to run, or ends by itself, by its id."""

    port: WorkerPool
    run: Callable[[str], None]
    leave: Callable[[str], None]
