"""Saved filters (T-30 … T-32): named questions to the list of tasks, each user's own. A name stands for one filter."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from callscribe.domain.records import Change, delete, insert, update
from callscribe.domain.shelves import SavedFilter
from callscribe.errors import Invalid
from callscribe.ports import Deps
from callscribe.services import shelves
from callscribe.services.accounts import Principal

MAX_CRITERIA_BYTES: Final = 16_000  # as JSON
MAX_DEPTH: Final = 32  # of nested lists and objects


def list_filters(deps: Deps, principal: Principal) -> list[SavedFilter]:
    """All filters of a user, in the order of their making."""
    return deps.store.children(SavedFilter, principal.tenant_id, principal.key_id)


def save(deps: Deps, principal: Principal, *, name: str, criteria: Mapping[str, Any]) -> SavedFilter:
    """Keep these criteria by this name, in place of what stood there. They are kept as they were sent: the list of
    tasks judges them when they are used. Raises Invalid.
    """
    wanted, text = shelves.required("name", name), _as_json(criteria)
    new_id = shelves.numbering(deps, SavedFilter, principal.tenant_id)

    def decide(kept: list[SavedFilter]) -> tuple[Sequence[Change], SavedFilter]:
        known = next((one for one in kept if one.name == wanted), None)
        if known is None:
            made = SavedFilter(principal.tenant_id, principal.key_id, new_id(), wanted, text, deps.now_ms())
            return (insert(made),), made
        change = update(known, criteria_json=text)
        return (change,), change.after

    return _change(deps, principal, decide)


def remove(deps: Deps, principal: Principal, filter_id: int) -> None:
    """Forget a filter. Raises NotFound."""

    def decide(kept: list[SavedFilter]) -> tuple[Sequence[Change], None]:
        return (delete(shelves.of_id(kept, filter_id, "filter")),), None

    _change(deps, principal, decide)


def _change(
    deps: Deps, principal: Principal, decide: Callable[[list[SavedFilter]], tuple[Sequence[Change], shelves.T]]
) -> shelves.T:
    return shelves.change(deps, SavedFilter, principal.tenant_id, principal.key_id, decide)


def _as_json(criteria: Mapping[str, Any]) -> str:
    """Raises Invalid for what is too long, nested too deeply, or holds a number that no JSON can write."""
    if _depth_exceeds(criteria, MAX_DEPTH):
        raise Invalid("criteria", f"is nested more than {MAX_DEPTH} levels deep")
    try:
        text = json.dumps(criteria, ensure_ascii=False, allow_nan=False)
    except ValueError as error:  # 1e999 is JSON, and infinite
        raise Invalid("criteria", "holds a number that is too large") from error
    size_bytes = len(text.encode())
    if size_bytes > MAX_CRITERIA_BYTES:
        raise Invalid("criteria", f"has {size_bytes} bytes; at most {MAX_CRITERIA_BYTES} are allowed")
    return text


def _depth_exceeds(value: Any, levels: int) -> bool:
    """Level by level: no recursion, which what is nested too deeply would exhaust."""
    inside = [value]
    for _ in range(levels):
        inside = list(chain.from_iterable(map(_parts, inside)))
        if not inside:
            return False
    return any(isinstance(one, dict | list) for one in inside)


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return tuple(value.values())
    return value if isinstance(value, list) else ()
