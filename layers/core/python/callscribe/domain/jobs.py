"""A job: one recording on its way to a transcript. Its state is the lock; every move is one conditional write.

AWAITING_UPLOAD ──▶ QUEUED ──▶ TRANSCRIBING ──▶ COMPLETED
       │              │             │
       └──────────────┴─────────────┴─────────▶ FAILED, CANCELLED
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from callscribe import names
from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts
from callscribe.domain.prices import Price
from callscribe.domain.records import Change, update
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import Failure

_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class JobState(StrEnum):
    """Where a job stands."""

    AWAITING_UPLOAD = "AWAITING_UPLOAD"
    QUEUED = "QUEUED"
    TRANSCRIBING = "TRANSCRIBING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


_ENDED_EARLY = frozenset({JobState.FAILED, JobState.CANCELLED})
MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.AWAITING_UPLOAD: _ENDED_EARLY | {JobState.QUEUED},
    JobState.QUEUED: _ENDED_EARLY | {JobState.TRANSCRIBING},
    JobState.TRANSCRIBING: _ENDED_EARLY | {JobState.COMPLETED},
    JobState.COMPLETED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class IllegalMove(ValueError):
    """A move that the table MOVES does not hold: a defect of the caller, or a step that came twice."""


@dataclass(frozen=True, slots=True)
class Job:
    """One recording. Times are epoch milliseconds.

    `due_at_ms` is when the sweeper must look at it: to move it on, or, once it has ended, to see that what nobody
    wants any more is gone. None: never again.
    """

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = "created_at_ms"

    tenant_id: str
    id: str
    dialect: str
    key_id: str  # of the credential that made it: a key or a user
    state: JobState
    created_at_ms: int
    deadline_at_ms: int
    due_at_ms: int | None
    media_type: str | None = None
    callback_url: str | None = None
    language: str | None = None  # BCP 47; None or "auto": the engine decides
    options: tuple[str, ...] = ()  # the credential's dialect switches at creation
    audio_version_id: str | None = None
    audio: AudioFacts | None = None
    failure: Failure | None = None
    run: int = 0  # number of the execution; above 0 when the sweeper had to start again
    finished_at_ms: int | None = None
    work: WorkFigures | None = None  # what it asked of its worker; None before, and where that was lost
    number: int = 0  # counts the tenant's jobs from 1, for dialects whose ids are integers
    source: bool = False  # whether its audio is fetched by us, from what `source_key` says
    limits: AudioLimits | None = None  # None: the stage's own
    price: Price | None = None  # None: it costs nothing
    call: CallFacts = NOTHING_KNOWN
    diarize: bool = True
    vocabulary: tuple[str, ...] = ()  # names and terms that may be said, the most important first
    roles_swapped: bool = False  # somebody said that agent and customer are the other way round
    kept: bool = True  # False: the audio goes when the job ends, the transcript once it was fetched
    changed_at_ms: int = 0  # when a list of tasks last began to show it differently
    task: TaskFacts | None = None  # None: no list shows it
    version: int = 0

    @property
    def finished(self) -> bool:
        """No move is left."""
        return not MOVES[self.state]

    @property
    def execution_name(self) -> str:
        """The name that makes a start happen once: the job id, with the run's number from the second run on."""
        return self.id if self.run == 0 else f"{self.id}-{self.run}"

    @property
    def audio_key(self) -> str:
        """Object key of the upload."""
        return audio_key(self.tenant_id, self.id)

    @property
    def channels(self) -> int | None:
        """How many channels its audio has; None before that is known."""
        return None if self.audio is None else self.audio.channels

    @property
    def is_written(self) -> bool:
        """Its words came as text: nobody has to listen."""
        return self.task is not None and self.task.type is TaskType.CHAT

    @property
    def source_key(self) -> str:
        """Object key, in the audio bucket, of what says where the audio is to be fetched from."""
        return source_key(self.tenant_id, self.id)

    @property
    def results_prefix(self) -> str:
        """What the keys of all its results start with."""
        return results_prefix(self.tenant_id, self.id)

    @property
    def transcript_key(self) -> str:
        """Object key of the transcript, derived: a second worker writes to the same place."""
        return f"{self.results_prefix}transcript.json"

    @property
    def chat_key(self) -> str:
        """Object key of the conversation as it came, beside its transcript: the upload goes long before both."""
        return f"{self.results_prefix}chat.json"

    def callback_body_key(self, body: bytes) -> str:
        """Object key of a callback's body, by its digest: the outbox row names exactly the bytes that are sent."""
        digest = hashlib.sha256(body).hexdigest()[:32]
        return f"{self.results_prefix}callback-{digest}.json"


def move(job: Job, state: JobState, *, at_ms: int, **fields: Any) -> Change:
    """The change that takes a job to another state at `at_ms`; nothing is due after its end, but what `fields` say.

    Raises IllegalMove.
    """
    if state not in MOVES[job.state]:
        raise IllegalMove(f"job {job.id}: {job.state} → {state}")
    if not MOVES[state]:
        fields.setdefault("due_at_ms", None)
    return update(job, state=state, changed_at_ms=_later(job, at_ms), **fields)


def change_task(job: Job, task: TaskFacts, *, at_ms: int) -> Change:
    """The change by which lists show something else of a job's task, from `at_ms` on."""
    return update(job, task=task, changed_at_ms=_later(job, at_ms))


def _later(job: Job, at_ms: int) -> int:
    """After the last change, whatever the clocks say: two changes must never look like none."""
    return max(at_ms, job.changed_at_ms + 1)


def audio_key(tenant_id: str, job_id: str) -> str:
    """Object key of a job's audio: what arrives there starts the job."""
    return f"{names.AUDIO_PREFIX}{tenant_id}/{job_id}"


def source_key(tenant_id: str, job_id: str) -> str:
    """Object key, in the audio bucket, of what says where a job's audio is to be fetched from."""
    return f"{names.SOURCES_PREFIX}{tenant_id}/{job_id}"


def results_prefix(tenant_id: str, job_id: str) -> str:
    """What the keys of all of a job's results start with."""
    return f"{names.RESULTS_PREFIX}{tenant_id}/{job_id}/"


def is_job_id(text: str) -> bool:
    """Whether a text has the form of our job ids, all of one length: no such id begins another one's key."""
    return _JOB_ID.fullmatch(text) is not None


def ids_from_audio_key(key: str) -> tuple[str, str] | None:
    """(tenant id, job id) of an uploaded object's key, or None where it is not one of ours."""
    parts = key.removeprefix(names.AUDIO_PREFIX).split("/")
    if not key.startswith(names.AUDIO_PREFIX) or len(parts) != 2 or not all(parts):
        return None
    return parts[0], parts[1]


@dataclass(frozen=True, slots=True)
class JobNumber:
    """Which job of a tenant has this number."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "number")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    number: int
    job_id: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What a client's Idempotency-Key stands for at one dialect, for 24 hours."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "dialect", "key")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    dialect: str
    key: str
    body_sha256: str
    job_id: str
    forget_at_ms: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class ResultLink:
    """Global look-up behind a `transcriptionUrl`: an opaque token's digest → the transcript it opens."""

    KEY: ClassVar[tuple[str, ...]] = ("digest",)
    LISTED: ClassVar[str | None] = None

    digest: str
    tenant_id: str
    job_id: str
    forget_at_ms: int
    version: int = 0
