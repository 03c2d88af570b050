"""One folder per HTTP contract that callscribe speaks, each the same four files, and `front`, which all share.

Importing this module or a dialect's own loads neither routes nor renderer: a process gets what it asks for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from callscribe import names
from callscribe.ports import Deps
from callscribe.services.callbacks import Renderer

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the rest of callscribe may know about a contract.

    `options` are the switches that a credential may carry, each with one sentence for its owner.
    `needs` are the fields of `Deps` that its routes use, settings, clock and randomness aside: its function gets these
    adapters, and the rights for them. `builder` and `callback_renderer` are dotted names, `module:function`, of what
    is loaded late.
    """

    name: str
    title: str
    user_agent: str
    needs: tuple[str, ...]
    builder: str
    callback_renderer: str
    options: Mapping[str, str] = field(default_factory=dict)

    def build(self, deps: Deps) -> Handler:
        """The Lambda handler of this dialect: API Gateway event (format 2.0) in, answer out."""
        handler: Handler = _named(self.builder)(deps)
        return handler

    def renderer(self) -> Renderer:
        """What makes the body of this dialect's callbacks; loads no HTTP framework."""
        renderer: Renderer = _named(self.callback_renderer)
        return renderer


def load(name: str) -> Dialect:
    """The dialect of this name. Raises LookupError for one that is not in `names.DIALECTS`."""
    if name not in names.DIALECTS:
        raise LookupError(f"no dialect {name!r}; there are {', '.join(sorted(names.DIALECTS))}")
    dialect: Dialect = import_module(f"{__name__}.{name}").DIALECT
    return dialect


def _named(dotted: str) -> Any:
    module, _, function = dotted.partition(":")
    return getattr(import_module(module), function)
