"""A task's report in both formats and languages equals its file in golden/; `UPDATE_GOLDEN=1 pytest …` rewrites them."""

import io
import os
import time
from dataclasses import replace

import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.domain.call_facts import Direction
from callscribe.domain.roles import Roles
from callscribe.exports import task_docx, task_txt
from callscribe.exports.task_labels import TASK_LABELS
from callscribe.exports.task_report import Kind, TaskReport
from tests.exports.samples import CALL, segment, transcript
from tests.exports.test_golden import GOLDEN, readable

RENDER = {"txt": task_txt.render, "docx": task_docx.render}
CALL_REPORT = TaskReport(
    kind=Kind.CALL,
    number=17,
    created_at_ms=1_760_949_914_670,
    file_name="rec_2025-10-20_0845.wav",
    operator_name="Ivanov",
    client_id="C-42",
    direction=Direction.INBOUND,
    called_at_ms=1_760_949_900_000,
    call_date="2025-10-20",
    duration_s=996.4,
    answers=(("Did the operator greet?", "Yes"), ("Was the <price> named?", "Only & late")),
    transcript=CALL,
    roles=Roles(frozenset({(0, "0")}), 0.93, "evidence"),
)
VIDEO_REPORT = TaskReport(Kind.VIDEO, 18, 1_760_949_914_670, duration_s=43.0, transcript=CALL)
REPORTS = {"task_call": CALL_REPORT, "task_video": VIDEO_REPORT}
texts = st.text(max_size=40)


@pytest.mark.parametrize("name", RENDER)
@pytest.mark.parametrize("language", TASK_LABELS)
@pytest.mark.parametrize("stem", REPORTS)
def test_the_report_of_a_task_equals_its_golden_file(stem: str, language: str, name: str) -> None:
    path = GOLDEN / f"{stem}_{language}.{name}"
    body = RENDER[name](REPORTS[stem], language)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(body)
    assert readable(name, body) == readable(name, path.read_bytes())


def test_what_is_not_known_is_left_out() -> None:
    text = task_txt.render(TaskReport(Kind.CALL, 1, 0), "en").decode()
    assert text == "Call report, task 1\n\nFacts\nTask created: 1970-01-01 00:00:00 UTC\n"


def test_the_date_of_a_call_stands_for_its_time_where_that_is_not_known() -> None:
    text = task_txt.render(replace(CALL_REPORT, called_at_ms=None, transcript=None), "en").decode()
    assert "Call time: 2025-10-20\n" in text


def test_a_transcript_without_words_says_so() -> None:
    text = task_txt.render(replace(VIDEO_REPORT, transcript=transcript()), "en").decode()
    assert text.endswith("\nTranscript\nThere are no words.\n")


def test_doubtful_roles_are_numbers() -> None:
    doubtful = Roles(frozenset({(0, "0")}), 0.5, "evidence")
    text = task_txt.render(replace(CALL_REPORT, roles=doubtful), "ru").decode()
    assert "Говорящий 0: " in text
    assert "Клиент: thank" not in text


def test_the_same_report_gives_the_same_bytes_whenever_it_is_rendered() -> None:
    first = task_docx.render(CALL_REPORT, "en")
    time.sleep(2.1)  # a zip file counts time in steps of two seconds
    assert task_docx.render(CALL_REPORT, "en") == first


@settings(max_examples=40)
@given(texts, texts, texts, texts)
def test_whatever_was_said_or_answered_the_document_has_the_lines_of_the_text(
    name: str, question: str, answer: str, said: str
) -> None:
    report = TaskReport(
        Kind.CALL,
        1,
        0,
        file_name=name,
        operator_name=name,
        answers=((question, answer),),
        transcript=transcript(segment(said, 0, 1)),
    )
    lines = task_txt.render(report, "en").decode().split("\n")
    written = [paragraph.text for paragraph in Document(io.BytesIO(task_docx.render(report, "en"))).paragraphs]
    assert [line for line in written if line.strip()] == [line for line in lines if line.strip()]
