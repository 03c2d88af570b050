"""Powertools' resolver and router, as every dialect takes them."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, api_gateway

from callscribe.dialects.front import Call


def new_resolver(read_json: Callable[[str], Any]) -> APIGatewayHttpResolver:
    """One that judges requests by their routes' types; `read_json` makes values of their bodies."""
    # Debugging, which an environment variable could switch on, prints whole events, credentials and all.
    return APIGatewayHttpResolver(enable_validation=True, json_body_deserializer=read_json, debug=False)


class Router(api_gateway.Router):
    """Some of a dialect's routes, which ask it for the request that they answer."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools' own constructor is not typed

    @property
    def call(self) -> Call:
        """The request, as the front has read it."""
        call: Call = self.context["call"]
        return call

    @property
    def event(self) -> dict[str, Any]:
        """Its event, as the front gave it to the resolver."""
        event: dict[str, Any] = self.current_event.raw_event
        return event
