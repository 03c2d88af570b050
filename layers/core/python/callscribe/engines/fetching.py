"""Puts a model's files into a directory, so that it is either there as a whole or not at all.

Files arrive in a hidden directory beside the final one, which a second try goes on with. The card that says what the
model is comes last, then one rename. So a directory with a card is done, whatever was killed when.
"""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callscribe.engines.catalogue import Model
from callscribe.engines.model_files import digest_of, need_files, sha256_of
from callscribe.errors import CallscribeError, Conflict, Invalid

CARD = "callscribe-model.json"
_CLIENT_NOTES = ".cache"  # of the hub's client, about what it has already

# (repository, commit, patterns, directory, whether to say who we are)
Download = Callable[[str, str, tuple[str, ...], Path, bool], None]


class WrongFiles(CallscribeError):
    """What was fetched is not what was published: a checksum differs. Nothing was put in place."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model in its directory. `digest`: SHA-256 over its needed files, whose beginning stands on every transcript.

    `fresh`: whether it was fetched now, and not there already.
    """

    folder: Path
    revision: str
    digest: str
    fresh: bool


def fetch(model: Model, revision: str, into: Path, *, download: Download, fetched_at: str) -> Fetched:
    """The model's files below `into`, in a directory of its name; nothing is done where they are there and whole.

    Raises what `download` raises, Invalid for files that the engine would miss and for a directory of that name that
    somebody else made, WrongFiles, Conflict while another process fetches the same, and OSError for a full disk.
    """
    folder = into / model.name
    digest = _digest_if_done(model, revision, folder)
    if digest is not None:
        return Fetched(folder, revision, digest, fresh=False)
    _check_ours(folder)
    part = into / f".{model.name}.{revision[:12]}.part"
    part.mkdir(parents=True, exist_ok=True)
    with _alone_in(part):
        _check_room(part, model.size_bytes)
        download(model.repository, revision, model.files, part, model.gated)
        for name, content in model.made.items():
            if not (part / name).exists():
                (part / name).write_text(content)
        digest = _verified(model, revision, part)
        shutil.rmtree(part / _CLIENT_NOTES, ignore_errors=True)
        _write_card(part, _card(model, revision, part, digest) | {"fetched_at": fetched_at})
        _put_in_place(part, folder)
    return Fetched(folder, revision, digest, fresh=True)


def read_card(folder: Path) -> dict[str, Any] | None:
    """What the card in a model's directory says; None without one."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return card


def _digest_if_done(model: Model, revision: str, folder: Path) -> str | None:
    """The digest of the files there, None unless they are this revision's and as they were when they were fetched."""
    card = read_card(folder)
    if card is None or (card.get("repository"), card.get("revision")) != (model.repository, revision):
        return None
    try:
        digest = digest_of(need_files(folder, model.needs, engine=model.engine))
    except Invalid:
        return None
    return digest if digest == card.get("digest") else None


def _check_ours(folder: Path) -> None:
    if folder.exists() and read_card(folder) is None and (not folder.is_dir() or any(folder.iterdir())):
        raise Invalid("into", f"{folder} is there already and was not made by this command; move it out of the way")


def _check_room(part: Path, wanted_bytes: int) -> None:
    """Better before 3 GB than after 2. What an earlier try left counts as there."""
    missing = wanted_bytes - sum(path.stat().st_size for path in part.rglob("*") if path.is_file())
    free = shutil.disk_usage(part).free
    if free < missing:
        text = f"{missing / 1e9:.1f} GB are wanted and {free / 1e9:.1f} GB are free"
        raise OSError(errno.ENOSPC, text, str(part))


def _verified(model: Model, revision: str, part: Path) -> str:
    """The digest of the files that the engine needs. Raises Invalid where one is missing, and WrongFiles."""
    files = need_files(part, model.needs, engine=model.engine)
    expected = model.sha256 if revision == model.revision else {}
    for name, checksum in expected.items():
        if sha256_of(part / name) != checksum:
            (part / name).unlink()  # or the next try would take it for fetched
            raise WrongFiles(f"{name} of {model.repository} does not have the checksum that is known of it")
    return digest_of(files)


def _card(model: Model, revision: str, part: Path, digest: str) -> dict[str, Any]:
    paths = sorted(path for path in part.rglob("*") if path.is_file() and path.name != CARD)
    return {
        "name": model.name,
        "engine": model.engine,
        "repository": model.repository,
        "revision": revision,
        "digest": digest,
        "licence": model.licence,
        "files": {str(path.relative_to(part)): path.stat().st_size for path in paths},
    }


def _write_card(part: Path, card: dict[str, Any]) -> None:
    draft = part / f"{CARD}.draft"
    draft.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    draft.replace(part / CARD)


def _put_in_place(part: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the directory's lock, which the kernel gives back when this process ends, however it ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Conflict(f"another process is fetching into {folder}") from error
    finally:
        os.close(handle)
