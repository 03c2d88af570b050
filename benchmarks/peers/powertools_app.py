"""The presign route with all of Powertools: resolver with validation, Logger, Metrics, and Tracer on the X-Ray SDK."""

import hashlib
import os
import time
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import UnauthorizedError
from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel, Field, HttpUrl

TABLE = os.environ["TABLE"]
BUCKET = os.environ["BUCKET"]
URL_LIFE_S = 900

logger = Logger()
metrics = Metrics()
tracer = Tracer()
dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
app = APIGatewayHttpResolver(enable_validation=True)


class UploadRequest(BaseModel):
    """What will be uploaded."""

    mimeType: Literal["audio/wav", "audio/x-wav", "audio/mp3", "audio/m4a", "audio/flac", "audio/ogg", "audio/webm"]  # noqa: N815 - the contract's name
    callbackUrl: HttpUrl | None = None  # noqa: N815 - the contract's name
    language: str | None = Field(default=None, pattern=r"^(auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})$")


class UploadAnswer(BaseModel):
    """Where to put it."""

    presignedUrl: str  # noqa: N815 - the contract's name
    requestId: str  # noqa: N815 - the contract's name


@tracer.capture_method
def tenant_of(authorization: str) -> str:
    """Whose key the request came with."""
    scheme, _, secret = authorization.partition(" ")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    found = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": f"key#{digest}"}, "sk": {"S": "#"}})
    if scheme.lower() != "bearer" or "Item" not in found:
        raise UnauthorizedError("the credential is not valid")
    return found["Item"]["tenant_id"]["S"]


@app.post("/api/v1/generate-presigned-url")
@tracer.capture_method
def generate_presigned_url(body: UploadRequest, authorization: Annotated[str, Header()]) -> UploadAnswer:
    """Make a job that waits for its upload."""
    tenant_id, job_id = tenant_of(authorization), str(uuid.uuid4())
    item: Mapping[str, Any] = {
        "pk": {"S": f"{tenant_id}#job"},
        "sk": {"S": job_id},
        "media_type": {"S": body.mimeType},
        "callback_url": {"S": str(body.callbackUrl)} if body.callbackUrl else {"NULL": True},
        "language": {"S": body.language} if body.language else {"NULL": True},
        "created_at_ms": {"N": str(time.time_ns() // 1_000_000)},
    }
    dynamodb.put_item(TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(pk)")
    url = s3.generate_presigned_url(
        "put_object", Params={"Bucket": BUCKET, "Key": f"audio/{tenant_id}/{job_id}"}, ExpiresIn=URL_LIFE_S
    )
    logger.info("upload created", tenant_id=tenant_id, job_id=job_id)
    metrics.add_metric(name="UploadsCreated", unit=MetricUnit.Count, value=1)
    return UploadAnswer(presignedUrl=url, requestId=job_id)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers an HTTP API event."""
    return app.resolve(event, context)
