"""The presign route with FastAPI and Mangum: key looked up, body checked, job written, URL signed."""

import hashlib
import os
import time
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import boto3
from botocore.config import Config
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from mangum import Mangum
from pydantic import BaseModel, Field, HttpUrl

TABLE = os.environ["TABLE"]
BUCKET = os.environ["BUCKET"]
URL_LIFE_S = 900

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
app = FastAPI(title="Uploads")


class UploadRequest(BaseModel):
    """What will be uploaded."""

    mimeType: Literal["audio/wav", "audio/x-wav", "audio/mp3", "audio/m4a", "audio/flac", "audio/ogg", "audio/webm"]  # noqa: N815 - the contract's name
    callbackUrl: HttpUrl | None = None  # noqa: N815 - the contract's name
    language: str | None = Field(default=None, pattern=r"^(auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})$")


class UploadAnswer(BaseModel):
    """Where to put it."""

    presignedUrl: str  # noqa: N815 - the contract's name
    requestId: str  # noqa: N815 - the contract's name


def tenant_of(given: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    """Whose key the request came with."""
    digest = hashlib.sha256(given.credentials.encode()).hexdigest()
    found = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": f"key#{digest}"}, "sk": {"S": "#"}})
    if "Item" not in found:
        raise HTTPException(401, "the credential is not valid")
    return found["Item"]["tenant_id"]["S"]


@app.post("/api/v1/generate-presigned-url")
def generate_presigned_url(body: UploadRequest, tenant_id: Annotated[str, Depends(tenant_of)]) -> UploadAnswer:
    """Make a job that waits for its upload."""
    job_id = str(uuid.uuid4())
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
    return UploadAnswer(presignedUrl=url, requestId=job_id)


handler = Mangum(app, lifespan="off")
