from pathlib import Path

import pytest

from callscribe.engines.model_files import digest_of, model_id, need_files
from callscribe.errors import Invalid

FILES = ("model.bin", ("vocabulary.json", "vocabulary.txt"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.bin").write_bytes(bytes(range(256)) * 10_000)
    (tmp_path / "vocabulary.txt").write_text("words")
    return tmp_path


def test_the_files_are_found_and_of_several_names_the_first(folder: Path) -> None:
    assert need_files(folder, FILES, engine="x") == [folder / "model.bin", folder / "vocabulary.txt"]
    (folder / "vocabulary.json").write_text("{}")
    assert need_files(folder, FILES, engine="x")[1] == folder / "vocabulary.json"


@pytest.mark.parametrize("missing", ["model.bin", "vocabulary.txt"])
def test_a_file_that_is_missing_is_named_with_all_that_are_needed(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(Invalid, match=r"lacks .*; x needs model.bin, vocabulary.json or vocabulary.txt") as refused:
        need_files(folder, FILES, engine="x")
    assert missing in refused.value.rule.split(";")[0]


def test_no_directory_is_an_error_that_says_what_belongs_there(folder: Path) -> None:
    for wrong in (None, folder / "nowhere", folder / "model.bin"):
        with pytest.raises(Invalid, match=r"^model_dir: .*model.bin, vocabulary.json or vocabulary.txt"):
            need_files(wrong, FILES, engine="x")


def test_a_folder_in_place_of_a_file_is_not_the_file(folder: Path) -> None:
    (folder / "model.bin").unlink()
    (folder / "model.bin").mkdir()
    with pytest.raises(Invalid, match=r"lacks model\.bin"):
        need_files(folder, FILES, engine="x")


def test_a_digest_is_the_same_in_any_order_and_changes_with_one_byte_or_one_name(folder: Path) -> None:
    paths = need_files(folder, FILES, engine="x")
    before = digest_of(paths)
    assert digest_of(reversed(paths)) == before
    body = bytearray(paths[0].read_bytes())
    body[1_500_000] ^= 1
    paths[0].write_bytes(body)
    assert digest_of(paths) != before
    body[1_500_000] ^= 1
    paths[0].write_bytes(body)
    assert digest_of(paths) == before
    assert digest_of([paths[0], paths[1].rename(folder / "other.txt")]) != before


def test_bytes_that_move_from_one_file_to_the_next_change_the_digest(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    before = digest_of([first, second])
    first.write_bytes(b"onet")
    second.write_bytes(b"wo")
    assert digest_of([first, second]) != before


def test_an_id_names_package_version_directory_and_digest(folder: Path) -> None:
    named = model_id("x", "1.2", folder, need_files(folder, FILES, engine="x"))
    assert named.startswith(f"x-1.2/{folder.name}@sha256:")
    assert len(named.rpartition(":")[2]) == 16
