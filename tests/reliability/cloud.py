"""The pipeline without AWS: real use cases on the memory fakes, and between them what AWS does between functions.

Queues deliver at least once and in any order, Step Functions retries a task three times, a message that fails
five times becomes a dead letter, executions wait, the sweeper comes by. Faults come from a plan round the ports.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from callscribe import dialects
from callscribe.adapters.memory import (
    Crash,
    ManualClock,
    MemoryExecutions,
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
from callscribe.domain.jobs import Job
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.errors import CallscribeError, FailureCode
from callscribe.ports import Deps, ExecutionState, WorkMessage
from callscribe.services import accounts, callbacks, jobs, work
from callscribe.services.accounts import Principal
from callscribe.services.sweep import sweep

TASK_TRIES = 4
MESSAGE_TRIES = 5
SWEEP_EVERY_S = 300


def render(name: str) -> callbacks.Renderer:
    return dialects.load(name).renderer()


def some_transcript(path: Path, facts: AudioFacts, *, language: str | None) -> Transcript:
    """A transcriber that hears the file's own bytes."""
    text = path.read_bytes().decode()
    return Transcript((Segment(text, 0.0, 1.0, 0, "0", None),), language or "en", None, "fake", "fake", 1.0, 1.0)


@dataclass
class Delivery:
    """One event on its way to a function; `not_before_ms` for those that wait."""

    kind: str
    arguments: dict[str, Any]
    not_before_ms: int = 0
    tries: int = 0


@dataclass
class Reports:
    """Step Functions' side of the task tokens."""

    cloud: "Cloud"
    waiting: set[str] = field(default_factory=set)

    def succeed(self, task_token: str) -> bool:
        return self._end(task_token, "finish", {})

    def fail(self, task_token: str, *, error: str, cause: str) -> bool:
        return self._end(task_token, "fail", {"error": error})

    def _end(self, token: str, kind: str, more: dict[str, str]) -> bool:
        if token not in self.waiting:
            return False
        self.waiting.discard(token)
        self.cloud.push(kind, {"name": token, **self.cloud.payload(token), **more})
        return True


class Cloud:
    """Drive it with `upload`, then `settle`; judge it by `store`, `webhooks` and `executions`."""

    def __init__(
        self, *, plan: Plan | None = None, seed: int = 0, copies: Callable[[random.Random], int] | None = None
    ):
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.webhooks = MemoryWebhooks()
        self.executions = MemoryExecutions()
        self.redeliveries = MemoryExecutions()
        self.queue = MemoryQueue(self.clock)
        self.reports = Reports(self)
        self.uploads = MemoryObjects(self.clock, bucket="uploads")
        self.results = MemoryObjects(self.clock, bucket="results")
        self.plain = memory_deps(
            results=self.results,
            store=self.store,
            webhooks=self.webhooks,
            transcriptions=self.executions,
            redeliveries=self.redeliveries,
            callback_queue=self.queue,
            task_reports=self.reports,
            uploads=self.uploads,
            now_ms=self.clock,
        )
        self.deps: Deps = faulty_deps(self.plain, plan) if plan else self.plain
        self.random = random.Random(seed)
        self.copies = copies or (lambda _random: 1)
        self.pending: list[Delivery] = []
        self.started: set[str] = set()
        self.dead_letters: Counter[str] = Counter()
        self.stream_on = True
        self.store.on_insert(Callback, self._on_callback)
        tenant = accounts.create_tenant(self.plain, name="Example")
        self.key, _ = accounts.create_key(self.plain, tenant_id=tenant.id, name="key")
        self.principal: Principal = accounts.identify(self.plain, tenant_id=tenant.id, key_id=self.key.id)

    def push(self, kind: str, arguments: dict[str, Any], *, wait_s: float = 0) -> None:
        """Put an event on its way, as often as `copies` says where AWS may deliver more than once."""
        count = self.copies(self.random) if kind in ("uploaded", "work", "record", "attempt") else 1
        not_before_ms = self.clock() + round(1000 * wait_s)
        self.pending.extend(Delivery(kind, dict(arguments), not_before_ms) for _ in range(count))

    def create(self, **fields: Any) -> Job:
        """A job that waits for its upload."""
        fields = {"callback_url": "https://receiver.example.com/hook", "media_type": "audio/wav", **fields}
        return jobs.create_upload(self.plain, self.principal, dialect="presign", **fields).job

    def upload(self, job: Job, body: bytes = b"some words", *, lose_event: bool = False) -> None:
        """The client's PUT and the event that S3 makes of it."""
        version_id = self.uploads.put(job.audio_key, body)
        if not lose_event:
            self.push("uploaded", {"tenant_id": job.tenant_id, "job_id": job.id, "version_id": version_id})

    def payload(self, name: str) -> dict[str, Any]:
        return next(start.payload for start in self.executions.starts if start.name == name)

    def settle(self, *, days: float = 4.5) -> None:
        """Let everything happen, the clock running, until nothing is left or the days are over."""
        end_ms = self.clock() + round(days * 86_400_000)
        while self.clock() < end_ms:
            self._drain()
            if not self.pending and not self._anything_due():
                return
            self.clock.advance(SWEEP_EVERY_S)
            self._attempt(Delivery("sweep", {}))

    def job(self, job: Job) -> Job:
        return jobs.find(self.plain, tenant_id=job.tenant_id, job_id=job.id)

    def _anything_due(self) -> bool:
        rows: list[Job | Callback] = [*self.store.all(Job), *self.store.all(Callback)]
        return any(row.due_at_ms is not None for row in rows)

    def _drain(self) -> None:
        while ready := [one for one in self.pending if one.not_before_ms <= self.clock()]:
            delivery = self.random.choice(ready)
            self.pending.remove(delivery)
            self._attempt(delivery)

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
            self.reports.fail(delivery.arguments["name"], error=FailureCode.INTERNAL, cause="given up")
        else:
            self.dead_letters[delivery.kind] += 1

    def _collect(self) -> None:
        """What the last function left behind for AWS to carry on."""
        for start in self.executions.starts:
            if start.name not in self.started:
                self.started.add(start.name)
                self.push("prepare", {"name": start.name, **start.payload})
        for start in self.redeliveries.starts:
            if start.name not in self.started:
                self.started.add(start.name)
                wait_s = float(start.payload["wait_s"])
                arguments = {name: value for name, value in start.payload.items() if name != "wait_s"}
                self.push("redeliver", {"name": start.name, **arguments}, wait_s=wait_s)
        for body in self.queue.take():
            self.push("attempt", body)

    def _on_callback(self, row: Callback) -> None:
        if self.stream_on:
            self.push("record", {"tenant_id": row.tenant_id, "job_id": row.job_id, "replay": row.replay})

    def _do_uploaded(self, **ids: Any) -> None:
        jobs.uploaded(self.deps, **ids)

    def _do_prepare(self, name: str, tenant_id: str, job_id: str) -> None:
        try:
            jobs.prepare(self.deps, tenant_id=tenant_id, job_id=job_id)
        except CallscribeError as error:
            if type(error).__name__ != "JobFailed":
                raise
            self.push("fail", {"name": name, "tenant_id": tenant_id, "job_id": job_id, "error": "JobFailed"})
            return
        self.reports.waiting.add(name)
        self.push("work", {"name": name, "tenant_id": tenant_id, "job_id": job_id})

    def _do_work(self, name: str, tenant_id: str, job_id: str) -> None:
        work.transcribe(self.deps, WorkMessage("receipt", tenant_id, job_id, name, 1), some_transcript)

    def _do_finish(self, name: str, tenant_id: str, job_id: str) -> None:
        jobs.finish(self.deps, tenant_id=tenant_id, job_id=job_id, render=render("presign"))
        self.executions.set_state(name, ExecutionState.SUCCEEDED)

    def _do_fail(self, name: str, tenant_id: str, job_id: str, error: str) -> None:
        jobs.fail(self.deps, tenant_id=tenant_id, job_id=job_id, render=render("presign"))
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
