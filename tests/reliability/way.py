"""What a way of a job is: how it is led along, and what must come out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from callscribe.domain.jobs import Job, JobState
from callscribe.errors import FailureCode
from tests.reliability.cloud import FUNDS_M, PRICE_M, Cloud

Lead = Callable[[Cloud], Job]
GONE = None  # in place of a state: the job was deleted


@dataclass(frozen=True, slots=True)
class Way:
    """`lead` takes a cloud to the end of a job, which is then in `state`, for the reason `code`, and `paid` or not.

    `funds_m` and `settings` are how the cloud has to be made for it, see `cloud_for`.
    """

    lead: Lead
    state: JobState | None
    code: FailureCode | None = None
    paid: bool = False
    funds_m: int = FUNDS_M
    settings: Mapping[str, Any] = field(default_factory=dict)
    price_m: int = PRICE_M

    def cloud_for(self, **fields: Any) -> Cloud:
        """A fresh cloud for this way."""
        return Cloud(funds_m=self.funds_m, settings=self.settings, **fields)


def to_its_end(order: Lead) -> Lead:
    def lead(cloud: Cloud) -> Job:
        job = order(cloud)
        cloud.settle()
        return job

    return lead


def at(state: JobState, act: Callable[[Cloud, Job], object], order: Lead) -> Lead:
    """As soon as the job has this state, something is done to it; then all goes on."""

    def lead(cloud: Cloud) -> Job:
        job = order(cloud)
        if state is not JobState.AWAITING_UPLOAD:
            cloud.run_until(job, state)
        act(cloud, job)
        cloud.settle()
        return job

    return lead
