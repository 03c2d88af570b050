"""Each export of one call equals the file in golden/; `UPDATE_GOLDEN=1 pytest …` rewrites the files."""

import os
from pathlib import Path

import pytest

from callscribe.errors import Invalid
from callscribe.exports import EXPORTS, render
from tests.exports.samples import CALL, transcript

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", EXPORTS)
def test_the_export_of_a_call_equals_its_golden_file(name: str) -> None:
    path = GOLDEN / f"call.{name}"
    body = render(name, CALL)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(body)
    assert body.decode() == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "body"), [("txt", b""), ("srt", b""), ("vtt", b"WEBVTT\n")])
def test_an_empty_transcript_gives_a_valid_empty_file(name: str, body: bytes) -> None:
    assert render(name, transcript()) == body


def test_an_unknown_format_is_refused_with_the_known_ones_named() -> None:
    with pytest.raises(Invalid, match="txt, json, srt, vtt"):
        render("exe", CALL)
