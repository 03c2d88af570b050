"""A Lambda handler behind WSGI, by the events that the gateway would make; for schemathesis."""

import base64
from collections.abc import Callable, Iterable
from typing import Any

from tests.dialects.conftest import http_event

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def application(handle: Callable[[dict[str, Any]], dict[str, Any]]) -> Wsgi:
    """The WSGI application that answers what `handle` answers to an event."""

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = handle(_event(environ))
        start_response(f"{answer['statusCode']} -", list(answer["headers"].items()))
        raw = answer.get("body") or ""
        return [base64.b64decode(raw) if answer.get("isBase64Encoded") else raw.encode()]

    return wsgi


def _event(environ: dict[str, Any]) -> dict[str, Any]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or None
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    return http_event(
        environ["REQUEST_METHOD"], path, headers=headers, body=body, query=environ.get("QUERY_STRING", "")
    )
