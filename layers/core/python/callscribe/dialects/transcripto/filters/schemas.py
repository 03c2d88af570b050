"""T-30 … T-32 on the wire."""

from typing import Any

from pydantic import Field

from callscribe.dialects.transcripto.documenting import Done, Wire
from callscribe.dialects.transcripto.shelving import NeededObject, NeededText
from callscribe.services.saved_filters import MAX_CRITERIA_BYTES
from callscribe.services.shelves import MAX_NAME_CHARACTERS


class SavedFilterRequest(Wire):
    """A filter; one of the same name is replaced."""

    name: NeededText = Field(
        description=f"Up to {MAX_NAME_CHARACTERS} characters.", examples=["Critical calls — October"]
    )
    criteria: NeededObject = Field(
        description=f"As `/tasks/filter` takes them; kept as they are, up to {MAX_CRITERIA_BYTES} bytes.",
        examples=[{"task_type": "call", "status": "completed"}],
    )


class FilterSavedAnswer(Done):
    """It is kept."""

    message: str


class SavedFilterBody(Wire):
    """One filter."""

    id: int = Field(examples=[42])
    name: str = Field(examples=["Critical calls — October"])
    criteria: dict[str, Any]
    created_at: str = Field(description="UTC.", examples=["2025-10-31T12:00:00"])


class SavedFiltersAnswer(Done):
    """All filters."""

    count: int
    filters: list[SavedFilterBody]


class SavedFilterDeletedAnswer(Done):
    """It is gone."""

    message: str
