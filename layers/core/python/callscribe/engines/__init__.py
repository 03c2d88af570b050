"""Speech engines, and the pipeline around them that makes a transcript of a file."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from callscribe.errors import Invalid

if TYPE_CHECKING:
    from callscribe.engines.base import Engine

# Each module has `create() -> Engine`. Imported only when it is asked for: an engine may bring gigabytes.
ENGINES: Final = {"pocketsphinx": "callscribe.engines.pocketsphinx"}


def load_engine(name: str) -> "Engine":
    """The engine of that name, ready to use. Raises Invalid for an unknown name."""
    if name not in ENGINES:
        raise Invalid("engine", f"is one of: {', '.join(sorted(ENGINES))}")
    engine: Engine = import_module(ENGINES[name]).create()
    return engine
