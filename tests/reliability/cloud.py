"""The pipeline without AWS: real use cases on the memory fakes, and between them what AWS does between functions.

Queues deliver at least once and in any order, Step Functions retries a task a few times, a message that fails
five times becomes a dead letter, executions wait, the sweeper comes by, clients ask again when no answer came.
Faults come from a plan round the ports.
"""

import contextlib
import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from callscribe import dialects, names
from callscribe.adapters.memory import (
    Crash,
    ManualClock,
    MemoryDownloads,
    MemoryExecutions,
    MemoryInspector,
    MemoryObjects,
    MemoryQueue,
    MemoryStore,
    MemoryWebhooks,
    Plan,
    faulty_deps,
    memory_deps,
)
from callscribe.domain.audio import AudioFacts
from callscribe.domain.callbacks import Callback
from callscribe.domain.credits import Hold
from callscribe.domain.jobs import Job, JobState, ids_from_audio_key
from callscribe.domain.prices import Account
from callscribe.domain.prices import Plan as Tariff
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import CallscribeError, Conflict, FailureCode, NotFound, Unavailable
from callscribe.ports import (
    DEFAULT_OPTIONS,
    Deps,
    ExecutionState,
    Settings,
    Transcribed,
    TranscriptionOptions,
    WorkMessage,
)
from callscribe.services import accounts, callbacks, erasure, jobs, ledger, preparing, sources, work
from callscribe.services.accounts import Principal
from callscribe.services.jobs import Idempotency, NewJob, NoSuchJob, Source
from callscribe.services.sweep import sweep

R = TypeVar("R")

TASK_TRIES = 4
MESSAGE_TRIES = 5
CLIENT_TRIES = 5
SWEEP_EVERY_S = 300
AT_LEAST_ONCE = ("uploaded", "fetch", "work", "record", "attempt")
RECEIVER = "https://receiver.example.com/hook"
RECORDING = "https://recordings.example.com/call.wav"
PRICE_M_PER_S = 20_000
PRICE_M = 10 * PRICE_M_PER_S  # of what the fake inspector hears
FUNDS_M = 1_000_000_000


def render(name: str) -> callbacks.Renderer:
    return dialects.load(name).renderer()


def some_transcript(path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
    """A transcriber that hears the file's own bytes."""
    text = path.read_bytes().decode()
    segments = (Segment(text, 0.0, 1.0, 0, "0", None),)
    transcript = Transcript(segments, options.language or "en", None, "fake", "fake", 1.0, 1.0)
    return Transcribed(transcript, WorkFigures(1.0, 1.0, 0.5))


@dataclass
class Delivery:
    """One event on its way to a function; `not_before_ms` for those that wait."""

    kind: str
    arguments: dict[str, Any]
    not_before_ms: int = 0
    tries: int = 0


class Bucket(MemoryObjects):
    """A bucket that tells of each new version, as S3's notifications do."""

    def __init__(self, clock: ManualClock, *, bucket: str, on_put: Callable[[str, str | None], None]) -> None:
        super().__init__(clock, bucket=bucket)
        self._on_put = on_put

    def put(self, key: str, body: bytes) -> str | None:
        version_id = super().put(key, body)
        self._on_put(key, version_id)
        return version_id


@dataclass
class Reports:
    """Step Functions' side of the task tokens."""

    cloud: "Cloud"
    waiting: set[str] = field(default_factory=set)

    def succeed(self, task_token: str) -> bool:
        return self._end(task_token, "finish", {})

    def fail(self, task_token: str, *, error: str, cause: str) -> bool:
        return self._end(task_token, "fail", {"error": error})

    def time_out(self, task_token: str) -> bool:
        """The state's own time is up."""
        return self._end(task_token, "fail", {"error": "States.Timeout"})

    def _end(self, token: str, kind: str, more: dict[str, str]) -> bool:
        if token not in self.waiting:
            return False
        self.waiting.discard(token)
        self.cloud.push(kind, {"name": token, **self.cloud.payload(token), **more})
        return True


class Cloud:
    """Drive it with `order`, `upload`, `cancel` and `erase`, then `settle`; judge it by `store`, `webhooks`, …

    `lost` holds kinds of events that never arrive; `transcriber` is what the worker hears with.
    """

    def __init__(
        self,
        *,
        plan: Plan | None = None,
        seed: int = 0,
        copies: Callable[[random.Random], int] | None = None,
        funds_m: int = FUNDS_M,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.webhooks = MemoryWebhooks()
        self.executions = MemoryExecutions()
        self.redeliveries = MemoryExecutions()
        self.queue = MemoryQueue(self.clock)
        self.fetches = MemoryQueue(self.clock)
        self.reports = Reports(self)
        self.downloads = MemoryDownloads({RECORDING: b"some words"})
        self.inspector = MemoryInspector()
        self.uploads = Bucket(self.clock, bucket="uploads", on_put=self._on_object)
        self.results = MemoryObjects(self.clock, bucket="results")
        self.transcriber = some_transcript
        self.lost: set[str] = set()
        self.random = random.Random(seed)
        self.copies = copies or (lambda _random: 1)
        self.pending: list[Delivery] = []
        self._collected = (0, 0)  # how many executions and redeliveries were carried on
        self.dead_letters: list[Delivery] = []
        self.stream_on = True
        self.plain = self._plain_deps(settings or {})
        self.deps: Deps = faulty_deps(self.plain, plan) if plan else self.plain
        self.store.on_insert(Callback, self._on_callback)
        self._orders = itertools.count()
        self.principal: Principal = self._paying_tenant(funds_m)

    def push(self, kind: str, arguments: dict[str, Any], *, wait_s: float = 0) -> None:
        """Put an event on its way, as often as `copies` says where AWS may deliver more than once."""
        if kind in self.lost:
            return
        count = self.copies(self.random) if kind in AT_LEAST_ONCE else 1
        not_before_ms = self.clock() + round(1000 * wait_s)
        self.pending.extend(Delivery(kind, dict(arguments), not_before_ms) for _ in range(count))

    def create(self, **fields: Any) -> Job:
        """A job that waits for its upload, made without faults."""
        return jobs.create_upload(self.plain, self.principal, _new_job(fields)).job

    def order(self, **fields: Any) -> Job:
        """A job as a client makes it, who asks again with the same Idempotency-Key when no answer comes."""
        key = Idempotency(f"order-{next(self._orders)}", "0" * 64)
        return self.client(lambda deps: jobs.create(deps, self.principal, _new_job({"idempotency": key, **fields})))

    def order_by_source(self, url: str = RECORDING, **fields: Any) -> Job:
        """The same for audio that we fetch."""
        return self.order(source=Source(url=url), **fields)

    def upload(self, job: Job, body: bytes = b"some words", *, lose_event: bool = False) -> None:
        """The client's PUT and the event that S3 makes of it."""
        before = set(self.lost)
        self.lost |= {"uploaded"} if lose_event else set()
        self.uploads.put(job.audio_key, body)
        self.lost = before

    def cancel(self, job: Job) -> Job:
        return self.client(partial(jobs.cancel, tenant_id=job.tenant_id, job_id=job.id))

    def cancel_if_there(self, job: Job) -> None:
        with contextlib.suppress(NotFound):
            self.cancel(job)

    def erase(self, job: Job) -> None:
        """The client's deletion: done when it is answered, or when there is no such job any more."""
        with contextlib.suppress(NotFound):
            self.client(partial(erasure.erase_job, tenant_id=job.tenant_id, job_id=job.id))

    def client(self, ask: Callable[[Deps], R]) -> R:
        """What a client gets that asks again a few times, and at last after the faults are over."""
        for _ in range(CLIENT_TRIES):
            try:
                return ask(self.deps)
            except (Crash, Unavailable, Conflict):
                self._collect()
        return ask(self.plain)

    def payload(self, name: str) -> dict[str, Any]:
        return next(start.payload for start in self.executions.starts if start.name == name)

    def settle(self, *, days: float = 4.5) -> None:
        """Let everything happen, the clock running, until nothing is left or the days are over."""
        end_ms = self.clock() + round(days * 86_400_000)
        self._collect()
        while self.clock() < end_ms:
            self._drain()
            next_ms = min((*self._due_ms(), *(one.not_before_ms for one in self.pending)), default=None)
            if next_ms is None:
                return
            steps = max(1, math.ceil((next_ms - self.clock()) / (1000 * SWEEP_EVERY_S)))
            self.clock.advance(steps * SWEEP_EVERY_S)
            self.sweep()

    def sweep(self) -> None:
        """The sweeper comes by; it may be struck."""
        self._attempt(Delivery("sweep", {}))

    def redrive(self) -> None:
        """What the operator does about dead letters, once whatever made them is mended."""
        self.pending.extend(replace(one, tries=0, not_before_ms=self.clock()) for one in self.dead_letters)
        self.dead_letters.clear()

    def step(self) -> bool:
        """Let one event arrive that may; whether there was one."""
        self._collect()
        at = self._any_ready()
        if at is None:
            return False
        self.pending[at], self.pending[-1] = self.pending[-1], self.pending[at]
        self._attempt(self.pending.pop())
        return True

    def run_until(self, job: Job, state: JobState) -> Job:
        """Let events arrive until the job has this state. Raises AssertionError when it never has."""
        while self.job(job).state is not state:
            assert self.step(), f"the job is {self.job(job).state}, not {state}"
        return self.job(job)

    def job(self, job: Job) -> Job:
        return jobs.find(self.plain, tenant_id=job.tenant_id, job_id=job.id)

    def _plain_deps(self, settings: Mapping[str, Any]) -> Deps:
        return memory_deps(
            settings=Settings(stage="local", public_base_url="https://callscribe.example", **settings),
            results=self.results,
            store=self.store,
            webhooks=self.webhooks,
            transcriptions=self.executions,
            redeliveries=self.redeliveries,
            callback_queue=self.queue,
            fetch_queue=self.fetches,
            downloader=self.downloads,
            inspector=self.inspector,
            task_reports=self.reports,
            uploads=self.uploads,
            now_ms=self.clock,
        )

    def _paying_tenant(self, funds_m: int) -> Principal:
        tenant = accounts.create_tenant(self.plain, name="Example")
        plan = Tariff(Account.CREDITS, credits_m_per_s=PRICE_M_PER_S)
        accounts.change_tenant(self.plain, tenant.id, plan=plan)
        if funds_m:
            ledger.top_up(self.plain, tenant_id=tenant.id, account=Account.CREDITS, amount=funds_m, reference="first")
        self.key, _ = accounts.create_key(self.plain, tenant_id=tenant.id, name="key")
        return accounts.identify(self.plain, tenant_id=tenant.id, key_id=self.key.id)

    def _due_ms(self) -> list[int]:
        rows: list[Job | Callback | Hold] = [*self.store.all(Job), *self.store.all(Callback), *self.store.all(Hold)]
        return [row.due_at_ms for row in rows if row.due_at_ms is not None]

    def _any_ready(self) -> int | None:
        """The place of an event that may arrive now, chosen by chance."""
        if not self.pending:
            return None
        at = self.random.randrange(len(self.pending))
        if self.pending[at].not_before_ms <= self.clock():
            return at
        ready = [place for place, one in enumerate(self.pending) if one.not_before_ms <= self.clock()]
        return self.random.choice(ready) if ready else None

    def _drain(self) -> None:
        while self.step():
            pass

    def _attempt(self, delivery: Delivery) -> None:
        try:
            getattr(self, f"_do_{delivery.kind}")(**delivery.arguments)
        except (CallscribeError, Crash):
            self._again(delivery)
        self._collect()

    def _again(self, delivery: Delivery) -> None:
        tries = delivery.tries + 1
        is_task = delivery.kind in ("prepare", "finish", "fail", "redeliver")
        if delivery.kind == "sweep":
            return
        if tries < (TASK_TRIES if is_task else MESSAGE_TRIES):
            self.pending.append(replace(delivery, tries=tries, not_before_ms=self.clock()))
        elif delivery.kind in ("prepare", "finish"):
            self.push("fail", {**delivery.arguments, "error": "States.TaskFailed"})
        elif delivery.kind == "fail":
            self.executions.set_state(delivery.arguments["name"], ExecutionState.FAILED)
        elif delivery.kind == "work":
            work.give_up(self.plain, task_token=delivery.arguments["name"], tries=tries)
        else:
            self.dead_letters.append(delivery)

    def _collect(self) -> None:
        """What the last function left behind for AWS to carry on."""
        executions, redeliveries = self.executions.starts, self.redeliveries.starts
        for start in executions[self._collected[0] :]:
            self.push("prepare", {"name": start.name, **start.payload})
        for start in redeliveries[self._collected[1] :]:
            wait_s = float(start.payload["wait_s"])
            arguments = {name: value for name, value in start.payload.items() if name != "wait_s"}
            self.push("redeliver", {"name": start.name, **arguments}, wait_s=wait_s)
        self._collected = (len(executions), len(redeliveries))
        for body in self.queue.take():
            self.push("attempt", body)
        for body in self.fetches.take():
            self.push("fetch", body)

    def _on_callback(self, row: Callback) -> None:
        if self.stream_on:
            self.push("record", {"tenant_id": row.tenant_id, "job_id": row.job_id, "replay": row.replay})

    def _on_object(self, key: str, version_id: str | None) -> None:
        ids = ids_from_audio_key(key)
        if ids is not None and key.startswith(names.AUDIO_PREFIX):
            self.push("uploaded", {"tenant_id": ids[0], "job_id": ids[1], "version_id": version_id})

    def _do_uploaded(self, **ids: Any) -> None:
        jobs.uploaded(self.deps, **ids)

    def _do_fetch(self, **ids: Any) -> None:
        sources.fetch(self.deps, **ids, render=render("presign"))

    def _do_prepare(self, name: str, tenant_id: str, job_id: str) -> None:
        execution = {"name": name, "tenant_id": tenant_id, "job_id": job_id}
        try:
            prepared = preparing.prepare(self.deps, tenant_id=tenant_id, job_id=job_id)
        except CallscribeError as error:
            if type(error).__name__ != "JobFailed":
                raise
            self.push("fail", {**execution, "error": "JobFailed"})
            return
        if prepared.is_written:
            self.push("finish", execution)
            return
        self.reports.waiting.add(name)
        self.push("work", execution)

    def _do_work(self, name: str, tenant_id: str, job_id: str) -> None:
        work.transcribe(self.deps, WorkMessage("receipt", tenant_id, job_id, name, 1), self.transcriber)

    def _do_finish(self, name: str, tenant_id: str, job_id: str) -> None:
        with contextlib.suppress(NoSuchJob):  # as the function does
            jobs.finish(self.deps, tenant_id=tenant_id, job_id=job_id, render=render("presign"))
        self.executions.set_state(name, ExecutionState.SUCCEEDED)

    def _do_fail(self, name: str, tenant_id: str, job_id: str, error: str) -> None:
        code = FailureCode.DEADLINE_EXCEEDED if error == "States.Timeout" else None
        with contextlib.suppress(NoSuchJob):
            jobs.fail(self.deps, tenant_id=tenant_id, job_id=job_id, render=render("presign"), code=code)
        self.executions.set_state(name, ExecutionState.FAILED)

    def _do_record(self, **ids: Any) -> None:
        callbacks.enqueue(self.deps, **ids)

    def _do_attempt(self, **message: Any) -> None:
        callbacks.deliver_from_queue(self.deps, **message, user_agent="test")

    def _do_redeliver(self, name: str, attempt: int, **ids: Any) -> None:
        step = callbacks.deliver(self.deps, **ids, attempt=attempt, user_agent="test")
        if step.done:
            self.redeliveries.set_state(name, ExecutionState.SUCCEEDED)
        else:
            again = partial(self.push, "redeliver", {"name": name, "attempt": step.attempt, **ids})
            again(wait_s=step.wait_s)

    def _do_sweep(self) -> None:
        sweep(self.deps, renderer_of=render)


def _new_job(fields: dict[str, Any]) -> NewJob:
    return NewJob(**{"dialect": "presign", "callback_url": RECEIVER, "media_type": "audio/wav", **fields})
