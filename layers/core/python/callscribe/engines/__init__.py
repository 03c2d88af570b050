"""Speech engines, and the pipeline around them that makes a transcript of a file."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callscribe.errors import Invalid

if TYPE_CHECKING:
    from callscribe.engines.base import Diarizer, Engine

# Each module has `create(model_dir) -> Engine`. Imported only when it is asked for: an engine may bring gigabytes.
ENGINES: Final = {
    "pocketsphinx": "callscribe.engines.pocketsphinx",
    "faster-whisper": "callscribe.engines.faster_whisper",
    "onnx-asr": "callscribe.engines.onnx_asr",
    "transformers": "callscribe.engines.transformers",
}
# What brings the packages that an engine imports: extras of this package, or, for torch, which no extra brings, so that
# `--all-extras` stays small, a file of requirements.
_TORCH = "the packages of functions/transcribe_worker/requirements-torch.txt"
EXTRAS: Final = {
    "pocketsphinx": "callscribe[asr]",
    "faster-whisper": "callscribe[asr]",
    "onnx-asr": "callscribe[asr,asr-onnx]",
    "transformers": _TORCH,
}


def _embedded(model_dir: Path | None) -> "Callable[[], Diarizer]":
    from callscribe.engines.speakers import TwoSpeakers

    if model_dir is not None:
        raise Invalid("diarizer_dir", "the embedded diarizer needs no model: name no directory, or another diarizer")
    return TwoSpeakers


def _pyannote(model_dir: Path | None) -> "Callable[[], Diarizer]":
    module = import_module("callscribe.engines.pyannote_speakers")
    make: Callable[[], Diarizer] = module.create(model_dir)
    return make


DIARIZERS: Final = {"embedded": _embedded, "pyannote": _pyannote}


def load_engine(name: str, model_dir: Path | None = None) -> "Engine":
    """The engine of that name, ready to use, with the model in `model_dir`; nothing is ever downloaded.

    Raises Invalid for an unknown name, for packages that are not installed, and for a directory that the engine
    cannot use (a missing one; one without the files it needs; any at all for an engine that brings its own model).
    """
    if name not in ENGINES:
        raise Invalid("engine", f"is one of: {', '.join(sorted(ENGINES))}")
    try:
        module = import_module(ENGINES[name])
    except ModuleNotFoundError as missing:
        rule = f"{name} needs the package {missing.name}: install {EXTRAS[name]}"
        raise Invalid("engine", rule) from missing
    engine: Engine = module.create(model_dir)
    return engine


def load_diarizer(name: str, model_dir: Path | None = None) -> "Callable[[], Diarizer]":
    """What makes a diarizer of that name for each recording; a model in `model_dir` is loaded now, never downloaded.

    Raises Invalid for an unknown name, for packages that are not installed, and for a directory it cannot use.
    """
    if name not in DIARIZERS:
        raise Invalid("diarizer", f"is one of: {', '.join(sorted(DIARIZERS))}")
    try:
        return DIARIZERS[name](model_dir)
    except ModuleNotFoundError as missing:
        raise Invalid("diarizer", f"{name} needs the package {missing.name}: install {_TORCH}") from missing
