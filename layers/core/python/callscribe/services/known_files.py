"""Whether a file was taken before (T-A12). The transaction that makes its task claims it; it is free again once that
has come to nothing.
"""

from collections.abc import Sequence
from typing import Final

from callscribe.domain.jobs import Job, JobState
from callscribe.domain.known_files import KnownFile
from callscribe.domain.records import Change, delete, insert, update
from callscribe.errors import DuplicateFile
from callscribe.ports import Deps
from callscribe.services import jobs
from callscribe.services.accounts import Principal

_BROUGHT_MS: Final = 60_000  # so long after its task was made a file has surely been put, or its process has died


def require_free(deps: Deps, principal: Principal, digests: Sequence[str]) -> None:
    """Raises DuplicateFile where this user's task of such a file is under way or completed; cancels one that its maker
    has left without its file.
    """
    for digest in digests:
        _require_free(deps, deps.store.get(KnownFile, principal.tenant_id, principal.key_id, digest))


def claiming(deps: Deps, job: Job) -> list[Change]:
    """The steps that make a new job's files known, once `require_free` lets it have them, cancelling included.

    Raises DuplicateFile; a commit raises Conflict for a lost race.
    """
    return [_claim(deps, job, digest) for digest in _digests(job)]


def forgetting(deps: Deps, job: Job) -> list[Change]:
    """The steps that go with a job's deletion."""
    found = [deps.store.get(KnownFile, job.tenant_id, job.key_id, digest) for digest in _digests(job)]
    return [delete(known) for known in found if known is not None and known.job_id == job.id]


def _digests(job: Job) -> tuple[str, ...]:
    return () if job.task is None else job.task.known_files


def _claim(deps: Deps, job: Job, digest: str) -> Change:
    known = deps.store.get(KnownFile, job.tenant_id, job.key_id, digest)
    _require_free(deps, known)
    if known is None:
        return insert(KnownFile(job.tenant_id, job.key_id, digest, job.id))
    return update(known, job_id=job.id)


def _require_free(deps: Deps, known: KnownFile | None) -> None:
    job = None if known is None else deps.store.get(Job, known.tenant_id, known.job_id)
    if job is None or job.state in (JobState.FAILED, JobState.CANCELLED):
        return
    if not _is_abandoned(deps, job):
        raise DuplicateFile(job.id, job.number)
    jobs.cancel(deps, tenant_id=job.tenant_id, job_id=job.id)


def _is_abandoned(deps: Deps, job: Job) -> bool:
    """Whether its maker died before the file was put: who sends it again has had no answer, and must not lose it."""
    is_old = deps.now_ms() >= job.created_at_ms + _BROUGHT_MS
    return is_old and job.state is JobState.AWAITING_UPLOAD and deps.uploads.head(job.audio_key) is None
