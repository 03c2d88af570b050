"""What jobs leave in the buckets, and its removal. Each of these may be done again at any time.

Things arrive late: an upload by a URL that outlives its job, a fetch that was under way, a transcript whose job was
cancelled meanwhile. Whoever brings something looks at the job afterwards and removes what nobody wants; should it
die before it can, its message comes again, or the sweeper looks (`next_look_ms`).
"""

from callscribe.domain.jobs import Job, JobState, audio_key, is_job_id, results_prefix
from callscribe.domain.records import update
from callscribe.ports import Deps
from callscribe.services.links import revoke_result_link


def clear(deps: Deps, job: Job) -> None:
    """Remove what an ended job no longer needs: where its audio came from; its audio, when that is not kept or the
    job was cancelled; and results that nobody will be given.
    """
    if job.source:
        deps.uploads.erase(job.source_key)
    if unwanted(job):
        deps.uploads.erase(job.audio_key)
    if job.state is JobState.CANCELLED:
        deps.results.erase(job.results_prefix)
    elif unwanted(job) and job.state is JobState.FAILED:  # the body of its callback is still to be sent
        deps.results.erase(job.transcript_key)


def unwanted(job: Job) -> bool:
    """Whether audio that arrives after the job's end is to be removed."""
    return not job.kept or job.state is JobState.CANCELLED


def next_look_ms(deps: Deps, job: Job) -> int | None:
    """When the sweeper must clear up after a job that ends now as `job` says; None where nothing can be left.

    A transcript that is not kept is not touched before whoever hands it out has had its time to remove it.
    """
    if not (job.source or unwanted(job)):
        return None
    untouched_s = deps.settings.fetched_result_s if job.state is JobState.COMPLETED and not job.kept else 0
    return deps.now_ms() + 1000 * (untouched_s + deps.settings.recheck_s)


def note_cleared(deps: Deps, job: Job) -> None:
    """Say that nothing is left of a job that has ended: the sweeper need not look before the deadline, after which
    nothing can come late, and then once. Raises Conflict.
    """
    again = unwanted(job) and deps.now_ms() < job.deadline_at_ms
    due_at_ms = job.deadline_at_ms if again else None
    if job.due_at_ms != due_at_ms:
        deps.store.commit(update(job, due_at_ms=due_at_ms))


def erase_contents(deps: Deps, job: Job) -> None:
    """Remove a job's audio, transcript, callback bodies, source and link; its record stays.

    Raises Conflict when its link was changed at the same moment.
    """
    for key in (job.audio_key, job.source_key):
        deps.uploads.erase(key)
    deps.results.erase(job.results_prefix)
    revoke_result_link(deps, job)


def erase_late_audio(deps: Deps, tenant_id: str, job_id: str) -> None:
    """Remove audio that has just been brought, where its job wants none any more: what cleared up after the job may
    have been here before.
    """
    job = deps.store.get(Job, tenant_id, job_id)
    if job is None:
        erase_audio_of_none(deps, tenant_id, job_id)
    elif job.finished and unwanted(job):
        deps.uploads.erase(job.audio_key)


def erase_audio_of_none(deps: Deps, tenant_id: str, job_id: str) -> None:
    """Remove audio whose job is gone. An id that is none of ours is left alone: as a prefix it might name others."""
    if is_job_id(job_id):
        deps.uploads.erase(audio_key(tenant_id, job_id))


def erase_results_of_none(deps: Deps, tenant_id: str, job_id: str) -> None:
    """Remove results whose job is gone."""
    if is_job_id(job_id):
        deps.results.erase(results_prefix(tenant_id, job_id))
