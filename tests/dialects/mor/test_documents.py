"""The contract's own documentation, and what each process has to load."""

import json
import re

from pydantic import BaseModel

from callscribe import names
from callscribe.dialects.mor import routes
from callscribe.dialects.mor.schemas import Callback, StatusAnswer, TranscriptAnswer, UsageAnswer
from callscribe.services.callbacks import Result
from tests.dialects.conftest import Client
from tests.dialects.mor.world import API_DOCS, CALLBACK_URL, JOBS, OPENAPI, USAGE, World, status
from tests.dialects.pipeline import TRANSCRIPT


def test_M_14_the_openapi_document_describes_every_endpoint_once(world: World) -> None:
    document = world.anonymous.send("GET", OPENAPI).json
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    first = routes.PREFIXES[0]
    clients = {(method, path.replace("<", "{").replace(">", "}")) for method, path in routes.ROUTES if path.startswith(first)}  # fmt: skip
    assert described == clients - {("GET", first + routes.DOCS)}
    ids = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(set(ids)) == len(ids)


def test_M_14_the_documentation_stands_where_the_landing_page_sends_people() -> None:
    assert names.DOCS["mor"] == API_DOCS
    assert ("GET", API_DOCS) in routes.ROUTES


def test_M_14_the_openapi_document_holds_nothing_of_the_librarys_own_answers(world: World) -> None:
    text = world.anonymous.send("GET", OPENAPI).text
    assert "ValidationError" not in text
    assert '"Successful Response"' not in text


def test_M_14_every_reference_in_the_openapi_document_leads_somewhere(world: World) -> None:
    text = world.anonymous.send("GET", OPENAPI).text
    schemas = json.loads(text)["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named == set(schemas)


def test_M_14_every_guarded_operation_asks_for_a_credential(world: World) -> None:
    paths = world.anonymous.send("GET", OPENAPI).json["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            access = routes.ROUTES[(method.upper(), path.replace("{", "<").replace("}", ">"))]
            if access.scope is not None:
                assert operation["security"] == [{"bearer": []}, {"basic": []}]
                assert {"401", "403", "405", "413", "500", "503"} <= set(operation["responses"])


def test_M_14_the_document_has_examples_of_what_clients_send_and_get(world: World) -> None:
    schemas = world.anonymous.send("GET", OPENAPI).json["components"]["schemas"]
    assert schemas["TranscriptionRequest"]["examples"]
    assert schemas["StatusAnswer"]["properties"]["created_at"]["examples"]
    assert schemas["UsageAnswer"]["properties"]["remaining_seconds"]["examples"]


def test_M_14_the_page_needs_nothing_from_elsewhere_and_shows_the_document(world: World) -> None:
    answer = world.anonymous.send("GET", API_DOCS)
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", answer.text) == []
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    shown = world.anonymous.send("GET", API_DOCS, query="format=json")
    assert shown.json == world.anonymous.send("GET", OPENAPI).json


def test_the_answers_are_what_their_schemas_say_and_nothing_else(world: World, client: Client) -> None:
    made = world.completed(client, callback_url=CALLBACK_URL)
    failed = world.create(client)
    world.fail(failed["uuid"])
    answers: dict[str, type[BaseModel]] = {
        client.send("GET", USAGE).text: UsageAnswer,
        status(client, made["id"]).text: StatusAnswer,
        status(client, failed["id"]).text: StatusAnswer,
        client.send("GET", f"{JOBS}/{made['id']}/transcript").text: TranscriptAnswer,
        json.dumps(world.callback(made["uuid"])): Callback,
    }
    for text, model in answers.items():
        model.model_validate_json(text, extra="forbid")


def test_a_result_is_rendered_to_the_same_bytes_every_time(world: World, client: Client) -> None:
    job = world.complete(world.create(client, callback_url=CALLBACK_URL)["uuid"])
    result = Result(job, TRANSCRIPT, created_at_ms=1)
    render = world.dialect.renderer()
    assert render(result, lambda _: "s") == render(result, lambda _: "other") is not None
