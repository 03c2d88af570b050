"""API Gateway events (payload format 2.0) as the gateway builds them, and a client that speaks them to a dialect."""

import base64
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

TEXT = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True)
class Answer:
    """What a handler answered; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def outcome(self) -> int:
        """How it went: the number of an error that came as HTTP 200, as dialect `transcripto` has it; else the status."""
        if self.status != 200 or not self.headers.get("content-type", "").startswith("application/json"):
            return self.status
        fields = self.json
        return (fields.get("error_code") or self.status) if isinstance(fields, dict) else self.status


def http_event(
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    query: str = "",
    stage: str = "$default",
    at_ms: int = 1_767_225_600_000,
) -> dict[str, Any]:
    """The event of one request, that came at `at_ms`. Like the gateway: text bodies as text, all others in base64."""
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    is_text = lowered.get("content-type", "").lower().startswith(TEXT)
    try:
        encoded = None if body is None else body.decode() if is_text else base64.b64encode(body).decode()
    except UnicodeDecodeError:
        is_text, encoded = False, base64.b64encode(body or b"").decode()
    raw_path = path if stage == "$default" else f"/{stage}{path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": {"host": "abc.execute-api.eu-central-1.amazonaws.com", **lowered},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "http": {"method": method, "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": stage,
            "timeEpoch": at_ms,
        },
        "isBase64Encoded": encoded is not None and not is_text,
    }
    return event if encoded is None else {**event, "body": encoded}


Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True)
class Client:
    """Sends requests to a handler; `token` is the access token it carries."""

    handler: Handler
    token: str | None = None

    def send(
        self, method: str, path: str, *, fields: Any = ..., headers: Mapping[str, str] | None = None, **how: Any
    ) -> Answer:
        """One request. `fields` are sent as JSON; `how` goes to `http_event`."""
        carried = {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        if fields is not ...:
            how["body"] = json.dumps(fields).encode()
            carried["content-type"] = "application/json"
        event = http_event(method, path, headers={**carried, **(headers or {})}, **how)
        return read_answer(self.handler(event, None))

    def with_token(self, token: str | None) -> "Client":
        """The same client with another token, or with none."""
        return Client(self.handler, token)


def read_answer(answer: dict[str, Any]) -> Answer:
    """A handler's answer, as its client sees it."""
    raw = answer.get("body") or ""
    content = base64.b64decode(raw) if answer.get("isBase64Encoded") else raw.encode()
    return Answer(answer["statusCode"], {name.lower(): value for name, value in answer["headers"].items()}, content)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything any logger says, of every level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture(scope="session")
def client_of() -> Callable[..., Client]:
    """Makes a client of a handler."""
    return Client
