"""A stage in memory with every dialect on one table, and tenants who have something of every kind.

Everything is determined: the same request in the same state gives the same bytes, ids and times included. So two
answers are compared as they are, and nothing has to be masked.
"""

import base64
import copy
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from callscribe import dialects, names
from callscribe.adapters.memory import (
    ManualClock,
    MemoryDownloads,
    MemoryExecutions,
    MemoryInspector,
    MemoryObjects,
    MemoryQueue,
    MemoryStore,
    MemoryWebhooks,
    memory_deps,
)
from callscribe.adapters.memory.task_index import MemoryTaskIndex
from callscribe.domain.accounts import ApiKey, Scope, Tenant
from callscribe.domain.callbacks import Callback, CallbackState
from callscribe.domain.exchanges import Exchange
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Account, Plan
from callscribe.domain.shelves import Category, CheckScript, Directory, Question, SavedFilter
from callscribe.domain.transcripts import Segment, Transcript, to_json
from callscribe.errors import FailureCode, JobFailed
from callscribe.ports import Deps, Settings
from callscribe.services import (
    accounts,
    arrivals,
    callbacks,
    failed_logins,
    indexing,
    jobs,
    ledger,
    preparing,
    recordings,
    refresh,
    sources,
    tariffs,
    task_rows,
    tokens,
    users,
)
from callscribe.services.creation import NewJob
from callscribe.services.exchanges import Pace
from tests.dialects.conftest import Answer, Client, http_event, read_answer
from tests.dialects.transcripto.world import VIDEO_URL, client_hash, multipart

MOR = names.DIALECTS["mor"]
RICH_M = 1_000_000_000
Place = tuple[Any, ...]
State = dict[Place, Any]


class NumberedBytes:
    """Bytes that look random; the n-th call of an instance always gives the same."""

    def __init__(self, first: int = 0) -> None:
        self.number = first

    def __call__(self, size: int) -> bytes:
        self.number += 1
        return hashlib.shake_256(str(self.number).encode()).digest(size)


def basic(name: str, secret: str) -> str:
    """The Authorization header of a name and a secret."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def spoken(word: str) -> Transcript:
    """What is heard in any recording of one tenant."""
    segments = (Segment(f"{word} speaks", 0.0, 2.0, 0, "0", 0.9), Segment(f"{word} listens", 2.5, 4.0, 1, "1", 0.9))
    return Transcript(segments, "en", None, "pocketsphinx", "en-us", 10.0, 4.0)


@dataclass(frozen=True)
class Stranger:
    """Everything that names something of one tenant, or opens it. Values of two tenants have the same forms."""

    name: str
    tenant_id: str
    key_id: str
    secret: str
    user_id: str
    username: str
    password: str
    tokens: Mapping[str, str]  # access tokens, by how they were got
    refresh_token: str
    family_id: str
    jobs: Mapping[str, Job]
    link_token: str
    key_digest: str
    exchange_digest: str
    user_number: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)  # ids of what its user keeps at `transcripto`, by its kind

    @property
    def client_hash(self) -> str:
        """What the user sends in place of the password."""
        return client_hash(self.password)

    def named(self, kind: str) -> str:
        """How what it keeps is called."""
        return f"{kind}-of-{self.name}"

    @property
    def file_name(self) -> str:
        """Of the call that was sent to dialect `transcripto`."""
        return f"{self.named('file')}.wav"

    @property
    def word(self) -> str:
        """Said in each of the tenant's recordings, and nowhere else."""
        return f"word-of-{self.name}"

    @property
    def audio(self) -> bytes:
        """Of the request that is under way at dialect `aivoco`."""
        return f"RIFF audio of {self.name}".encode()

    @property
    def audio_url(self) -> str:
        return f"https://recordings.example.com/{self.name}.wav?signature=url-secret-of-{self.name}"

    @property
    def callback_url(self) -> str:
        return f"https://hooks.example.com/{self.name}?token=callback-secret-of-{self.name}"

    @property
    def s3_uri(self) -> str:
        return f"s3://{self.name}-calls/in/one.wav"

    def recording(self, kind: str) -> str:
        """The id of a registered recording: `url`, `file`, or `none` for a call without audio."""
        return f"{self.name}-call-{kind}"

    def order(self, dialect: str) -> str:
        """An Idempotency-Key that was used at a dialect."""
        return f"order-of-{self.name}-at-{dialect}"

    @property
    def marks(self) -> frozenset[str]:
        """Texts that only this tenant's data hold."""
        own = {self.tenant_id, self.key_id, self.user_id, self.family_id, self.username, self.word, self.audio.decode()}
        urls = {f"{self.name}.wav", f"url-secret-of-{self.name}", f"callback-secret-of-{self.name}"}
        opens = {
            self.secret,
            self.password,
            self.client_hash,
            self.refresh_token,
            self.link_token,
            *self.tokens.values(),
        }
        own |= {self.named(kind) for kind in (*KEPT, "file")}
        return frozenset(own | urls | opens | {job.id for job in self.jobs.values()} | {f"{self.name}-calls"})


class _InTurn:
    """A pool of threads without any."""

    def __init__(self, _threads: int) -> None:
        self.map = map

    def __enter__(self) -> "_InTurn":
        return self

    def __exit__(self, *_error: object) -> None:
        pass


@dataclass
class Stage:
    """Every dialect over the same memory fakes; the pipeline works for the tenants in `served` alone."""

    random_bytes: NumberedBytes = field(default_factory=NumberedBytes)
    settings: Settings = field(
        default_factory=lambda: Settings(public_base_url="https://callscribe.example", videos=True)
    )
    instead: Mapping[str, Any] = field(default_factory=dict)  # adapters that stand in for a fake

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.uploads = MemoryObjects(self.clock, bucket="uploads")
        self.results = MemoryObjects(self.clock, bucket="results")
        self.webhooks = MemoryWebhooks()
        self.downloads = MemoryDownloads()
        self.fetch_queue = MemoryQueue(self.clock)
        self.callback_queue = MemoryQueue(self.clock)
        self.video_queue = MemoryQueue(self.clock)
        self.index_queue = MemoryQueue(self.clock)
        self.index = MemoryTaskIndex()
        self.executions = MemoryExecutions()
        fakes = {
            "store": self.store,
            "uploads": self.uploads,
            "results": self.results,
            "webhooks": self.webhooks,
            "downloader": self.downloads,
            "inspector": MemoryInspector(),
            "fetch_queue": self.fetch_queue,
            "callback_queue": self.callback_queue,
            "video_queue": self.video_queue,
            "index_queue": self.index_queue,
            "task_index": self.index,
            "transcriptions": self.executions,
            "random_bytes": self.random_bytes,
            "settings": self.settings,
            "now_ms": self.clock,
        }
        self.deps: Deps = memory_deps(**{**fakes, **self.instead})
        self.words: dict[str, str] = {}
        self.served: set[str] = set()
        self.handlers = {name: self._handler(name) for name in names.DIALECTS}

    def _handler(self, name: str) -> dialects.Handler:
        if name == "aivoco":  # the only one that waits, so that time passes
            pace = Pace(sleep=self._sleep, monotonic_s=lambda: self.clock() / 1000)
            handler: dialects.Handler = import_module("callscribe.dialects.aivoco.routes").build(self.deps, pace=pace)
            return lambda event, context: handler(self._just_arrived(event), context)
        return dialects.load(name).build(self.deps)

    def _just_arrived(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with the clock's time: who has been on the way for long may wait no longer."""
        return {**event, "requestContext": {**event["requestContext"], "timeEpoch": self.clock()}}

    def client(self, dialect: str, token: str | None = None) -> Client:
        return Client(self.handlers[dialect], token)

    def ask(self, dialect: str, method: str, path: str, *, context: Any = None, **how: Any) -> Answer:
        """One request as the gateway hands it on; `how` goes to `http_event`."""
        return read_answer(self.handlers[dialect](http_event(method, path, **how), context))

    def settle(self, tenant_id: str) -> None:
        """Let the pipeline do for one tenant all that there is to do."""
        self.served = {tenant_id}
        for _ in range(3):
            self._pipeline()
        self._index()
        self.served = set()

    def saved(self) -> dict[str, dict[str, Any]]:
        """The state of every fake, to be given to `restore`."""
        return {name: _values(fake) for name, fake in self._fakes().items()}

    def restore(self, saved: Mapping[str, Mapping[str, Any]]) -> None:
        """Be as at the moment of `saved`."""
        for name, fake in self._fakes().items():
            for attribute, value in saved[name].items():
                setattr(fake, attribute, _copied(value))
        self.served = set()

    def state(self) -> State:
        """Everything that is stored, waits in a queue or was sent, by its place."""
        found: State = {}
        for kind, records in self.store._kinds.items():
            found |= {("record", kind, *key): record for key, record in records.items()}
        for bucket, objects in (("uploads", self.uploads), ("results", self.results)):
            for key, versions in objects._versions.items():
                found |= {(bucket, key, version): body for version, body in versions.items()}
        for name in _QUEUES:
            found |= {(name, number): body for number, body in enumerate(getattr(self, name).bodies)}
        for (tenant_id, month), rows in self.index._months.items():
            found |= {("index", tenant_id, month, number): row for number, row in rows.items()}
        found |= {("execution", start.name): start.payload for start in self.executions.starts}
        found |= {("post", number): post for number, post in enumerate(self.webhooks.posts)}
        found |= {("asked", number): url for number, url in enumerate(self.downloads.asked)}
        return found

    def _fakes(self) -> dict[str, Any]:
        kinds = ("clock", "store", "uploads", "results", "webhooks", "downloads", "index", *_QUEUES)
        return {name: getattr(self, name) for name in (*kinds, "executions", "random_bytes")}

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self._pipeline()
        self._index()

    def _pipeline(self) -> None:
        for entry in [one for one in self.fetch_queue._entries if one.body["tenant_id"] in self.served]:
            self.fetch_queue._entries.remove(entry)
            tenant_id, job_id = str(entry.body["tenant_id"]), str(entry.body["job_id"])
            sources.fetch(self.deps, tenant_id=tenant_id, job_id=job_id, render=self._renderer(tenant_id, job_id))
        for job in self.store.all(Job):
            if job.tenant_id in self.served and job.state in _UNDER_WAY:
                self.carry_on(job)
        for row in self.store.all(Callback):
            if row.tenant_id in self.served and row.state is CallbackState.PENDING:
                ids = {"tenant_id": row.tenant_id, "job_id": row.job_id, "replay": row.replay}
                callbacks.deliver(self.deps, **ids, attempt=row.attempts + 1, user_agent="test")  # type: ignore[arg-type]  # of several types

    def _index(self) -> None:
        with mock.patch.object(task_rows, "ThreadPoolExecutor", _InTurn):  # thousands of times a few rows
            for tenant_id in self.served:
                indexing.fold_in(self.deps, tenant_id)

    def carry_on(self, job: Job) -> Job:
        """What AWS does for one job, as far as it goes."""
        ids = {"tenant_id": job.tenant_id, "job_id": job.id}
        info = self.uploads.head(job.audio_key)
        if job.state is JobState.AWAITING_UPLOAD and info is not None:
            jobs.uploaded(self.deps, **ids, version_id=info.version_id)
        if jobs.find(self.deps, **ids).state is JobState.QUEUED:
            try:
                preparing.prepare(self.deps, **ids)
            except JobFailed:
                jobs.fail(self.deps, tenant_id=job.tenant_id, job_id=job.id, render=self._renderer(**ids))
        now = jobs.find(self.deps, **ids)
        if now.state is JobState.TRANSCRIBING:
            body = to_json(spoken(self.words[job.tenant_id]))
            self.results.put_if_absent(now.transcript_key, body, content_type="application/json")
            return jobs.finish(self.deps, **ids, render=self._renderer(**ids))
        return now

    def _renderer(self, tenant_id: str, job_id: str) -> callbacks.Renderer:
        job = self.store.get(Job, tenant_id, job_id)
        return dialects.load("presign" if job is None else job.dialect).renderer()


def _values(fake: Any) -> dict[str, Any]:
    return {name: _copied(value) for name, value in vars(fake).items() if name != "_lock"}


def _copied(value: Any) -> Any:
    """Containers anew; records and bodies never change and stay the same objects."""
    if isinstance(value, defaultdict):
        return defaultdict(value.default_factory, {key: _copied(one) for key, one in value.items()})
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return copy.copy(value) if isinstance(value, list | set) else value


_UNDER_WAY = (JobState.AWAITING_UPLOAD, JobState.QUEUED, JobState.TRANSCRIBING)
_QUEUES = ("fetch_queue", "callback_queue", "video_queue", "index_queue")
STAGES_OWN = (*names.DIALECTS, failed_logins.SCOPE, arrivals.SCOPE)  # scopes of counters that belong to no tenant


def owner(place: Place, value: Any) -> str | None:
    """The id of the tenant that something belongs to; None for what is the stage's own."""
    if place[0] in ("uploads", "results"):
        return str(place[1]).split("/")[1]
    if place[0] == "index":
        return str(place[1])
    if place[0] == "video_queue":  # who works on it knows no tenants; the URL for the sound does
        return str(value["put_url"]).partition("/audio/")[2].partition("/")[0]
    if isinstance(value, Tenant):
        return value.id
    if isinstance(value, dict):
        return str(value["tenant_id"])
    tenant_id = getattr(value, "tenant_id", None) or getattr(value, "scope", None)
    return None if tenant_id is None or tenant_id in STAGES_OWN else str(tenant_id)


def settled_in(stage: Stage, name: str, *, jobs_before: int) -> Stranger:
    """Make a tenant of this name who has something of every kind. Its first job has the number `jobs_before` + 1."""
    stage.downloads.files[f"https://recordings.example.com/{name}.wav?signature=url-secret-of-{name}"] = b"RIFF by URL"
    deps = stage.deps
    tenant = accounts.create_tenant(deps, name=f"tenant {name}")
    accounts.change_tenant(
        deps, tenant.id, plan=Plan(Account.CREDITS, credits_m_per_s=1_000), source_uris=(f"s3://{name}-calls/in",)
    )
    ledger.top_up(deps, tenant_id=tenant.id, account=Account.CREDITS, amount=RICH_M, reference="first")
    key, secret = accounts.create_key(deps, tenant_id=tenant.id, name=f"key of {name}")
    tariffs.subscribe(deps, tenant.id, "enterprise")
    for counted in ("jobs", "users", *{kind.__name__ for kind in KEPT.values()}):
        deps.store.count(tenant.id, counted, by=jobs_before)
    password = f"pass:word of {name}"
    user = users.create_user(deps, tenant_id=tenant.id, username=f"user {name}", password=password)
    session = refresh.log_in(deps, accounts.principal_of(user), life_s=7_200)
    family_id = base64.urlsafe_b64decode(session.refresh_token[4:] + "==").split(b".")[1].decode()
    started = Stranger(
        name=name,
        tenant_id=tenant.id,
        key_id=key.id,
        secret=secret,
        user_id=user.id,
        username=user.username,
        password=password,
        tokens={
            "presign": _presign_token(stage, key, secret),
            "mor": refresh.log_in(deps, accounts.principal_of(key), life_s=7_200).access.token,
            "mor user": session.access.token,
        },
        refresh_token=session.refresh_token,
        family_id=family_id,
        jobs={},
        link_token="",
        key_digest=key.digest,
        exchange_digest="",
        user_number=user.number,
    )
    stage.words[tenant.id] = started.word
    return _with_tasks(stage, _with_calls(stage, started))


def _presign_token(stage: Stage, key: ApiKey, secret: str) -> str:
    headers = {"authorization": basic(key.id, secret)}
    token: str = stage.ask("presign", "POST", "/api/v1/auth/token", headers=headers).json["accessToken"]
    return token


def _with_calls(stage: Stage, who: Stranger) -> Stranger:
    """Give a tenant recordings, objects of its own in S3, a job in every state, and a request that waits."""
    deps = stage.deps
    ours = MemoryObjects(stage.clock, bucket=f"{who.name}-calls")
    ours.put("in/one.wav", b"RIFF of S3")
    stage.uploads.other_buckets[f"{who.name}-calls"] = ours
    recordings.add(deps, tenant_id=who.tenant_id, recording_id=who.recording("url"), url=who.audio_url)
    recordings.add(deps, tenant_id=who.tenant_id, recording_id=who.recording("none"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "audio"
        path.write_bytes(who.audio + b" on file")
        recordings.add(deps, tenant_id=who.tenant_id, recording_id=who.recording("file"), file=path)
    made = {state: _job_in(stage, who, state) for state in STATES}
    made["of presign"] = _job_in(stage, who, "completed", dialect="presign")
    made["of aivoco"] = _waiting(stage, who)
    _order(stage, who)
    link = jobs.result_link(deps, made["completed"])
    digest = next(one.digest for one in stage.store.all(Exchange) if one.tenant_id == who.tenant_id)
    return replace(who, jobs=made, link_token=link.rpartition("/")[2], exchange_digest=digest)


STATES = ("awaiting", "processing", "completed", "failed", "cancelled")
TASKS = ("of transcripto", "chat", "video", "report")  # made there
JOBS = (*STATES, "of presign", "of aivoco", *TASKS)
# What a user keeps at dialect `transcripto`. The answered question is answered for the call that was made there, and
# the category lies below the upper one.
KEPT: Mapping[str, Any] = {
    "directory": Directory,
    "question": Question,
    "answered question": Question,
    "upper category": Category,
    "category": Category,
    "filter": SavedFilter,
    "script": CheckScript,
}


def _with_tasks(stage: Stage, who: Stranger) -> Stranger:
    """Let a tenant's user log in at dialect `transcripto`, keep one of everything there, and make tasks of all types."""
    fields = {"email": who.username, "password_hash": who.client_hash, "captcha_token": "a token"}
    token = _posted(stage.client("transcripto"), "/auth/login", **fields)["token"]
    client = stage.client("transcripto", token)
    kept = _kept(client, who)
    made = {name: _ended(stage, who, code) for name, code in _tasks(client, who, kept["directory"]).items()}
    answers = [{"checklist_id": kept["answered question"], "answer": who.word}]
    path = f"/checklist/answer/{made['of transcripto'].number}"
    assert client.send("POST", path, fields=answers).outcome == 200
    report = made["report"]
    stage.results.put(f"{report.results_prefix}report_{report.number}.pdf", f"%PDF {who.word}".encode())
    admin = users.create_user(
        stage.deps, tenant_id=who.tenant_id, username=f"admin {who.name}", password="right", scopes=frozenset(Scope)
    )
    tokens_made = {"transcripto": token, "administrator": principal_tokens(stage, admin)}
    return replace(who, tokens={**who.tokens, **tokens_made}, jobs={**who.jobs, **made}, kept=kept)


def _posted(client: Client, path: str, **fields: Any) -> Any:
    """What a request that must succeed is answered."""
    answer = client.send("POST", path, fields=fields)
    assert answer.outcome == 200, answer.text
    return answer.json


def _kept(client: Client, who: Stranger) -> dict[str, int]:
    """The ids of one thing of each kind that a user keeps, made in this moment."""
    kept = {"directory": _posted(client, "/user/directories", name=who.named("directory"))["directory"]["id"]}
    for kind in ("question", "answered question"):
        kept[kind] = _posted(client, "/checklist", question=who.named(kind))["data"]["id"]
    for kind in ("upper category", "category"):
        fields = {"name": who.named(kind), "parent_id": kept.get("upper category")}
        kept[kind] = _posted(client, "/user/call_categories/create", **fields)["data"]["id"]
    script = {"identifier": who.named("script"), "title": "a script", "script_body": "say hello"}
    kept["script"] = _posted(client, "/user/call_check_scripts/create", **script)["data"]["id"]
    _posted(client, "/tasks/filters/save", name=who.named("filter"), criteria={"operator_name": who.named("filter")})
    kept["filter"] = client.send("GET", "/tasks/filters/list").json["filters"][0]["id"]
    return kept


def _tasks(client: Client, who: Stranger, directory: int) -> dict[str, str]:
    """The codes of one task of each type, made in this moment."""
    facts = {"directory_id": directory, "operator_name": who.named("directory")}
    sent = multipart(facts, file=who.audio, file_name=who.file_name)
    period = {"start_date": "2025-12-01", "end_date": "2025-12-31"}
    return {
        "of transcripto": client.send("POST", "/addtaskcall", **sent).json["code"],
        "chat": _posted(client, "/add_chat_analysis_task", text=f"{who.word} writes")["task_code"],
        "video": _posted(client, "/addtaskyoutube", file_path=VIDEO_URL)["code"],
        "report": _posted(client, "/user/callreport", **period)["report_task_code"],
    }


def _ended(stage: Stage, who: Stranger, code: str) -> Job:
    """A task that the pipeline has taken to its end."""
    ids = {"tenant_id": who.tenant_id, "job_id": code}
    job = jobs.find(stage.deps, **ids)
    if stage.uploads.head(job.audio_key) is None:
        stage.uploads.put(job.audio_key, who.audio)
    return stage.carry_on(job)


def _job_in(stage: Stage, who: Stranger, state: str, *, dialect: str = "mor") -> Job:
    """A job in this state, by the services that take it there."""
    principal = accounts.identify(stage.deps, tenant_id=who.tenant_id, key_id=who.key_id)
    job = jobs.create(stage.deps, principal, NewJob(dialect, callback_url=who.callback_url))
    ids = {"tenant_id": job.tenant_id, "job_id": job.id}
    if state in ("processing", "completed"):
        version_id = stage.uploads.put(job.audio_key, who.audio)
        jobs.uploaded(stage.deps, **ids, version_id=version_id)
        preparing.prepare(stage.deps, **ids)
    if state == "completed":
        return stage.carry_on(job)
    if state == "failed":
        return jobs.fail(stage.deps, **ids, render=dialects.load(dialect).renderer(), code=FailureCode.AUDIO_UNREADABLE)
    return jobs.cancel(stage.deps, **ids) if state == "cancelled" else jobs.find(stage.deps, **ids)


def _waiting(stage: Stage, who: Stranger) -> Job:
    """The job of a synchronous request that was sent away and may come again."""
    fields = {"api_key": who.secret, "audio_data": base64.b64encode(who.audio).decode()}
    answer = stage.client("aivoco").send("POST", "/transcribe", fields=fields)
    assert answer.status == 503, answer.text
    return jobs.find(stage.deps, tenant_id=who.tenant_id, job_id=answer.json["job_id"])


def _order(stage: Stage, who: Stranger) -> None:
    """Jobs that were made with an Idempotency-Key."""
    for dialect, path, fields in (
        ("presign", "/api/v1/generate-presigned-url", {"mimeType": "audio/wav"}),
        ("mor", f"{MOR}/ai/transcriptions", {}),
        ("transcripto", "/add_chat_analysis_task", {"text": "a chat"}),
    ):
        headers = {"Idempotency-Key": who.order(dialect)}
        answer = stage.client(dialect, who.tokens["mor"]).send("POST", path, fields=fields, headers=headers)
        assert answer.outcome in (200, 201), answer.text


@dataclass
class Town:
    """Two tenants of one stage, and everything that a third would have there, who never was."""

    stage: Stage
    anna: Stranger
    bert: Stranger
    otto: Stranger  # unknown here: made elsewhere, with the same keys, so that its tokens are as good as they can be
    held: dict[str, str] = field(default_factory=dict)  # credentials that have ended, see `refusals.prepare`

    def __post_init__(self) -> None:
        self.keep()

    def keep(self) -> None:
        """From now on this is the state that the town is set back to."""
        self.saved = self.stage.saved()
        self.before = self.stage.state()


def town(stage: Stage | None = None) -> Town:
    """A fresh one, on a stage of its own unless one is given. Numbers of jobs: Bert's from 411, Anna's from 431, Otto's from 451."""
    elsewhere = Stage(random_bytes=NumberedBytes(100_000))
    otto = settled_in(elsewhere, "otto", jobs_before=450)
    stage = stage or Stage()
    stage.downloads.files |= elsewhere.downloads.files
    return Town(stage, settled_in(stage, "anna", jobs_before=430), settled_in(stage, "bert", jobs_before=410), otto)


def token_digest(token: str) -> str:
    """By which the table knows an opaque token."""
    return hashlib.sha256(token.encode()).hexdigest()


def principal_tokens(stage: Stage, holder: Any, **how: Any) -> str:
    """An access token of a key or a user, made as a dialect makes it."""
    return tokens.issue(stage.deps, accounts.principal_of(holder), **how).token
