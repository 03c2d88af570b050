"""The contract's own documentation, and what each process has to load."""

import json
import re
import subprocess
import sys

import pytest

from callscribe import names
from callscribe.dialects.aivoco import DIALECT, routes
from callscribe.domain.jobs import Job
from callscribe.services.callbacks import Result
from tests.dialects.aivoco.world import DATA, World


def test_the_paths_are_those_that_the_infrastructure_knows() -> None:
    paths = {path for _, path in routes.ROUTES}
    prefix = names.DIALECTS["aivoco"]
    assert {path for path in paths if not path.startswith(f"{prefix}/")} == set(names.OTHER_PATHS["aivoco"])
    assert names.DOCS["aivoco"] in paths


def test_the_openapi_document_describes_the_route_and_all_its_answers(world: World) -> None:
    document = world.get(routes.OPENAPI).json
    assert document["openapi"].startswith("3.1")
    assert list(document["paths"]) == [routes.TRANSCRIBE]
    operation = document["paths"][routes.TRANSCRIBE]["post"]
    statuses = ["200", "400", "401", "402", "404", "405", "413", "429", "500", "503"]
    assert sorted(operation["responses"]) == statuses
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(request["properties"]) == {"api_key", "audio_data", "audio_url", "call_id", "mime_type"}


def test_every_answer_in_the_openapi_document_has_a_body(world: World) -> None:
    responses = world.get(routes.OPENAPI).json["paths"][routes.TRANSCRIBE]["post"]["responses"]
    bodies = {
        status: one["content"]["application/json"]["schema"]["$ref"].split("/")[-1] for status, one in responses.items()
    }
    special = {"200": "TranscribeAnswer", "402": "PaymentRefusal", "503": "WaitRefusal"}
    assert bodies == {status: special.get(status, "Refusal") for status in responses}


def test_every_reference_in_the_openapi_document_leads_somewhere(world: World) -> None:
    text = world.get(routes.OPENAPI).text
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) == set(json.loads(text)["components"]["schemas"])
    assert "ValidationError" not in text
    assert '"422"' not in text


def test_an_answer_has_the_fields_that_the_openapi_document_says(world: World) -> None:
    described = world.get(routes.OPENAPI).json["components"]["schemas"]["TranscribeAnswer"]
    given = world.ask(world.secret(), audio_data=DATA).json
    assert set(given) == set(described["properties"]) == set(described["required"])
    assert re.fullmatch(described["properties"]["timestamp"]["pattern"], given["timestamp"])


def test_the_docs_page_shows_the_document_it_is_made_from(world: World) -> None:
    page = world.get(routes.DOCS)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", page.text) == []
    assert world.get(routes.DOCS, query="format=json").json == world.get(routes.OPENAPI).json


def test_every_answer_forbids_caching_and_sniffing(world: World) -> None:
    for answer in (
        world.get(routes.OPENAPI),
        world.ask(world.secret()),
        world.ask("wrong"),
        world.send(None, path="/x"),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_there_are_no_callbacks(world: World) -> None:
    world.ask(world.secret())
    job = world.store.all(Job)[0]
    assert DIALECT.renderer()(Result(job, None, created_at_ms=0), lambda _: "signature") is None


@pytest.mark.parametrize("late", ["aws_lambda_powertools", "pydantic", "jwt"])
def test_a_process_that_ends_a_job_loads_no_http_framework(late: str) -> None:
    program = (
        "import sys; from callscribe import dialects; dialects.load('aivoco').renderer();"
        f"print([name for name in sys.modules if name.split('.')[0] == '{late}'])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
