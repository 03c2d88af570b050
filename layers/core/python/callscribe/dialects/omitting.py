"""Fields that an answer may leave out, as OpenAPI describes them."""

from typing import Any

from pydantic import Field


def omittable(description: str, **extra: Any) -> Any:
    """A field that an answer may leave out; it is never null. `extra`: what else its schema says."""
    return Field(default=None, description=description, json_schema_extra=lambda schema: no_default(schema, **extra))


def no_default(schema: dict[str, Any], **extra: Any) -> None:
    """What may be left out, or must not be, has no default: for `json_schema_extra`."""
    schema.pop("default", None)
    schema.update(extra)
