"""The presign route by hand, with a use case that does nothing: parse the event, check, answer."""

import json
import os
import re
from typing import Any

TOKEN = os.environ["IDLE_TOKEN"]
PATH = "/api/v1/generate-presigned-url"
MEDIA_TYPES = ("audio/wav", "audio/x-wav", "audio/mp3", "audio/m4a", "audio/flac", "audio/ogg", "audio/webm")
LANGUAGE = re.compile(r"auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answers an HTTP API event."""
    if event["requestContext"]["http"]["method"] != "POST" or event["rawPath"] != PATH:
        return answer(404, {"message": "Not Found"})
    scheme, _, token = event["headers"].get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or token != TOKEN:
        return answer(401, {"message": "the access token is not valid"})
    try:
        body = json.loads(event.get("body") or "null")
    except ValueError:
        return answer(400, {"message": "body must be valid JSON"})
    if not isinstance(body, dict) or body.get("mimeType") not in MEDIA_TYPES:
        return answer(400, {"message": "mimeType is required"})
    url, language = body.get("callbackUrl"), body.get("language")
    if url is not None and not isinstance(url, str):
        return answer(400, {"message": "callbackUrl must be a string"})
    if language is not None and (not isinstance(language, str) or not LANGUAGE.fullmatch(language)):
        return answer(400, {"message": "language must be a BCP 47 tag"})
    return answer(200, {"presignedUrl": "https://bucket.example/audio/job", "requestId": "job"})


def answer(status: int, body: dict[str, str]) -> dict[str, Any]:
    """A Lambda's answer to the gateway."""
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
