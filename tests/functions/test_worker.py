"""functions/transcribe_worker on the memory fakes, with a transcriber that does as it is told."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from callscribe.adapters.memory import (
    ManualClock,
    MemoryQueue,
    MemoryTaskReports,
    Moment,
    RaiseAt,
    faulty,
    memory_deps,
)
from callscribe.domain import transcripts
from callscribe.domain.audio import AudioFacts
from callscribe.domain.jobs import Job, JobState, move
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.errors import FailureCode, JobFailed, Unavailable
from callscribe.ports import Deps, WorkMessage, WorkQueue
from callscribe.services import accounts, jobs, work
from functions.transcribe_worker.worker import Worker

FACTS = AudioFacts("wav", "pcm_s16le", 1, 8_000, 1.0, 10)
MAX_RECEIVES = 5
VISIBILITY_S = 30
WAIT_S = 20.0


class Queue(MemoryQueue):
    """A queue that counts how often a message was kept hidden."""

    def __init__(self, clock: ManualClock, **options: Any) -> None:
        super().__init__(clock, **options)
        self.extended = threading.Semaphore(0)

    def extend(self, message: WorkMessage, *, visibility_s: int) -> None:
        super().extend(message, visibility_s=visibility_s)
        self.extended.release()


@dataclass
class Site:
    """A worker's surroundings. `transcribe` is called for every recording that is really worked on."""

    clock: ManualClock = field(default_factory=ManualClock)
    reports: MemoryTaskReports = field(default_factory=MemoryTaskReports)
    transcribed: list[bytes] = field(default_factory=list)
    transcribe: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.queue = Queue(self.clock, visibility_s=VISIBILITY_S, max_receives=MAX_RECEIVES)
        self.deps: Deps = memory_deps(now_ms=self.clock, task_reports=self.reports)
        tenant = accounts.create_tenant(self.deps, name="Example")
        key, _ = accounts.create_key(self.deps, tenant_id=tenant.id, name="key")
        self.principal = accounts.identify(self.deps, tenant_id=tenant.id, key_id=key.id)

    def send(self, body: bytes = b"some words", *, waited_for: bool = True) -> Job:
        """A job whose execution waits for a worker; its message is in the queue, its token is `token-<id>`."""
        upload = jobs.create_upload(self.deps, self.principal, jobs.NewJob("presign", media_type="audio/wav"))
        version_id = self.deps.uploads.put(upload.job.audio_key, body)  # type: ignore[attr-defined]  # the fake's own door
        for state in (JobState.QUEUED, JobState.TRANSCRIBING):
            job = jobs.find(self.deps, tenant_id=upload.job.tenant_id, job_id=upload.job.id)
            self.deps.store.commit(move(job, state, audio_version_id=version_id, audio=FACTS))
        token = f"token-{upload.job.id}"
        if waited_for:
            self.reports.wait_for(token)
        self.queue.send({"tenant_id": upload.job.tenant_id, "job_id": upload.job.id, "task_token": token})
        return self.job(upload.job)

    def job(self, job: Job) -> Job:
        return jobs.find(self.deps, tenant_id=job.tenant_id, job_id=job.id)

    def transcriber(self, path: Path, facts: AudioFacts, *, language: str | None, diarize: bool = True) -> Transcript:
        heard = path.read_bytes()
        self.transcribed.append(heard)
        self.transcribe()
        return Transcript((Segment(heard.decode(), 0, 1, 0, "0", None),), "en", None, "fake", "fake", 1.0, 1.0)

    def worker(
        self, queue: WorkQueue | None = None, *, idle_s: float | None = 0.0, visibility_s: int = VISIBILITY_S
    ) -> Worker:
        settings = replace(self.deps.settings, work_visibility_s=visibility_s)
        deps = replace(self.deps, settings=settings)
        return Worker(deps, queue or self.queue, self.transcriber, idle_s=idle_s)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def in_background() -> Iterator[Callable[[Worker], threading.Thread]]:
    """Runs workers in threads, which must have ended when the test ends."""
    running: list[tuple[Worker, threading.Thread]] = []

    def start(worker: Worker) -> threading.Thread:
        thread = threading.Thread(target=worker.run)
        thread.start()
        running.append((worker, thread))
        return thread

    yield start
    for worker, thread in running:
        worker.stop()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_a_worker_drains_the_queue_and_reports_every_job_by_its_token(site: Site) -> None:
    sent = [site.send(f"words {number}".encode()) for number in range(3)]
    site.worker().run()
    assert site.queue.bodies == []
    assert sorted(site.reports.succeeded) == sorted(f"token-{job.id}" for job in sent)
    assert [jobs.transcript(site.deps, job).text for job in sent] == ["words 0", "words 1", "words 2"]


def test_a_message_stays_hidden_for_as_long_as_the_worker_works_on_it(site: Site) -> None:
    seen: list[list[WorkMessage]] = []

    def work_long() -> None:
        for _ in range(4):  # 4 × 0.9 s of the queue's clock, against a visibility of 1 s
            assert site.queue.extended.acquire(timeout=WAIT_S)
            site.clock.advance(0.9)
            seen.append(site.queue.receive(max_messages=1, wait_s=0))

    site.transcribe = work_long
    site.send()
    site.worker(visibility_s=1).run()
    assert seen == [[], [], [], []]
    assert len(site.transcribed) == 1


def test_a_message_is_no_longer_kept_hidden_once_the_work_is_done(site: Site) -> None:
    site.send()
    site.worker(visibility_s=1).run()
    assert not site.queue.extended.acquire(timeout=1.0)


def test_work_goes_on_when_the_visibility_cannot_be_extended(site: Site) -> None:
    asked = threading.Event()

    def refuse_to_extend(moment: Moment) -> None:
        if moment.method == "extend":
            asked.set()
            raise Unavailable("the queue is down")

    site.transcribe = lambda: asked.wait(WAIT_S)
    job = site.send()
    site.worker(faulty(site.queue, refuse_to_extend), visibility_s=1).run()
    assert asked.is_set()
    assert site.reports.succeeded == [f"token-{job.id}"]


def test_work_that_always_fails_is_given_back_and_in_the_end_lands_with_the_dead_letters(site: Site) -> None:
    def fail() -> None:
        raise RuntimeError("the engine broke")

    site.transcribe = fail
    job = site.send()
    waits_s: list[int] = []
    while not site.queue.dead_letters:
        site.worker().run()
        assert len(waits_s) < MAX_RECEIVES + 1
        waits_s.append(_wait_until_visible(site))
    assert len(site.transcribed) == MAX_RECEIVES
    assert waits_s[:MAX_RECEIVES] == [10, 20, 30, 40, 50]
    assert (site.reports.succeeded, site.reports.failed) == ([], [])
    (letter,) = site.queue.dead_letters
    work.give_up(site.deps, task_token=str(letter["task_token"]), tries=MAX_RECEIVES)
    assert [(one.task_token, one.error) for one in site.reports.failed] == [(f"token-{job.id}", FailureCode.INTERNAL)]


def test_work_that_fails_once_succeeds_when_it_comes_back(site: Site) -> None:
    job = site.send()
    broken = iter([RuntimeError("the engine broke")])

    def fail_once() -> None:
        for error in broken:
            raise error

    site.transcribe = fail_once
    site.worker().run()
    _wait_until_visible(site)
    site.worker().run()
    assert site.reports.succeeded == [f"token-{job.id}"]
    assert site.queue.bodies == []


def test_audio_that_cannot_be_transcribed_is_reported_by_its_token_and_not_tried_again(site: Site) -> None:
    failure = JobFailed(FailureCode.LANGUAGE_UNSUPPORTED, "the engine knows no Spanish")

    def refuse() -> None:
        raise failure

    site.transcribe = refuse
    job = site.send()
    site.worker().run()
    (reported,) = site.reports.failed
    assert (reported.task_token, reported.error) == (f"token-{job.id}", FailureCode.LANGUAGE_UNSUPPORTED)
    assert site.job(job).failure == failure.failure
    assert site.queue.bodies == []


def test_a_token_that_nobody_waits_for_any_more_is_tolerated(site: Site) -> None:
    job = site.send(waited_for=False)
    site.worker().run()
    assert (site.reports.succeeded, site.reports.failed, site.queue.bodies) == ([], [], [])
    assert jobs.transcript(site.deps, job).text == "some words"


def test_a_second_worker_that_finds_the_transcript_only_reports(site: Site) -> None:
    job = site.send()
    stored = Transcript((Segment("the first one's", 0, 1, 0, "0", None),), "en", None, "fake", "fake", 1.0, 1.0)
    site.deps.results.put_if_absent(job.transcript_key, transcripts.to_json(stored), content_type="application/json")
    site.worker().run()
    assert site.transcribed == []
    assert site.reports.succeeded == [f"token-{job.id}"]
    assert jobs.transcript(site.deps, job) == stored


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.FAILED])
def test_a_message_of_a_job_that_has_ended_is_dropped(site: Site, state: JobState) -> None:
    job = site.send()
    site.deps.store.commit(move(job, state))
    site.worker().run()
    assert (site.transcribed, site.queue.bodies) == ([], [])


def test_a_job_whose_message_could_not_be_deleted_is_reported_once(site: Site) -> None:
    job = site.send()
    lose_delete = RaiseAt(0, Unavailable("the queue is down"))
    site.worker(faulty(site.queue, lambda moment: lose_delete(moment) if moment.method == "delete" else None)).run()
    _wait_until_visible(site)
    site.worker().run()
    assert len(site.transcribed) == 1
    assert site.reports.succeeded == [f"token-{job.id}"]
    assert site.queue.bodies == []


def test_stop_finishes_the_message_at_hand_and_takes_no_other(
    site: Site, in_background: Callable[[Worker], threading.Thread]
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert go_on.wait(WAIT_S)

    site.transcribe = hold
    first, second = site.send(), site.send()
    worker = site.worker(idle_s=None)
    thread = in_background(worker)
    assert begun.wait(WAIT_S)
    worker.stop()
    assert thread.is_alive()
    go_on.set()
    thread.join(WAIT_S)
    assert site.reports.succeeded == [f"token-{first.id}"]
    assert [body["job_id"] for body in site.queue.bodies] == [second.id]


def test_a_queue_outage_does_not_end_the_worker(
    site: Site, in_background: Callable[[Worker], threading.Thread]
) -> None:
    done = threading.Event()
    site.transcribe = done.set
    site.send()
    outage = RaiseAt(0, Unavailable("the queue is down"))
    thread = in_background(site.worker(faulty(site.queue, outage), idle_s=None))
    assert done.wait(WAIT_S)
    assert outage.struck is not None
    assert thread.is_alive()


def _wait_until_visible(site: Site) -> int:
    """Let the clock run until the message may be received again; the seconds it took, in steps of ten."""
    for waited_s in range(0, 70, 10):
        if not site.queue.bodies or site.queue._visible():
            return waited_s
        site.clock.advance(10)
    raise AssertionError("the message stays hidden")
