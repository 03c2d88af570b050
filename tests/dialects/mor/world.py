"""One small stage in memory: the dialect's handler, its clock, and what a client and the pipeline do to it."""

import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any

from callscribe.adapters.memory import MemoryDownloads, MemoryWebhooks
from callscribe.domain.accounts import USUAL_SCOPES, Scope
from callscribe.domain.callbacks import Callback
from callscribe.domain.prices import Plan
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.services import accounts, refresh, users
from tests.dialects.conftest import Answer, Client
from tests.dialects.pipeline import TRANSCRIPT, Pipeline

AI = "/billing/api/v2/ai"
PLAIN = "/billing/api/v2"
LOGIN = f"{AI}/authentication/login"
REFRESH = f"{AI}/authentication/refresh"
USAGE = f"{AI}/usage"
JOBS = f"{AI}/transcriptions"
OPENAPI = f"{PLAIN}/openapi.json"
API_DOCS = f"{PLAIN}/api-docs"
CALLBACK_URL = "https://hooks.example.com/transcriptions"
AUDIO_URL = "https://recordings.example.com/1767880680.42.wav"
PASSWORD = "a pass:word"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def basic(username: str, password: str) -> dict[str, str]:
    """The Authorization header of a user."""
    return {"authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


@dataclass(frozen=True)
class SomeUser:
    """Somebody who may log in."""

    tenant_id: str
    username: str
    password: str

    @property
    def header(self) -> dict[str, str]:
        return basic(self.username, self.password)


@dataclass
class World(Pipeline):
    """A stage with as many tenants as a test makes."""

    webhooks: MemoryWebhooks = field(default_factory=MemoryWebhooks)
    downloads: MemoryDownloads = field(default_factory=MemoryDownloads)

    def __post_init__(self) -> None:
        self.build("mor", webhooks=self.webhooks, downloader=self.downloads)
        self._users = 0

    def tenant(self, *, plan: Plan | None = None, funds: int = 0) -> str:
        """The id of a new tenant, which has so much in the account of its plan."""
        tenant = accounts.create_tenant(self.deps, name="a tenant")
        if plan is not None:
            accounts.change_tenant(self.deps, tenant.id, plan=plan)
            self.top_up(tenant.id, plan.account, funds)
        return tenant.id

    def user(
        self,
        *,
        tenant_id: str | None = None,
        username: str | None = None,
        password: str | None = None,
        scopes: frozenset[Scope] = USUAL_SCOPES,
    ) -> SomeUser:
        """A new user, of a new tenant unless one is named."""
        self._users += 1
        made = SomeUser(tenant_id or self.tenant(), username or f"user {self._users}", password or PASSWORD)
        users.create_user(
            self.deps, tenant_id=made.tenant_id, username=made.username, password=made.password, scopes=scopes
        )
        return made

    def client(self, *, tenant_id: str | None = None, scopes: frozenset[Scope] = USUAL_SCOPES, **how: Any) -> Client:
        """A client with a fresh access token, without the price of hashing a password."""
        key, _ = accounts.create_key(
            self.deps, tenant_id=tenant_id or self.tenant(), name="a key", scopes=scopes, **how
        )
        session = refresh.log_in(self.deps, accounts.principal_of(key), life_s=900)
        return self.anonymous.with_token(session.access.token)

    def create(self, client: Client, **fields: Any) -> dict[str, Any]:
        """The answer to a new job."""
        answer = client.send("POST", JOBS, fields=fields)
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json
        return made

    def completed(self, client: Client, transcript: Transcript = TRANSCRIPT, **fields: Any) -> dict[str, Any]:
        """The first answer to a job that has been completed since."""
        made = self.create(client, **fields)
        self.complete(made["uuid"], transcript)
        return made

    def callback(self, uuid: str) -> dict[str, Any] | None:
        """The body of a job's callback, None where there is none."""
        rows = [row for row in self.store.all(Callback) if row.job_id == uuid]
        body: dict[str, Any] | None = json.loads(self.results.read(rows[-1].body_key)) if rows else None
        return body


def long_transcript(segments: int, text: str) -> Transcript:
    """A transcript of many segments, all with the same text."""
    made = tuple(Segment(text, float(n), n + 0.5, 0, "0", None) for n in range(segments))
    return replace(TRANSCRIPT, segments=made, duration_s=float(segments))


def status(client: Client, given: object) -> Answer:
    """Ask how a job stands."""
    return client.send("GET", f"{JOBS}/{given}")
