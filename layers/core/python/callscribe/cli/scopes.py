"""The option that says what a credential may do."""

from collections.abc import Sequence
from typing import Annotated

import typer

from callscribe.cli.edge import UsageError
from callscribe.domain.accounts import USUAL_SCOPES, Scope

_NONE = "none"

ScopeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        help=f"What it may do: {', '.join(Scope)}; may be repeated. `none`: nothing. Default: all but admin.",
    ),
]


def known_scopes(given: Sequence[str]) -> list[Scope]:
    """The scopes of these names, all where none is given. Raises UsageError for an unknown one, and says which are."""
    if _NONE in given and len(given) > 1:
        raise UsageError(f"--scope {_NONE} stands alone")
    if unknown := set(given) - {_NONE, *Scope}:
        raise UsageError(f"there is no scope {min(unknown)!r}; there are: {', '.join((*Scope, _NONE))}")
    return [Scope(name) for name in given if name != _NONE] if given else sorted(USUAL_SCOPES)
