"""Workers as jobs of AWS Batch.

The client must not try again by itself (`clients` sees to that): a SubmitJob whose answer is lost may have made a job.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from callscribe.adapters.aws.errors import code, translated

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_batch.literals import JobStatusType

# In the order of a job's life, so that one that moves on between two questions is found twice and not missed.
_STARTING: "tuple[JobStatusType, ...]" = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 128


class BatchWorkers:
    """`ports.WorkerPool`: one job of `definition` in `queue` for each worker; a worker's id is its job's."""

    def __init__(self, client: "BatchClient", *, queue: str, definition: str) -> None:
        self._client = client
        self._queue = queue
        self._definition = definition

    def submit(self, name: str) -> str:
        """See `ports.WorkerPool.submit`. What Batch takes in no name becomes a hyphen."""
        job_name = _NOT_IN_NAMES.sub("-", name).strip("-")[:_LONGEST_NAME] or "worker"
        with translated("batch"):
            answer = self._client.submit_job(jobName=job_name, jobQueue=self._queue, jobDefinition=self._definition)
        return answer["jobId"]

    def starting(self) -> frozenset[str]:
        """See `ports.WorkerPool.starting`."""
        return frozenset(worker_id for status in _STARTING for worker_id in self._listed(status))

    def running(self) -> frozenset[str]:
        """See `ports.WorkerPool.running`."""
        return self._listed("RUNNING")

    def end(self, worker_id: str, *, reason: str) -> None:
        """See `ports.WorkerPool.end`."""
        with translated("batch"), _unknown_is_fine():
            self._client.terminate_job(jobId=worker_id, reason=reason)

    def _listed(self, status: "JobStatusType") -> frozenset[str]:
        pages = self._client.get_paginator("list_jobs").paginate(jobQueue=self._queue, jobStatus=status)
        with translated("batch"):
            return frozenset(job["jobId"] for page in pages for job in page["jobSummaryList"])


@contextmanager
def _unknown_is_fine() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code(error) != "ClientException":  # said of a job that Batch has forgotten; a missing grant is AccessDenied
            raise
