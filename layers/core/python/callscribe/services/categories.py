"""Call categories (T-28, T-29): a user's own, each below another one or at the top. They always form a forest."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict, Unpack

from callscribe.domain.records import Change, delete, insert, update
from callscribe.domain.shelves import Category
from callscribe.domain.tasks import folded
from callscribe.domain.texts import one_line
from callscribe.errors import InUse, Invalid
from callscribe.ports import Deps
from callscribe.services import shelves
from callscribe.services.accounts import Principal

TOP: Final = 0  # in place of a parent's id: there is none


class CategoryFields(TypedDict, total=False):
    """What an edit changes; what is missing stays. `parent_id` None or TOP: at the top."""

    name: str
    description: str | None
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class Branch:
    """A category, and how many others are right below it."""

    category: Category
    children_count: int


@dataclass(frozen=True, slots=True)
class Branches:
    """One page of categories, and how many there are on all pages."""

    items: list[Branch]
    total: int


def search(
    deps: Deps, principal: Principal, *, q: str = "", parent_id: int | None = None, page: int = 1, per_page: int = 20
) -> Branches:
    """A page of the categories with `q` in name or description, as they are `folded`, in the order of their making.

    `parent_id`: only those right below it, or at the TOP; None: all.
    """
    kept = deps.store.children(Category, principal.tenant_id, principal.key_id)
    children = Counter(one.parent_id for one in kept)
    wanted = folded(one_line(q))
    found = [one for one in kept if _fits(one, wanted) and parent_id in (None, one.parent_id or TOP)]
    shown = shelves.page_of(found, page, per_page)
    return Branches([Branch(one, children[one.id]) for one in shown], len(found))


def create(
    deps: Deps, principal: Principal, *, name: str, description: str | None = None, parent_id: int | None = None
) -> Category:
    """Add a category. Raises Invalid, and NotFound for the parent."""
    wanted, about = shelves.required("name", name), shelves.described(description)
    new_id = shelves.numbering(deps, Category, principal.tenant_id)

    def decide(kept: list[Category]) -> tuple[Sequence[Change], Category]:
        parent = _existing_parent(kept, parent_id)
        now_ms = deps.now_ms()
        made = Category(principal.tenant_id, principal.key_id, new_id(), wanted, about, parent, now_ms, now_ms)
        return (insert(made),), made

    return _change(deps, principal, decide)


def edit(deps: Deps, principal: Principal, category_id: int, **fields: Unpack[CategoryFields]) -> Category:
    """Change a category. Raises Invalid, also for a parent that is the category itself or lies below it; NotFound."""
    given: dict[str, Any] = dict(fields)
    if "name" in given:
        given["name"] = shelves.required("name", given["name"])
    if "description" in given:
        given["description"] = shelves.described(given["description"])

    def decide(kept: list[Category]) -> tuple[Sequence[Change], Category]:
        known = shelves.of_id(kept, category_id, "category")
        parent = _existing_parent(kept, given.get("parent_id", known.parent_id))
        _require_no_cycle(kept, known, parent)
        change = update(known, **{**given, "parent_id": parent}, updated_at_ms=deps.now_ms())
        return (change,), change.after

    return _change(deps, principal, decide)


def remove(deps: Deps, principal: Principal, category_id: int) -> None:
    """Remove a category. Raises NotFound, and InUse where others lie below it."""

    def decide(kept: list[Category]) -> tuple[Sequence[Change], None]:
        known = shelves.of_id(kept, category_id, "category")
        if any(one.parent_id == known.id for one in kept):
            raise InUse("category", "others lie below it")
        return (delete(known),), None

    _change(deps, principal, decide)


def _change(
    deps: Deps, principal: Principal, decide: Callable[[list[Category]], tuple[Sequence[Change], shelves.T]]
) -> shelves.T:
    return shelves.change(deps, Category, principal.tenant_id, principal.key_id, decide)


def _fits(one: Category, wanted: str) -> bool:
    return wanted in folded(one.name) or wanted in folded(one.description or "")


def _existing_parent(kept: Sequence[Category], parent_id: int | None) -> int | None:
    return shelves.of_id(kept, parent_id, "category").id if parent_id else None


def _require_no_cycle(kept: Sequence[Category], moved: Category, parent_id: int | None) -> None:
    above = {one.id: one.parent_id for one in kept}
    while parent_id is not None:
        if parent_id == moved.id:
            raise Invalid("parent_id", "must not be the category itself, nor one that lies below it")
        parent_id = above[parent_id]
