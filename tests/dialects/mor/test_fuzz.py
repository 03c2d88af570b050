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

from callscribe.dialects.mor import routes
from callscribe.ports import Settings
from callscribe.services import accounts
from tests.dialects.conftest import http_event, read_answer
from tests.dialects.mor.world import AI, World, basic
from tests.dialects.wsgi import application

EXAMPLES = int(os.environ.get("CALLSCRIBE_FUZZ_EXAMPLES", "25"))
QUIET = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.ignored_auth,
]
OPEN = [f"{AI}{routes.LOGIN}", f"{AI}{routes.REFRESH}"]

_world = World(settings=Settings(failed_logins=1_000_000))  # the limit has tests of its own
_tenant_id = _world.tenant()
_token = _world.client(tenant_id=_tenant_id).token
_client = _world.anonymous.with_token(_token)
# By an API key, whose check costs no time.
_key, _secret = accounts.create_key(_world.deps, tenant_id=_tenant_id, name="a key")
_job = _world.completed(_client)


schema = schemathesis.openapi.from_wsgi(routes.OPENAPI, application(lambda event: _client.handler(event, None)))


@schema.exclude(path=OPEN).parametrize()
@QUIET
def test_M_16_made_up_requests_are_answered_as_documented(case: Any) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {_token}"}, checks=CHECKS)


@schema.include(path_regex="transcript|download").parametrize()
@QUIET
def test_M_16_made_up_requests_for_a_transcription_that_there_is_are_answered_as_documented(case: Any) -> None:
    case.path_parameters = {**case.path_parameters, "id": str(_job["id"])} if case.path_parameters else {}
    case.call_and_validate(headers=basic(_key.id, _secret), checks=[checks.not_a_server_error])


@schema.include(path=f"{AI}{routes.LOGIN}").parametrize()
@QUIET
def test_M_16_made_up_log_ins_are_answered_as_documented(case: Any) -> None:
    # The credential is added to every request, also to those that shall lack it.
    unfair = (openapi_checks.negative_data_rejection, openapi_checks.ignored_auth)
    wanted = [check for check in CHECKS if check not in unfair]
    case.call_and_validate(headers=basic(_key.id, _secret), checks=wanted)


@schema.parametrize()
@QUIET
def test_M_16_made_up_requests_without_a_credential_are_answered_as_documented(case: Any) -> None:
    case.call_and_validate(checks=[check for check in CHECKS if check is not openapi_checks.ignored_auth])


@pytest.mark.parametrize("route", routes.ROUTES)
@QUIET
@given(
    body=st.one_of(st.none(), st.binary(max_size=200), st.text(max_size=200).map(str.encode), st.from_regex(rb'\{"(recording_id|uniqueid|s3_uri|language|refresh_token)":.{0,40}\}')),
    headers=st.dictionaries(st.sampled_from(["content-type", "idempotency-key", "accept"]), st.text(max_size=40)),
    given_id=st.one_of(st.just(str(_job["id"])), st.just(_job["uuid"]), st.integers().map(str), st.text(max_size=40)),
    suffix=st.sampled_from(["", "/", "//", "%00", "é", "?x", "\x00"]),
    authorization=st.one_of(st.just("good"), st.text(max_size=40)),
)  # fmt: skip
def test_any_bytes_on_any_route_get_an_answer_of_ours(route: tuple[str, str], body: bytes | None, headers: dict[str, str], given_id: str, suffix: str, authorization: str) -> None:  # fmt: skip
    headers["authorization"] = f"Bearer {_token}" if authorization == "good" else authorization
    path = route[1].replace("<id>", given_id).replace("<format>", "txt") + suffix
    try:
        event = http_event(route[0], path, headers=headers, body=body)
    except UnicodeEncodeError:
        return
    answer = read_answer(_client.handler(event, None))
    assert answer.status < 500
    if answer.status >= 400:
        assert set(answer.json) == {"error", "code"}
