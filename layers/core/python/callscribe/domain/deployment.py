"""Facts about a stage's AWS account, as far as they decide whether recordings are transcribed there."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose credentials these are, and where they look."""

    account_id: str
    arn: str
    region: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack. `queues`: URLs by logical id; `topics`: ARNs of its topics."""

    name: str
    status: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()


SMALLEST_VCPUS = 4  # of a machine that a pool may have: an xlarge
VCPUS = {"xlarge": SMALLEST_VCPUS, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "16xlarge": 64}


@dataclass(frozen=True, slots=True)
class PoolPart:
    """A job queue, or a compute environment behind one. `reason`: what AWS Batch says of its status.

    `most_vcpus`, `spot` and `machine_vcpus` (of the largest machine that it may start) are of an environment only.
    """

    name: str
    state: str
    status: str
    reason: str = ""
    most_vcpus: int = 0
    spot: bool = False
    machine_vcpus: int = SMALLEST_VCPUS

    @property
    def is_fine(self) -> bool:
        """Whether it takes work."""
        return self.state == "ENABLED" and self.status == "VALID"


@dataclass(frozen=True, slots=True)
class Pool:
    """The workers' job queue with its compute environments, in the order in which they are asked."""

    queue: PoolPart
    environments: tuple[PoolPart, ...]

    def most_vcpus(self, *, spot: bool) -> int | None:
        """VCPUs of the largest pool of that kind; None where there is no such environment."""
        return max((part.most_vcpus for part in self.environments if part.spot is spot), default=None)

    def machine_vcpus(self, *, spot: bool) -> int:
        """VCPUs of the largest machine of that kind: a worker is alone on it, and all of it counts for the quota."""
        return max((part.machine_vcpus for part in self.environments if part.spot is spot), default=SMALLEST_VCPUS)


@dataclass(frozen=True, slots=True)
class WorkerDefinition:
    """What a worker is: its image, and the variables that it starts with."""

    image: str
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FailedWorker:
    """A worker that did not end well. `ended_at_ms` in epoch milliseconds."""

    id: str
    reason: str
    ended_at_ms: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """Somebody whom a topic tells."""

    endpoint: str
    confirmed: bool
