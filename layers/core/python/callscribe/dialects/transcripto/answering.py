"""How every area answers: in JSON, by HTTP 200, with `success` and `error_code` whatever the document forgot (T-A4)."""

import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from callscribe.dialects.answers import json_response
from callscribe.dialects.front import Call
from callscribe.dialects.transcripto.texts import Said, say
from callscribe.errors import Unauthenticated
from callscribe.services.accounts import Principal


def done(**fields: Any) -> Response[str]:
    """A success, with these keys after the two that every answer has."""
    return json_response(200, _success(fields))


def led_to(call: Call, url: str) -> Response[str]:
    """A redirect whose body says so, too: not every client follows one, and nobody shall have an empty file."""
    return json_response(302, _success({"message": message(call, Said.LED_TO), "url": url}), Location=url)


def message(call: Call, said: Said) -> str:
    """A message in the language that the call asks for."""
    return say(said, call.languages)


def principal_of(call: Call) -> Principal:
    """Who makes the call. Raises Unauthenticated."""
    if call.principal is None:
        raise Unauthenticated("this request needs a token")
    return call.principal


def _success(fields: Mapping[str, Any]) -> str:
    return json.dumps({"success": True, "error_code": 0, **fields}, ensure_ascii=False)
