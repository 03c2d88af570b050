"""T-33, T-34 on the wire."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from callscribe.dialects.transcripto.documenting import Done, Wire
from callscribe.dialects.transcripto.paging import PageAnswer, PageRequest
from callscribe.dialects.transcripto.shelving import FlagOrNone, NeededText, NumberOrNone, number
from callscribe.services.check_scripts import MAX_BODY_CHARACTERS
from callscribe.services.shelves import MAX_DESCRIPTION_CHARACTERS, MAX_NAME_CHARACTERS

_NAME = f"Up to {MAX_NAME_CHARACTERS} characters."
_IDENTIFIER = f"{_NAME} No other script of the user has it."
_DESCRIPTION = f"Up to {MAX_DESCRIPTION_CHARACTERS} characters."
_BODY = f"Plain text, up to {MAX_BODY_CHARACTERS} characters."

Version = Annotated[Annotated[int, Field(ge=0, le=2**31 - 1)] | None, BeforeValidator(number)]


class ScriptsRequest(PageRequest):
    """Which scripts are wanted; null is as good as nothing."""

    q: str | None = Field(
        default=None, description="Part of identifier or title, whatever its case, the white space in it, and ё or е."
    )
    only_active: FlagOrNone = Field(default=None, description="true, 1 or yes: only active ones.")


class ScriptRequest(Wire):
    """A new script."""

    identifier: NeededText = Field(description=_IDENTIFIER, examples=["welcome_v1"])
    title: NeededText = Field(description=_NAME, examples=["Customer greeting"])
    description: str | None = Field(
        default=None, description=_DESCRIPTION, examples=["Greeting and data verification script"]
    )
    is_active: FlagOrNone = Field(default=None, description="true by default.")
    version: Version = Field(default=None, description="1 by default.", examples=[1])
    script_body: NeededText = Field(description=_BODY, examples=["Hello! My name is ..."])


class ScriptChoice(Wire):
    """Which script is meant, where it is not the path's."""

    script_id: NumberOrNone = Field(default=None, description="Counts before the path's own id.", examples=[11])


class ScriptEdit(ScriptChoice):
    """What shall change; what is missing or null stays, but for a description, which null takes away."""

    identifier: str | None = Field(default=None, description=_IDENTIFIER, examples=["welcome_v2"])
    title: str | None = Field(default=None, description=_NAME, examples=["Customer greeting (extended)"])
    description: str | None = Field(default=None, description=_DESCRIPTION, examples=["Added verification block"])
    is_active: FlagOrNone = None
    version: Version = Field(default=None, examples=[2])
    script_body: str | None = Field(default=None, description=_BODY)


class ScriptBody(Wire):
    """One script."""

    id: int = Field(examples=[11])
    identifier: str = Field(examples=["welcome_v1"])
    title: str = Field(examples=["Customer greeting"])
    description: str | None
    is_active: bool
    version: int
    script_body: str = Field(examples=["Hello! My name is ..."])
    created_at: str = Field(examples=["2025-10-20T12:35:41Z"])
    updated_at: str = Field(examples=["2025-10-22T09:10:00Z"])


class ScriptsAnswer(PageAnswer):
    """One page of the scripts."""

    items: list[ScriptBody]


class ScriptAnswer(Done):
    """The script as it now is."""

    success_message: str
    data: ScriptBody


class ScriptDeletedAnswer(Done):
    """It is gone."""

    message: str
