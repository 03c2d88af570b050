"""First state of the transcription machine: look into the uploaded file."""

from typing import Any

from callscribe import wiring
from callscribe.services import jobs

wiring.configure_logging()
deps = wiring.aws_deps("store", "uploads", "inspector")


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:  # noqa: ARG001 - Lambda's signature
    """Raises JobFailed for audio that cannot be transcribed; the reason is noted on the job first."""
    job = jobs.prepare(deps, tenant_id=event["tenant_id"], job_id=event["job_id"])
    return {"job_id": job.id, "state": job.state}
