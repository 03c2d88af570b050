"""Speech engines, and the pipeline around them that makes a transcript of a file."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callscribe.errors import Invalid

if TYPE_CHECKING:
    from callscribe.engines.base import Engine

# Each module has `create(model_dir) -> Engine`. Imported only when it is asked for: an engine may bring gigabytes.
ENGINES: Final = {
    "pocketsphinx": "callscribe.engines.pocketsphinx",
    "faster-whisper": "callscribe.engines.faster_whisper",
    "onnx-asr": "callscribe.engines.onnx_asr",
}
# Which extra of the package brings what an engine imports.
EXTRAS: Final = {"pocketsphinx": "asr", "faster-whisper": "asr", "onnx-asr": "asr,asr-onnx"}


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
        rule = f"{name} needs the package {missing.name}: install callscribe[{EXTRAS[name]}]"
        raise Invalid("engine", rule) from missing
    engine: Engine = module.create(model_dir)
    return engine
