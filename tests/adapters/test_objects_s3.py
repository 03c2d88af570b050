"""S3 only: what a presigned URL looks like, and what the store makes of the service's errors."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from callscribe.adapters.aws.clients import client
from callscribe.adapters.aws.objects import PUT_ATTEMPTS, S3Objects
from callscribe.errors import Unavailable
from tests.adapters.cloud import after_calls, before_calls
from tests.adapters.conftest import BUCKET

LOST = ReadTimeoutError(endpoint_url="https://s3.example")
DENIED = (403, "<Error><Code>AccessDenied</Code></Error>")
RACED = (409, "<Error><Code>ConditionalRequestConflict</Code></Error>")


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the bucket's adapter slept."""
    return []


@pytest.fixture
def objects(s3: Any, pauses: list[float]) -> S3Objects:
    return S3Objects(s3, BUCKET, sleep=pauses.append)


@pytest.mark.parametrize("region", ["eu-central-1", "ap-southeast-2"])
@pytest.mark.parametrize("method", ["presign_put", "presign_get"])
def test_a_presigned_url_names_the_bucket_in_its_own_region(
    monkeypatch: pytest.MonkeyPatch, region: str, method: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    url = getattr(S3Objects(client("s3"), BUCKET), method)("audio/t1/j1", expires_s=900)
    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    assert f"https://{parts.netloc}{parts.path}" == f"https://{BUCKET}.s3.{region}.amazonaws.com/audio/t1/j1"
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["900"]
    assert f"/{region}/s3/aws4_request" in query["X-Amz-Credential"][0]


def test_a_presigned_upload_signs_nothing_but_the_host(objects: S3Objects) -> None:
    query = parse_qs(urlsplit(objects.presign_put("k", expires_s=1)).query)
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert not [name for name in query if "checksum" in name.lower() or "content" in name.lower()]


def test_an_endpoint_on_the_loopback_is_addressed_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4599")
    url = S3Objects(client("s3"), BUCKET).presign_put("audio/t1/j1", expires_s=900)
    assert url.startswith(f"http://127.0.0.1:4599/{BUCKET}/audio/t1/j1?X-Amz-Algorithm=AWS4-HMAC-SHA256")


def test_an_object_keeps_its_content_type(objects: S3Objects, s3: Any) -> None:
    objects.put_if_absent("k", b"{}", content_type="application/json")
    assert s3.head_object(Bucket=BUCKET, Key="k")["ContentType"] == "application/json"


def test_two_writers_at_once_try_again(objects: S3Objects, s3: Any, pauses: list[float]) -> None:
    before_calls(s3, "PutObject", RACED, RACED)
    assert objects.put_if_absent("k", b"body", content_type="text/plain")
    assert objects.read("k") == b"body"
    assert len(pauses) == 2


def test_a_key_that_stays_busy_is_unavailable_in_the_end(objects: S3Objects, s3: Any, pauses: list[float]) -> None:
    before_calls(s3, "PutObject", *[RACED] * PUT_ATTEMPTS)
    with pytest.raises(Unavailable):
        objects.put_if_absent("k", b"body", content_type="text/plain")
    assert len(pauses) == PUT_ATTEMPTS - 1
    assert objects.head("k") is None


def test_a_put_whose_answer_was_lost_finds_its_own_object(objects: S3Objects, s3: Any) -> None:
    after_calls(s3, "PutObject", LOST)
    assert not objects.put_if_absent("k", b"body", content_type="text/plain")
    assert objects.read("k") == b"body"


CALLS: dict[str, Any] = {
    "HeadObject": lambda objects, path: objects.head("k"),
    "GetObject": lambda objects, path: objects.read("k"),
    "PutObject": lambda objects, path: objects.put_if_absent("k2", b"", content_type="text/plain"),
    "download": lambda objects, path: objects.download("k", path),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("fault", [LOST, (503, "<Error><Code>SlowDown</Code></Error>")], ids=["silent", "busy"])
def test_a_service_that_stays_silent_or_busy_is_unavailable(
    objects: S3Objects, s3: Any, tmp_path: Path, name: str, fault: Any
) -> None:
    objects.put_if_absent("k", b"body", content_type="text/plain")
    before_calls(s3, "GetObject" if name == "download" else name, *[fault] * 15)
    with pytest.raises(Unavailable):
        CALLS[name](objects, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CALLS)
def test_a_missing_grant_stays_loud(objects: S3Objects, s3: Any, tmp_path: Path, name: str) -> None:
    before_calls(s3, "HeadObject" if name == "download" else name, DENIED)
    with pytest.raises(ClientError):
        CALLS[name](objects, tmp_path / "file")
