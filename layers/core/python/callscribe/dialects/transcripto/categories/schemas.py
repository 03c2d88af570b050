"""T-28, T-29 on the wire."""

from pydantic import Field

from callscribe.dialects.transcripto.documenting import Done, Wire
from callscribe.dialects.transcripto.paging import PageAnswer, PageRequest
from callscribe.dialects.transcripto.shelving import NeededText, NumberOrNone
from callscribe.services.shelves import MAX_DESCRIPTION_CHARACTERS, MAX_NAME_CHARACTERS

_DESCRIPTION = f"Up to {MAX_DESCRIPTION_CHARACTERS} characters."


class CategoriesRequest(PageRequest):
    """Which categories are wanted; null is as good as nothing."""

    q: str | None = Field(
        default=None, description="Part of name or description, whatever its case, the white space in it, and ё or е."
    )
    parent_id: NumberOrNone = Field(
        default=None, description="Only those right below this one; 0: those below none. Without it: all."
    )


class CategoryRequest(Wire):
    """A new category."""

    name: NeededText = Field(description=f"Up to {MAX_NAME_CHARACTERS} characters.", examples=["Tech support"])
    description: str | None = Field(default=None, description=_DESCRIPTION, examples=["Technical inquiries"])
    parent_id: NumberOrNone = Field(default=None, description="The category above it; null, 0 or an empty text: none.")


class CategoryEdit(Wire):
    """What shall change; what is missing stays, and so does a name that is null."""

    category_id: NumberOrNone = Field(default=None, description="Counts before the path's own id.")
    name: str | None = Field(default=None, examples=["Tech support (L2)"])
    description: str | None = Field(default=None, description=_DESCRIPTION, examples=["Complex technical issues"])
    parent_id: NumberOrNone = Field(
        default=None,
        description="The category above it, which must not lie below it; null, 0 or an empty text: none.",
        examples=[2],
    )


class CategoryBody(Wire):
    """One category."""

    id: int = Field(examples=[12])
    name: str = Field(examples=["Tech support"])
    description: str | None
    parent_id: int | None
    created_at: str = Field(examples=["2025-10-20T12:35:41+00:00"])
    updated_at: str = Field(examples=["2025-10-22T09:10:00+00:00"])


class BranchBody(CategoryBody):
    """One category of a list."""

    children_count: int = Field(description="How many categories are right below it.")


class CategoriesAnswer(PageAnswer):
    """One page of the categories."""

    items: list[BranchBody]


class CategoryAnswer(Done):
    """The category as it now is."""

    success_message: str
    data: CategoryBody


class CategoryDeletedAnswer(Done):
    """It is gone."""

    message: str
