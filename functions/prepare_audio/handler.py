"""First state of the transcription machine: look into what was uploaded."""

from typing import Any

from callscribe import wiring
from callscribe.services import preparing

wiring.configure_logging()
deps = wiring.aws_deps("store", "uploads", "results", "inspector")


def handler(event: dict[str, Any], context: Any) -> dict[str, bool]:  # noqa: ARG001 - Lambda's signature
    """Whether the job's words are there already, so that nobody has to listen.

    Raises JobFailed for what cannot be worked on; the reason is noted on the job first.
    """
    job = preparing.prepare(deps, tenant_id=event["tenant_id"], job_id=event["job_id"])
    return {"words": job.is_written}
