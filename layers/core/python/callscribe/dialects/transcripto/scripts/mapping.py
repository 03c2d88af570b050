"""Check scripts as the contract shows them, and what an edit means."""

from callscribe.dialects.transcripto.dates import with_z
from callscribe.dialects.transcripto.scripts.schemas import ScriptBody, ScriptEdit
from callscribe.domain.shelves import CheckScript
from callscribe.services.check_scripts import ScriptFields


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


def edited(body: ScriptEdit) -> ScriptFields:
    """What an edit changes: only a description may be taken away by null."""
    fields: ScriptFields = {}
    if body.identifier is not None:
        fields["identifier"] = body.identifier
    if body.title is not None:
        fields["title"] = body.title
    if "description" in body.model_fields_set:
        fields["description"] = body.description
    if body.is_active is not None:
        fields["is_active"] = body.is_active
    if body.version is not None:
        fields["version_number"] = body.version
    if body.script_body is not None:
        fields["script_body"] = body.script_body
    return fields
