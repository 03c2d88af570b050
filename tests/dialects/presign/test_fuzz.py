"""Requests made up from the OpenAPI document: no answer is a server error, and all are as the document says.

`CALLSCRIBE_FUZZ_EXAMPLES` sets how many for each operation; `CALLSCRIBE_FUZZ_EXAMPLES=200` is the release figure.
"""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from callscribe.dialects.presign import routes
from tests.dialects.conftest import http_event, read_answer
from tests.dialects.presign.world import World, basic
from tests.dialects.wsgi import application

EXAMPLES = int(os.environ.get("CALLSCRIBE_FUZZ_EXAMPLES", "50"))
QUIET = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.ignored_auth,
]

_world = World()
_client = _world.client()
_key, _secret = _world.key()


schema = schemathesis.openapi.from_wsgi(routes.OPENAPI, application(lambda event: _client.handler(event, None)))


@schema.exclude(path=routes.TOKEN).parametrize()
@QUIET
def test_made_up_requests_are_answered_as_documented(case: Any) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {_client.token}"}, checks=CHECKS)


@schema.include(path=routes.TOKEN).parametrize()
@QUIET
def test_made_up_requests_for_a_token_are_answered_as_documented(case: Any) -> None:
    # A body beside an Authorization header is not looked at, so a wrong one is no reason to refuse.
    wanted = [check for check in CHECKS if check is not openapi_checks.negative_data_rejection]
    case.call_and_validate(headers=basic(_key.id, _secret), checks=wanted)


@schema.parametrize()
@QUIET
def test_made_up_requests_without_a_credential_are_answered_as_documented(case: Any) -> None:
    case.call_and_validate(checks=[check for check in CHECKS if check is not openapi_checks.ignored_auth])


@pytest.mark.parametrize("route", routes.ROUTES)
@settings(QUIET, max_examples=EXAMPLES * 2)
@given(
    body=st.one_of(st.none(), st.binary(max_size=200), st.text(max_size=200).map(str.encode), st.from_regex(rb'\{"mimeType":.{0,40}\}')),
    headers=st.dictionaries(st.sampled_from(["content-type", "idempotency-key", "x-invox-medical-api-version", "accept"]), st.text(max_size=40)),
    suffix=st.sampled_from(["", "/", "//", "%00", "é", "?x", "\x00"]),
    authorization=st.one_of(st.just("good"), st.text(max_size=40)),
)  # fmt: skip
def test_any_bytes_on_any_route_get_an_answer_of_ours(route: tuple[str, str], body: bytes | None, headers: dict[str, str], suffix: str, authorization: str) -> None:  # fmt: skip
    headers["authorization"] = f"Bearer {_client.token}" if authorization == "good" else authorization
    path = route[1].replace("<token>", "abc") + suffix
    try:
        event = http_event(route[0], path, headers=headers, body=body)
    except UnicodeEncodeError:
        return
    answer = read_answer(_client.handler(event, None))
    assert answer.status < 500
    if answer.status >= 400:
        assert {"messsage", "message"} <= set(answer.json) <= {"messsage", "message", "errorType"}
