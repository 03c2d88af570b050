"""Requests made up from the OpenAPI document: no answer is a server error, and all are as the document says.

`CALLSCRIBE_FUZZ_EXAMPLES` sets how many for each operation; `CALLSCRIBE_FUZZ_EXAMPLES=200` is the release figure.
"""

import os
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from callscribe.dialects.aivoco import routes
from callscribe.dialects.front import Room
from tests.dialects.aivoco.world import DATA, URL, World
from tests.dialects.conftest import http_event, read_answer
from tests.dialects.wsgi import application

EXAMPLES = int(os.environ.get("CALLSCRIBE_FUZZ_EXAMPLES", "50"))
QUIET = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]

_world = World()
_secret = _world.secret()
_context = SimpleNamespace(room=Room(max_body_bytes=4_000_000, max_wait_s=25))
_numbers = count()


def event_of(method: str, path: str, **how: Any) -> dict[str, Any]:
    """The gateway's event, each from an address of its own: the limit has tests of its own."""
    return from_a_new_address(http_event(method, path, **how))


def from_a_new_address(event: dict[str, Any]) -> dict[str, Any]:
    number = next(_numbers)
    event["requestContext"]["http"]["sourceIp"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return event


schema = schemathesis.openapi.from_wsgi(
    routes.OPENAPI, application(lambda event: _world.handler(from_a_new_address(event), _context))
)


@schema.parametrize()
@QUIET
def test_made_up_requests_with_a_good_key_are_answered_as_documented(case: Any) -> None:
    if isinstance(case.body, dict):
        case.body.pop("api_key", None)  # it would count before the header
    wanted = [*CHECKS, openapi_checks.negative_data_rejection]
    case.call_and_validate(headers={"X-API-Key": _secret}, checks=wanted)


@schema.parametrize()
@QUIET
def test_made_up_requests_without_a_good_key_are_refused_as_documented(case: Any) -> None:
    answer = case.call_and_validate(checks=CHECKS)
    assert answer.status_code in (400, 401, 405)


_inputs = st.fixed_dictionaries(
    {},
    optional={
        "audio_data": st.one_of(st.just(DATA), st.text(max_size=20), st.none(), st.integers()),
        "audio_url": st.one_of(st.just(URL), st.text(max_size=20), st.none(), st.lists(st.integers())),
        "call_id": st.one_of(st.just("1"), st.text(max_size=20), st.none(), st.integers(), st.booleans(), st.floats(allow_nan=False)),
        "mime_type": st.one_of(st.just("audio/wav"), st.text(max_size=20), st.none(), st.integers()),
        "api_key": st.one_of(st.just(_secret), st.text(max_size=20), st.none(), st.integers(), st.just({})),
    },
)  # fmt: skip


@settings(QUIET, max_examples=EXAMPLES * 6)
@given(body=_inputs)
def test_any_mixture_of_fields_gets_an_answer_of_ours(body: dict[str, Any]) -> None:
    answer = _world.send(body, headers={"x-api-key": _secret}, address=f"2001:db8::{next(_numbers):x}")
    assert answer.status in (200, 400, 401, 404)
    assert ("transcription" if answer.status == 200 else "error") in answer.json


@pytest.mark.parametrize("route", routes.ROUTES)
@settings(QUIET, max_examples=EXAMPLES * 2)
@given(
    body=st.one_of(st.none(), st.binary(max_size=200), st.text(max_size=200).map(str.encode), st.from_regex(rb'\{"audio_url":.{0,40}\}')),
    headers=st.dictionaries(st.sampled_from(["content-type", "x-api-key", "authorization", "accept"]), st.text(max_size=40)),
    suffix=st.sampled_from(["", "/", "//", "%00", "é", "?x", "\x00"]),
    good_key=st.booleans(),
)  # fmt: skip
def test_any_bytes_on_any_route_get_an_answer_of_ours(route: tuple[str, str], body: bytes | None, headers: dict[str, str], suffix: str, good_key: bool) -> None:  # fmt: skip
    if good_key:
        headers["x-api-key"] = _secret
    try:
        event = event_of(route[0], route[1] + suffix, headers=headers, body=body)
    except UnicodeEncodeError:
        return
    answer = read_answer(_world.handler(event, _context))
    assert answer.status < 500
    if answer.status >= 400:
        assert list(answer.json) == ["error"]
