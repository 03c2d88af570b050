"""S3 only: what a presigned URL looks like, and what the store makes of the service's errors."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from callscribe import names
from callscribe.adapters.aws.clients import client
from callscribe.adapters.aws.objects import PUT_ATTEMPTS, S3Objects
from callscribe.errors import NotFound, Unavailable
from callscribe.ports import SentAs
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


@pytest.fixture
def a_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file, outside `tmp_path`."""
    path = tmp_path_factory.mktemp("source") / "file"
    path.write_bytes(b"body")
    return path


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


def test_a_presigned_download_says_which_version_is_sent_and_in_which_headers(objects: S3Objects) -> None:
    how = SentAs("v1", "audio/wav", "attachment; filename*=UTF-8''%D0%B7.wav")
    query = parse_qs(urlsplit(objects.presign_get("k", expires_s=1, sent_as=how)).query)
    assert query["versionId"] == ["v1"]
    assert query["response-content-type"] == ["audio/wav"]
    assert query["response-content-disposition"] == ["attachment; filename*=UTF-8''%D0%B7.wav"]
    plain = parse_qs(urlsplit(objects.presign_get("k", expires_s=1)).query)
    assert not {"versionId", "response-content-type", "response-content-disposition"} & set(plain)


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


@pytest.mark.parametrize("more_bytes", [0, 1])
def test_only_what_no_call_can_carry_goes_in_parts(objects: S3Objects, s3: Any, a_file: Path, more_bytes: int) -> None:
    """Parts that a dead process leaves are not seen by `erase`: audio that nobody keeps must not come in them."""
    size_bytes = names.DOOR_MAX_BODY_BYTES + more_bytes
    with a_file.open("wb") as opened:
        opened.truncate(size_bytes)
    uploads = before_calls(s3, "CreateMultipartUpload")
    objects.put_file("k", a_file)
    objects.copy("k", "k2")
    assert len(uploads.bodies) == 2 * more_bytes
    assert [objects.head(key).size_bytes for key in ("k", "k2")] == [size_bytes, size_bytes]  # type: ignore[union-attr]  # both are there


def test_a_copy_takes_neither_metadata_nor_tags_along(objects: S3Objects, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"body", Metadata={"caller": "a name"}, Tagging="caller=name")
    objects.copy("k", "k2")
    assert s3.head_object(Bucket=BUCKET, Key="k2")["Metadata"] == {}
    assert s3.get_object_tagging(Bucket=BUCKET, Key="k2")["TagSet"] == []


def test_a_source_that_may_not_be_read_is_not_found(objects: S3Objects, s3: Any) -> None:
    before_calls(s3, "HeadObject", DENIED)
    with pytest.raises(NotFound):
        objects.copy("k", "k2")


def test_a_source_that_goes_away_during_the_copy_is_not_found(objects: S3Objects, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"body")
    before_calls(s3, "CopyObject", (404, "<Error><Code>NoSuchKey</Code></Error>"))
    with pytest.raises(NotFound):
        objects.copy("k", "k2")


def test_erasing_takes_delete_markers_along(objects: S3Objects, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"body")
    s3.delete_object(Bucket=BUCKET, Key="k")
    s3.delete_object(Bucket=BUCKET, Key="kk")
    assert objects.erase("k") == 1
    left = s3.list_object_versions(Bucket=BUCKET)
    assert (left.get("Versions"), left.get("DeleteMarkers")) == (None, None)


def test_more_versions_than_one_request_can_delete_are_erased(objects: S3Objects, s3: Any) -> None:
    for number in range(1_001):
        s3.put_object(Bucket=BUCKET, Key=f"k/{number}", Body=b"")
    requests = before_calls(s3, "DeleteObjects")
    assert objects.erase("k/") == 1_001
    assert len(requests.bodies) == 2
    assert s3.list_object_versions(Bucket=BUCKET).get("Versions") is None


def test_what_could_not_be_deleted_is_unavailable_and_goes_the_next_time(objects: S3Objects, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"body")
    refused = "<DeleteResult><Error><Key>k</Key><Code>InternalError</Code></Error></DeleteResult>"
    before_calls(s3, "DeleteObjects", (200, refused))
    with pytest.raises(Unavailable, match="1 of 1 versions undeleted: InternalError"):
        objects.erase("k")
    assert objects.erase("k") == 1


@dataclass(frozen=True)
class Call:
    """A call, and the operations at which it can meet a silent service and a missing grant."""

    run: Callable[[S3Objects, Path, Path], Any]  # with a path to write and a file to read
    silent_at: str
    denied_at: str


def call(operation: str, run: Callable[[S3Objects, Path, Path], Any], *, denied_at: str = "") -> Call:
    return Call(run, operation, denied_at or operation)


CALLS = {
    "head": call("HeadObject", lambda objects, path, file: objects.head("k")),
    "read": call("GetObject", lambda objects, path, file: objects.read("k")),
    "download": call("GetObject", lambda objects, path, file: objects.download("k", path), denied_at="HeadObject"),
    "put": call("PutObject", lambda objects, path, file: objects.put_if_absent("k2", b"", content_type="text/plain")),
    "put file": call("PutObject", lambda objects, path, file: objects.put_file("k2", file)),
    "copy": call("CopyObject", lambda objects, path, file: objects.copy("k", "k2")),
    "copy's look": call("HeadObject", lambda objects, path, file: objects.copy("k", "k2"), denied_at="CopyObject"),
    "erase": call("ListObjectVersions", lambda objects, path, file: objects.erase("k")),
    "erase's end": call("DeleteObjects", lambda objects, path, file: objects.erase("k")),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("fault", [LOST, (503, "<Error><Code>SlowDown</Code></Error>")], ids=["silent", "busy"])
def test_a_service_that_stays_silent_or_busy_is_unavailable(
    objects: S3Objects, s3: Any, tmp_path: Path, a_file: Path, name: str, fault: Any
) -> None:
    objects.put_if_absent("k", b"body", content_type="text/plain")
    before_calls(s3, CALLS[name].silent_at, *[fault] * 15)
    with pytest.raises(Unavailable):
        CALLS[name].run(objects, tmp_path / "file", a_file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CALLS)
def test_a_missing_grant_stays_loud(objects: S3Objects, s3: Any, tmp_path: Path, a_file: Path, name: str) -> None:
    objects.put_if_absent("k", b"body", content_type="text/plain")
    before_calls(s3, CALLS[name].denied_at, DENIED)
    with pytest.raises(ClientError):
        CALLS[name].run(objects, tmp_path / "file", a_file)


def test_a_part_that_cannot_be_sent_gives_the_upload_up(objects: S3Objects, s3: Any, a_file: Path) -> None:
    with a_file.open("wb") as opened:
        opened.truncate(names.DOOR_MAX_BODY_BYTES + 1)
    before_calls(s3, "UploadPart", *[LOST] * 15)
    with pytest.raises(Unavailable):
        objects.put_file("k", a_file)
    assert objects.head("k") is None
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
