"""What one job asks of AWS, counted while the real use cases run on the in-memory ports.

The job is uploaded by its client, priced, transcribed, ended and told to its receiver, as most jobs are. DynamoDB's
request units follow from the very items that the adapter would write: `callscribe.adapters.aws.items`.
"""

import math
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from callscribe import dialects, names
from callscribe.adapters.aws import items
from callscribe.adapters.memory import (
    ManualClock,
    MemoryInspector,
    MemoryObjects,
    MemoryStore,
    MemoryTaskReports,
    Trace,
    When,
    faulty_deps,
    memory_deps,
)
from callscribe.domain.audio import AudioFacts
from callscribe.domain.callbacks import Callback
from callscribe.domain.counters import Counter
from callscribe.domain.prices import Account, Plan
from callscribe.domain.records import Adjustment, Change, Record, Step, identity
from callscribe.domain.transcripts import Segment, Transcript, Word
from callscribe.domain.work_figures import WorkFigures
from callscribe.ports import Deps, Transcribed, WorkMessage
from callscribe.services import accounts, callbacks, jobs, ledger, preparing, work
from callscribe.services.jobs import NewJob

R = TypeVar("R", bound=Record)

FIGURES = WorkFigures(audio_s=480.0, speech_s=187.532, device_s=0.751, batch_fill=0.9731, worker_s=12.345)
WORDS_PER_MINUTE = 150  # spoken English; both sides of a call together
_WRITE_BYTES, _READ_BYTES = 1_024, 4_096
_INDEXES = ((names.LIST_PARTITION_KEY, names.LIST_SORT_KEY), (names.DUE_PARTITION_KEY, names.DUE_SORT_KEY))
_PUTS = ("put_if_absent", "put_file", "copy", "erase")  # erasing lists versions, which costs what a PUT costs
_GETS = ("head", "read", "download")


@dataclass
class Requests:
    """What was asked for: request units of DynamoDB, requests to S3 and SQS, bytes that are kept or go out."""

    write_units: float = 0
    read_units: float = 0
    s3_puts: int = 1  # the client's own
    s3_gets: int = 0
    queue_messages: int = 0
    callback_bytes: int = 0
    results_bytes: int = 0
    table_bytes: int = 0
    units_by_kind: dict[str, float] = field(default_factory=dict)


class CountingStore(MemoryStore):
    """The fake store, which adds up what DynamoDB would have counted."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Requests()
        self.kinds: set[type[Any]] = set()

    def get(self, kind: type[R], *key: str | int) -> R | None:
        """See `ports.Store.get`; a consistent read, one unit for each 4 KiB begun."""
        found = super().get(kind, *key)
        self.asked.read_units += 1 if found is None else math.ceil(item_bytes(found) / _READ_BYTES)
        return found

    def children(self, kind: type[R], *key_prefix: str | int, limit: int | None = None) -> list[R]:
        """See `ports.Store.children`."""
        found = super().children(kind, *key_prefix, limit=limit)
        self.asked.read_units += max(1, math.ceil(sum(map(item_bytes, found)) / _READ_BYTES))
        return found

    def commit(self, *steps: Step) -> None:
        """See `ports.Store.commit`; every write of a transaction counts twice."""
        before = [self._stored(step) for step in steps]
        super().commit(*steps)
        first = steps[0] if steps else None
        single = len(steps) == 1 and isinstance(first, Change) and first.after is not None  # as DynamoStore does it
        self.kinds |= {type(_record(step)) for step in steps}
        for step, old in zip(steps, before, strict=True):
            self._add(type(_record(step)), write_units(old, self._stored(step), in_transaction=not single))

    def count(self, scope: str, name: str, *, by: int = 1, forget_at_ms: int | None = None) -> int:
        """See `ports.Store.count`; one small write."""
        self._add(Counter, 1)
        return super().count(scope, name, by=by, forget_at_ms=forget_at_ms)

    def _add(self, kind: type[Any], units: float) -> None:
        by_kind = self.asked.units_by_kind
        self.asked.write_units += units
        by_kind[kind.__name__] = by_kind.get(kind.__name__, 0) + units

    def _stored(self, step: Step) -> Any:
        record = _record(step)
        return super().get(type(record), *identity(record))


def item_bytes(record: Record) -> int:
    """An item's size as DynamoDB counts it: names and values."""
    item: dict[str, Any] = dict(items.to_item(record, write_id="0" * 36))
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def write_units(before: Record | None, after: Record | None, *, in_transaction: bool) -> float:
    """Write request units of replacing one item by another, None for none, with what its indexes cost."""
    sizes = [math.ceil(item_bytes(one) / _WRITE_BYTES) for one in (before, after) if one is not None]
    own = max(sizes, default=1) * (2 if in_transaction else 1)
    return own + sum(_index_units(before, after, index) for index in _INDEXES)


def count_requests(*, length_s: float, channels: int) -> Requests:
    """Lead one job through its life, and say what it asked for."""
    clock, store = ManualClock(), CountingStore()
    facts = AudioFacts("wav", "pcm_mulaw", channels, 8_000, length_s, 0)
    uploads, results = MemoryObjects(clock, bucket="uploads"), MemoryObjects(clock, bucket="results")
    reports = MemoryTaskReports("token")
    trace = Trace()
    plain = memory_deps(
        store=store,
        uploads=uploads,
        results=results,
        task_reports=reports,
        inspector=MemoryInspector(facts),
        now_ms=clock,
    )
    secret = _paying_tenant(plain)
    store.asked = Requests()
    job_id = _lead(faulty_deps(plain, trace), plain, secret, make_transcript(length_s, channels))
    asked = store.asked
    for moment in trace.moments:
        if moment.when is When.AFTER:
            _add(asked, moment.port, moment.method)
    callback = store.all(Callback)[0]
    asked.callback_bytes = len(results.read(callback.body_key))
    asked.results_bytes = sum(len(results.read(key)) for key in results.keys())  # noqa: SIM118  # no dictionary
    asked.table_bytes = sum(_kept_bytes(record) for record in _records_of(store, job_id))
    return asked


def make_transcript(length_s: float, channels: int) -> Transcript:
    """A transcript of as many words as a call of this length has, in turns of 12 words."""
    words = [
        Word("transcribe", at / 2.5, at / 2.5 + 0.35, 0.9123) for at in range(int(length_s * WORDS_PER_MINUTE / 60))
    ]
    segments = []
    for number, first in enumerate(range(0, len(words), 12)):
        turn, channel = tuple(words[first : first + 12]), number % channels
        text = " ".join(word.text[:5] for word in turn)
        segments.append(Segment(text, turn[0].start_s, turn[-1].end_s, channel, str(channel), 0.9123, turn))
    return Transcript(tuple(segments), "en", 0.99, "fake", "fake", length_s, length_s)


def _paying_tenant(deps: Deps) -> str:
    tenant = accounts.create_tenant(deps, name="Example")
    accounts.change_tenant(deps, tenant.id, plan=Plan(Account.CREDITS, credits_m_per_s=1))
    ledger.top_up(deps, tenant_id=tenant.id, account=Account.CREDITS, amount=10**9, reference="first")
    _, secret = accounts.create_key(deps, tenant_id=tenant.id, name="key")
    accounts.principal_by_key(deps, secret)  # a key's first use of a day is noted; that is not a job's
    return secret


def _lead(deps: Deps, plain: Deps, secret: str, transcript: Transcript) -> str:
    principal = accounts.principal_by_key(deps, secret)
    url = "https://receiver.example.com/hook"
    upload = jobs.create_upload(deps, principal, NewJob(dialect="presign", media_type="audio/wav", callback_url=url))
    job = upload.job
    ids: dict[str, Any] = {"tenant_id": job.tenant_id, "job_id": job.id}
    version = plain.uploads.put(job.audio_key, b"audio")  # type: ignore[attr-defined]  # as the client does
    jobs.uploaded(deps, **ids, version_id=version)
    preparing.prepare(deps, **ids)
    message = WorkMessage("receipt", job.tenant_id, job.id, "token", 1)
    work.transcribe(deps, message, lambda *_args, **_names: Transcribed(transcript, FIGURES))
    dialect = dialects.load("presign")
    jobs.finish(deps, **ids, render=dialect.renderer())
    callbacks.enqueue(deps, **ids, replay=0)
    callbacks.deliver_from_queue(deps, **ids, replay=0, attempt=1, user_agent=dialect.user_agent)
    accounts.principal_by_key(deps, secret)  # and somebody asks for it
    jobs.transcript(deps, jobs.find(deps, **ids))
    return job.id


def _records_of(store: CountingStore, job_id: str) -> list[Any]:
    records = [record for kind in store.kinds for record in store.all(kind)]
    return [record for record in records if job_id in (getattr(record, one.name) for one in fields(record))]


def _add(asked: Requests, port: str, method: str) -> None:
    if port in ("uploads", "results"):
        asked.s3_puts += method in _PUTS
        asked.s3_gets += method in _GETS
    elif port == "callback_queue":
        asked.queue_messages += 1


def _record(step: Step) -> Any:
    if isinstance(step, Adjustment):
        return step.record
    return step.after if step.before is None else step.before


def _index_units(before: Record | None, after: Record | None, index: tuple[str, str]) -> float:
    places = [None if one is None else _index_place(one, index) for one in (before, after)]
    if places == [None, None]:
        return 0
    sizes = [math.ceil(item_bytes(one) / _WRITE_BYTES) for one in (before, after) if one is not None]
    moved = places[0] != places[1] and None not in places  # the old entry goes, the new one comes
    return max(sizes) * (2 if moved else 1)


def _kept_bytes(record: Record) -> int:
    """With the copies that the indexes keep of it."""
    return item_bytes(record) * (1 + sum(_index_place(record, index) is not None for index in _INDEXES))


def _index_place(record: Record, index: tuple[str, str]) -> tuple[Any, Any] | None:
    item: dict[str, Any] = dict(items.to_item(record, write_id=""))
    return (item[index[0]], item[index[1]]) if all(name in item for name in index) else None


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, inner),) = value.items()
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(one) for name, one in inner.items())
    if kind in ("L", "SS", "NS"):
        return 3 + sum(1 + (_value_bytes(one) if kind == "L" else len(str(one))) for one in inner)
    return 1 if kind in ("BOOL", "NULL") else len(str(inner).encode())
