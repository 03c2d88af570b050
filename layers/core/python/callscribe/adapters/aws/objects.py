"""One S3 bucket."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.exceptions import RetriesExceededError, S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from callscribe import names
from callscribe.adapters.aws.errors import code, pause_s, status, translated
from callscribe.errors import NotFound, TooLarge, Unavailable
from callscribe.ports import ObjectInfo, SentAs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PUT_ATTEMPTS = 5
DELETED_AT_ONCE = 1_000  # the limit of DeleteObjects
_MISSING = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
_TAKEN = frozenset({"412", "PreconditionFailed"})
_WRITTEN_BY_TWO = frozenset({"409", "ConditionalRequestConflict"})
# A process that dies while it stores an object in parts leaves them where no listing of objects shows them, until the
# bucket's rule removes them. Audio that nobody keeps is no larger than this, so it goes whole or not at all.
_WHOLE = TransferConfig(multipart_threshold=names.DOOR_MAX_BODY_BYTES + 1)
_BYTES_ALONE = {"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}


class S3Objects:
    """`ports.ObjectStore` on a bucket. Needs `s3:ListBucket`: without it S3 answers 403 for what is missing."""

    def __init__(self, client: "S3Client", bucket: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._bucket = bucket
        self._sleep = sleep

    def presign_put(self, key: str, *, expires_s: int) -> str:
        """See `ports.ObjectStore.presign_put`. Only the host is signed, so that any Content-Type may be sent."""
        return self._presign("put_object", expires_s, **self._object(key, None))

    def presign_get(self, key: str, *, expires_s: int, sent_as: SentAs | None = None) -> str:
        """See `ports.ObjectStore.presign_get`. The URL dies with the credentials that signed it.

        Whoever signs needs `s3:GetObject`, for a version `s3:GetObjectVersion`.
        """
        how = sent_as or SentAs()
        headers = {"ResponseContentType": how.media_type, "ResponseContentDisposition": how.disposition}
        given = {name: value for name, value in headers.items() if value is not None}
        return self._presign("get_object", expires_s, **self._object(key, how.version_id), **given)

    def head(self, key: str, *, version_id: str | None = None) -> ObjectInfo | None:
        """See `ports.ObjectStore.head`."""
        try:
            with translated("s3"):
                answer = self._client.head_object(**self._object(key, version_id))
        except ClientError as error:
            if code(error) not in _MISSING:
                raise
            return None
        return ObjectInfo(answer["ContentLength"], answer.get("VersionId"))

    def read(self, key: str, *, version_id: str | None = None) -> bytes:
        """See `ports.ObjectStore.read`."""
        try:
            with translated("s3"):
                return self._client.get_object(**self._object(key, version_id))["Body"].read()
        except ClientError as error:
            raise _not_found(error, key) from error

    def download(self, key: str, path: Path, *, version_id: str | None = None) -> None:
        """See `ports.ObjectStore.download`. Large objects come in parallel ranges; a failure leaves no file."""
        version = {} if version_id is None else {"VersionId": version_id}
        try:
            with translated("s3"):
                self._client.download_file(self._bucket, key, str(path), ExtraArgs=version)
        except RetriesExceededError as error:
            raise Unavailable("s3 broke off the download") from error
        except ClientError as error:
            raise _not_found(error, key) from error

    def put_if_absent(self, key: str, body: bytes, *, content_type: str) -> bool:
        """See `ports.ObjectStore.put_if_absent`. After a lost answer it is False for our own object, too."""
        for attempt in range(PUT_ATTEMPTS):
            if attempt:
                self._sleep(pause_s(attempt - 1))
            try:
                self._put_new(key, body, content_type)
            except ClientError as error:
                if code(error) in _TAKEN:
                    return False
                if code(error) not in _WRITTEN_BY_TWO:
                    raise
            else:
                return True
        raise Unavailable("s3: other writers kept the key busy")

    def put_file(self, key: str, path: Path) -> None:
        """See `ports.ObjectStore.put_file`. Needs `s3:PutObject` and, for large files, `s3:AbortMultipartUpload`."""
        with translated("s3"), _uncovered():
            self._client.upload_file(str(path), self._bucket, key, Config=_WHOLE)

    def copy(
        self,
        source_key: str,
        key: str,
        *,
        bucket: str | None = None,
        version_id: str | None = None,
        max_bytes: int | None = None,
    ) -> None:
        """See `ports.ObjectStore.copy`. Its bytes alone: neither the source's metadata nor its tags.

        Needs `s3:GetObject` (for a version `s3:GetObjectVersion`) on the source, `s3:PutObject` and
        `s3:AbortMultipartUpload` here. Raises NotFound, too, where the source may not be read; S3 keeps the two apart
        only for who may list its bucket.
        """
        source: Any = {**self._object(source_key, version_id), "Bucket": bucket or self._bucket}
        try:
            with translated("s3"):
                self._require_size(source, max_bytes)
                self._client.copy(source, self._bucket, key, ExtraArgs=dict(_BYTES_ALONE), Config=_WHOLE)
        except ClientError as error:
            if code(error) not in _MISSING and not _is_hidden(error):
                raise
            raise NotFound(f"no object {source_key}") from error

    def erase(self, prefix: str) -> int:
        """See `ports.ObjectStore.erase`. Delete markers go as well, uncounted. Raises ValueError for an empty prefix.

        Needs `s3:ListBucketVersions`, `s3:DeleteObjectVersion` and `s3:DeleteObject`. What could not be deleted is
        Unavailable: the next call finds what is left.
        """
        if not prefix:
            raise ValueError("an empty prefix would erase the bucket")
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        with translated("s3"):
            found = list(pages)  # all of it first: where a listing goes on must not have been deleted
            versions = [version for page in found for version in page.get("Versions", [])]
            self._delete([*versions, *(marker for page in found for marker in page.get("DeleteMarkers", []))])
        return len(versions)

    def _delete(self, versions: "Sequence[Mapping[str, Any]]") -> None:
        named = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
        for first in range(0, len(named), DELETED_AT_ONCE):
            batch: Any = named[first : first + DELETED_AT_ONCE]
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})
            if errors := answer.get("Errors"):
                codes = ", ".join(sorted({error.get("Code", "") for error in errors}))
                raise Unavailable(f"s3 left {len(errors)} of {len(batch)} versions undeleted: {codes}")

    def _require_size(self, source: Any, max_bytes: int | None) -> None:
        """Raises TooLarge. boto3 looks at the size, too, but keeps it to itself."""
        if max_bytes is None:
            return
        size_bytes = self._client.head_object(**source)["ContentLength"]
        if size_bytes > max_bytes:
            raise TooLarge(size_bytes)

    def _put_new(self, key: str, body: bytes, content_type: str) -> None:
        with translated("s3"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*")

    def _presign(self, operation: str, expires_s: int, **params: str) -> str:
        return self._client.generate_presigned_url(operation, Params=params, ExpiresIn=expires_s)

    def _object(self, key: str, version_id: str | None) -> dict[str, Any]:
        version = {} if version_id is None else {"VersionId": version_id}
        return {"Bucket": self._bucket, "Key": key, **version}


@contextmanager
def _uncovered() -> Iterator[None]:
    """Let out what the service said to an upload: boto3 covers it with an error of its own."""
    try:
        yield
    except S3UploadFailedError as error:
        raise error.__context__ or error from None


def _is_hidden(error: ClientError) -> bool:
    """Whether it was the source that is not there or not to be read: a copy looks at its source first."""
    return error.operation_name == "HeadObject" and status(error) in {403, 404}


def _not_found(error: ClientError, key: str) -> Exception:
    return NotFound(f"no object {key}") if code(error) in _MISSING else error
