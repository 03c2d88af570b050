"""Parameters of a query string, as they came, and as the document of the routes has them.

Read here and not by the framework, which would take text with commas apart.
"""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from callscribe.dialects.routing import Router
from callscribe.dialects.transcripto.codes import Problem, Refused

_MOST_PARAMETERS: Final = 200
_BRACKETS: Final = re.compile(r"\[[0-9]{0,4}\]\Z")


def needed(name: str, description: str, **schema: Any) -> dict[str, Any]:
    """A text that a query must have, in the document; `schema`: what else is known of it."""
    shown = {"name": name, "in": "query", "required": True, "description": description}
    return {**shown, "schema": {"type": "string", **schema}}


# T-A14. What a task is called wherever one is asked for.
SHORT_CODE: Final = "its short code: the id in base 36, where that has a letter. Digits alone are always the id."
ANY_NAME: Final = f"The task's UUID, its id, or {SHORT_CODE}"
TASK_CODE: Final = needed("task_code", ANY_NAME, minLength=1)


def of(router: Router) -> dict[str, str]:
    """The parameters of the request that is being answered."""
    return read(str(router.event.get("rawQueryString") or ""))


def read(raw: str) -> dict[str, str]:
    """The parameters of a query string; those of one name are joined with commas. Raises Refused (INVALID).

    Some clients write each value of a list with brackets: `tone_id[]=1&tone_id[]=2`, `tone_id[0]=1&tone_id[1]=2`.
    """
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise Refused(Problem.INVALID, f"the query must have at most {_MOST_PARAMETERS} parameters") from error
    given: dict[str, str] = {}
    for written, value in pairs:
        name = _BRACKETS.sub("", written)
        given[name] = f"{given[name]},{value}" if name in given else value
    return given


def criterion(name: str, described: dict[str, Any]) -> dict[str, Any]:
    """A property of a JSON object as a parameter of a query: several values have commas between them."""
    schema = next(one for one in described["anyOf"] if one != {"type": "null"})
    shown = {"name": name, "in": "query", "required": False, "description": described["description"]}
    lists = [one for one in schema.get("anyOf", []) if one.get("type") == "array"]
    if lists:
        return {**shown, "style": "form", "explode": False, "schema": lists[0]}
    return {**shown, "schema": schema}
