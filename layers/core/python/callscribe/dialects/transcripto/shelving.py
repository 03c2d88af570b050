"""What the areas of managed lists have in common: how they read values, and how they change a list."""

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from callscribe.dialects.answers import later
from callscribe.dialects.front import Call, note_leniency
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.errors import CallscribeError, NotFound

_INTEGER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_PATH_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_FIRST_INEXACT: Final = 2.0**53  # above, a float is no particular integer
_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Problems = Mapping[type[CallscribeError], Problem]
_AS_EVERYWHERE: Final[Problems] = {}


def filled_in(value: Any) -> Any:
    """A field of a form that was left empty comes as a blank text: as good as null."""
    return None if isinstance(value, str) and not value.strip() else value


def number(value: Any, info: ValidationInfo) -> Any:
    """Clients that fill in forms send numbers as text."""
    given = filled_in(value)
    return int(given) if isinstance(given, str) and _INTEGER.fullmatch(given.strip()) else whole(given, info)


def whole(value: Any, info: ValidationInfo) -> Any:
    """Some languages have no integers: 1.0 is 1."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _FIRST_INEXACT:
        note_leniency(f"{info.field_name} as decimal")
        return int(value)
    return value


def _flag(value: Any) -> Any:
    """T-33: true, 1, yes."""
    given = filled_in(value)
    return _FLAGS.get(str(given).strip().lower(), given)


def _given(value: Any) -> Any:
    """What is null or blank counts as not given at all."""
    if filled_in(value) is None:
        raise PydanticCustomError("missing", "is required")
    return value


NeededNumber = Annotated[int, BeforeValidator(number), BeforeValidator(_given)]  # the last one sees a value first
NumberOrNone = Annotated[int | None, BeforeValidator(number)]
FlagOrNone = Annotated[bool | None, BeforeValidator(_flag)]
NeededText = Annotated[str, BeforeValidator(_given)]
NeededObject = Annotated[dict[str, Any], BeforeValidator(_given)]
# An id in a path. What is none is nobody's, and is answered so by `path_number`.
PathNumber = Annotated[str, WithJsonSchema({"type": "integer", "minimum": 1})]


def edited_fields(body: BaseModel, *, nullable: Collection[str], besides: str) -> dict[str, Any]:
    """The fields that an edit changes: what is missing stays, and so does what is null, but for the `nullable` ones.

    `besides`: the field that says only what is to be edited.
    """
    given = body.model_dump(exclude_unset=True, exclude={besides})
    return {name: value for name, value in given.items() if value is not None or name in nullable}


def meant_id(in_path: PathNumber, in_body: int | None) -> int:
    """T-29, T-34: the body's id counts first, wherever the path leads. Raises NotFound."""
    return path_number(in_path) if in_body is None else in_body


def path_number(given: PathNumber) -> int:
    """An id out of a path. Raises NotFound for what can be nobody's."""
    if not _PATH_NUMBER.fullmatch(given):
        raise NotFound("there is no such id")
    return int(given)


def refusing(problems: Problems, make: Callable[[], Response[str]]) -> Response[str]:
    """The answer; what goes wrong has the names that this endpoint gives it. Raises Refused."""
    try:
        return make()
    except tuple(problems) as error:
        problem = next(problem for kind, problem in problems.items() if isinstance(error, kind))
        detail = "" if isinstance(error, NotFound) else str(error)  # all that is not there is answered alike
        raise Refused(problem, detail) from error


def change(call: Call, make: Callable[[], Response[str]], problems: Problems = _AS_EVERYWHERE) -> Response[str]:
    """Leave a change to when others may be answered, too: it waits for whoever changes the same list just now."""
    return later(call, partial(refusing, problems, make))
