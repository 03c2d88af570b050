"""AWS at the wire, for every case the same: each request is serialised and signed for real, and answered from here.

Runs in the measured process, so it knows as little and does as little as it can: no part of it imports callscribe.
"""

import io
import json
from collections.abc import Iterator
from typing import Any

import botocore.awsrequest
import botocore.httpsession


class _Raw(io.BytesIO):
    def stream(self, **_options: Any) -> Iterator[bytes]:
        """The body, whole."""
        yield self.read()


class Wire:
    """A table's items and a secret; `requests` counts what was asked, by operation."""

    def __init__(self, items: list[dict[str, Any]], secret: str) -> None:
        self._items = {_place(item): item for item in items}
        self._secret = secret
        self._count = 0
        self.requests: dict[str, int] = {}

    def install(self) -> None:
        """Answer whatever any botocore client of this process sends."""

        def send(_session: Any, request: Any) -> Any:
            target = request.headers.get("X-Amz-Target", b"")
            name = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2] or request.method
            self.requests[name] = self.requests.get(name, 0) + 1
            status, body = self._answer(name, request)
            headers = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(body))}
            return botocore.awsrequest.AWSResponse(request.url, status, headers, _Raw(body))  # type: ignore[arg-type]  # a dict will do

        botocore.httpsession.URLLib3Session.send = send  # type: ignore[method-assign,assignment]  # that is the point

    def _answer(self, name: str, request: Any) -> tuple[int, bytes]:
        if not request.headers.get("X-Amz-Target"):  # S3: a bucket in which nothing is, and everything may be put
            return (200 if name == "PUT" else 404), b""
        return 200, json.dumps(self._found(name, request)).encode()

    def _found(self, name: str, request: Any) -> dict[str, Any]:
        if name == "SendMessage":
            return {"MessageId": "m"}
        asked = json.loads(request.body)
        if name == "GetItem":
            found = self._items.get(_place(asked["Key"]))
            return {} if found is None else {"Item": found}
        if name == "GetSecretValue":
            return {"SecretString": self._secret, "VersionId": "v1"}
        if name == "UpdateItem":
            self._count += 1
            return {"Attributes": {"value": {"N": str(self._count)}, "version": {"N": str(self._count)}}}
        if name == "Query":
            return {"Items": [], "Count": 0}
        for put in [asked] if name == "PutItem" else [one["Put"] for one in asked["TransactItems"] if "Put" in one]:
            self._items[_place(put["Item"])] = put["Item"]
        return {}


def _place(item: dict[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
