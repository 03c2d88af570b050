"""Call categories as the contract shows them, and what an edit means."""

from typing import Any

from callscribe.dialects.transcripto.categories.schemas import CategoryBody, CategoryEdit
from callscribe.dialects.transcripto.dates import with_offset
from callscribe.dialects.transcripto.shelving import edited_fields
from callscribe.domain.shelves import Category
from callscribe.services.categories import Branch


def category(one: Category) -> dict[str, object]:
    """One category."""
    return CategoryBody(
        id=one.id,
        name=one.name,
        description=one.description,
        parent_id=one.parent_id,
        created_at=with_offset(one.created_at_ms),
        updated_at=with_offset(one.updated_at_ms),
    ).model_dump()


def branch(one: Branch) -> dict[str, object]:
    """One category of a list."""
    return category(one.category) | {"children_count": one.children_count}


def edited(body: CategoryEdit) -> dict[str, Any]:
    """What an edit changes: a description or a parent may be taken away by null, a name may not."""
    return edited_fields(body, nullable=("description", "parent_id"), besides="category_id")
