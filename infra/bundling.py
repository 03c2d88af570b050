"""Builds a Lambda layer's folder without Docker: locked wheels for the target, our package, compiled modules.

The asset's hash is made from what goes in (lock, sources, target, this file), so that a second synthesis finds the
folder in the assembly and builds nothing.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk.aws_lambda import Code

ROOT = Path(__file__).resolve().parent.parent
LAMBDA_PYTHON = "3.13"
LAMBDA_PLATFORM = "aarch64-manylinux_2_28"  # Amazon Linux 2023 has glibc 2.34


class BundlingFailed(RuntimeError):
    """A layer could not be built; the message holds the failing command's own words."""


@dataclass(frozen=True, slots=True)
class LayerSource:
    """What a layer is made of: a hashed lock, and optionally a package of ours without some of its modules."""

    lock: Path
    package: Path | None = None
    left_out: frozenset[str] = field(default_factory=frozenset)

    def files(self) -> Iterator[tuple[str, Path]]:
        """(name in the layer, file) of the package, sorted, without caches and what is left out."""
        if self.package is None:
            return
        for path in sorted(self.package.rglob("*")):
            parts = path.relative_to(self.package).parts
            unwanted = {"__pycache__", "tests"}.intersection(parts) or parts[0] in self.left_out
            if path.is_file() and path.suffix != ".pyc" and not unwanted:
                yield "/".join((self.package.name, *parts)), path


def layer_code(source: LayerSource, *, local: bool) -> Code:
    """The layer's code: for this machine's own Python (`local`), or for Lambda on arm64."""
    interpreter = sys.executable if local else find_interpreter(LAMBDA_PYTHON)
    options = BundlingOptions(
        # CDK wants an image; `_Bundler` never lets it come to that.
        image=DockerImage.from_registry("scratch"),
        local=_Bundler(source, local, interpreter),
    )
    return Code.from_asset(
        str(source.lock.parent),
        asset_hash=_fingerprint(source, local, interpreter),
        asset_hash_type=AssetHashType.CUSTOM,
        bundling=options,
    )


def build_layer(source: LayerSource, target: Path, *, local: bool, interpreter: str | None) -> None:
    """Fill `target` with a layer; modules are compiled when `interpreter` is given. Raises BundlingFailed."""
    python = target / "python"
    _install(source.lock, python, local=local)
    for name, path in source.files():
        copy = python / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    if interpreter:
        # Time stamps do not survive the zip, hence hash-based; nobody edits a layer, hence unchecked.
        _run([interpreter, "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", str(python)])


@cache
def find_interpreter(minor: str) -> str | None:
    """An installed CPython of that minor version (`.pyc` files fit no other), or None."""
    for candidate in _candidates(minor):
        probe = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(probe, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip() == minor:
            return candidate
    return None


def _candidates(minor: str) -> Iterator[str]:
    yield sys.executable
    on_path = shutil.which(f"python{minor}")
    if on_path:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(path) for path in sorted(pyenv.glob(f"versions/{minor}.*/bin/python{minor}"), reverse=True))
    managed = [sys.executable, "-m", "uv", "python", "find", "--managed-python", "--no-python-downloads", minor]
    answer = subprocess.run(managed, capture_output=True, text=True, check=False)
    if answer.returncode == 0:
        yield answer.stdout.strip()


def _install(lock: Path, target: Path, *, local: bool) -> None:
    where = ["--python", sys.executable]
    if not local:
        where = ["--python-platform", LAMBDA_PLATFORM, "--python-version", LAMBDA_PYTHON]
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(target)]
    _run([*command, "--require-hashes", "--only-binary", ":all:", "--link-mode", "copy", *where, "-r", str(lock)])
    shutil.rmtree(target / "bin", ignore_errors=True)  # console scripts: nobody runs them in a Lambda
    (target / ".lock").unlink(missing_ok=True)


def _run(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        words = (result.stderr or result.stdout).strip()
        raise BundlingFailed(f"{' '.join(command[1:5])} … ended with {result.returncode}: {words}")


def _fingerprint(source: LayerSource, local: bool, interpreter: str | None) -> str:
    machine = (sys.platform, platform.machine(), sys.version_info[:2]) if local else (LAMBDA_PLATFORM, LAMBDA_PYTHON)
    digest = hashlib.sha256(repr((machine, interpreter is not None)).encode())
    digest.update(Path(__file__).read_bytes())
    digest.update(source.lock.read_bytes())
    for name, path in source.files():
        digest.update(f"\0{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@jsii.implements(ILocalBundling)
class _Bundler:
    """Tells CDK that the bundling is done, or raises: a False would make it fall through to Docker."""

    def __init__(self, source: LayerSource, local: bool, interpreter: str | None) -> None:
        self._source = source
        self._local = local
        self._interpreter = interpreter

    def try_bundle(self, output_dir: str, *_args: Any, **_options: Any) -> bool:
        """Build the layer into `output_dir`."""
        build_layer(self._source, Path(output_dir), local=self._local, interpreter=self._interpreter)
        return True
