"""Synthesises the CDK app for the laptop cloud, and skips it when nothing it is made from has changed."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.deploy import ZIPPED
from local.emulator import ROOT, scrubbed_environment

_SOURCES = ("app.py", "cdk.json", "requirements.lock", "infra", "functions", "layers")
_DONE = "synthesised-from"
_ASSET_LIFE_S = 24 * 3_600  # since the last start that deploys it; much longer than that goes on


class SynthesisError(RuntimeError):
    """Raised when the CDK app does not synthesise; the message ends with what it printed."""


def synthesise(context: Mapping[str, str], cache_dir: Path) -> Path:
    """A cloud assembly for these settings below `cache_dir`, made now or found there. Raises SynthesisError."""
    settings = {"target": "local", **context}
    mark = _mark(settings)
    assembly = cache_dir / f"assembly-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]}"
    assembly.mkdir(parents=True, exist_ok=True)
    with _only_one(assembly):
        _renew_assets(assembly)
        # CDK stages assets below the assembly and reuses those whose hash it knows: the folder is kept.
        if not _is(assembly, mark):
            (assembly / _DONE).unlink(missing_ok=True)
            _run_app(settings, assembly)
            _renew_assets(assembly)
            _remove_stale_assets(assembly)
            (assembly / _DONE).write_text(mark)
    return assembly


@contextlib.contextmanager
def _only_one(assembly: Path) -> Iterator[None]:
    """Two processes that want the same assembly (a demo beside a server) make it one after the other."""
    with assembly.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is(assembly: Path, mark: str) -> bool:
    done = assembly / _DONE
    return done.exists() and done.read_text() == mark


def _run_app(settings: Mapping[str, str], assembly: Path) -> None:
    if shutil.which("node") is None:
        raise SynthesisError("Node.js is missing: CDK needs version 20 or newer on the PATH")
    known = json.loads((ROOT / "cdk.json").read_text()).get("context", {})
    environment = scrubbed_environment() | {
        "CDK_OUTDIR": str(assembly),
        "CDK_CONTEXT_JSON": json.dumps({**known, **settings}),
    }
    command = [sys.executable, str(ROOT / "app.py")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SynthesisError(f"the CDK app does not synthesise:\n{(done.stderr or done.stdout)[-4000:]}")


def _renew_assets(assembly: Path) -> None:
    """Let the life of all that the manifests name begin anew: somebody is about to deploy it."""
    manifests = [json.loads(file.read_text()) for file in assembly.glob("*.assets.json")]
    named = {digest for manifest in manifests for digest in manifest["files"]}
    for asset in _assets(assembly):
        if asset.name.removeprefix("asset.").partition(".")[0] in named:
            os.utime(asset)


def _remove_stale_assets(assembly: Path) -> None:
    """Each change of the code makes a layer of some 30 MB anew: what was not deployed for a day is removed."""
    for asset in _assets(assembly):
        if time.time() - asset.stat().st_mtime > _ASSET_LIFE_S:
            shutil.rmtree(asset) if asset.is_dir() else asset.unlink()


def _assets(assembly: Path) -> list[Path]:
    """As they were staged, and as they are uploaded."""
    return [*assembly.glob("asset.*"), *assembly.glob(f"{ZIPPED}/*.zip")]


def _mark(settings: Mapping[str, str]) -> str:
    """A digest over every file that the assembly is made from, the settings and this Python's version."""
    digest = hashlib.sha256(json.dumps([dict(settings), sys.version]).encode())
    for path in _source_files():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _source_files() -> Iterator[Path]:
    for name in _SOURCES:
        start = ROOT / name
        if start.is_file():
            yield start
        for folder, folders, files in os.walk(start):
            folders[:] = sorted(one for one in folders if one != "__pycache__")
            yield from (Path(folder) / file for file in sorted(files))
