"""How every area describes its requests and answers in the OpenAPI document: all are HTTP 200 (T-02)."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

BEARER: Final[list[dict[str, list[str]]]] = [{"bearer": []}]
NOBODY: Final[list[dict[str, list[str]]]] = []  # T-01: log-in and a report's file need no token
_LED_TO: Final = "The file is too large for the way of the request: it is where this leads to."
_EITHER: Final = "`success` says whether it is done; if not, `error_code` and `error_message` say why."


class Wire(BaseModel):
    """No type is bent into another; unknown fields are ignored."""

    model_config = ConfigDict(strict=True)


class Done(Wire):
    """What every success has, whatever the document forgot (T-A4)."""

    success: Literal[True]
    error_code: Literal[0]


class LedTo(Done):
    """Where a file is that is too large for the way of the request."""

    message: str
    url: str = Field(description="As in `Location`.")


class Refusal(Wire):
    """T-02. Why a request was refused: a number for programs, by the endpoint's own table; a sentence for people."""

    success: Literal[False]
    error_code: int = Field(examples=[4001])
    error_message: str = Field(examples=["Invalid data or parameter format: page: must be 1 or more"])


def responses(model: type[BaseModel]) -> Any:
    """For Powertools' `responses=`: this success, or a refusal."""
    return {200: {"description": _EITHER, "content": {"application/json": {"model": model | Refusal}}}}


def file_responses(*media_types: str) -> Any:
    """The same for a route that answers with a file of one of these media types, or leads to it."""
    files = {
        media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types
    }
    return {
        200: {"description": "The file, or a refusal.", "content": {**files, "application/json": {"model": Refusal}}},
        302: {"description": _LED_TO, "content": {"application/json": {"model": LedTo}}},
    }
