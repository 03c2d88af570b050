"""The presign route with Flask and serverless-wsgi; the body is checked by hand."""

import hashlib
import os
import re
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import boto3
import serverless_wsgi  # type: ignore[import-untyped]  # the library has no types
from botocore.config import Config
from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue

TABLE = os.environ["TABLE"]
BUCKET = os.environ["BUCKET"]
URL_LIFE_S = 900
MEDIA_TYPES = ("audio/wav", "audio/x-wav", "audio/mp3", "audio/m4a", "audio/flac", "audio/ogg", "audio/webm")
LANGUAGE = re.compile(r"auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
app = Flask(__name__)


def tenant_of(authorization: str) -> str:
    """Whose key the request came with."""
    scheme, _, secret = authorization.partition(" ")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    found = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": f"key#{digest}"}, "sk": {"S": "#"}})
    if scheme.lower() != "bearer" or "Item" not in found:
        abort(401, "the credential is not valid")
    return found["Item"]["tenant_id"]["S"]


def checked(body: Any) -> tuple[str, str | None, str | None]:
    """Media type, callback URL and language of a body that keeps the rules."""
    if not isinstance(body, dict) or body.get("mimeType") not in MEDIA_TYPES:
        abort(400, "mimeType is required")
    url, language = body.get("callbackUrl"), body.get("language")
    if url is not None and (not isinstance(url, str) or not urlsplit(url).hostname):
        abort(400, "callbackUrl must be a URL")
    if language is not None and (not isinstance(language, str) or not LANGUAGE.fullmatch(language)):
        abort(400, "language must be a BCP 47 tag")
    return body["mimeType"], url, language


@app.post("/api/v1/generate-presigned-url")
def generate_presigned_url() -> ResponseReturnValue:
    """Make a job that waits for its upload."""
    tenant_id, job_id = tenant_of(request.headers.get("authorization", "")), str(uuid.uuid4())
    media_type, callback_url, language = checked(request.get_json())
    item: dict[str, Any] = {
        "pk": {"S": f"{tenant_id}#job"},
        "sk": {"S": job_id},
        "media_type": {"S": media_type},
        "callback_url": {"S": callback_url} if callback_url else {"NULL": True},
        "language": {"S": language} if language else {"NULL": True},
        "created_at_ms": {"N": str(time.time_ns() // 1_000_000)},
    }
    dynamodb.put_item(TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(pk)")
    url = s3.generate_presigned_url(
        "put_object", Params={"Bucket": BUCKET, "Key": f"audio/{tenant_id}/{job_id}"}, ExpiresIn=URL_LIFE_S
    )
    return jsonify(presignedUrl=url, requestId=job_id)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers an HTTP API event."""
    answer: dict[str, Any] = serverless_wsgi.handle_request(app, event, context)
    return answer
