"""The contract's own documentation, and what each process has to load."""

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from callscribe import names
from callscribe.dialects.transcripto import DIALECT, codes, routes
from callscribe.services.callbacks import Result
from tests.dialects.conftest import Client
from tests.dialects.pipeline import TRANSCRIPT
from tests.dialects.transcripto.world import DOCS, OPENAPI, World, multipart

FILES = ("/get_file", "/user/callreport/file")
REPORT_FILE = ("GET", "/user/callreport/file")
# The fields of JSON objects for which the document's tables say "yes".
REQUIRED = {
    "/auth/login": ["email", "password_hash", "captcha_token"],
    "/addtaskcallbyurl": ["file_url"],
    "/addtaskyoutube": ["file_path"],
    "/user/callreport": ["start_date", "end_date"],
    "/checklist": ["question"],
    "/checklist/<number>": ["question"],
    "/user/directories": ["name"],
    "/user/call_categories/create": ["name"],
    "/tasks/filters/save": ["name", "criteria"],
    "/user/call_check_scripts/create": ["identifier", "title", "script_body"],
}


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    served: dict[str, Any] = world.anonymous.send("GET", OPENAPI).json
    return served


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By the table's own names."""
    return {
        (method.upper(), path.replace("{", "<").replace("}", ">")): operation
        for path, described in document["paths"].items()
        for method, operation in described.items()
    }


def test_T_02_the_openapi_document_is_valid_by_another_library(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_T_02_a_document_that_is_not_valid_is_noticed(document: dict[str, Any]) -> None:
    del document["paths"]["/gettask"]["get"]["responses"]["200"]["description"]
    assert list(OpenAPIV31SpecValidator(document).iter_errors())


def test_T_02_the_openapi_document_describes_every_route_once(document: dict[str, Any]) -> None:
    described = operations(document)
    assert described.keys() == routes.ROUTES.keys() - {("GET", DOCS), ("GET", OPENAPI)}
    ids = [operation["operationId"] for operation in described.values()]
    assert len(set(ids)) == len(ids)
    assert all(operation["summary"] for operation in described.values())


def test_T_02_every_operation_has_the_tag_of_its_area_and_every_tag_a_line_about_it(document: dict[str, Any]) -> None:
    areas = {area.AREA.name: area for area in routes.AREAS}
    assert {route: operation["tags"] for route, operation in operations(document).items()} == {
        route: [name] for name, area in areas.items() for route in area.ROUTES
    }
    assert [tag["name"] for tag in document["tags"]] == list(areas)
    assert all(tag["description"].endswith(".") for tag in document["tags"])


def test_T_01_every_operation_asks_for_a_token_but_the_log_in_and_a_reports_file(document: dict[str, Any]) -> None:
    assert "security" not in document  # so that an operation without it asks for nothing
    asked = {route: operation.get("security", []) for route, operation in operations(document).items()}
    helped = asked.pop(REPORT_FILE)
    for route, security in asked.items():
        assert security == ([{"bearer": []}] if routes.ROUTES[route].scope is not None else []), route
    assert [route for route, security in asked.items() if not security] == [("POST", "/auth/login")]
    assert helped == [{}, {"bearer": []}]  # T-A14: other names than the UUID are understood with a token only


def test_T_02_what_the_tables_call_required_is_required_and_never_null(document: dict[str, Any]) -> None:
    required = {}
    for (_, path), operation in operations(document).items():
        taken = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        schema = document["components"]["schemas"].get(taken.get("$ref", "").rpartition("/")[2], {})
        if "required" in schema:
            required[path] = schema["required"]
        for name in schema.get("required", ()):
            assert schema["properties"][name].get("type") in ("string", "object"), name
            assert "default" not in schema["properties"][name], name
    assert required == REQUIRED


def test_T_05_ids_in_paths_are_integers(document: dict[str, Any]) -> None:
    kinds = {
        (path, one["name"]): (one["schema"]["type"], one["schema"].get("minimum"))
        for (_, path), operation in operations(document).items()
        for one in operation["parameters"]
        if one["in"] == "path"
    }
    codes_of_tasks = {where for where in kinds if where[1] == "task_code"}
    assert {where[0] for where in codes_of_tasks} == {
        "/api/calls_analysis/<task_code>",
        "/api/calls_analysis_v2/<task_code>",
    }
    assert {kinds[where] for where in kinds.keys() - codes_of_tasks} == {("integer", 1)}


def test_T_02_the_description_names_every_status_that_a_client_may_meet(document: dict[str, Any]) -> None:
    told, _, _ = document["info"]["description"].partition("\n\n")
    for status in ("200", "302", "403", "404", "408", "413", "429", "5xx"):
        assert status in told


def test_T_02_every_answer_is_http_200_and_tells_of_success_and_refusal(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        led_to_a_file = ["302"] if path in FILES else []  # one that is too large for an answer
        assert list(operation["responses"]) == ["200", *led_to_a_file], (method, path)
        content = operation["responses"]["200"]["content"]
        assert "Refusal" in json.dumps(content["application/json"])
        assert (len(content) > 1) is (path in FILES)


def test_T_03_every_operation_takes_a_language_once_beside_its_own_parameters(document: dict[str, Any]) -> None:
    for route, operation in operations(document).items():
        names = [(one["in"], one["name"]) for one in operation["parameters"]]
        assert names.count(("header", "Accept-Language")) == 1, route
        assert {name for where, name in names if where == "path"} == set(re.findall(r"<(\w+)>", route[1]))


def test_T_02_the_example_of_a_refusal_is_one_that_is_given(document: dict[str, Any], client: Client) -> None:
    made = client.send("POST", "/addtaskcall", **multipart()).json
    again = client.send("POST", "/addtaskcall", **multipart()).json["error_message"]
    given = {
        "Refusal": client.send("POST", "/tasks/filter", fields={"per_page": 0}).json["error_message"],
        "DuplicateRefusal": again.replace(f"task {made['id']} ", "task 101 "),
    }
    for name, message in given.items():
        assert document["components"]["schemas"][name]["properties"]["error_message"]["examples"] == [message]


def test_T_A12_the_refusal_of_a_file_that_came_before_is_documented_where_files_come(document: dict[str, Any]) -> None:
    told = {route for route, operation in operations(document).items() if "DuplicateRefusal" in json.dumps(operation)}
    assert told == {("POST", "/addtaskcall"), ("POST", "/addtaskaudio")}
    assert {"id", "code"} <= set(document["components"]["schemas"]["DuplicateRefusal"]["required"])


def test_T_29_only_what_deletes_a_category_speaks_of_its_children(document: dict[str, Any]) -> None:
    rows = [row for row in document["info"]["description"].splitlines() if "child records" in row]
    assert [row.split("|")[2].strip() for row in rows] == ["`/user/call_categories/delete/<>`"]


def test_T_A3_a_form_says_which_words_its_fields_take(document: dict[str, Any]) -> None:
    body = document["paths"]["/addtaskcall"]["post"]["requestBody"]["content"]["multipart/form-data"]
    fields = body["schema"]["properties"]
    assert fields["call_type"]["enum"] == ["inbound", "outbound", ""]
    assert fields["processing_type"]["enum"] == ["standard", "analysis", ""]
    assert "enum" not in fields["operator_name"]


def test_T_A14_one_rule_says_everywhere_what_a_task_is_called(document: dict[str, Any]) -> None:
    described = [
        one["description"]
        for operation in operations(document).values()
        for one in operation["parameters"]
        if one["name"] == "task_code"
    ]
    described.append(document["components"]["schemas"]["FilterRequest"]["properties"]["task_code"]["description"])
    assert len(described) == 8
    assert all("Digits alone are always the id." in one for one in described)


def test_T_02_the_openapi_document_holds_nothing_of_the_librarys_own_answers(world: World) -> None:
    text = world.anonymous.send("GET", OPENAPI).text
    assert "ValidationError" not in text
    assert '"Successful Response"' not in text
    assert '"422"' not in text


def test_T_02_every_reference_in_the_openapi_document_leads_somewhere(document: dict[str, Any]) -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert named == set(document["components"]["schemas"])


def test_T_A6_every_number_that_an_endpoint_may_give_is_published(world: World, client: Client) -> None:
    published = {entry["error_code"] for entry in client.send("GET", "/dictionaries").json["error_codes"]}
    own = {code.number for table in codes.CODES.values() for code in table.values()}
    assert own | {code.number for code in codes.GENERAL.values()} <= published
    assert {4003, 4017, 4059, 4066, 4091, 4092, 4602, 5001} <= published


def test_the_documentation_stands_where_the_landing_page_sends_people() -> None:
    assert names.DOCS["transcripto"] == DOCS
    assert ("GET", DOCS) in routes.ROUTES


def test_every_path_is_below_one_that_the_infrastructure_knows() -> None:
    known = (names.DIALECTS["transcripto"], *names.OTHER_PATHS["transcripto"])
    paths = {path for _, path in routes.ROUTES}
    assert [path for path in paths if not any(path == one or path.startswith(f"{one}/") for one in known)] == []
    assert [one for one in known if not any(path == one or path.startswith(f"{one}/") for path in paths)] == []


def test_the_page_needs_nothing_from_elsewhere_and_shows_the_document(world: World) -> None:
    answer = world.anonymous.send("GET", DOCS)
    assert answer.headers["content-type"].startswith("text/html")
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", answer.text) == []
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert world.anonymous.send("GET", DOCS, query="format=json").json == world.anonymous.send("GET", OPENAPI).json


def test_every_answer_forbids_caching_and_sniffing(world: World, client: Client) -> None:
    for answer in (
        client.send("GET", "/user/tariff"),
        world.anonymous.send("GET", "/user/tariff"),
        world.anonymous.send("GET", "/transcripto/nowhere"),
        world.anonymous.send("GET", OPENAPI),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_there_are_no_callbacks(world: World, client: Client) -> None:
    job = world.job(world.completed(client))
    assert DIALECT.renderer()(Result(job, TRANSCRIPT, created_at_ms=0), lambda _: "signature") is None
