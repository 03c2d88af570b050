"""Making jobs: by an upload that a client will make, or by a source from which we fetch the audio."""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from callscribe.domain.accounts import Tenant
from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts
from callscribe.domain.jobs import IdempotencyRecord, Job, JobNumber, JobState
from callscribe.domain.prices import Account, Price
from callscribe.domain.records import Change, Step, insert, update
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.domain.task_marks import marks
from callscribe.errors import CallscribeError, Conflict, IdempotencyMismatch, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts
from callscribe.services.accounts import Principal

_TRIES = 5  # to claim an idempotency key
_RETRY_S = 60  # after an ask for audio that failed
_EVENT_GRACE_S = 60  # after a URL's end, how long its upload event may take

Beside = Callable[[Job], Sequence[Step]]  # what is stored in one transaction with a new job


@dataclass(frozen=True, slots=True)
class Upload:
    """A job that waits for its audio, and the URL to PUT it to."""

    job: Job
    url: str


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's Idempotency-Key and the SHA-256 (hex) of the body it came with."""

    key: str
    body_sha256: str


class NotAsked(Unavailable):
    """`job` is made, but the message that has its audio fetched could not be sent. The sweeper soon sends another."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"the audio of the job {job.id} could not be asked for")
        self.job = job


@dataclass(frozen=True, slots=True)
class Source:
    """Where a job's audio is to be fetched from: a URL, or an object (of the audio bucket where `bucket` is None), the
    newest version where `version_id` is None; or a video, by its canonical link (see `domain.video_links`).
    """

    url: str | None = None
    video: str | None = None
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a dialect says about a job that is to be made; see `Job` for what the fields mean."""

    dialect: str
    media_type: str | None = None
    callback_url: str | None = None
    language: str | None = None
    diarize: bool = True
    vocabulary: tuple[str, ...] = ()  # before the tenant's own
    limits: AudioLimits | None = None
    call: CallFacts = NOTHING_KNOWN
    kept: bool = True
    source: Source | None = None  # None: somebody puts the audio to `audio_key`
    idempotency: Idempotency | None = None
    task: TaskFacts | None = None
    audio: AudioFacts | None = None  # of a file that was looked into already, and that nobody else can put
    account: Account | None = None  # what the job is paid from; None: as the credential and the tenant's plan say


def nothing_beside(_job: Job) -> Sequence[Step]:
    """No further steps."""
    return ()


def create(deps: Deps, principal: Principal, new: NewJob, *, beside: Beside = nothing_beside) -> Job:
    """Create a job that waits for its audio, which is fetched if it has a source. The same idempotency key gives the
    same job. The steps of `beside` are stored with a job that is really made.

    Raises OutboundRefused for a URL that breaks a rule, IdempotencyMismatch for a key used with another body, NotAsked
    where the job is made but nobody could be told to fetch its audio, and Conflict when a step of `beside` lost a race.
    """
    if new.callback_url is not None:
        deps.webhooks.check(new.callback_url)
    if new.source is not None and new.source.url is not None:
        deps.downloader.check(new.source.url)
    stored = _store_once(deps, _made(deps, principal, new), new.idempotency, beside)
    if new.source is not None and stored.source and stored.state is JobState.AWAITING_UPLOAD:
        _keep_source(deps, stored, new.source)
        ask_for(deps, stored)
    return stored


def ask_for(deps: Deps, job: Job) -> None:
    """Have the audio fetched. Should the job have ended meanwhile, its end did not see the source.

    An ask that fails is due soon: for the sweeper, or for whoever asks again. Raises NotAsked then.
    """
    now = deps.store.get(Job, job.tenant_id, job.id)
    if now is None or now.finished:
        deps.uploads.erase(job.source_key)
        return
    try:
        deps.fetch_queue.send({"tenant_id": job.tenant_id, "job_id": job.id})
    except Unavailable as error:
        with contextlib.suppress(CallscribeError):
            deps.store.commit(update(now, due_at_ms=deps.now_ms() + 1000 * _RETRY_S))
        raise NotAsked(now) from error


def ask_again(deps: Deps, job: Job, source: Source) -> None:
    """Have a job's audio fetched whose maker may have died before it asked; nothing where that is surely under way.

    A source that was not stored yet was not asked for. Else the last ask is over once a download would be: whoever
    then moves `due_at_ms` first is the one who asks.
    """
    if not job.source or job.state is not JobState.AWAITING_UPLOAD:
        return
    if not _keep_source(deps, job, source):
        if deps.now_ms() < _asked_at_ms(deps, job) + 1000 * deps.settings.fetch_s:
            return
        try:
            deps.store.commit(update(job, due_at_ms=next_ask_ms(deps, job)))
        except Conflict:  # another one asks, or it goes on
            return
    ask_for(deps, job)


def next_ask_ms(deps: Deps, job: Job) -> int:
    """When the sweeper must look at a job whose audio is asked for now: not while the message is surely under way."""
    last_ms = job.created_at_ms + 1000 * deps.settings.upload_deadline_s
    return min(deps.now_ms() + 1000 * _under_way_s(deps, job.task), last_ms)


def _asked_at_ms(deps: Deps, job: Job) -> int:
    """When a job's audio was last asked for, by what `next_ask_ms` then said; or longer ago."""
    return (job.due_at_ms or 0) - 1000 * _under_way_s(deps, job.task)


def _under_way_s(deps: Deps, task: TaskFacts | None) -> int:
    """How long an ask for audio is surely under way; a video goes through a second queue, and a container starts."""
    is_video = task is not None and task.type is TaskType.YOUTUBE
    return deps.settings.video_message_s if is_video else deps.settings.fetch_message_s


def is_repeated(deps: Deps, new: NewJob, *, tenant_id: str) -> bool:
    """Whether an earlier request with the same idempotency key made a job, as `made_before` finds it."""
    return made_before(deps, new.idempotency, tenant_id=tenant_id, dialect=new.dialect) is not None


def made_before(deps: Deps, idempotency: Idempotency | None, *, tenant_id: str, dialect: str) -> Job | None:
    """The job that an earlier request with the same idempotency key made at this dialect, if it is still there.

    Raises IdempotencyMismatch.
    """
    if idempotency is None:
        return None
    earlier = deps.store.get(IdempotencyRecord, tenant_id, dialect, idempotency.key)
    return None if earlier is None else _known(deps, earlier, idempotency)


def create_upload(deps: Deps, principal: Principal, new: NewJob) -> Upload:
    """Create a job that waits for an upload. The same idempotency key gives the same job, with a fresh URL.

    Raises what `create` raises.
    """
    return upload_of(deps, create(deps, principal, new))


def upload_of(deps: Deps, job: Job) -> Upload:
    """A fresh URL to PUT the job's audio to."""
    return Upload(job, deps.uploads.presign_put(job.audio_key, expires_s=deps.settings.upload_url_s))


def price_for(tenant: Tenant, principal: Principal) -> Price | None:
    """What a job of this credential costs; None where the tenant has no plan."""
    if tenant.plan is None:
        return None
    account = principal.pays_from or tenant.plan.account
    return Price(account, tenant.plan.price_per_s(account))


def _keep_source(deps: Deps, job: Job, source: Source) -> bool:
    """Store where the audio is, after the job: no source is without one. Whether it was not stored already."""
    body = json.dumps(asdict(source)).encode()
    return deps.uploads.put_if_absent(job.source_key, body, content_type="application/json")


def _made(deps: Deps, principal: Principal, new: NewJob) -> Job:
    tenant = accounts.get_tenant(deps, principal.tenant_id)
    now_ms = deps.now_ms()
    return Job(
        tenant_id=principal.tenant_id,
        id=_new_job_id(deps),
        dialect=new.dialect,
        key_id=principal.key_id,
        state=JobState.AWAITING_UPLOAD,
        created_at_ms=now_ms,
        deadline_at_ms=now_ms + 1000 * (deps.settings.upload_deadline_s + deps.settings.job_deadline_s),
        due_at_ms=now_ms + 1000 * _first_look_s(deps, new),
        media_type=new.media_type,
        callback_url=new.callback_url,
        language=new.language,
        options=principal.options,
        number=deps.store.count(principal.tenant_id, "jobs"),
        source=new.source is not None,
        limits=new.limits,
        price=price_for(tenant, principal) if new.account is None else Price(new.account, 1),
        call=new.call.over(tenant.call),
        diarize=new.diarize,
        vocabulary=new.vocabulary,
        kept=new.kept,
        changed_at_ms=now_ms,
        audio=new.audio,
        task=new.task or _usual_task(tenant, new),
    )


def _usual_task(tenant: Tenant, new: NewJob) -> TaskFacts | None:
    """A tenant with a tariff finds its jobs of all dialects in its lists, as calls; but none that is not kept."""
    if tenant.subscription is None or not new.kept:
        return None
    return TaskFacts(TaskType.CALL, operator_name=new.call.agent_name)


def _first_look_s(deps: Deps, new: NewJob) -> int:
    uploaded_s = deps.settings.upload_url_s + _EVENT_GRACE_S
    expected_s = uploaded_s if new.source is None else _under_way_s(deps, new.task)
    return min(expected_s, deps.settings.upload_deadline_s)


def _new_job_id(deps: Deps) -> str:
    """A version 4 UUID from the injected randomness."""
    raw = bytearray(deps.random_bytes(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _store_once(deps: Deps, job: Job, idempotency: Idempotency | None, beside: Beside) -> Job:
    """The stored job: this one, or the one that an earlier request with the same idempotency key made."""
    new = insert(job)
    made = [new, *marks(new), insert(JobNumber(job.tenant_id, job.number, job.id))]
    if idempotency is None:
        deps.store.commit(*made, *beside(job))
        return job
    for _ in range(_TRIES):
        earlier = deps.store.get(IdempotencyRecord, job.tenant_id, job.dialect, idempotency.key)
        known = None if earlier is None else _known(deps, earlier, idempotency)
        if known is not None:
            return known
        try:
            deps.store.commit(*made, *beside(job), _claim(deps, job, idempotency, earlier))
        except Conflict:
            if deps.store.get(IdempotencyRecord, job.tenant_id, job.dialect, idempotency.key) == earlier:
                raise  # it was not the key that changed
            continue
        return job
    raise Unavailable("the idempotency key changed too often")


def _known(deps: Deps, earlier: IdempotencyRecord, idempotency: Idempotency) -> Job | None:
    """The job that the key stands for; None once it is forgotten, or its job was deleted."""
    if earlier.forget_at_ms <= deps.now_ms():
        return None
    if earlier.body_sha256 != idempotency.body_sha256:
        raise IdempotencyMismatch("Idempotency-Key", "was used before with another body")
    return deps.store.get(Job, earlier.tenant_id, earlier.job_id)


def _claim(deps: Deps, job: Job, idempotency: Idempotency, earlier: IdempotencyRecord | None) -> Change:
    forget_at_ms = deps.now_ms() + 1000 * deps.settings.idempotency_s
    if earlier is not None:
        return update(earlier, body_sha256=idempotency.body_sha256, job_id=job.id, forget_at_ms=forget_at_ms)
    return insert(
        IdempotencyRecord(
            tenant_id=job.tenant_id,
            dialect=job.dialect,
            key=idempotency.key,
            body_sha256=idempotency.body_sha256,
            job_id=job.id,
            forget_at_ms=forget_at_ms,
        )
    )
