"""The document's own samples, sent by curl as they stand; `scene.py` replaces what a document cannot know."""

import re
from pathlib import Path

import pytest

from tests.dialects.conftest import Answer
from tests.dialects.serving import served
from tests.dialects.transcripto.samples import DOCUMENT, Sample, differences, run, samples
from tests.dialects.transcripto.scene import RECORDING, Scene
from tests.dialects.transcripto.world import World

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# What the document shows of an answer, and says elsewhere that this very request does not get.
NOT_SHOWN = {"POST /user/callreport": ("available_report_count",)}  # only for business reports
# What may be null by the document's words, though its table does not say so.
ALSO_NULL = {"POST /auth/login": {"file_path"}}  # "for audio/calls": other tasks have no file
FILES = {
    "GET /user/callreport/file": (r"application/pdf|text/html.*", r"report_\d+\.(pdf|html)", b"a report"),
    "GET /get_file?file_type=docx_call": (re.escape(WORD), r"call_report_task\d+\.docx", b"PK"),
    "GET /get_file?file_type=txt_call": (r"text/plain; charset=utf-8", r"call_report_task\d+\.txt", b""),
    "GET /get_file?file_type=docx_youtube": (re.escape(WORD), r"youtube_report_task\d+\.docx", b"PK"),
    "GET /get_file?file_type=txt_youtube": (r"text/plain; charset=utf-8", r"youtube_report_task\d+\.txt", b""),
    "GET /get_file?file_type=audio": (r"audio/.+", r"rec_2025-10-01_0750\.wav", b"RIFF"),
}
ANALYSIS = "GET /api/calls_analysis_v2/9360911d-34ce-4e1f-9259-2ba0a1b96ae7"


def send(sample: Sample, world: World, folder: Path) -> tuple[Answer, Scene]:
    """What a sample is answered in a scene of its own."""
    scene = Scene(world, folder)
    with served(world.anonymous.handler) as base_url:
        return run(sample, scene.table(base_url), folder), scene


def of(*routes: str) -> list[Sample]:
    return [sample for sample in samples() if sample.route in routes]


ANSWERED = [sample for sample in samples() if sample.answer is not None and sample.route != ANALYSIS]


@pytest.mark.parametrize("sample", ANSWERED, ids=lambda sample: f"{sample.number} {sample.route}")
def test_T_02_a_sample_of_the_document_is_answered_as_it_shows(world: World, tmp_path: Path, sample: Sample) -> None:
    answer, _ = send(sample, world, tmp_path)
    assert (answer.status, answer.json["success"], answer.json["error_code"]) == (200, True, 0), answer.text
    shown = {key: value for key, value in sample.answer.items() if key not in NOT_SHOWN.get(sample.route, ())}
    assert differences(shown, answer.json, sample.nullable | ALSO_NULL.get(sample.route, set())) == []


@pytest.mark.parametrize("sample", of(*FILES), ids=lambda sample: f"{sample.number} {sample.route}")
def test_T_35_T_36_a_sample_that_asks_for_a_file_gets_it(world: World, tmp_path: Path, sample: Sample) -> None:
    answer, _ = send(sample, world, tmp_path)
    media_type, file_name, begins = FILES[sample.route]
    assert answer.status == 200
    assert re.fullmatch(media_type, answer.headers["content-type"]), answer.text
    assert re.fullmatch(f'attachment; filename="{file_name}".*', answer.headers["content-disposition"])
    assert answer.content.startswith(begins)
    assert answer.content


def test_T_20_the_sample_that_asks_for_an_analysis_is_told_that_there_is_none_yet(world: World, tmp_path: Path) -> None:
    (sample,) = of(ANALYSIS)
    answer, _ = send(sample, world, tmp_path)
    assert (answer.status, answer.json["success"], answer.json["error_code"]) == (200, False, 4057)


def test_T_02_no_sample_of_the_document_is_left_out() -> None:
    commands = len(re.findall(r"^curl ", DOCUMENT.read_text(), re.MULTILINE))
    assert commands == len(samples()) == 40
    assert len(ANSWERED) + len(of(*FILES)) + len(of(ANALYSIS)) == commands


def test_T_17_the_sample_of_a_report_shows_what_only_a_business_report_is_answered(
    world: World, tmp_path: Path
) -> None:
    scene = Scene(world, tmp_path)
    (sample,) = of("POST /user/callreport")
    with served(world.anonymous.handler) as base_url:
        table = {**scene.table(base_url), '"report_type": "standard"': '"report_type": "business"'}
        answer = run(sample, table, tmp_path)
    assert differences(sample.answer, answer.json, sample.nullable) == []


@pytest.mark.parametrize("sample", of("POST /addtaskcall", "POST /addtaskaudio"), ids=lambda sample: sample.route)
def test_T_12_T_14_the_bytes_of_a_samples_file_are_the_tasks_audio(
    world: World, tmp_path: Path, sample: Sample
) -> None:
    answer, _ = send(sample, world, tmp_path)
    assert world.uploads.read(world.job(answer.json["code"]).audio_key) == RECORDING.read_bytes()


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, "answer lacks id"),
        ({"id": "1"}, "answer.id is '1', shown is 1"),
        ({"id": True}, "answer.id is True, shown is 1"),
        ({"id": None}, "answer.id is None, shown is 1"),
    ],
)
def test_what_an_answer_lacks_is_seen(given: object, wrong: str) -> None:
    assert differences({"id": 1}, given, frozenset()) == [wrong]


def test_a_time_in_another_form_an_empty_list_and_a_null_that_is_not_documented_are_seen() -> None:
    shown = {"at": "2025-10-20T12:35:41Z", "items": [{"by": "a", "of": 1.5}], "tree": {"2025": {"10": {"01": 2}}}}
    good = {"at": "2026-01-01T00:00:00Z", "items": [{"by": None, "of": 1}], "tree": {"2026": {"01": {"31": 9}}}}
    assert differences(shown, good, frozenset({"by"})) == []
    for key, value in {"at": "2026-01-01T00:00:00+00:00", "items": [], "tree": {"2026": {"1": {"31": 9}}}}.items():
        assert len(differences(shown, {**good, key: value}, frozenset({"by"}))) == 1
    assert differences(shown, good, frozenset()) == ["answer.items.by is None, shown is 'a'"]
