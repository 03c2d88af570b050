"""Check scripts as the contract shows them, and what an edit means."""

from typing import Any

from callscribe.dialects.transcripto.dates import with_z
from callscribe.dialects.transcripto.scripts.schemas import ScriptBody, ScriptEdit
from callscribe.dialects.transcripto.shelving import edited_fields
from callscribe.domain.shelves import CheckScript


def script(one: CheckScript) -> dict[str, object]:
    """One script."""
    return ScriptBody(
        id=one.id,
        identifier=one.identifier,
        title=one.title,
        description=one.description,
        is_active=one.is_active,
        version=one.version_number,
        script_body=one.script_body,
        created_at=with_z(one.created_at_ms),
        updated_at=with_z(one.updated_at_ms),
    ).model_dump()


def edited(body: ScriptEdit) -> dict[str, Any]:
    """What an edit changes: only a description may be taken away by null."""
    fields = edited_fields(body, nullable=("description",), besides="script_id")
    if "version" in fields:
        fields["version_number"] = fields.pop("version")
    return fields
