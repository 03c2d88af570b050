"""Call categories as the contract shows them, and what an edit means."""

from callscribe.dialects.transcripto.categories.schemas import CategoryBody, CategoryEdit
from callscribe.dialects.transcripto.dates import with_offset
from callscribe.domain.shelves import Category
from callscribe.services.categories import Branch, CategoryFields


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


def edited(body: CategoryEdit) -> CategoryFields:
    """What an edit changes: a description or a parent may be taken away by null, a name may not."""
    given = body.model_fields_set
    fields: CategoryFields = {}
    if body.name is not None:
        fields["name"] = body.name
    if "description" in given:
        fields["description"] = body.description
    if "parent_id" in given:
        fields["parent_id"] = body.parent_id
    return fields
