"""Our own links to transcripts: opaque, revocable, valid for days, where a presigned URL lives for minutes."""

import contextlib
import hashlib

from callscribe import names
from callscribe.domain.jobs import Job, ResultLink
from callscribe.domain.records import delete, insert, update
from callscribe.errors import Conflict, NotFound
from callscribe.ports import Deps


def open_result_link(deps: Deps, token: str) -> str:
    """A fresh URL of the transcript that a `transcriptionUrl` token opens. Raises NotFound when it is over."""
    link = deps.store.get(ResultLink, hashlib.sha256(token.encode()).hexdigest())
    job = None if link is None else deps.store.get(Job, link.tenant_id, link.job_id)
    if link is None or job is None or link.forget_at_ms <= deps.now_ms():
        raise NotFound("this link is unknown or no longer valid")
    return deps.results.presign_get(job.transcript_key, expires_s=deps.settings.result_url_s)


def result_link(deps: Deps, job: Job) -> str:
    """Our own URL of the transcript: opaque, revocable (delete its row), the same whenever this step runs again."""
    token, digest = result_token(deps, job)
    now_ms = deps.now_ms()
    forget_at_ms = now_ms + 1000 * deps.settings.result_link_s
    link = deps.store.get(ResultLink, digest)
    with contextlib.suppress(Conflict):  # somebody else made it, or made it last longer
        if link is None:
            deps.store.commit(insert(ResultLink(digest, job.tenant_id, job.id, forget_at_ms)))
        elif link.forget_at_ms <= now_ms:  # over, but not yet removed
            deps.store.commit(update(link, forget_at_ms=forget_at_ms))
    if deps.store.get(Job, job.tenant_id, job.id) is None:  # deleted meanwhile: its deletion did not see this link
        revoke_result_link(deps, job)
    return f"{deps.settings.public_base_url}{names.RESULT_LINKS}/{token}"


def revoke_result_link(deps: Deps, job: Job) -> None:
    """Close the job's link, if it has one, by whichever root key it was made.

    Raises Conflict when it was changed at the same moment.
    """
    for root_id in deps.keyring.roots:
        _, digest = result_token(deps, job, root_id=root_id)
        link = deps.store.get(ResultLink, digest)
        if link is not None:
            deps.store.commit(delete(link))


def result_token(deps: Deps, job: Job, *, root_id: str | None = None) -> tuple[str, str]:
    """The token that opens the job's transcript, and the digest by which its `ResultLink` is found.

    By the root key that signs, unless another one is named.
    """
    token = deps.keyring.derive(f"result-link/{job.tenant_id}/{job.id}", root_id=root_id).hex()
    return token, hashlib.sha256(token.encode()).hexdigest()
