"""The word processor's document, read back by the library that word processors are usually scripted with."""

import io
import subprocess
import sys
import time
from zipfile import ZipFile

from docx import Document
from docx.document import Document as DocumentType
from hypothesis import example, given, settings

from callscribe.domain.roles import Roles
from callscribe.domain.transcripts import Transcript
from callscribe.exports import render
from callscribe.exports.docx import TITLE
from tests.exports.samples import CALL, segment, spoken, transcript
from tests.exports.test_limits import TRANSCRIPTS

ROLES = Roles(frozenset({(0, "0")}), 0.93, "evidence")


def read(given_: Transcript, roles: Roles | None = None) -> DocumentType:
    return Document(io.BytesIO(render("docx", given_, roles=roles)))


def paragraphs(given_: Transcript, roles: Roles | None = None) -> list[str]:
    return [paragraph.text for paragraph in read(given_, roles).paragraphs]


def test_the_document_has_a_title_the_facts_and_a_paragraph_for_every_turn() -> None:
    title, *rest = paragraphs(CALL, ROLES)
    assert title == TITLE
    assert rest[:5] == [
        "Duration: 0:00:43",
        "Language: en",
        "Speakers: Agent, Customer",
        "Role confidence: 0.93 (by evidence)",
        "Recognised by: pocketsphinx en-us",
    ]
    assert rest[5] == "[0:00:00] Agent: thank you for calling the parts desk, how can I help?"
    assert rest[6] == "[0:00:04] Customer: hello, my order has not arrived yet."


@settings(max_examples=40)
@given(TRANSCRIPTS)
@example(transcript(segment("a\ufffe\uffff\x0b\x1fb\ud800 <w:p/> & ]]>", 0, 1)))
def test_the_turns_read_back_are_those_of_the_plain_text(given_: Transcript) -> None:
    turns = render("txt", given_).decode().split("\n")[:-1]
    assert [text for text in paragraphs(given_) if text.startswith("[")] == turns


def test_a_segment_of_which_nothing_can_be_seen_gives_no_paragraph() -> None:
    seen = paragraphs(transcript(segment("yes", 0, 1), segment("no", 2, 3)))
    unseen = segment("\u200b\u200d\u0301", 1, 2, "0")
    assert paragraphs(transcript(segment("yes", 0, 1), unseen, segment("no", 2, 3))) == seen
    assert not [text for text in paragraphs(transcript(unseen)) if text.startswith("[")]


def test_a_warning_of_the_transcript_stands_among_the_facts() -> None:
    warned = Transcript((), None, None, "engine", "model", 1.0, 0.0, ("mind\x00 this",))
    assert paragraphs(warned)[1:] == [
        "Duration: 0:00:01",
        "Language: unknown",
        "Speakers: unknown",
        "Recognised by: engine model",
        "Note: mind this",
    ]


def test_the_same_transcript_gives_the_same_bytes_whenever_it_is_rendered() -> None:
    first = render("docx", CALL)
    time.sleep(2.1)  # a zip file counts time in steps of two seconds
    assert render("docx", CALL) == first
    with ZipFile(io.BytesIO(first)) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_properties_are_ours_and_name_no_date() -> None:
    properties = read(CALL).core_properties
    assert (properties.title, properties.author, properties.language) == (TITLE, "callscribe", "en")
    assert (properties.created, properties.modified, properties.comments) == (None, None, "")


def test_a_call_of_three_hours_is_written_in_seconds() -> None:
    long = transcript(*(spoken("word " * 18, start_s=3.6 * n, word_s=0.15, speaker=str(n % 2)) for n in range(3_000)))
    started_s = time.process_time()
    body = render("docx", long)
    assert time.process_time() - started_s < 5  # measured: 0.4
    assert len(body) < 200_000


def test_the_library_is_loaded_for_this_format_only() -> None:
    script = """
import sys
from callscribe.domain.call_facts import NOTHING_KNOWN
from callscribe.domain.roles import assign
from callscribe.exports import render
from tests.exports.samples import CALL
for name in ("txt", "json", "srt", "vtt"):
    render(name, CALL, roles=assign(CALL, NOTHING_KNOWN))
assert not {"docx", "lxml", "pydantic", "boto3"} & set(sys.modules), sorted(sys.modules)
render("docx", CALL)
assert {"docx", "lxml"} <= set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
