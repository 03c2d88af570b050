"""Our front and router on the presign route with a use case that does nothing: what is left is their own share."""

import os

from callscribe import wiring
from callscribe.dialects.presign import routes
from callscribe.domain.accounts import USUAL_SCOPES
from callscribe.domain.jobs import Job, JobState
from callscribe.errors import Unauthenticated
from callscribe.ports import Deps
from callscribe.services import jobs, tokens
from callscribe.services.accounts import Principal

TOKEN = os.environ["IDLE_TOKEN"]
PRINCIPAL = Principal("tenant", "key", USUAL_SCOPES)
JOB = Job(
    "tenant", "job", "presign", "key", JobState.AWAITING_UPLOAD, created_at_ms=0, deadline_at_ms=0, due_at_ms=None
)
UPLOAD = jobs.Upload(JOB, "https://bucket.example/audio/job")


def verify(_deps: Deps, token: str) -> Principal:
    """In place of the signature and the key's record: a comparison."""
    if token != TOKEN:
        raise Unauthenticated("the access token is not valid")
    return PRINCIPAL


def create_upload(_deps: Deps, _principal: Principal, _new: jobs.NewJob) -> jobs.Upload:
    """In place of table and bucket."""
    return UPLOAD


tokens.verify = verify  # type: ignore[assignment]  # its parameters have other names
jobs.create_upload = create_upload  # type: ignore[assignment]  # the same
# No line is logged for a call, neither here nor by the handler that this is compared with.
handler = routes.build(wiring.aws_deps())
