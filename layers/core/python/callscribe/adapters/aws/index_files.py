"""Small files in S3 that are replaced as a whole, by whoever saw the last one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from callscribe.adapters.aws.errors import code, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_LOST = frozenset({"409", "412", "ConditionalRequestConflict", "PreconditionFailed", *_MISSING})


class S3IndexFiles:
    """`ports.IndexFiles` in one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def etags(self, prefix: str) -> dict[str, str]:
        """See `ports.IndexFiles.etags`; one request for every thousand files."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        with translated("s3"):
            return {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", ())}

    def fetch(self, key: str, path: Path) -> str | None:
        """See `ports.IndexFiles.fetch`. A failure leaves no file at `path` that was not there before."""
        try:
            with translated("s3"):
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                body = answer["Body"].read()
        except ClientError as error:
            if code(error) not in _MISSING:
                raise
            return None
        path.write_bytes(body)
        return answer["ETag"]

    def replace(self, key: str, path: Path, *, etag: str | None) -> str | None:
        """See `ports.IndexFiles.replace`. A put that was answered by nobody may have been done: then it is a race."""
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            with translated("s3"), path.open("rb") as body:
                answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=body, **condition)
        except ClientError as error:
            if code(error) not in _LOST:
                raise
            return None
        return answer["ETag"]
