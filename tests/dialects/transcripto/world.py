"""One small stage in memory: the dialect's handler, its clock, and what a client and the pipeline do to it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callscribe.adapters.memory import MemoryDownloads, MemoryQueue
from callscribe.adapters.memory.task_index import MemoryTaskIndex
from callscribe.domain.accounts import USUAL_SCOPES, Scope, User
from callscribe.domain.jobs import Job
from callscribe.domain.records import update
from callscribe.domain.task_marks import marks
from callscribe.domain.transcripts import Transcript
from callscribe.ports import Settings
from callscribe.services import accounts, indexing, tariffs, tokens, users
from tests.dialects.conftest import Answer, Client
from tests.dialects.pipeline import TRANSCRIPT, Pipeline

PREFIX = "/transcripto"
LOGIN = "/auth/login"
FILTER = "/tasks/filter"
OPENAPI = f"{PREFIX}/openapi.json"
DOCS = f"{PREFIX}/docs"
AUDIO_URL = "https://example.com/rec_001.wav"
VIDEO_URL = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
PASSWORD = "a pass:word"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
AUDIO = b"RIFF a recording"
ADMIN = USUAL_SCOPES | {Scope.ADMIN}
ENTERPRISE = "enterprise"
_BOUNDARY = "a-boundary-that-no-file-holds"


def client_hash(password: str, algorithm: str = "sha512") -> str:
    """What a client sends in place of a password (T-A9)."""
    return hashlib.new(algorithm, password.encode()).hexdigest()


def multipart(
    fields: Mapping[str, object] | None = None,
    *,
    file: bytes | None = AUDIO,
    file_name: str = "call.wav",
    media_type: str = "audio/wav",
) -> dict[str, Any]:
    """A form's body and its header, for `Client.send`; without a file where that is None."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (fields or {}).items()
    ]
    if file is not None:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
        parts.append(f"{head}Content-Type: {media_type}\r\n\r\n".encode() + file + b"\r\n")
    body = b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])
    return {"body": body, "headers": {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}}


@dataclass(frozen=True)
class SomeUser:
    """Somebody who may log in."""

    user: User
    password: str

    @property
    def tenant_id(self) -> str:
        return self.user.tenant_id

    @property
    def email(self) -> str:
        return self.user.username

    @property
    def log_in(self) -> dict[str, str]:
        """The body of a log-in."""
        return {"email": self.email, "password_hash": client_hash(self.password), "captcha_token": "a token"}


@dataclass
class World(Pipeline):
    """A stage with as many tenants as a test makes."""

    settings: Settings = field(
        default_factory=lambda: Settings(public_base_url="https://callscribe.example", videos=True)
    )
    downloads: MemoryDownloads = field(default_factory=lambda: MemoryDownloads({AUDIO_URL: AUDIO}))
    overrides: Mapping[str, Any] = field(default_factory=dict)  # of Deps, by field name

    def __post_init__(self) -> None:
        self.video_queue = MemoryQueue(self.clock)
        self.index_queue = MemoryQueue(self.clock)
        self.index = MemoryTaskIndex()
        fakes = {
            "downloader": self.downloads,
            "video_queue": self.video_queue,
            "index_queue": self.index_queue,
            "task_index": self.index,
        }
        self.build("transcripto", **{**fakes, **self.overrides})
        self._users = 0

    def tenant(self, *, tariff: str | None = ENTERPRISE) -> str:
        """The id of a new tenant, with a fresh tariff unless that is None."""
        tenant = accounts.create_tenant(self.deps, name="a tenant")
        if tariff is not None:
            tariffs.subscribe(self.deps, tenant.id, tariff)
        return tenant.id

    def user(
        self,
        *,
        tenant_id: str | None = None,
        email: str | None = None,
        password: str = PASSWORD,
        scopes: frozenset[Scope] = USUAL_SCOPES,
    ) -> SomeUser:
        """A new user, of a new tenant unless one is named; `scopes=ADMIN` makes an administrator."""
        self._users += 1
        tenant_id, email = tenant_id or self.tenant(), email or f"user{self._users}@example.com"
        user = users.create_user(self.deps, tenant_id=tenant_id, username=email, password=password, scopes=scopes)
        return SomeUser(user, password)

    def client_of(self, user: SomeUser) -> Client:
        """A client with a fresh token of a user, without the price of a log-in."""
        return self.anonymous.with_token(tokens.issue(self.deps, accounts.principal_of(user.user)).token)

    def client(self, *, tenant_id: str | None = None, scopes: frozenset[Scope] = USUAL_SCOPES) -> Client:
        """A client with a fresh token of a new user."""
        return self.client_of(self.user(tenant_id=tenant_id, scopes=scopes))

    def add_call(self, client: Client, *, file: bytes = AUDIO, file_name: str = "call.wav", **fields: object) -> str:
        """The code of a new task for a call, whose file is in the request."""
        return self.made(client.send("POST", "/addtaskcall", **multipart(fields, file=file, file_name=file_name)))

    def add_chat(self, client: Client, **fields: object) -> str:
        """The code of a new task for a chat."""
        return self.made(client.send("POST", "/add_chat_analysis_task", fields={"text": "good morning", **fields}))

    def made(self, answer: Answer) -> str:
        """The code of the task that an answer tells of."""
        fields = answer.json
        assert fields["error_code"] == 0, answer.text
        return str(next(fields[key] for key in ("code", "task_code", "report_task_code") if key in fields))

    def completed(self, client: Client, transcript: Transcript = TRANSCRIPT, **how: Any) -> str:
        """The code of a task for a call that has been completed; `how` goes to `add_call`."""
        code = self.add_call(client, **how)
        self.carry_on(code, transcript)
        return code

    def change(self, code: str, **known: Any) -> Job:
        """A task's job, after what time or a later part of the pipeline makes of it."""
        step = update(self.job(code), changed_at_ms=self.clock(), **known)
        self.store.commit(step, *marks(step))
        changed: Job = step.after
        return changed

    def fold_in(self, client: Client) -> int:
        """Take what changed into the index; how many tasks that were."""
        return indexing.fold_in(self.deps, self.tenant_of(client))

    def row(self, client: Client, code: str) -> dict[str, Any]:
        """A task as the list shows it."""
        tasks: list[dict[str, Any]] = client.send("POST", FILTER, fields={"task_code": code}).json["tasks"]
        assert len(tasks) == 1, tasks
        return tasks[0]
