"""A worker's surroundings on the memory fakes, and a transcriber that does as it is told."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from callscribe.adapters.memory import ManualClock, MemoryQueue, MemoryTaskReports, memory_deps
from callscribe.domain.audio import AudioFacts
from callscribe.domain.jobs import Job, JobState, move
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import Stopped
from callscribe.ports import DEFAULT_OPTIONS, Deps, Transcribed, TranscriptionOptions, WorkMessage, WorkQueue
from callscribe.services import accounts, jobs
from callscribe.services.drain import Drain, WorkerSettings

FACTS = AudioFacts("wav", "pcm_s16le", 1, 8_000, 1.0, 10)
MAX_RECEIVES = 5
VISIBILITY_S = 30
WAIT_S = 20.0


class Queue(MemoryQueue):
    """A queue that counts how often a message was kept hidden, and remembers how many it was asked for."""

    def __init__(self, clock: ManualClock, **options: Any) -> None:
        super().__init__(clock, **options)
        self.extended = threading.Semaphore(0)
        self.asked_for: list[int] = []

    def receive(self, *, max_messages: int, wait_s: int) -> list[WorkMessage]:
        self.asked_for.append(max_messages)
        return super().receive(max_messages=max_messages, wait_s=wait_s)

    def extend(self, message: WorkMessage, *, visibility_s: int) -> None:
        super().extend(message, visibility_s=visibility_s)
        self.extended.release()


class Hearing:
    """A `SpeechPipeline` that hears a file's own bytes. `hear` is called for every recording, in its thread."""

    def __init__(self, hear: Callable[[], object] = lambda: None) -> None:
        self.hear = hear
        self.heard: list[bytes] = []
        self.stopped = threading.Event()
        self.closed = False

    def __call__(self, path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
        heard = path.read_bytes()
        self.heard.append(heard)
        self.hear()
        if self.stopped.is_set():
            raise Stopped("told to stop")
        transcript = Transcript((Segment(heard.decode(), 0, 1, 0, "0", None),), "en", None, "fake", "fake", 1.0, 1.0)
        return Transcribed(transcript, WorkFigures(audio_s=4.0, speech_s=1.5, device_s=0.5, batch_fill=0.75))

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.closed = True

    def until(self, event: threading.Event) -> None:
        """Wait for it in `hear`, or for the stop."""
        for _ in range(round(WAIT_S / 0.01)):
            if event.wait(0.01) or self.stopped.is_set():
                return
        raise AssertionError("neither came")


@dataclass
class Site:
    """A stage with a work queue. `transcribe` is called for every recording that is really worked on."""

    clock: ManualClock = field(default_factory=ManualClock)
    reports: MemoryTaskReports = field(default_factory=MemoryTaskReports)
    hearing: Hearing = field(default_factory=Hearing)

    def __post_init__(self) -> None:
        self.queue = Queue(self.clock, visibility_s=VISIBILITY_S, max_receives=MAX_RECEIVES)
        self.deps: Deps = memory_deps(now_ms=self.clock, task_reports=self.reports)
        tenant = accounts.create_tenant(self.deps, name="Example")
        key, _ = accounts.create_key(self.deps, tenant_id=tenant.id, name="key")
        self.principal = accounts.identify(self.deps, tenant_id=tenant.id, key_id=key.id)

    @property
    def transcribed(self) -> list[bytes]:
        """What was really worked on, in order."""
        return self.hearing.heard

    def send(self, body: bytes = b"some words", *, waited_for: bool = True) -> Job:
        """A job whose execution waits for a worker; its message is in the queue, its token is `token-<id>`."""
        upload = jobs.create_upload(self.deps, self.principal, jobs.NewJob("presign", media_type="audio/wav"))
        version_id = self.deps.uploads.put(upload.job.audio_key, body)  # type: ignore[attr-defined]  # the fake's own door
        for state in (JobState.QUEUED, JobState.TRANSCRIBING):
            job = self.job(upload.job)
            self.deps.store.commit(move(job, state, at_ms=self.clock(), audio_version_id=version_id, audio=FACTS))
        token = f"token-{upload.job.id}"
        if waited_for:
            self.reports.wait_for(token)
        self.send_message(upload.job, token)
        return self.job(upload.job)

    def send_message(self, job: Job, token: str) -> None:
        """A message for the job, as an execution sends it."""
        self.queue.send({"tenant_id": job.tenant_id, "job_id": job.id, "task_token": token})

    def job(self, job: Job) -> Job:
        return jobs.find(self.deps, tenant_id=job.tenant_id, job_id=job.id)

    def worker(
        self,
        queue: WorkQueue | None = None,
        *,
        hearing: Hearing | None = None,
        deps: Deps | None = None,
        visibility_s: int = VISIBILITY_S,
        interrupted: Callable[[], bool] | None = None,
        **settings: Any,
    ) -> Drain:
        """A worker with one slot that leaves once the queue is empty, unless `settings` say otherwise."""
        deps = deps or self.deps
        return Drain(
            replace(deps, settings=replace(deps.settings, work_visibility_s=visibility_s)),
            queue or self.queue,
            hearing or self.hearing,
            WorkerSettings(**{"slots": 1, "idle_s": 0.0, **settings}),
            worker_id="w1",
            interrupted=interrupted,
        )

    def wait_until_visible(self) -> int:
        """Let the clock run until a message may be received again; the seconds it took, in steps of ten."""
        for waited_s in range(0, 70, 10):
            if not self.queue.bodies or self.queue.depth().waiting:
                return waited_s
            self.clock.advance(10)
        raise AssertionError("the message stays hidden")
