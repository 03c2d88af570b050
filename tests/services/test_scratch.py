"""Scratch folders: they go with their use, and those of a killed process with the next use by another one."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callscribe.services.scratch import PREFIX, scratch_folder

HOLDER = """
import sys, time
from callscribe.services.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "audio").write_bytes(b"what a caller said")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, here and in child processes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def other_process(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process in the middle of its work, and its folder."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        assert folder.parent == parent
        yield child, folder
        child.kill()


def test_a_folder_goes_with_all_that_is_in_it_even_after_an_error(parent: Path) -> None:
    def fail() -> None:
        with scratch_folder() as folder:
            (folder / "audio").write_bytes(b"bytes")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert list(parent.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_one(
    other_process: tuple[subprocess.Popen[str], Path],
) -> None:
    child, folder = other_process
    assert (folder / "audio").exists()
    child.kill()
    child.wait()
    assert (folder / "audio").exists()
    with scratch_folder() as mine:
        assert not folder.exists()
        assert mine.exists()


def test_what_a_living_process_or_thread_uses_stays(other_process: tuple[subprocess.Popen[str], Path]) -> None:
    _, folder = other_process
    with scratch_folder() as first, scratch_folder() as second:
        assert len({folder, first, second}) == 3
        assert (folder / "audio").exists()
        assert first.exists()


def test_what_is_not_ours_stays(parent: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "file").touch()
    (parent / f"{PREFIX}link").symlink_to(elsewhere)
    (parent / f"{PREFIX}file").touch()
    (parent / "callscribe-cloud-1").mkdir()
    with scratch_folder():
        assert (elsewhere / "file").exists()
        assert len(list(parent.iterdir())) == 4


def test_a_folder_that_was_taken_for_abandoned_before_it_was_locked_is_made_again(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = tempfile.mkdtemp

    def make_and_lose(**how: str) -> str:
        made.append(make(**how))
        if len(made) == 1:
            shutil.rmtree(made[0])
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose)
    with scratch_folder() as folder:
        assert (len(made), str(folder), folder.exists()) == (2, made[1], True)


def test_many_at_once_never_lose_their_files(parent: Path) -> None:
    def use(number: int) -> bytes:
        with scratch_folder() as folder:
            (folder / "audio").write_bytes(str(number).encode())
            return (folder / "audio").read_bytes()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use, range(300))) == [str(number).encode() for number in range(300)]
    assert list(parent.iterdir()) == []
