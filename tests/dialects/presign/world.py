"""One small stage in memory: the dialect's handler, its clock, and what a client and the pipeline do to it."""

import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any

from callscribe.adapters.memory import MemoryWebhooks
from callscribe.domain.accounts import USUAL_SCOPES, ApiKey, Scope
from callscribe.domain.callbacks import Callback
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.errors import NotFound
from callscribe.services import accounts
from tests.dialects.conftest import Answer, Client
from tests.dialects.pipeline import Pipeline

TOKEN = "/api/v1/auth/token"
UPLOAD = "/api/v1/generate-presigned-url"
TRANSCRIPTION = "/api/v1/get-transcription"
CALLBACK_URL = "https://mock-callback.mydomain.com"

TRANSCRIPT = Transcript(
    segments=(
        Segment("mock transcription text", 0.05, 2.26, 0, "0", 0.9),
        Segment("and an answer", 2.4000001, 3.0, 1, "1", 0.8),
        Segment("somebody else", 3.5, 4.0, 0, None, None),
    ),
    language="en",
    language_probability=None,
    engine="pocketsphinx",
    model="en-us",
    duration_s=4.2,
    speech_s=3.2,
)


def basic(key_id: str, secret: str) -> dict[str, str]:
    """The Authorization header that the token endpoint takes."""
    return {"authorization": "Basic " + base64.b64encode(f"{key_id}:{secret}".encode()).decode()}


@dataclass
class World(Pipeline):
    """A stage with as many tenants as a test makes."""

    heard = TRANSCRIPT

    webhooks: MemoryWebhooks = field(default_factory=MemoryWebhooks)

    def __post_init__(self) -> None:
        self.build("presign", webhooks=self.webhooks)

    def key(
        self, *, scopes: frozenset[Scope] = USUAL_SCOPES, tenant_id: str | None = None, **how: Any
    ) -> tuple[ApiKey, str]:
        """A new key, of a new tenant unless one is named."""
        tenant_id = tenant_id or accounts.create_tenant(self.deps, name="a tenant").id
        return accounts.create_key(self.deps, tenant_id=tenant_id, name="a key", scopes=scopes, **how)

    def client(self, **how: Any) -> Client:
        """A client with a fresh access token, got as a client gets one."""
        key, secret = self.key(**how)
        answer = self.anonymous.send("POST", TOKEN, headers=basic(key.id, secret))
        return self.anonymous.with_token(answer.json["accessToken"])

    def request(self, client: Client, **fields: Any) -> str:
        """The id of a new request for an upload."""
        answer = client.send("POST", UPLOAD, fields={"mimeType": "audio/wav", **fields})
        assert answer.status == 200, answer.text
        request_id: str = answer.json["requestId"]
        return request_id

    def callback_body(self, request_id: str) -> bytes:
        """The bytes of a request's callback. Raises NotFound where there is none."""
        rows = [row for row in self.store.all(Callback) if row.job_id == request_id]
        if not rows:
            raise NotFound(f"no callback of {request_id}")
        return self.results.read(rows[-1].body_key)

    def poll(self, client: Client, request_id: str) -> Answer:
        """Ask how a request stands."""
        return client.send("POST", TRANSCRIPTION, fields={"requestId": request_id})


def long_transcript(segments: int, text: str) -> Transcript:
    """A transcript of many segments, all with the same text."""
    made = tuple(Segment(text, float(n), n + 0.5, 0, "0", None) for n in range(segments))
    return replace(TRANSCRIPT, segments=made, duration_s=float(segments))


def parsed(body: bytes) -> dict[str, Any]:
    """A JSON body, in the order it came."""
    document: dict[str, Any] = json.loads(body)
    return document
