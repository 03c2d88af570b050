"""What the pipeline does to the jobs of a stage in memory, by the services that its functions call."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import jwt

from callscribe import dialects
from callscribe.adapters.memory import (
    ManualClock,
    MemoryInspector,
    MemoryObjects,
    MemoryQueue,
    MemoryStore,
    memory_deps,
)
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Account
from callscribe.domain.transcripts import Segment, Transcript, Word, to_json
from callscribe.errors import FailureCode, JobFailed
from callscribe.ports import Deps, Settings
from callscribe.services import jobs, ledger, preparing, sources
from tests.dialects.conftest import Client

TRANSCRIPT = Transcript(
    segments=(
        Segment("good morning", 0.05, 2.26, 0, "0", 0.9, (Word("good", 0.05, 0.4, 0.95), Word("morning", 0.4, 2.26, 0.85))),
        Segment("I need help", 2.4000001, 3.0, 1, "1", 0.8),
        Segment("of course", 3.5, 4.0, 0, "0", None),
    ),
    language="en",
    language_probability=None,
    engine="pocketsphinx",
    model="en-us",
    duration_s=4.2,
    speech_s=3.2,
)  # fmt: skip


@dataclass
class Pipeline:
    """A stage's jobs on their way. Whoever has the stage derives from this, and calls `build` when made."""

    heard: ClassVar[Transcript] = TRANSCRIPT  # in every recording, unless another transcript is given

    clock: ManualClock = field(default_factory=ManualClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    inspector: MemoryInspector = field(default_factory=MemoryInspector)
    settings: Settings = field(default_factory=lambda: Settings(public_base_url="https://callscribe.example"))

    def build(self, dialect: str, **others: Any) -> None:
        """The dialect on this stage's fakes; `others` of Deps by field name, also in place of these."""
        self.uploads = MemoryObjects(self.clock, bucket="uploads")
        self.results = MemoryObjects(self.clock, bucket="results")
        self.fetch_queue = MemoryQueue(self.clock)
        fakes = {
            "store": self.store,
            "uploads": self.uploads,
            "results": self.results,
            "inspector": self.inspector,
            "fetch_queue": self.fetch_queue,
            "settings": self.settings,
            "now_ms": self.clock,
        }
        self.deps: Deps = memory_deps(**(fakes | others))
        self.dialect = dialects.load(dialect)
        self.anonymous = Client(self.dialect.build(self.deps))

    def job(self, uuid: str) -> Job:
        """The job of a uuid, whoever owns it."""
        return next(job for job in self.store.all(Job) if job.id == uuid)

    def prepare(self, uuid: str) -> Job:
        """Take a job to where it is transcribed, with the audio it has or else some. Raises JobFailed."""
        job = self.job(uuid)
        info = self.uploads.head(job.audio_key)
        version_id = self.uploads.put(job.audio_key, b"RIFF") if info is None else info.version_id
        jobs.uploaded(self.deps, tenant_id=job.tenant_id, job_id=job.id, version_id=version_id)
        return preparing.prepare(self.deps, tenant_id=job.tenant_id, job_id=job.id)

    def complete(self, uuid: str, transcript: Transcript | None = None) -> Job:
        """Take a job to its end, for which this is heard. Raises JobFailed."""
        job = self.prepare(uuid)
        self.results.put(job.transcript_key, to_json(transcript or self.heard))
        return jobs.finish(self.deps, tenant_id=job.tenant_id, job_id=job.id, render=self.dialect.renderer())

    def carry_on(self, uuid: str, transcript: Transcript | None = None) -> Job:
        """Take a job to whatever end it has: one that needs no worker has its transcript already."""
        ids = {"tenant_id": self.job(uuid).tenant_id, "job_id": uuid}
        try:
            job = self.prepare(uuid)
        except JobFailed:
            return jobs.fail(self.deps, tenant_id=ids["tenant_id"], job_id=uuid, render=self.dialect.renderer())
        if job.state is JobState.TRANSCRIBING:
            body = to_json(transcript or self.heard)
            self.results.put_if_absent(job.transcript_key, body, content_type="application/json")
            return jobs.finish(self.deps, **ids, render=self.dialect.renderer())
        return job

    def fail(self, uuid: str, code: FailureCode = FailureCode.AUDIO_UNREADABLE) -> Job:
        """End a job without a transcript."""
        job = self.job(uuid)
        return jobs.fail(self.deps, tenant_id=job.tenant_id, job_id=job.id, render=self.dialect.renderer(), code=code)

    def fetch(self) -> None:
        """Let the fetching function do what its queue says."""
        for message in self.fetch_queue.take():
            sources.fetch(
                self.deps,
                tenant_id=str(message["tenant_id"]),
                job_id=str(message["job_id"]),
                render=self.dialect.renderer(),
            )

    def top_up(self, tenant_id: str, account: Account, amount: int) -> None:
        """Add to what a tenant has."""
        if amount:
            reference = f"{account}-{self.deps.now_ms()}"
            ledger.top_up(self.deps, tenant_id=tenant_id, account=account, amount=amount, reference=reference)

    def remains(self, uuid: str) -> list[str]:
        """Keys of all objects whose name holds the job's id."""
        return [key for key in (*self.uploads.keys(), *self.results.keys()) if uuid in key]

    def tenant_of(self, client: Client) -> str:
        """Whose access token a client carries."""
        return str(jwt.decode(str(client.token), options={"verify_signature": False})["tenant"])
