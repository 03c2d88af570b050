"""Requests made up from the OpenAPI document, and any bytes on any route: all are answered by HTTP 200, as documented,
and none with a fault of ours.

`CALLSCRIBE_FUZZ_EXAMPLES` sets how many for each operation; `CALLSCRIBE_FUZZ_EXAMPLES=200` is the release figure.
"""

import json
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks as openapi_checks

from callscribe.dialects.transcripto import routes
from callscribe.ports import Settings
from tests.dialects.conftest import Answer, http_event, read_answer
from tests.dialects.transcripto.world import ADMIN, World, multipart
from tests.dialects.wsgi import application

EXAMPLES = int(os.environ.get("CALLSCRIBE_FUZZ_EXAMPLES", "25"))
QUIET = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
FILES = ("/get_file", "/user/callreport/file")
OPEN = ["/auth/login", "/user/callreport/file"]  # what nobody's token is asked for

# The limit of failed log-ins has tests of its own, and a tariff that is used up would hide what comes after it.
_world = World(settings=Settings(failed_logins=1_000_000, videos=True, quick_fetch_s=0.05))
_user = _world.user(scopes=ADMIN)
_client = _world.client_of(_user)
_code = _world.completed(_client)
_chat = _world.add_chat(_client)
_world.carry_on(_chat)
_ids = {
    "directory_id": _client.send("POST", "/user/directories", fields={"name": "a"}).json["directory"]["id"],
    "checklist_id": _client.send("POST", "/checklist", fields={"question": "a?"}).json["data"]["id"],
    "id": _client.send("POST", "/user/call_categories/create", fields={"name": "a"}).json["data"]["id"],
}


def is_answered_well(given: Answer, route: str) -> None:
    """HTTP 200 and JSON with a verdict, or a file where there are files; and nothing that is ours to mend."""
    assert given.status == 200
    if not given.headers["content-type"].startswith("application/json"):
        assert route.startswith((*FILES, "/transcripto/")), given.headers
        return
    if route.startswith("/transcripto/"):
        return
    verdict = given.json
    assert type(verdict["success"]) is bool
    assert type(verdict["error_code"]) is int
    assert verdict["success"] is (verdict["error_code"] == 0)
    assert verdict["error_code"] not in (5000, 5001, 5002), given.text
    assert verdict["success"] or verdict["error_message"]


@schemathesis.check
def answered_well(_context: Any, response: Any, case: Any) -> None:
    """The same, as schemathesis asks for it."""
    headers = {name.lower(): ", ".join(values) for name, values in response.headers.items()}
    is_answered_well(Answer(response.status_code, headers, response.content), case.path)


CHECKS = [
    answered_well,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]
schema = schemathesis.openapi.from_wsgi(routes.OPENAPI, application(lambda event: _client.handler(event, None)))


@schema.exclude(path=OPEN).parametrize()
@QUIET
def test_T_02_made_up_requests_are_answered_as_documented(case: Any) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {_client.token}"}, checks=CHECKS)


@schema.parametrize()
@QUIET
def test_T_01_made_up_requests_without_a_token_are_answered_as_documented(case: Any) -> None:
    number = case.call_and_validate(checks=CHECKS).json()["error_code"]
    # What is made up for a path's parameter, and a method that the document does not name, lead to no route at all.
    is_a_route = "{" not in case.path and case.method.upper() == case.operation.method.upper()
    if case.path not in OPEN:
        assert number == 4023 or (number == 4041 and not is_a_route)


@schema.include(path_regex="<|{").parametrize()
@QUIET
def test_T_02_made_up_requests_for_what_there_is_are_answered_as_documented(case: Any) -> None:
    known = {"task_code": _code, "task_id": str(_world.job(_code).number), "number": str(_ids["checklist_id"])}
    case.path_parameters = {name: str({**_ids, **known}.get(name, 1)) for name in case.path_parameters}
    case.call_and_validate(headers={"Authorization": f"Bearer {_client.token}"}, checks=CHECKS)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=6,
)
NAMES = [
    "email",
    "password_hash",
    "captcha_token",
    "file_url",
    "file_path",
    "file_lang",
    "directory_id",
    "operator_name",
    "client_id",
    "call_type",
    "call_date",
    "call_datetime",
    "processing_type",
    "text",
    "chunks",
    "start_date",
    "end_date",
    "report_type",
    "name",
    "question",
    "criteria",
    "q",
    "parent_id",
    "category_id",
    "description",
    "page",
    "per_page",
    "only_active",
    "script_id",
    "identifier",
    "title",
    "script_body",
    "is_active",
    "version",
    "task_code",
    "task_id",
    "checklist_id",
    "answer",
    "answers",
    "date_from",
    "date_to",
    "task_type",
    "status",
    "message",
    "tone_id",
    "tags_any",
    "length_min",
    "customer_satisfaction_score_min",
    "operator_politeness",
    "script_alignment_max",
    "filename",
    "file_type",
]
GOOD_VALUES = st.sampled_from(
    [
        _code,
        _chat,
        1,
        "1",
        "0",
        "2025-10-20",
        "2025-10-20T10:00:00+03:00",
        "call",
        "inbound",
        "a",
        [1, 2],
        "1,2",
        "audio",
    ]
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), GOOD_VALUES | ANY_JSON, max_size=6)


@pytest.mark.parametrize("route", routes.ROUTES, ids=" ".join)
@QUIET
@given(fields=OBJECTS | ANY_JSON, in_path=GOOD_VALUES.map(str) | st.text(st.characters(codec="ascii"), max_size=20))
def test_T_02_known_fields_with_any_values_are_answered_as_documented(
    route: tuple[str, str], fields: Any, in_path: str
) -> None:
    path = filled(route[1], in_path)
    in_query = "&".join(f"{name}={value}" for name, value in fields.items()) if isinstance(fields, dict) else ""
    query = "".join(one for one in in_query if one.isascii() and one.isprintable())
    answer = _client.send(route[0], path, fields=fields, query=query)
    is_answered_well(answer, route[1])


@pytest.mark.parametrize("route", ["/addtaskcall", "/addtaskaudio"])
@QUIET
@given(
    fields=st.dictionaries(st.sampled_from(NAMES), GOOD_VALUES | st.text(max_size=20), max_size=6),
    file=st.none() | st.binary(max_size=100),
    cut=st.integers(min_value=-300, max_value=0),
    file_name=st.text(st.characters(exclude_characters='"\r\n', codec="utf-8"), max_size=20),
)
def test_T_12_T_14_any_form_whole_or_cut_is_answered_as_documented(
    route: str, fields: dict[str, object], file: bytes | None, cut: int, file_name: str
) -> None:
    form = multipart(fields, file=file, file_name=file_name)
    is_answered_well(_client.send("POST", route, body=form["body"][: cut or None], headers=form["headers"]), route)


@pytest.mark.parametrize("route", routes.ROUTES, ids=" ".join)
@QUIET
@given(
    body=st.none() | st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | OBJECTS.map(json.dumps).map(str.encode),
    headers=st.dictionaries(st.sampled_from(["content-type", "accept-language", "x-callscribe-duplicate-check", "content-encoding"]), st.text(max_size=40)),
    in_path=st.text(max_size=40),
    suffix=st.sampled_from(["", "/", "//", "%00", "é", "?x", "\x00"]),
    authorization=st.just("good") | st.text(max_size=40),
    query=st.text(max_size=60),
)  # fmt: skip
def test_T_02_any_bytes_on_any_route_get_an_answer_of_ours(route: tuple[str, str], body: bytes | None, headers: dict[str, str], in_path: str, suffix: str, authorization: str, query: str) -> None:  # fmt: skip
    headers["authorization"] = f"Bearer {_client.token}" if authorization == "good" else authorization
    try:
        event = http_event(route[0], filled(route[1], in_path) + suffix, headers=headers, body=body, query=query)
    except UnicodeEncodeError:
        assume(False)
    is_answered_well(read_answer(_client.handler(event, None)), route[1])


def filled(path: str, value: str) -> str:
    """A path with one value for its parameter."""
    before, _, after = path.partition("<")
    return before + value + after.partition(">")[2] if after else path
