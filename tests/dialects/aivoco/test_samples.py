"""The document's own samples, run by the clients that they are written for, against the handler in memory."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from callscribe.services import recordings
from tests.dialects.aivoco import samples
from tests.dialects.aivoco.samples import Substitution
from tests.dialects.aivoco.world import URL, World, said, wav
from tests.dialects.serving import served

CALL_ID = "4711"


@pytest.fixture
def substitution(world: World) -> Iterator[Substitution]:
    tenant_id = world.tenant()
    recordings.add(world.deps, tenant_id=tenant_id, recording_id=CALL_ID, url=URL)
    with served(world.handler) as base_url:
        yield Substitution(base_url, world.secret(tenant_id), CALL_ID, URL, wav(1.0, tone=257))


def test_A_01_the_curl_sample_prints_the_documented_answer(tmp_path: Path, substitution: Substitution) -> None:
    answer = json.loads(samples.run("curl", substitution, tmp_path))
    assert list(answer) == [*json.loads(samples.ANSWER), "roles_confidence"]
    assert answer["transcription"].startswith("AI: Hello, this is an AI assistant")


def test_A_01_the_python_sample_prints_transcription_and_credits(tmp_path: Path, substitution: Substitution) -> None:
    lines = samples.run("python", substitution, tmp_path).splitlines()
    assert lines[0] == "Transcription:"
    assert [line.split(":")[0] for line in lines[1:-1]] == ["AI", "User"]
    assert lines[-1] == "Credits used: 0.0"


def test_A_01_the_javascript_sample_prints_the_transcription(
    tmp_path: Path, substitution: Substitution, world: World
) -> None:
    assert samples.run("javascript", substitution, tmp_path).startswith("Transcription: AI: Hello")
    assert world.inspector.inspected == [substitution.audio]  # type: ignore[attr-defined]  # a MemoryInspector


@pytest.mark.parametrize("name", ["python", "javascript"])
def test_A_06_a_sample_with_a_wrong_key_prints_the_documented_error(
    tmp_path: Path, substitution: Substitution, name: str
) -> None:
    wrong = Substitution(substitution.base_url, "wrong", CALL_ID, URL, substitution.audio)
    assert samples.run(name, wrong, tmp_path).strip() == "Error: Invalid API key"


@pytest.mark.parametrize("sample", [samples.BASE_REQUEST, samples.URL_REQUEST, samples.LOG_REQUEST])
def test_A_01_every_request_body_of_the_document_is_taken(
    world: World, substitution: Substitution, sample: str
) -> None:
    answer = world.send(substitution(sample).encode())
    assert answer.status == 200
    assert "x-callscribe-leniency" not in answer.headers


def test_A_04_the_documents_example_conversation_is_written_as_it_shows(world: World) -> None:
    lines = [line.split(": ", 1) for line in samples.CONVERSATION.split("\n")]
    assert len(lines) == 8
    spoken = []
    for at, (label, text) in enumerate(lines):
        unsure = [0.1] if text.startswith("[unclear]") else []
        spoken.append(said(text.replace("[unclear]", "mumble"), 5.0 * at, "0" if label == "AI" else "1", *unsure))
    world.hears(*spoken)
    assert world.ask(world.secret()).json["transcription"] == samples.CONVERSATION
