"""The port ObjectStore, on both families."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callscribe.errors import NotFound
from callscribe.ports import ObjectInfo
from tests.adapters.families import Bucket

KEY = "audio/t1/j 1/ü.wav"


def test_an_upload_is_found_by_its_key_and_by_its_version(bucket: Bucket) -> None:
    first = bucket.upload(KEY, b"one")
    second = bucket.upload(KEY, b"three")
    assert first != second
    assert bucket.port.head(KEY) == ObjectInfo(5, second)
    assert bucket.port.head(KEY, version_id=first) == ObjectInfo(3, first)
    assert bucket.port.read(KEY) == b"three"
    assert bucket.port.read(KEY, version_id=first) == b"one"


def test_a_missing_object_has_no_head_and_cannot_be_read(bucket: Bucket, tmp_path: Path) -> None:
    assert bucket.port.head("none") is None
    with pytest.raises(NotFound):
        bucket.port.read("none")
    with pytest.raises(NotFound):
        bucket.port.download("none", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_version_of_another_object_is_missing(bucket: Bucket) -> None:
    bucket.upload("other", b"one")
    version = bucket.upload("other", b"two")
    bucket.upload(KEY, b"three")
    assert bucket.port.head(KEY, version_id=version) is None
    with pytest.raises(NotFound):
        bucket.port.read(KEY, version_id=version)


def test_a_download_holds_the_bytes_of_the_wanted_version(bucket: Bucket, tmp_path: Path) -> None:
    body = bytes(range(256)) * 40_000  # 10 MB: more than one part
    version = bucket.upload(KEY, body)
    bucket.upload(KEY, b"later")
    bucket.port.download(KEY, tmp_path / "file", version_id=version)
    assert (tmp_path / "file").read_bytes() == body


def test_a_key_is_taken_once(bucket: Bucket) -> None:
    assert bucket.port.put_if_absent(KEY, b"first", content_type="text/plain")
    assert not bucket.port.put_if_absent(KEY, b"second", content_type="text/plain")
    assert bucket.port.read(KEY) == b"first"


def test_of_eight_writers_one_wins_and_its_bytes_stay(bucket: Bucket) -> None:
    bodies = [f"writer {n}".encode() for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda body: bucket.port.put_if_absent(KEY, body, content_type="text/plain"), bodies))
    assert won.count(True) == 1
    assert bucket.port.read(KEY) == bodies[won.index(True)]
