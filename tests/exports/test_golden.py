"""Each export of one call equals the file in golden/; `UPDATE_GOLDEN=1 pytest …` rewrites the files."""

import io
import json
import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from callscribe.domain.roles import Roles
from callscribe.errors import Invalid
from callscribe.exports import EXPORTS, MEDIA_TYPES, render
from callscribe.exports.labels import LEAST_CONFIDENCE
from tests.exports.samples import CALL, transcript

GOLDEN = Path(__file__).parent / "golden"
AGENT = frozenset({(0, "0")})
ROLES = Roles(AGENT, 0.93, "evidence")
DOUBTFUL = Roles(AGENT, LEAST_CONFIDENCE - 0.01, "evidence")


def readable(name: str, body: bytes) -> str | dict[str, tuple[str, object]]:
    """Text as it is; a zip file by its members, because compressors differ from one build of Python to the next."""
    if name != "docx":
        return body.decode()
    with ZipFile(io.BytesIO(body)) as file:
        return {info.filename: (file.read(info).decode("latin-1"), info.date_time) for info in file.infolist()}


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize(("stem", "roles"), [("call", None), ("call_roles", ROLES)])
def test_the_export_of_a_call_equals_its_golden_file(name: str, stem: str, roles: Roles | None) -> None:
    path = GOLDEN / f"{stem}.{name}"
    body = render(name, CALL, roles=roles)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(body)
    assert readable(name, body) == readable(name, path.read_bytes())


@pytest.mark.parametrize(("name", "body"), [("txt", b""), ("srt", b""), ("vtt", b"WEBVTT\n")])
def test_an_empty_transcript_gives_a_valid_empty_file(name: str, body: bytes) -> None:
    assert render(name, transcript()) == body


def test_an_unknown_format_is_refused_with_the_known_ones_named() -> None:
    with pytest.raises(Invalid, match="txt, json, srt, vtt, docx"):
        render("exe", CALL)


def test_every_format_has_a_media_type_and_every_text_says_how_it_is_encoded() -> None:
    assert MEDIA_TYPES.keys() == EXPORTS.keys()
    assert all("charset=utf-8" in MEDIA_TYPES[name] for name in ("txt", "srt", "vtt"))


@pytest.mark.parametrize("name", ["txt", "srt", "vtt"])
def test_doubtful_roles_are_not_printed(name: str) -> None:
    assert render(name, CALL, roles=DOUBTFUL) == render(name, CALL)
    assert b"Speaker 1" not in render(name, CALL, roles=ROLES)
    assert b"Customer" in render(name, CALL, roles=ROLES)


def test_json_says_the_roles_and_how_sure_they_are_even_where_they_are_doubtful() -> None:
    document = json.loads(render("json", CALL, roles=DOUBTFUL))
    assert (document["role_confidence"], document["role_source"]) == (DOUBTFUL.confidence, "evidence")
    agents = {entry["speaker"] for entry in document["segments"] if entry["role"] == "agent"}
    customers = {entry["speaker"] for entry in document["segments"] if entry["role"] == "customer"}
    assert (agents, customers) == ({"0"}, {"1", None})
    assert "role_confidence" not in json.loads(render("json", CALL))
