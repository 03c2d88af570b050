"""Saved filters as the contract shows them."""

import json

from callscribe.dialects.transcripto.dates import without_zone
from callscribe.dialects.transcripto.filters.schemas import SavedFilterBody
from callscribe.domain.shelves import SavedFilter


def saved(one: SavedFilter) -> dict[str, object]:
    """One filter, its criteria as they were sent."""
    return SavedFilterBody(
        id=one.id,
        name=one.name,
        criteria=json.loads(one.criteria_json),
        created_at=without_zone(one.created_at_ms),
    ).model_dump()
