"""The presign route with boto3 and nothing else: what no framework can be blamed for."""

import hashlib
import json
import os
import time
import uuid
from typing import Any

import boto3
from botocore.config import Config

TABLE = os.environ["TABLE"]
BUCKET = os.environ["BUCKET"]
URL_LIFE_S = 900

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answers an HTTP API event; believes that its body is right."""
    secret = event["headers"]["authorization"].partition(" ")[2]
    digest = hashlib.sha256(secret.encode()).hexdigest()
    found = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": f"key#{digest}"}, "sk": {"S": "#"}})
    tenant_id, job_id = found["Item"]["tenant_id"]["S"], str(uuid.uuid4())
    body = json.loads(event["body"])
    item: dict[str, Any] = {
        "pk": {"S": f"{tenant_id}#job"},
        "sk": {"S": job_id},
        "media_type": {"S": body["mimeType"]},
        "callback_url": {"S": body["callbackUrl"]},
        "language": {"S": body["language"]},
        "created_at_ms": {"N": str(time.time_ns() // 1_000_000)},
    }
    dynamodb.put_item(TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(pk)")
    url = s3.generate_presigned_url(
        "put_object", Params={"Bucket": BUCKET, "Key": f"audio/{tenant_id}/{job_id}"}, ExpiresIn=URL_LIFE_S
    )
    answer = json.dumps({"presignedUrl": url, "requestId": job_id})
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": answer}
