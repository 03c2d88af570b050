"""The contract's own documentation, and what each process has to load."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from callscribe import names
from callscribe.dialects.transcripto import DIALECT, codes, routes
from callscribe.services.callbacks import Result
from tests.dialects.conftest import Client
from tests.dialects.pipeline import TRANSCRIPT
from tests.dialects.transcripto.world import DOCS, OPENAPI, World

FILES = ("/get_file", "/user/callreport/file")


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


def test_T_01_every_operation_asks_for_a_token_but_the_log_in_and_a_reports_file(document: dict[str, Any]) -> None:
    assert "security" not in document  # so that an operation without it asks for nothing
    for route, operation in operations(document).items():
        asks = routes.ROUTES[route].scope is not None
        assert operation.get("security", []) == ([{"bearer": []}] if asks else []), route
    nobody = {route for route, operation in operations(document).items() if not operation.get("security")}
    assert nobody == {("POST", "/auth/login"), ("GET", "/user/callreport/file")}


def test_T_02_every_answer_is_http_200_and_tells_of_success_and_refusal(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        led_to_a_file = ["302"] if path in FILES else []  # one that is too large for an answer
        assert list(operation["responses"]) == ["200", *led_to_a_file], (method, path)
        content = operation["responses"]["200"]["content"]
        assert "Refusal" in json.dumps(content["application/json"])
        assert (len(content) > 1) is (path in FILES)


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


def test_a_process_that_ends_jobs_loads_neither_the_http_framework_nor_pydantic() -> None:
    program = (
        "import sys; from callscribe import dialects; dialects.load('transcripto').renderer();"
        "print([name for name in sys.modules if name.split('.')[0] in ('aws_lambda_powertools', 'pydantic', 'jwt')])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
