"""Folders for files that are on their way. What a killed process left in one of them is removed by the next process."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "callscribe-scratch-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder that is gone afterwards, with all that is in it.

    It is locked while it is used. The kernel frees the locks of a process that dies, however it does: so a folder
    of ours that nobody has locked holds what nobody needs, such as a stranger's recording, and is removed first.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    folder, lock = _locked_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder() -> tuple[Path, int]:
    """A new folder, and the open file that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = _lock(folder)
        if lock is not None and folder.exists():
            return folder, lock
        if lock is not None:  # another process took it for abandoned, in the moment before it was locked
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """The open file that holds a folder's lock; None where another one has it, or where it is none of ours."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if os.fstat(opened).st_uid == os.getuid():
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return opened
    except BlockingIOError:
        pass
    os.close(opened)
    return None


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
