"""The speech engine that `--engine` and `--model-dir` choose, loaded once on trial before anything else is started.

`python -m local.engine NAME [DIRECTORY]` is the trial: a process of its own, whose memory is free again afterwards.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from callscribe import names
from callscribe.engines import load_engine
from callscribe.errors import CallscribeError
from local.emulator import ROOT, scrubbed_environment
from local.workers import READY_TIMEOUT_S

EMBEDDED = "pocketsphinx"
_TRIAL_S = 600.0  # gigabytes from a slow disk


class EngineError(RuntimeError):
    """Raised for an engine that cannot be used: unknown, not installed, or without the model that it needs."""


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """An engine by its name, and the directory of its model, None for the embedded one that brings its own."""

    name: str = EMBEDDED
    model_dir: Path | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether it is the default, a smoke test."""
        return self.name == EMBEDDED

    @property
    def ready_within_s(self) -> float:
        """How long a worker may take to load it; as long as the trial may."""
        return READY_TIMEOUT_S if self.is_embedded else _TRIAL_S

    @property
    def environment(self) -> Mapping[str, str]:
        """What a worker is told."""
        told = {names.ENV_ENGINE: self.name}
        return told if self.model_dir is None else told | {names.ENV_MODEL_DIR: str(self.model_dir)}

    def __str__(self) -> str:
        """How it is shown: the name, and where the model is."""
        if self.is_embedded:
            return f"{self.name} (embedded)"
        return f"{self.name} with {self.model_dir or 'no model'}"


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """`--engine` and `--model-dir`; see `chosen_engine`."""
    parser.add_argument("--engine", default=EMBEDDED, help="speech engine of the worker (default: %(default)s)")
    parser.add_argument("--model-dir", type=Path, default=None, help="directory with the engine's model")


def chosen_engine(arguments: argparse.Namespace) -> ChosenEngine:
    """What these arguments choose; the directory becomes absolute, for the worker runs elsewhere."""
    model_dir: Path | None = arguments.model_dir
    return ChosenEngine(arguments.engine, None if model_dir is None else model_dir.expanduser().absolute())


def try_engine(engine: ChosenEngine) -> str:
    """Load an engine and let it go: its model's id and its device. Raises EngineError, within seconds where the
    directory is wrong.
    """
    command = [sys.executable, "-m", "local.engine", engine.name]
    command += [] if engine.model_dir is None else [str(engine.model_dir)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=scrubbed_environment(), capture_output=True, text=True, check=False, timeout=_TRIAL_S
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"the engine {engine.name} was not loaded within {_TRIAL_S:g} s") from error
    if done.returncode != 0:
        raise EngineError(f"the engine {engine.name} cannot be used: {_last_line(done.stderr)}")
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return f"{said['model']} on {said['device']}"


def _last_line(text: str) -> str:
    """Of a traceback this is the error."""
    return next(reversed(text.strip().splitlines()), "it ended without a word")


def main() -> int:
    """Load the engine of the first argument with the model in the second; print what it is."""
    name, *directories = sys.argv[1:]
    try:
        engine = load_engine(name, Path(directories[0]) if directories else None)
    except CallscribeError as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_CONFIG
    sys.stdout.write(json.dumps({"model": engine.info.model, "device": engine.info.device}) + "\n")
    engine.close()
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
