"""The files of a model in a directory: which must be there, and a digest that says which weights made a transcript."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from callscribe.errors import Invalid

_BLOCK_BYTES = 1 << 20
_DIGEST_CHARACTERS = 16


def need_files(model_dir: Path | None, files: Iterable[str | tuple[str, ...]], *, engine: str) -> list[Path]:
    """The model's files; where a tuple of names is given, the first of them that is there.

    Raises Invalid with all that is missing: no directory named, none at that place, or files it lacks.
    """
    wanted = [(names,) if isinstance(names, str) else names for names in files]
    listed = ", ".join(" or ".join(names) for names in wanted)
    if model_dir is None:
        raise Invalid("model_dir", f"{engine} needs a directory with {listed}")
    if not model_dir.is_dir():
        raise Invalid("model_dir", f"{str(model_dir)!r} is no directory; {engine} needs one with {listed}")
    found = {names: [model_dir / name for name in names if (model_dir / name).is_file()] for names in wanted}
    missing = ", ".join(" or ".join(names) for names, paths in found.items() if not paths)
    if missing:
        raise Invalid("model_dir", f"{str(model_dir)!r} lacks {missing}; {engine} needs {listed}")
    return [paths[0] for paths in found.values()]


def model_id(package: str, version: str, model_dir: Path, files: Iterable[Path]) -> str:
    """`<package>-<version>/<name of the directory>@sha256:<digest>`."""
    return f"{package}-{version}/{model_dir.resolve().name}@sha256:{digest_of(files)[:_DIGEST_CHARACTERS]}"


def digest_of(files: Iterable[Path]) -> str:
    """SHA-256 over names, sizes and contents, in order of the names; read in blocks, so of any size."""
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        for block in _blocks(path):
            digest.update(block)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of one file's content, as publishers give it."""
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
