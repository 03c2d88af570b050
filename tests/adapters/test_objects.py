"""The port ObjectStore, on both families."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callscribe.errors import NotFound, TooLarge
from callscribe.ports import ObjectInfo
from tests.adapters.conftest import ELSEWHERE
from tests.adapters.families import Bucket

KEY = "audio/t1/j 1/ü.wav"
LARGE = bytes(range(256)) * 40_000  # 10 MB: comes in more than one range


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
    version = bucket.upload(KEY, LARGE)
    bucket.upload(KEY, b"later")
    bucket.port.download(KEY, tmp_path / "file", version_id=version)
    assert (tmp_path / "file").read_bytes() == LARGE


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


@pytest.mark.parametrize("body", [b"", b"one", LARGE], ids=["empty", "small", "large"])
def test_a_file_becomes_the_newest_version(any_bucket: Bucket, tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(body)
    any_bucket.upload(KEY, b"earlier")
    any_bucket.port.put_file(KEY, path)
    assert any_bucket.port.read(KEY) == body


def test_a_copy_becomes_the_newest_version_and_leaves_its_source(any_bucket: Bucket) -> None:
    any_bucket.upload("registered/ä b", b"recording")
    any_bucket.upload(KEY, b"earlier")
    any_bucket.port.copy("registered/ä b", KEY)
    assert any_bucket.port.read(KEY) == b"recording"
    assert any_bucket.port.read("registered/ä b") == b"recording"


@pytest.mark.parametrize("body", [b"", LARGE], ids=["empty", "large"])
def test_a_copy_comes_from_the_bucket_that_is_named(bucket: Bucket, body: bytes) -> None:
    bucket.upload("calls/1.wav", b"our own of this key")
    bucket.upload_elsewhere(ELSEWHERE, "calls/1.wav", body)
    bucket.port.copy("calls/1.wav", KEY, bucket=ELSEWHERE)
    assert bucket.port.read(KEY) == body
    assert bucket.port.read("calls/1.wav") == b"our own of this key"


def test_a_copy_is_made_of_the_version_that_is_named(bucket: Bucket) -> None:
    first = bucket.upload("source", b"first")
    bucket.upload("source", b"second")
    bucket.port.copy("source", KEY, version_id=first)
    assert bucket.port.read(KEY) == b"first"
    other = bucket.upload("other", b"other")
    with pytest.raises(NotFound):
        bucket.port.copy("source", "none", version_id=other)


def test_what_is_too_large_is_not_copied(any_bucket: Bucket) -> None:
    any_bucket.upload("source", b"12345")
    any_bucket.port.copy("source", "just right", max_bytes=5)
    with pytest.raises(TooLarge) as refused:
        any_bucket.port.copy("source", KEY, max_bytes=4)
    assert refused.value.size_bytes == 5
    assert any_bucket.port.head(KEY) is None
    with pytest.raises(NotFound):
        any_bucket.port.copy("none", KEY, max_bytes=4)


@pytest.mark.parametrize("name", [None, ELSEWHERE, "no-such-bucket"])
def test_what_is_missing_cannot_be_copied(bucket: Bucket, name: str | None) -> None:
    bucket.upload("here", b"body")
    with pytest.raises(NotFound):
        bucket.port.copy("here" if name else "nowhere", KEY, bucket=name)
    assert bucket.port.head(KEY) is None


def test_erasing_removes_every_version_below_the_prefix_and_nothing_else(any_bucket: Bucket) -> None:
    for key in ("results/t1/j1/a", "results/t1/j1/ü b", "results/t1/j10/a", "results/t1/j1", "Results/t1/j1/a"):
        any_bucket.upload(key, b"body")
    assert any_bucket.port.erase("results/t1/j1/") == 2
    assert sorted(any_bucket.versions()) == ["Results/t1/j1/a", "results/t1/j1", "results/t1/j10/a"]


def test_earlier_versions_are_erased_and_counted_too(bucket: Bucket) -> None:
    first = bucket.upload(KEY, b"one")
    bucket.upload(KEY, b"two")
    bucket.upload(f"{KEY}.txt", b"three")
    assert bucket.port.erase(KEY) == 3
    assert bucket.port.head(KEY, version_id=first) is None
    assert bucket.versions() == []


def test_erasing_again_finds_nothing(any_bucket: Bucket) -> None:
    any_bucket.upload(KEY, b"one")
    assert [any_bucket.port.erase(KEY), any_bucket.port.erase(KEY)] == [1, 0]


def test_a_key_can_be_taken_again_after_it_was_erased(any_bucket: Bucket) -> None:
    any_bucket.upload(KEY, b"one")
    any_bucket.port.erase(KEY)
    assert any_bucket.port.head(KEY) is None
    assert any_bucket.port.put_if_absent(KEY, b"two", content_type="text/plain")
    assert any_bucket.port.read(KEY) == b"two"


def test_an_empty_prefix_erases_nothing(any_bucket: Bucket) -> None:
    any_bucket.upload(KEY, b"one")
    with pytest.raises(ValueError, match="prefix"):
        any_bucket.port.erase("")
    assert any_bucket.port.read(KEY) == b"one"
