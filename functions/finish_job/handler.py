"""Last state of the transcription machine, on both paths: ends the job and writes its outbox row."""

from typing import Any

from callscribe import wiring
from callscribe.domain.jobs import Job
from callscribe.errors import FailureCode
from callscribe.services import jobs

wiring.configure_logging()
deps = wiring.aws_deps("store", "results", "keyring")

_CODES = {"States.Timeout": FailureCode.DEADLINE_EXCEEDED}


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:  # noqa: ARG001 - Lambda's signature
    """With `error` (the name of what went wrong) the job fails, without it the job is completed."""
    job = _end(event["tenant_id"], event["job_id"], event.get("error"))
    return {"job_id": job.id, "state": job.state}


def _end(tenant_id: str, job_id: str, error: str | None) -> Job:
    render = wiring.renderer_of(jobs.find(deps, tenant_id=tenant_id, job_id=job_id).dialect)
    if error is None:
        return jobs.finish(deps, tenant_id=tenant_id, job_id=job_id, render=render)
    return jobs.fail(deps, tenant_id=tenant_id, job_id=job_id, render=render, code=_CODES.get(error))
