"""A job: one recording on its way to a transcript. Its state is the lock; every move is one conditional write.

AWAITING_UPLOAD ──▶ QUEUED ──▶ TRANSCRIBING ──▶ COMPLETED
       │              │             │
       └──────────────┴─────────────┴─────────▶ FAILED
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from callscribe import names
from callscribe.domain.audio import AudioFacts
from callscribe.domain.records import Change, update
from callscribe.errors import Failure


class JobState(StrEnum):
    """Where a job stands."""

    AWAITING_UPLOAD = "AWAITING_UPLOAD"
    QUEUED = "QUEUED"
    TRANSCRIBING = "TRANSCRIBING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.AWAITING_UPLOAD: frozenset({JobState.QUEUED, JobState.FAILED}),
    JobState.QUEUED: frozenset({JobState.TRANSCRIBING, JobState.FAILED}),
    JobState.TRANSCRIBING: frozenset({JobState.COMPLETED, JobState.FAILED}),
    JobState.COMPLETED: frozenset(),
    JobState.FAILED: frozenset(),
}


class IllegalMove(ValueError):
    """A move that the table MOVES does not hold: a defect of the caller, or a step that came twice."""


@dataclass(frozen=True, slots=True)
class Job:
    """One recording. Times are epoch milliseconds; `due_at_ms` is when the sweeper must look at it, None at the end."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = "created_at_ms"

    tenant_id: str
    id: str
    dialect: str
    key_id: str
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
    work_s: float | None = None  # what the worker spent on it, decode to transcript
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
        return f"{names.AUDIO_PREFIX}{self.tenant_id}/{self.id}"

    @property
    def transcript_key(self) -> str:
        """Object key of the transcript, derived: a second worker writes to the same place."""
        return f"{names.RESULTS_PREFIX}{self.tenant_id}/{self.id}/transcript.json"

    def callback_body_key(self, body: bytes) -> str:
        """Object key of a callback's body, by its digest: the outbox row names exactly the bytes that are sent."""
        digest = hashlib.sha256(body).hexdigest()[:32]
        return f"{names.RESULTS_PREFIX}{self.tenant_id}/{self.id}/callback-{digest}.json"


def move(job: Job, state: JobState, **fields: Any) -> Change:
    """The change that takes a job to another state. Raises IllegalMove."""
    if state not in MOVES[job.state]:
        raise IllegalMove(f"job {job.id}: {job.state} → {state}")
    if not MOVES[state]:
        fields["due_at_ms"] = None
    return update(job, state=state, **fields)


def ids_from_audio_key(key: str) -> tuple[str, str] | None:
    """(tenant id, job id) of an uploaded object's key, or None where it is not one of ours."""
    parts = key.removeprefix(names.AUDIO_PREFIX).split("/")
    if not key.startswith(names.AUDIO_PREFIX) or len(parts) != 2 or not all(parts):
        return None
    return parts[0], parts[1]


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What a client's Idempotency-Key stands for, for 24 hours."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "key")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
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
