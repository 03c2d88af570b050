"""The contract's own documentation, transcripts that are too large, and what each process has to load."""

import base64
import hashlib
import json
import re

import pytest

from callscribe import dialects, exports, names
from callscribe.dialects.presign import mapping, routes
from callscribe.dialects.presign.schemas import StoredTranscript
from callscribe.domain.callbacks import sign_body
from callscribe.domain.transcripts import Transcript
from callscribe.services.callbacks import Result
from tests.dialects.conftest import Client
from tests.dialects.presign.world import CALLBACK_URL, TRANSCRIPT, World, long_transcript, parsed


def test_the_openapi_document_describes_every_route_for_clients(world: World) -> None:
    answer = world.anonymous.send("GET", routes.OPENAPI)
    document = answer.json
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    clients = {(method, path.replace("<", "{").replace(">", "}")) for method, path in routes.ROUTES}
    assert described == clients - {("GET", routes.OPENAPI), ("GET", routes.DOCS)}


def test_the_openapi_document_holds_nothing_of_the_librarys_own_answers(world: World) -> None:
    text = world.anonymous.send("GET", routes.OPENAPI).text
    assert "ValidationError" not in text
    assert '"422"' not in text


def test_every_reference_in_the_openapi_document_leads_somewhere(world: World) -> None:
    text = world.anonymous.send("GET", routes.OPENAPI).text
    schemas = json.loads(text)["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named == set(schemas)


def test_the_docs_page_needs_nothing_from_elsewhere_and_its_policy_lets_only_its_own_scripts_run(world: World) -> None:
    answer = world.anonymous.send("GET", routes.DOCS)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", answer.text) == []
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    scripts = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert len(scripts) == 2
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts}
    assert set(policy["script-src"].split()) == hashes


def test_the_docs_page_can_show_the_document_it_is_made_from(world: World) -> None:
    shown = world.anonymous.send("GET", routes.DOCS, query="format=json")
    assert shown.json == world.anonymous.send("GET", routes.OPENAPI).json


def test_P_11_the_longer_a_transcript_the_less_of_it_stands_in_the_answer(world: World, client: Client) -> None:
    job = world.complete(world.request(client))
    kinds = []
    for segments in range(0, 60, 2):
        found = long_transcript(segments, "some words & more")
        body = mapping.transcription(job, found, link=lambda: "https://link.example", inline_bytes=4_000)
        assert len(body.encode()) <= 4_000
        answer = json.loads(body)
        assert len(answer["transcription"]) == (0 if "transcriptionUrl" in answer else segments)
        kinds.append(
            next((kind for kind in ("vttTranscription", "transcriptionUrl") if kind in answer), "segments only")
        )
    order = ["vttTranscription", "segments only", "transcriptionUrl"]
    assert sorted(kinds, key=order.index) == kinds
    assert set(kinds) == set(order)


def test_P_11_a_transcript_too_large_for_an_answer_stands_behind_a_link(world: World, client: Client) -> None:
    request_id = world.request(client)
    job = world.complete(request_id, long_transcript(30_000, "word " * 30))
    answer = world.poll(client, request_id).json
    assert (answer["processingStatus"], answer["transcription"]) == ("COMPLETED", [])
    redirect = world.anonymous.send("GET", answer["transcriptionUrl"].removeprefix("https://callscribe.example"))
    assert world.results.fetch(redirect.headers["location"]) == world.results.read(job.transcript_key)


def test_P_11_whether_a_transcript_has_subtitles_is_decided_before_they_are_made(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def render(name: str, _: Transcript) -> bytes:
        made.append(name)
        return b"WEBVTT"

    monkeypatch.setattr(exports, "render", render)
    job = world.complete(world.request(client))
    for segments, expected in ((2_500, ["vtt"]), (2_501, [])):
        made.clear()
        found = long_transcript(segments, "x" * (mapping.SUBTITLED_CHARACTERS // 2_500))
        answer = json.loads(mapping.transcription(job, found, link=lambda: "https://link.example"))
        assert (made, len(answer["transcription"])) == (expected, segments)


def test_the_openapi_document_names_every_status_that_a_route_can_answer(world: World) -> None:
    paths = world.anonymous.send("GET", routes.OPENAPI).json["paths"]
    documented = {path: set(next(iter(operations.values()))["responses"]) for path, operations in paths.items()}
    assert all({"405", "413"} <= statuses for statuses in documented.values())
    assert "409" in documented[routes.UPLOAD]


def test_the_openapi_document_describes_what_a_transcription_url_opens(world: World, client: Client) -> None:
    document = world.anonymous.send("GET", routes.OPENAPI).json
    link = document["paths"][routes.RESULT_LINK.replace("<", "{").replace(">", "}")]["get"]["responses"]["200"]
    assert link["content"]["application/json"]["schema"]["$ref"].endswith("/StoredTranscript")
    described = document["components"]["schemas"]["StoredTranscript"]
    job = world.complete(world.request(client))
    stored = parsed(world.results.read(job.transcript_key))
    assert set(described["required"]) == set(described["properties"]) == set(stored)
    StoredTranscript.model_validate(stored, extra="forbid", strict=True)


def test_P_06_a_callback_too_large_to_send_carries_a_link(world: World, client: Client) -> None:
    request_id = world.request(client, callbackUrl=CALLBACK_URL)
    world.complete(request_id, long_transcript(40_000, "word " * 30))
    body = parsed(world.callback_body(request_id))
    assert list(body) == ["requestId", "transcription", "transcriptionUrl", "signature", "createdAt"]
    assert body["transcription"] == []
    path = body["transcriptionUrl"].removeprefix("https://callscribe.example")
    assert world.anonymous.send("GET", path).status == 302


@pytest.mark.parametrize("text", ["ünïcödé 你好 🎧", 'quotes " and \\ and \u2028', "<script>", "\x7f\x01"])
def test_P_A4_the_signature_holds_for_any_text(world: World, client: Client, text: str) -> None:
    job = world.complete(world.request(client))
    result = Result(job, long_transcript(2, text), created_at_ms=1_767_225_600_000)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    rendered = world.dialect.renderer()(result, lambda fields: sign_body(fields, secret=secret))
    assert rendered is not None
    body = parsed(rendered)
    signature = body.pop("signature")
    assert body["transcription"][0]["text"] == text
    assert signature == sign_body(body, secret=secret)


def test_every_dialect_can_be_loaded_and_an_unknown_one_cannot() -> None:
    for name in names.DIALECTS:
        assert dialects.load(name).name == name
    with pytest.raises(LookupError, match="presign"):
        dialects.load("nothing")


def test_the_default_transcript_fits_an_answer(world: World, client: Client) -> None:
    request_id = world.request(client)
    world.complete(request_id)
    assert len(world.poll(client, request_id).json["transcription"]) == len(TRANSCRIPT.segments)
