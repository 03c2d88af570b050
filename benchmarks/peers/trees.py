"""Folders in which a handler runs as in a Lambda: its code, its layer, the runtime's own boto3, all with bytecode.

Ours is the layer that `infra.bundling` builds for this machine's Python. A peer's is the closure of its distributions,
copied from this environment, so that all use the same versions of what they share. Python starts with `-S`: no
site-packages, no editable install; only what stands on `PYTHONPATH`, in the order in which Lambda has it.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.interleaved import Case

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
_RUNTIME: Final = ("boto3",)
_DRIVER: Final = ("wire.py", "invoke.py")
# CDK's bridge starts Node.js as soon as it is imported: in a process of its own, it cannot disturb the measuring.
_BUILD_OURS: Final = (
    "import sys; from pathlib import Path; from infra.bundling import build_layer; from infra.functions import CORE;"
    "build_layer(CORE, Path(sys.argv[1]), local=True, interpreter=sys.executable)"
)


class PeerMissing(LookupError):
    """Raised when a distribution that a peer needs is not installed."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A handler's source file, and the distributions that it is deployed with; None: our own layer."""

    source: Path
    distributions: tuple[str, ...] | None = None


OURS: Final = Peer(ROOT / "functions/api/handler.py")
LANDING: Final = Peer(ROOT / "functions/landing/handler.py")
FASTAPI: Final = Peer(HERE / "fastapi_app.py", ("fastapi", "mangum"))
POWERTOOLS: Final = Peer(HERE / "powertools_app.py", ("aws-lambda-powertools", "pydantic", "aws-xray-sdk"))
FLASK: Final = Peer(HERE / "flask_app.py", ("flask", "serverless-wsgi"))
BARE: Final = Peer(HERE / "bare_app.py", ())
IDLE_BARE: Final = Peer(HERE / "idle_bare.py", ())
IDLE_FRONT: Final = Peer(HERE / "idle_front.py")
TWO_REQUESTS: Final = Peer(HERE / "two_requests.py")


class Trees:
    """Builds each folder once, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runtime = self._copied("runtime", _RUNTIME)
        driver = folder / "driver"
        driver.mkdir()
        for name in _DRIVER:
            shutil.copyfile(HERE / name, driver / name)
        self._driver = _compiled(driver)

    def case(self, name: str, peer: Peer, scene: Path, environment: Mapping[str, str]) -> Case:
        """The peer's handler as a case. Raises PeerMissing."""
        layer = (
            self._our_layer()
            if peer.distributions is None
            else self._copied(f"layer-{'-'.join(peer.distributions)}", peer.distributions)
        )
        path = ":".join(map(str, (self._task(peer), layer, self._runtime, self._driver)))
        own = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "LAMBDA_TASK_ROOT": str(self._task(peer))}
        return Case(name, (sys.executable, "-S", "-m", "invoke", str(scene)), {**environment, **own})

    @staticmethod
    def versions(folder: Path) -> dict[str, str]:
        """Of every distribution in any of the folders."""
        found = sorted(path.name.removesuffix(".dist-info") for path in folder.rglob("*.dist-info"))
        return {name: version for name, _, version in (one.rpartition("-") for one in found)}

    def _task(self, peer: Peer) -> Path:
        task = self._folder / f"task-{peer.source.parent.name}-{peer.source.stem}"
        if not task.exists():
            task.mkdir()
            shutil.copyfile(peer.source, task / "handler.py")
            _compiled(task)
        return task

    def _our_layer(self) -> Path:
        layer = self._folder / "our-layer"
        if not layer.exists():
            subprocess.run([sys.executable, "-c", _BUILD_OURS, str(layer)], check=True, cwd=ROOT)
        return layer / "python"

    def _copied(self, name: str, distributions: Iterable[str]) -> Path:
        target = self._folder / name
        if not target.exists():
            # What the runtime has is in no layer.
            left_out = () if name == "runtime" else closure(_RUNTIME)
            found = {key: one for key, one in closure(distributions).items() if key not in left_out}
            target.mkdir()
            for one in found.values():
                _copy(one, target)
            _compiled(target)
        return target


def closure(names: Iterable[str]) -> dict[str, Distribution]:
    """Installed distributions and all that they require here, by name. Raises PeerMissing."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError as error:
            raise PeerMissing(f"{name} is not installed") from error
        needed = map(Requirement, found[name].requires or [])
        waiting += [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def _copy(one: Distribution, target: Path) -> None:
    for path in one.files or []:
        if path.suffix != ".pyc" and ".." not in path.parts:
            copy = target / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(path.locate()), copy)


def _compiled(folder: Path) -> Path:
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(command, check=True)
    return folder
