"""Last state of the transcription machine, on both paths: ends the job and writes its outbox row."""

import logging
from typing import Any

from callscribe import wiring
from callscribe.domain.jobs import Job
from callscribe.errors import FailureCode
from callscribe.services import jobs

wiring.configure_logging()
deps = wiring.aws_deps("store", "uploads", "results", "keyring")
log = logging.getLogger("callscribe.finish_job")

_CODES = {"States.Timeout": FailureCode.DEADLINE_EXCEEDED}


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:  # noqa: ARG001 - Lambda's signature
    """With `error` (the name of what went wrong) the job fails, without it the job is completed.

    A job that was deleted meanwhile needs no end; no retry would find it.
    """
    try:
        job = _end(event["tenant_id"], event["job_id"], event.get("error"))
    except jobs.NoSuchJob:
        log.info("job %s was deleted meanwhile", event["job_id"])
        return {"job_id": event["job_id"], "state": "DELETED"}
    return {"job_id": job.id, "state": job.state}


def _end(tenant_id: str, job_id: str, error: str | None) -> Job:
    if error is None:
        return jobs.finish(deps, tenant_id=tenant_id, job_id=job_id, render=wiring.render)
    return jobs.fail(deps, tenant_id=tenant_id, job_id=job_id, render=wiring.render, code=_CODES.get(error))
