"""How a patch is registered, checked and applied."""

import inspect
import os
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

SKIPPED_PATCHES = frozenset(filter(None, os.environ.get("CALLSCRIBE_SKIP_PATCHES", "").split(",")))

PATCHES: dict[str, Callable[[], None]] = {}


class PatchDoesNotFit(RuntimeError):
    """Raised at start-up when the emulator no longer looks as a patch expects; the message names the patch."""


def patch(function: Callable[[], None]) -> Callable[[], None]:
    """Register a patch under its function's name; they are applied in the order they are written."""
    PATCHES[function.__name__] = function
    return function


def apply_all() -> list[str]:
    """Apply every patch but those named in CALLSCRIBE_SKIP_PATCHES (tests only); return the names applied.

    Raises PatchDoesNotFit.
    """
    unknown = SKIPPED_PATCHES - PATCHES.keys()
    if unknown:
        raise PatchDoesNotFit(f"CALLSCRIBE_SKIP_PATCHES names unknown patches: {', '.join(sorted(unknown))}")
    names = [name for name in PATCHES if name not in SKIPPED_PATCHES]
    for name in names:
        try:
            PATCHES[name]()
        except PatchDoesNotFit as error:
            raise PatchDoesNotFit(f"emulator patch {name} does not fit this version: {error}") from error
        except Exception as error:
            raise PatchDoesNotFit(f"emulator patch {name} failed: {type(error).__name__}: {error}") from error
    return names


def expect(condition: object, expectation: str) -> None:
    """Raise PatchDoesNotFit unless `condition` holds."""
    if not condition:
        raise PatchDoesNotFit(f"expected {expectation}")


def expect_source(function: Callable[..., Any], *snippets: str) -> None:
    """Raise PatchDoesNotFit unless every snippet stands in the function's source."""
    source = inspect.getsource(function)
    for snippet in snippets:
        expect(snippet in source, f"{snippet!r} in {function.__qualname__}")


def replace(module: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(original)` in the place of `module.name` and check that it is there."""
    replacement = make(getattr(module, name))
    setattr(module, name, replacement)
    expect(getattr(module, name) is replacement, f"{name} to be replaceable")
