"""The first step of an execution: look into what arrived, hold what it costs, and let the job be worked on.

What arrived is sound, which is measured; a conversation, which becomes the transcript at once; or the word of a site of
videos that there is no sound to be had.
"""

from callscribe.domain import chats, transcripts
from callscribe.domain.audio import AudioFacts
from callscribe.domain.jobs import Job, JobState, move
from callscribe.domain.prices import shown
from callscribe.domain.records import Step
from callscribe.domain.task_facts import TaskType
from callscribe.domain.task_marks import marks
from callscribe.errors import Exhausted, FailureCode, InsufficientCredits, JobFailed, Unavailable
from callscribe.ports import Deps, ObjectInfo
from callscribe.services import arrivals, ledger, videos
from callscribe.services.commits import committed
from callscribe.services.failures import failed, note_failure
from callscribe.services.finding import find
from callscribe.services.scratch import scratch_folder

_TRIES = 5  # of a step that lost a race; each one reads again and decides again


def prepare(deps: Deps, *, tenant_id: str, job_id: str) -> Job:
    """Look into what was uploaded, hold what it costs, and let the job go on; to its end, if it `is_written`.

    Raises JobFailed: noted on the job first, unless it has ended or is gone.
    """
    job = deps.store.get(Job, tenant_id, job_id)
    if job is None:  # not NoSuchJob, which the machine would take for a defect and try again
        raise JobFailed(FailureCode.INTERNAL, "the job was deleted")
    if job.state is JobState.TRANSCRIBING:
        return job
    if job.state is not JobState.QUEUED or job.failure is not None:
        raise failed(job)
    try:
        audio = _look_into(deps, job)
    except JobFailed as error:
        note_failure(deps, job, error.failure)
        raise
    try:
        return _prepared(deps, job, audio)
    except InsufficientCredits as error:
        unpaid = _unpaid(error)
        facts = {} if audio is None else {"audio": audio}
        note_failure(deps, job, unpaid.failure, **facts)
        raise unpaid from error


def _look_into(deps: Deps, job: Job) -> AudioFacts | None:
    """Facts about a job's sound; None for a conversation, whose transcript is then stored. Raises JobFailed."""
    if job.task is not None and job.task.type is TaskType.REPORT:
        raise JobFailed(FailureCode.REPORT_FAILED, "reports are not made yet by this version")
    if job.is_written:
        _store_words(deps, job)
        return None
    if job.audio is not None:  # measured when the job was made, of a file that only we could put
        return job.audio
    return _inspect(deps, job)


def _store_words(deps: Deps, job: Job) -> None:
    """Store a conversation, as it came and as its transcript. Should the job have ended meanwhile, this step soon
    fails, and the one that ends the job removes both, or the sweeper.
    """
    _arrived(deps, job)
    chat = chats.from_json(deps.uploads.read(job.audio_key, version_id=job.audio_version_id))
    said = transcripts.to_json(chats.to_transcript(chat))
    for key, body in ((job.chat_key, chats.to_json(chat)), (job.transcript_key, said)):
        deps.results.put_if_absent(key, body, content_type="application/json")


def _inspect(deps: Deps, job: Job) -> AudioFacts:
    """Facts about the uploaded version. Its size is checked before it is fetched."""
    info = _arrived(deps, job)
    limits = job.limits or deps.settings.limits
    limits.require_size(info.size_bytes)
    if job.source and info.size_bytes <= videos.MAX_REFUSAL_BYTES:
        _require_sound(deps, job)
    with scratch_folder() as folder:
        path = folder / "audio"
        deps.uploads.download(job.audio_key, path, version_id=job.audio_version_id)
        return deps.inspector(path, limits)


def _arrived(deps: Deps, job: Job) -> ObjectInfo:
    info = deps.uploads.head(job.audio_key, version_id=job.audio_version_id)
    if info is None:
        raise JobFailed(FailureCode.AUDIO_EMPTY, "the uploaded file is no longer there")
    return info


def _require_sound(deps: Deps, job: Job) -> None:
    """Raises JobFailed where a site of videos has refused."""
    if job.task is None or job.task.type is not TaskType.YOUTUBE:
        return
    reason = videos.read_refusal(deps.uploads.read(job.audio_key, version_id=job.audio_version_id))
    if reason is not None:
        raise JobFailed(FailureCode.SOURCE_UNREACHABLE, reason)


def _prepared(deps: Deps, job: Job, audio: AudioFacts | None) -> Job:
    """Store what the inspection found. The sweeper may have touched the job meanwhile: that costs no inspection.

    A balance is too low for other jobs' sake, or for this one's: another copy of this step may hold what it costs.
    """
    too_little: Exhausted | InsufficientCredits | None = None
    for _ in range(_TRIES):
        now_ms = deps.now_ms()
        due_at_ms = now_ms + 1000 * deps.settings.recheck_s
        change = move(job, JobState.TRANSCRIBING, at_ms=now_ms, audio=audio, due_at_ms=due_at_ms)
        try:
            if committed(deps, change, *marks(change), *_holding(deps, job, audio)):
                if audio is not None:
                    arrivals.note(deps, audio)
                prepared: Job = change.after
                return prepared
        except (Exhausted, InsufficientCredits) as error:
            too_little = error
        job = find(deps, tenant_id=job.tenant_id, job_id=job.id)
        if job.state is JobState.TRANSCRIBING:
            return job
        if job.state is not JobState.QUEUED or job.failure is not None:
            raise failed(job)
    if too_little is not None and job.price is not None:
        raise ledger.insufficient(deps, job.tenant_id, job.price.account, _cost(job, audio)) from too_little
    raise Unavailable(f"job {job.id} changed too often")


def _unpaid(error: InsufficientCredits) -> JobFailed:
    needed, has = (shown(error.account, amount) for amount in (error.required or 0, error.available))
    message = f"this recording costs {needed} {error.account}, and {has} are available"
    return JobFailed(FailureCode.INSUFFICIENT_CREDITS, message)


def _cost(job: Job, audio: AudioFacts | None) -> int:
    return 0 if job.price is None or audio is None else job.price.of(audio.duration_s)


def _holding(deps: Deps, job: Job, audio: AudioFacts | None) -> list[Step]:
    """Nothing for a job that was made with its hold: one of words, or of sound that was measured before."""
    if job.price is None or audio is None:
        return []
    if job.audio is not None and ledger.find_hold(deps, tenant_id=job.tenant_id, hold_id=job.id) is not None:
        return []
    return ledger.holding(
        deps,
        tenant_id=job.tenant_id,
        hold_id=job.id,
        account=job.price.account,
        amount=_cost(job, audio),
        deadline_at_ms=job.deadline_at_ms,
    )
