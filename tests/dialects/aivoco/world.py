"""One small stage in memory: the dialect's handler, its clock, and a pipeline that runs while requests wait."""

import base64
import io
import json
import threading
import wave
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from callscribe.adapters.memory import (
    ManualClock,
    MemoryDownloads,
    MemoryInspector,
    MemoryObjects,
    MemoryQueue,
    MemoryStore,
    memory_deps,
)
from callscribe.dialects import Handler
from callscribe.dialects.aivoco import DIALECT, routes
from callscribe.dialects.front import Room
from callscribe.domain.accounts import ApiKey
from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.call_facts import CallFacts
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Account, Plan
from callscribe.domain.transcripts import Segment, Transcript, Word, to_json
from callscribe.errors import FailureCode, JobFailed
from callscribe.ports import Deps, Settings
from callscribe.services import accounts, jobs, ledger, preparing, sources
from callscribe.services.exchanges import Pace
from callscribe.services.sweep import sweep
from tests.dialects.conftest import Answer, http_event, read_answer

TRANSCRIBE = "/transcribe"
URL = "https://example.com/recording.wav"
MICRO = 1_000_000


def said(text: str, start_s: float, speaker: str, *confidences: float | None) -> Segment:
    """A segment of one speaker; words take a quarter of a second, confidences are 0.9 where none are given."""
    texts = text.split()
    known = (*confidences, *[0.9] * (len(texts) - len(confidences)))
    words = tuple(
        Word(word, start_s + 0.25 * at, start_s + 0.25 * (at + 1), confidence)
        for at, (word, confidence) in enumerate(zip(texts, known, strict=True))
    )
    return Segment(text, start_s, words[-1].end_s, int(speaker), speaker, None, words)


def transcript_of(*segments: Segment, engine: str = "pocketsphinx") -> Transcript:
    """What the pipeline hears."""
    return Transcript(
        segments=segments,
        language="en",
        language_probability=None,
        engine=engine,
        model="en-us",
        duration_s=10.0,
        speech_s=8.0,
    )


TRANSCRIPT = transcript_of(
    said("Hello, this is an AI assistant calling about your recent inquiry.", 0.0, "0"),
    said("Hi, yes I can hear you.", 4.0, "1"),
)


def wav(seconds: float, *, rate_hz: int = 8_000, tone: int = 0) -> bytes:
    """A WAV file of so many seconds, 16-bit mono."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(tone.to_bytes(2, "little") * round(seconds * rate_hz))
    return written.getvalue()


def encoded(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


AUDIO = wav(0.01)
DATA = encoded(AUDIO)


@dataclass
class World:
    """A stage with as many tenants as a test makes. Time passes only while requests wait, and by `clock`."""

    clock: ManualClock = field(default_factory=ManualClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    downloads: MemoryDownloads = field(default_factory=lambda: MemoryDownloads({URL: AUDIO}))
    inspector: Callable[[Path, AudioLimits], AudioFacts] = field(default_factory=MemoryInspector)
    settings: Settings = field(default_factory=lambda: Settings(public_base_url="https://callscribe.example"))
    transcript: Transcript = TRANSCRIPT
    work_s: float = 0.0  # how long a job takes, from its first sight on
    running: bool = True  # whether the pipeline works at all
    before_sleep: Callable[[], None] = lambda: None  # what happens whenever a request is about to sleep

    def __post_init__(self) -> None:
        self.uploads = MemoryObjects(self.clock, bucket="uploads")
        self.results = MemoryObjects(self.clock, bucket="results")
        self.fetch_queue = MemoryQueue(self.clock)
        self.deps: Deps = memory_deps(
            store=self.store,
            uploads=self.uploads,
            results=self.results,
            fetch_queue=self.fetch_queue,
            downloader=self.downloads,
            inspector=self.inspector,
            settings=self.settings,
            now_ms=self.clock,
        )
        self.pauses: list[float] = []
        self.transcribed = 0
        self._pipeline_lock = threading.Lock()
        self.pace = Pace(sleep=self.sleep, monotonic_s=lambda: self.clock() / 1000)
        self.handler: Handler = routes.build(self.deps, pace=self.pace)

    def tenant(self, *, plan: Plan | None = None, credits_m: int = 0, units_m: int = 0) -> str:
        """A new tenant with so much in its accounts."""
        tenant = accounts.create_tenant(self.deps, name="a tenant")
        accounts.change_tenant(self.deps, tenant.id, plan=plan, call=CallFacts(agent_channel=0))
        for account, amount in ((Account.CREDITS, credits_m), (Account.UNITS, units_m)):
            if amount:
                ledger.top_up(
                    self.deps, tenant_id=tenant.id, account=account, amount=amount, reference=f"first {account}"
                )
        return tenant.id

    def key(self, tenant_id: str | None = None, **how: Any) -> tuple[ApiKey, str]:
        """A new key, of a new tenant without a plan unless one is named."""
        return accounts.create_key(self.deps, tenant_id=tenant_id or self.tenant(), name="a key", **how)

    def secret(self, tenant_id: str | None = None, **how: Any) -> str:
        return self.key(tenant_id, **how)[1]

    def send(
        self,
        body: Any,
        *,
        headers: dict[str, str] | None = None,
        address: str = "203.0.113.7",
        context: Any = None,
        method: str = "POST",
        path: str = TRANSCRIBE,
    ) -> Answer:
        """One request; `body` is sent as JSON, or as it is if it is bytes."""
        headers = {"content-type": "application/json", **(headers or {})}
        event = http_event(method, path, headers=headers, body=_raw(body), at_ms=self.clock())
        event["requestContext"]["http"]["sourceIp"] = address
        return read_answer(self.handler(event, context))

    def get(self, path: str, *, query: str = "") -> Answer:
        return read_answer(self.handler(http_event("GET", path, query=query), None))

    def ask(
        self,
        secret: str,
        *,
        address: str = "203.0.113.7",
        max_wait_s: float = 25,
        gone: Callable[[], bool] = lambda: False,
        **fields: Any,
    ) -> Answer:
        """A request with a key in its body; without fields, one for AUDIO. `gone`: whether its client has left."""
        context = SimpleNamespace(room=Room(self.settings.inline_body_bytes, max_wait_s), gone=gone)
        body = {"api_key": secret, **(fields or {"audio_data": DATA})}
        return self.send(body, address=address, context=context)

    def sleep(self, seconds: float) -> None:
        """What requests do while they wait: time passes, and the pipeline works."""
        self.before_sleep()
        self.pauses.append(seconds)
        self.clock.advance(seconds)
        self.pipeline()

    def pipeline(self) -> None:
        """What AWS does: fetches, uploads, prepares, transcribes, finishes."""
        if not self.running:
            return
        with self._pipeline_lock:
            for message in self.fetch_queue.take():
                sources.fetch(self.deps, **message, render=self.render)  # type: ignore[arg-type]  # ids are strings
            for job in self.store.all(Job):
                if self.clock() >= job.created_at_ms + round(1000 * self.work_s):
                    self._carry_on(job)

    def sweep(self) -> dict[str, int]:
        return sweep(self.deps, renderer_of=lambda _: self.render)

    def jobs(self) -> list[Job]:
        return self.store.all(Job)

    def balance(self, tenant_id: str, account: Account = Account.CREDITS) -> tuple[int, int, int]:
        found = ledger.balance(self.deps, tenant_id=tenant_id, account=account)
        return found.available, found.held, found.spent

    def hears(self, *segments: Segment, engine: str = "pocketsphinx") -> None:
        """What the pipeline makes of any audio from now on."""
        self.transcript = transcript_of(*segments, engine=engine)

    def _carry_on(self, job: Job) -> None:
        ids: dict[str, Any] = {"tenant_id": job.tenant_id, "job_id": job.id}
        info = self.uploads.head(job.audio_key)
        if job.state is JobState.AWAITING_UPLOAD and info is not None:
            jobs.uploaded(self.deps, **ids, version_id=info.version_id)
        if jobs.find(self.deps, **ids).state is JobState.QUEUED:
            try:
                preparing.prepare(self.deps, **ids)
            except JobFailed:
                jobs.fail(self.deps, **ids, render=self.render)
        if (now := jobs.find(self.deps, **ids)).state is JobState.TRANSCRIBING:
            body = to_json(self.transcript)
            if self.results.put_if_absent(now.transcript_key, body, content_type="application/json"):
                self.transcribed += 1
            jobs.finish(self.deps, **ids, render=self.render)

    @property
    def render(self) -> Any:
        return DIALECT.renderer()


def failing(code: FailureCode, message: str = "a reason") -> MemoryInspector:
    """An inspector to whom every file has the same fault."""
    return MemoryInspector(JobFailed(code, message))


def lasting(seconds: float) -> MemoryInspector:
    """An inspector to whom every file is so long."""
    inspector = MemoryInspector()
    inspector.facts = replace(_facts(inspector), duration_s=seconds)
    return inspector


def _facts(inspector: MemoryInspector) -> AudioFacts:
    assert isinstance(inspector.facts, AudioFacts)
    return inspector.facts


def _raw(body: Any) -> bytes | None:
    return body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
