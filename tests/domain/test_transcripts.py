"""The stored form of transcripts and chats: there and back, and nothing but ValueError for other documents."""

import json
from typing import Any

import pytest

from callscribe.domain import chats, transcripts
from callscribe.domain.transcripts import Segment, Transcript, Word

SAID = Transcript(
    (Segment("hello", 0.0, 1.0, 0, "0", 0.5, (Word("hello", 0.0, 1.0, None),)),), "en", 1.0, "e", "m", 2.0, 1.0
)


SEGMENT = json.loads(transcripts.to_json(SAID))["segments"][0]


def stored(**changed: Any) -> bytes:
    document = json.loads(transcripts.to_json(SAID)) | changed
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def test_a_transcript_comes_back_as_it_was() -> None:
    assert transcripts.from_json(transcripts.to_json(SAID)) == SAID


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"\xff",
        b"[]",
        b"5",
        b"null",
        b"[" * 100_000,
        stored(schema=2),
        stored(schema=...),
        stored(segments=...),
        stored(segments=5),
        stored(segments=[{"text": "x"}]),
        stored(segments=[5]),
        *(stored(segments=[SEGMENT | {"text": text}]) for text in (5, None, ["a"])),
        b'{"messages": [{"text": 5}]}',
        b'{"messages": [{"text": null}]}',
        stored(warnings=...),
        stored(engine=...),
        stored(more=1),
    ],
)
def test_every_other_document_is_a_ValueError(body: bytes) -> None:
    for read in (transcripts.from_json, chats.from_json):
        with pytest.raises(ValueError, match="not a"):
            read(body)
