"""What the handlers are asked, and what AWS then answers: one request for each dialect, the same for every peer."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from callscribe import names
from callscribe.adapters.aws import items
from callscribe.adapters.memory import memory_deps
from callscribe.domain.accounts import ApiKey, ApiKeyDigest, Tenant
from callscribe.ports import Deps
from callscribe.services import accounts, tokens

_ROOT_KEY: Final = "an example root key of 32 bytes!"  # of `memory_deps`
_UPLOAD: Final = {"mimeType": "audio/wav", "callbackUrl": "https://receiver.example.com/calls", "language": "en"}
_TRACE: Final = "Root=1-67891233-abcdef012345678912345678;Parent=0123456789abcdef;Sampled=1"


class Scenes:
    """Writes scenes (see `invoke`) below a folder. One tenant with one key, known to us and to the peers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._deps = memory_deps(now_ms=lambda: time.time_ns() // 1_000_000)
        tenant = accounts.create_tenant(self._deps, name="Some tenant")
        key, self._api_key = accounts.create_key(self._deps, tenant_id=tenant.id, name="Some key")
        self.token = tokens.issue(self._deps, accounts.principal_of(key)).token
        self._items = _stored(self._deps, tenant, key, self._api_key)

    def presign(self, *, peer: bool, warm_ups: int = 0, requests: int = 0) -> Path:
        """The route that all write: POST generate-presigned-url."""
        headers = {"authorization": f"Bearer {self._api_key if peer else self.token}"}
        event = http_event("POST", f"{names.DIALECTS['presign']}/generate-presigned-url", headers, _UPLOAD)
        scene = {"event": event, "status": 200, "fields": ["presignedUrl", "requestId"]}
        name = f"presign-{'peer' if peer else 'ours'}-{requests}"
        return self._written(name, {**scene, "warm_ups": warm_ups, "requests": requests})

    def mor(self) -> Path:
        """M-08: a transcription whose audio is still to be uploaded."""
        headers = {"authorization": f"Bearer {self._api_key}"}
        event = http_event("POST", f"{names.DIALECTS['mor']}/ai/transcriptions", headers, {"language": "en"})
        return self._written("mor", {"event": event, "status": 201, "fields": []})

    def aivoco(self) -> Path:
        """A-01 with the audio in the body, and no time to wait: all but the transcript itself."""
        audio = base64.b64encode(b"RIFF" + bytes(1_000)).decode()
        body = {"api_key": self._api_key, "audio_data": audio}
        event = http_event("POST", "/transcribe", {}, body)
        return self._written("aivoco", {"event": event, "status": 503, "fields": []})

    def transcripto(self) -> Path:
        """T-26: a new directory."""
        headers = {"authorization": f"Bearer {self._api_key}"}
        event = http_event("POST", "/user/directories", headers, {"name": "Sales"})
        return self._written("transcripto", {"event": event, "status": 200, "fields": ["directory"]})

    def landing(self) -> Path:
        """The page at the root."""
        return self._written("landing", {"event": http_event("GET", "/", {}), "status": 200, "fields": [], "items": []})

    def _written(self, name: str, scene: Mapping[str, Any]) -> Path:
        path = self._folder / f"{name}.json"
        secret = json.dumps({"id": "1", "key": _ROOT_KEY})
        path.write_text(json.dumps({"warm_ups": 0, "requests": 0, "items": self._items, "secret": secret, **scene}))
        return path


def http_event(method: str, path: str, headers: Mapping[str, str], body: Any = None) -> dict[str, Any]:
    """An HTTP API's request, payload format 2.0, of this moment."""
    host = "abc.execute-api.eu-central-1.amazonaws.com"
    http = {
        "method": method,
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": "203.0.113.7",
        "userAgent": "curl/8.5.0",
    }
    sent = {
        "accept": "*/*",
        "content-type": "application/json",
        "host": host,
        "user-agent": "curl/8.5.0",
        "x-amzn-trace-id": _TRACE,
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {**sent, **headers},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": host,
            "domainPrefix": "abc",
            "http": http,
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": time.time_ns() // 1_000_000,
        },
        "body": "" if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def environment(dialect: str = "presign") -> dict[str, str]:
    """What every case finds in its environment: what Lambda sets, our own variables, and those of the peers."""
    ours = {str(value): "some-name" for name, value in vars(names).items() if name.startswith("ENV_")}
    settings = {"stage": "local", "public_base_url": "https://callscribe.example"}
    return {
        **ours,
        names.ENV_SETTINGS: json.dumps(settings),
        names.ENV_DIALECT: dialect,
        names.ENV_STAGE: "local",
        "TABLE": "some-table",
        "BUCKET": "some-bucket",
        "POWERTOOLS_SERVICE_NAME": "uploads",
        "POWERTOOLS_METRICS_NAMESPACE": "uploads",
        "_X_AMZN_TRACE_ID": _TRACE,
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "AWS_LAMBDA_FUNCTION_NAME": dialect,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _stored(deps: Deps, tenant: Tenant, key: ApiKey, api_key: str) -> list[dict[str, Any]]:
    """The table's items: ours as our store writes them, and the key once more as the peers keep it."""
    records = [
        tenant,
        deps.store.get(ApiKey, tenant.id, key.id),
        deps.store.get(ApiKeyDigest, key.digest),
    ]
    theirs = {
        "pk": {"S": f"key#{hashlib.sha256(api_key.encode()).hexdigest()}"},
        "sk": {"S": "#"},
        "tenant_id": {"S": tenant.id},
        "name": {"S": key.name},
    }
    return [*(items.to_item(one, write_id="w") for one in records if one is not None), theirs]
