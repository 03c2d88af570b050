"""Our presign route with no more requests to AWS than the peers make: a key is read, a job is written, a URL signed.

The real use case reads the tenant as well, counts its jobs, and writes two records in one transaction.
"""

from callscribe import wiring
from callscribe.dialects.presign import DIALECT, routes
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import insert
from callscribe.ports import Deps
from callscribe.services import creation, jobs
from callscribe.services.accounts import Principal


def create_upload(deps: Deps, principal: Principal, new: jobs.NewJob) -> jobs.Upload:
    """In place of `creation.create_upload`."""
    if new.callback_url is not None:
        deps.webhooks.check(new.callback_url)
    now_ms = deps.now_ms()
    job = Job(
        tenant_id=principal.tenant_id,
        id=deps.random_bytes(16).hex(),
        dialect=new.dialect,
        key_id=principal.key_id,
        state=JobState.AWAITING_UPLOAD,
        created_at_ms=now_ms,
        deadline_at_ms=now_ms + 1000 * deps.settings.job_deadline_s,
        due_at_ms=now_ms + 1000 * deps.settings.upload_url_s,
        media_type=new.media_type,
        callback_url=new.callback_url,
        language=new.language,
    )
    deps.store.commit(insert(job))
    return creation.upload_of(deps, job)


jobs.create_upload = create_upload
wiring.configure_logging()
handler = routes.build(wiring.aws_deps(*DIALECT.needs))
