"""How every area describes its requests and answers in the OpenAPI document: all but a redirect are HTTP 200 (T-02)."""

from collections.abc import Mapping
from types import UnionType
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from callscribe.dialects.transcripto.codes import CODES, GENERAL, Problem

BEARER: Final[list[dict[str, list[str]]]] = [{"bearer": []}]
NOBODY: Final[list[dict[str, list[str]]]] = []  # T-01: the log-in needs no token
ANYBODY: Final[list[dict[str, list[str]]]] = [{}, *BEARER]  # nor does a report's file, where one helps (T-A14)
_LED_TO: Final = "The file is too large for the way of the request: it is where this leads to."
_EITHER: Final = "`success` says whether it is done; if not, `error_code` and `error_message` say why."

_CAME_BEFORE: Final = CODES["/addtaskcall"][Problem.DUPLICATE_FILE]
# T-03: what every operation takes.
ACCEPT_LANGUAGE: Final[Mapping[str, Any]] = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "description": "The language of texts for people: `ru`, or else English. At `/user/tariff` also whose price it is.",
    "schema": {"type": "string", "examples": ["en", "ru-RU, ru;q=0.9"]},
}


class Area(NamedTuple):
    """A part of the contract: the tag of its operations, and a line about them."""

    name: str
    about: str


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
    error_message: str = Field(
        examples=[f"{GENERAL[Problem.INVALID].english}: per_page: must be an integer from 1 to 100"]
    )


class DuplicateRefusal(Refusal):
    """T-A12. The file came before: the task that was made of it then, by this same user, is named as its own answer
    named it.
    """

    error_code: Literal[4091]
    error_message: str = Field(examples=[f"{_CAME_BEFORE.english}: the task 101 was made of this file before"])
    id: int = Field(examples=[101])
    code: str = Field(examples=["a1bc2d3e-4f56-7890-abcd-ef1234567890"])


def described(
    area: Area,
    summary: str,
    operation_id: str,
    answers: type[Done] | Mapping[int, Any],
    *,
    refusals: type[Refusal] | UnionType = Refusal,
    security: list[dict[str, list[str]]] = BEARER,
    **extensions: Any,
) -> dict[str, Any]:
    """What a route says of itself, for Powertools. `answers`: its success, which `refusals` stand beside, or all its
    responses where it has others; `extensions` stand in the document as they are.
    """
    return {
        "summary": summary,
        "operation_id": operation_id,
        "tags": [area.name],
        "responses": answers if isinstance(answers, Mapping) else _responses(answers, refusals),
        "security": security,
        "openapi_extensions": extensions,
    }


def _responses(success: type[Done], refusals: type[Refusal] | UnionType) -> dict[int, Any]:
    """Of a route with this success: it, or a refusal."""
    return {200: {"description": _EITHER, "content": {"application/json": {"model": success | refusals}}}}


def file_responses(*media_types: str) -> dict[int, Any]:
    """Of a route that answers with a file of one of these media types, or leads to it."""
    files = {
        media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types
    }
    return {
        200: {"description": "The file, or a refusal.", "content": {**files, "application/json": {"model": Refusal}}},
        302: {"description": _LED_TO, "content": {"application/json": {"model": LedTo}}},
    }
