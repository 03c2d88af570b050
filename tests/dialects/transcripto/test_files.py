"""Files of tasks: rows T-35, T-36, T-03, T-A13 and T-A14."""

import base64
import io
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from docx import Document
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callscribe.dialects import sending
from callscribe.dialects.transcripto.documenting import LedTo
from callscribe.dialects.transcripto.files.mapping import (
    CONTAINERS,
    FILE_TYPES,
    NO_CONTAINER,
    audio_file,
    period_report,
)
from callscribe.domain.accounts import Scope, Tenant
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import delete
from callscribe.domain.task_facts import ChecklistAnswer
from callscribe.errors import CallscribeError
from callscribe.ports import Settings
from callscribe.services import erasure
from tests.dialects.conftest import Client, http_event
from tests.dialects.pipeline import TRANSCRIPT
from tests.dialects.transcripto.world import AUDIO, UNKNOWN, VIDEO_URL, World, multipart

GET_FILE = "/get_file"
REPORT_FILE = "/user/callreport/file"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def ask(client: Client, path: str = GET_FILE, *, language: str = "", **parameters: object) -> dict[str, Any]:
    """The raw answer of the handler: files may be no text."""
    carried = {} if client.token is None else {"authorization": f"Bearer {client.token}"}
    headers = {**carried, **({"accept-language": language} if language else {})}
    return client.handler(http_event("GET", path, headers=headers, query=urlencode(parameters)), None)


def body_of(answer: Mapping[str, Any]) -> bytes:
    body = str(answer["body"])
    return base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()


def led_to(answer: Mapping[str, Any]) -> str:
    """Where a redirect leads to, which its body says, too: not every client follows one."""
    body = json.loads(answer["body"])
    LedTo.model_validate(body)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (302, "application/json")
    assert (body["success"], body["error_code"], body["url"]) == (True, 0, answer["headers"]["Location"])
    assert "too large" in body["message"]
    return str(body["url"])


def refused(client: Client, path: str = GET_FILE, **parameters: object) -> int:
    answer = client.send("GET", path, query=urlencode(parameters))
    assert (answer.status, answer.json["success"]) == (200, False), answer.text
    assert "content-disposition" not in answer.headers
    return int(answer.json["error_code"])


def answered_call(world: World, client: Client, **how: Any) -> Job:
    """A completed call to which a question of the client's was answered."""
    made = client.send("POST", "/checklist", fields={"question": "Did they greet?"}).json["data"]["id"]
    code = world.completed(client, **{"file_name": "rec.wav", "operator_name": "Ivanov", "call_type": "inbound", **how})
    answers = [{"checklist_id": made, "answer": "Yes"}]
    answered = client.send("POST", f"/checklist/answer/{world.job(code).number}", fields=answers)
    assert answered.json["error_code"] == 0, answered.text
    return world.job(code)


def video(world: World, client: Client) -> str:
    return world.made(client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL}))


def report(world: World, client: Client, **files: bytes) -> Job:
    """A report's task, and the files that a later part of the pipeline will make of it, by their endings."""
    made = client.send("POST", "/user/callreport", fields={"start_date": "2025-10-01", "end_date": "2025-10-31"})
    job = world.job(world.made(made))
    for ending, body in files.items():
        world.results.put(f"{job.results_prefix}report_{job.number}.{ending}", body)
    return job


# --- T-36: reports on a task


def test_T_36_a_calls_report_as_text_has_facts_answers_and_what_was_said(world: World, client: Client) -> None:
    job = answered_call(world, client, call_datetime="2025-10-20T11:45:00+03:00", client_id="C-42")
    answer = ask(client, file_type="txt_call", task_code=job.id)
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["headers"]["Content-Disposition"] == f'attachment; filename="call_report_task{job.number}.txt"'
    assert body_of(answer).decode() == (
        f"Call report, task {job.number}\n\nFacts\nFile: rec.wav\nOperator: Ivanov\nClient: C-42\nDirection: inbound\n"
        "Call time: 2025-10-20 08:45:00 UTC\nTask created: 2026-01-01 00:00:00 UTC\nDuration: 0:00:10\nLanguage: en\n"
        "\nChecklist\nDid they greet?: Yes\n"
        "\nTranscript\n[0:00:00] Operator: good morning\n[0:00:02] Customer: I need help\n[0:00:03] Operator: of course\n"
    )


def test_T_36_a_calls_report_as_a_document_tells_the_same(world: World, client: Client) -> None:
    job = answered_call(world, client)
    answer = ask(client, file_type="docx_call", task_code=job.id)
    assert answer["headers"]["Content-Type"] == DOCX
    assert answer["headers"]["Content-Disposition"] == f'attachment; filename="call_report_task{job.number}.docx"'
    written = [paragraph.text for paragraph in Document(io.BytesIO(body_of(answer))).paragraphs]
    text = body_of(ask(client, file_type="txt_call", task_code=job.id)).decode()
    assert written == [line for line in text.split("\n") if line]


def test_T_03_a_report_is_written_in_the_language_that_is_asked_for(world: World, client: Client) -> None:
    job = answered_call(world, client)
    text = body_of(ask(client, language="ru, en;q=0.5", file_type="txt_call", task_code=job.id)).decode()
    assert text.startswith(f"Отчёт по звонку, задача {job.number}\n")
    assert "Направление: входящий\n" in text
    assert "Оператор: good morning\n" in text


def test_T_36_answers_are_enough_for_a_report_before_there_is_a_transcript(world: World, client: Client) -> None:
    job = answered_call(world, client)
    world.results.erase(job.results_prefix)
    text = body_of(ask(client, file_type="txt_call", task_code=job.id)).decode()
    assert "Did they greet?: Yes" in text
    assert "Transcript" not in text


@pytest.mark.parametrize("file_type", ["docx_call", "txt_call"])
def test_T_36_a_call_without_answers_and_analysis_is_4057(world: World, client: Client, file_type: str) -> None:
    assert refused(client, file_type=file_type, task_code=world.completed(client)) == 4057


@pytest.mark.parametrize("file_type", ["docx_call", "txt_call"])
def test_T_36_a_calls_report_of_anything_else_is_4056(world: World, client: Client, file_type: str) -> None:
    chat = world.add_chat(client)
    for code in (chat, video(world, client), report(world, client).id):
        assert refused(client, file_type=file_type, task_code=code) == 4056


def test_T_36_a_videos_reports_have_its_text_with_speakers(world: World, client: Client) -> None:
    code = video(world, client)
    number = world.carry_on(code).number
    text = ask(client, file_type="txt_youtube", task_code=code)
    assert text["headers"]["Content-Disposition"] == f'attachment; filename="youtube_report_task{number}.txt"'
    assert body_of(text).decode().startswith(f"Video report, task {number}\n")
    assert "Speaker 0: good morning\n" in body_of(text).decode()
    document = ask(client, file_type="docx_youtube", task_code=code)
    assert document["headers"]["Content-Disposition"] == f'attachment; filename="youtube_report_task{number}.docx"'
    written = [paragraph.text for paragraph in Document(io.BytesIO(body_of(document))).paragraphs]
    assert written == [line for line in body_of(text).decode().split("\n") if line]


@pytest.mark.parametrize("file_type", ["docx_youtube", "txt_youtube"])
def test_T_36_of_a_videos_report_type_status_and_data_are_judged_in_this_order(
    world: World, client: Client, file_type: str
) -> None:
    assert refused(client, file_type=file_type, task_code=world.completed(client)) == 4061
    code = video(world, client)
    assert refused(client, file_type=file_type, task_code=code) == 4062
    job = world.carry_on(code)
    world.results.erase(job.results_prefix)
    assert refused(client, file_type=file_type, task_code=code) == 4057


def test_T_36_without_its_library_a_document_is_4070_and_text_is_still_made(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = answered_call(world, client)
    for name in ("task_docx", "word"):
        monkeypatch.delitem(sys.modules, f"callscribe.exports.{name}", raising=False)
        monkeypatch.delattr(f"callscribe.exports.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "docx", None)
    assert refused(client, file_type="docx_call", task_code=job.id) == 4070
    assert ask(client, file_type="txt_call", task_code=job.id)["headers"]["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("file_type", FILE_TYPES)
def test_T_36_without_a_task_code_it_is_4045_and_an_unknown_one_is_4021(
    world: World, client: Client, file_type: str
) -> None:
    theirs = answered_call(world, world.client()).id
    assert refused(client, file_type=file_type) == 4045
    assert refused(client, file_type=file_type, task_code=" ") == 4045
    for code in (UNKNOWN, theirs, "99", "zz", "x" * 3_000, "\x00"):
        assert refused(client, file_type=file_type, task_code=code) == 4021


@pytest.mark.parametrize("file_type", ["", "docx", "AUDIO", "txt_call,audio", "../audio", "\r\nX: y"])
def test_T_36_another_file_type_is_4047(world: World, client: Client, file_type: str) -> None:
    assert refused(client, file_type=file_type, task_code=world.completed(client)) == 4047


def test_T_36_without_a_token_it_is_4023(world: World, client: Client) -> None:
    code = answered_call(world, client).id
    assert refused(world.anonymous, file_type="txt_call", task_code=code) == 4023


def test_T_36_a_report_that_is_too_large_for_an_answer_is_led_to() -> None:
    world = World(settings=Settings(public_base_url="https://callscribe.example", videos=True, inline_body_bytes=600))
    client = world.client()
    said = replace(TRANSCRIPT, segments=TRANSCRIPT.segments * 20)
    job = answered_call(world, client, transcript=said)
    answer = ask(client, file_type="txt_call", task_code=job.id)
    location = led_to(answer)
    assert location.split("?")[0].endswith(f"/call_report_task{job.number}.txt")
    assert world.results.fetch(location).startswith(b"Call report")


def test_T_03_a_russian_client_is_led_to_it_in_russian() -> None:
    world = World(settings=Settings(public_base_url="https://callscribe.example", videos=True, inline_body_bytes=600))
    client = world.client()
    job = answered_call(world, client, transcript=replace(TRANSCRIPT, segments=TRANSCRIPT.segments * 20))
    answer = ask(client, language="ru", file_type="txt_call", task_code=job.id)
    assert (answer["statusCode"], "слишком велик" in json.loads(answer["body"])["message"]) == (302, True)


# --- T-36: the recording


@pytest.mark.parametrize("kind", ["audio", "youtubenew"])
def test_T_36_the_sound_of_another_recording_and_of_a_video_comes_back_too(
    world: World, client: Client, kind: str
) -> None:
    if kind == "audio":
        made = client.send("POST", "/addtaskaudio", **multipart(file_name="talk.wav"))
    else:
        made = client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL})
    code = world.made(made)
    job = world.carry_on(code)
    answer = ask(client, file_type="audio", task_code=code)
    assert body_of(answer) == world.uploads.read(job.audio_key)
    assert answer["headers"]["Content-Type"].startswith("audio/")
    assert kind != "audio" or body_of(answer) == AUDIO


def test_T_36_the_recording_comes_back_as_it_was_sent(world: World, client: Client) -> None:
    code = world.completed(client, file=b"RIFF \x00\xff bytes", file_name="q-888-060501523.wav")
    answer = ask(client, file_type="audio", task_code=code)
    assert body_of(answer) == b"RIFF \x00\xff bytes"
    assert answer["headers"]["Content-Type"] == "audio/wav"
    assert answer["headers"]["Content-Disposition"] == 'attachment; filename="q-888-060501523.wav"'


def test_T_36_the_version_that_was_transcribed_is_sent_whatever_came_later(world: World, client: Client) -> None:
    code = world.completed(client)
    world.uploads.put(world.job(code).audio_key, b"something else")
    assert body_of(ask(client, file_type="audio", task_code=code)) == AUDIO


def test_T_36_a_recording_that_is_gone_is_4046(world: World, client: Client) -> None:
    code = world.completed(client)
    world.uploads.erase(world.job(code).audio_key)
    assert refused(client, file_type="audio", task_code=code) == 4046


def test_T_36_what_has_no_recording_is_4046(world: World, client: Client) -> None:
    chat = world.add_chat(client)
    world.carry_on(chat)
    for code in (chat, report(world, client).id, video(world, client)):
        assert refused(client, file_type="audio", task_code=code) == 4046


def test_T_36_a_note_that_came_in_place_of_a_video_is_no_recording(world: World, client: Client) -> None:
    code = video(world, client)
    job = world.change(code, state=JobState.FAILED)
    world.uploads.put(job.audio_key, b'{"refused": "by the site"}')
    assert refused(client, file_type="audio", task_code=code) == 4046


def test_T_36_a_recording_that_is_too_large_for_an_answer_is_led_to_by_its_own_name() -> None:
    world = World(settings=Settings(public_base_url="https://callscribe.example", inline_body_bytes=1_000))
    client = world.client()
    code = world.completed(client, file_name="rec.wav")
    body = AUDIO * 100
    job = world.change(code, audio_version_id=world.uploads.put(world.job(code).audio_key, body))
    world.uploads.put(job.audio_key, b"something else")
    answer = ask(client, file_type="audio", task_code=code)
    location = led_to(answer)
    assert world.uploads.fetch(location) == body
    how = world.uploads.sent_as(location)
    assert (how.version_id, how.media_type) == (job.audio_version_id, "audio/wav")
    assert how.disposition == 'attachment; filename="rec.wav"'


@pytest.mark.parametrize(("container", "known"), [*CONTAINERS.items(), ("surprise", NO_CONTAINER)])
def test_T_36_the_media_type_is_the_containers_and_a_recording_without_a_name_gets_one(
    world: World, client: Client, container: str, known: tuple[str, str]
) -> None:
    job = world.job(world.completed(client))
    assert job.audio is not None
    assert job.task is not None
    nameless = replace(job, audio=replace(job.audio, container=container), task=replace(job.task, file_name=None))
    assert audio_file(nameless) == (f"task{job.number}.{known[0]}", known[1])
    assert audio_file(replace(nameless, audio=None)) == (f"task{job.number}.bin", "application/octet-stream")


def test_T_36_every_container_that_is_accepted_has_a_media_type() -> None:
    from typing import get_args

    from callscribe.media.sniff import Container

    assert set(CONTAINERS) == set(get_args(Container))


HOSTILE = [
    'a"b.wav',
    "a\r\nSet-Cookie: x=y\r\n.wav",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "запись звонка.mp3",
    "\u202egnp.wav",
    "a;filename=b.exe",
    "100%41.wav",
    "\ud800.wav",
    "x" * 400 + ".wav",
    "." * 300,
    "\x00",
    "",
    "/",
    "name." + "y" * 300,
    "'; filename*=UTF-8''evil",
]


@settings(max_examples=300)
@given(st.text(max_size=60))
@example(HOSTILE[0])
def test_T_36_no_name_of_a_file_leaves_its_header(name: str) -> None:
    require_safe(sending.attachment(name))


@pytest.mark.parametrize("name", HOSTILE)
def test_T_36_a_hostile_name_stays_a_name(name: str) -> None:
    require_safe(sending.attachment(name))


def require_safe(header: str) -> None:
    """One quoted name and perhaps one in RFC 8187's form, in printable ASCII, neither with a path."""
    assert header.isascii()
    assert header.isprintable()
    assert len(header) < 2_200
    head, quoted, rest = header.split('"')
    assert head == "attachment; filename="
    assert quoted
    assert not set(quoted) & set('"\\%/')
    if rest:
        assert rest.startswith("; filename*=UTF-8''")
        whole = unquote(rest.removeprefix("; filename*=UTF-8''"), errors="strict")
        assert whole == PurePosixPath(whole).name
        assert ";" not in rest[1:]


def test_T_36_a_name_that_is_not_ascii_is_said_whole_for_clients_that_can_read_it(world: World, client: Client) -> None:
    job = world.job(world.completed(client))
    assert job.task is not None
    world.change(job.id, task=replace(job.task, file_name="звонок 1.wav"))
    header = ask(client, file_type="audio", task_code=job.id)["headers"]["Content-Disposition"]
    assert header.startswith('attachment; filename="______ 1.wav"; ')
    assert unquote(header.partition("UTF-8''")[2]) == "звонок 1.wav"


@pytest.mark.parametrize("name", HOSTILE)
def test_T_36_a_hostile_name_of_a_task_breaks_no_answer(world: World, client: Client, name: str) -> None:
    job = answered_call(world, client)
    assert job.task is not None
    world.change(job.id, task=replace(job.task, file_name=name, operator_name=name))
    require_safe(ask(client, file_type="audio", task_code=job.id)["headers"]["Content-Disposition"])
    for file_type in ("txt_call", "docx_call"):
        answer = ask(client, file_type=file_type, task_code=job.id)
        assert answer["headers"]["Content-Disposition"].startswith('attachment; filename="call_report_task')
        assert "Set-Cookie" not in answer["headers"]


# --- T-35: reports on a time


@pytest.mark.parametrize(("ending", "media_type"), [("pdf", "application/pdf"), ("html", "text/html; charset=utf-8")])
def test_T_35_who_knows_a_reports_code_gets_its_file_without_a_token(
    world: World, client: Client, ending: str, media_type: str
) -> None:
    job = report(world, client, **{ending: b"%PDF \xff or <html>"})
    name = f"report_{job.number}.{ending}"
    for code in (job.id, job.id.upper()):
        answer = ask(world.anonymous, REPORT_FILE, task_code=code, filename=name)
        assert (answer["statusCode"], body_of(answer)) == (200, b"%PDF \xff or <html>")
        assert answer["headers"]["Content-Type"] == media_type
        assert answer["headers"]["Content-Disposition"] == f'attachment; filename="{name}"'
        assert answer["headers"]["X-Content-Type-Options"] == "nosniff"


def test_T_35_a_page_may_run_and_load_nothing(world: World, client: Client) -> None:
    job = report(world, client, html=b"<script>alert(1)</script>")
    answer = ask(world.anonymous, REPORT_FILE, task_code=job.id, filename=f"report_{job.number}.html")
    policy = answer["headers"]["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy.split("; ")
    assert "script-src" not in policy


@pytest.mark.parametrize(
    "missing", [{}, {"task_code": UNKNOWN}, {"filename": "report_1.pdf"}, {"task_code": " ", "filename": ""}]
)
def test_T_35_without_code_or_name_it_is_4001(world: World, missing: dict[str, str]) -> None:
    assert refused(world.anonymous, REPORT_FILE, **missing) == 4001


@pytest.mark.parametrize(
    "name",
    ["report.pdf", "report_1.exe", "report_x.pdf", "report_1.pdf ", "transcript.json", "report_１.pdf", "REPORT_1.PDF",
     "report_1.html.pdf", "report_" + "1" * 16 + ".pdf", 'report_1".pdf'],
)  # fmt: skip
def test_T_35_another_name_is_4002(world: World, client: Client, name: str) -> None:
    job = report(world, client, pdf=b"a report")
    assert refused(world.anonymous, REPORT_FILE, task_code=job.id, filename=name) == 4002


@pytest.mark.parametrize(
    "name",
    ["../report_1.pdf", "/report_1.pdf", "a/report_1.pdf", "..\\report_1.pdf", "report_1.pdf\x00", "report_1.pdf\r\nX: y",
     "%2e%2e%2freport_1.pdf", "report_1..pdf", "\n", ".."],
)  # fmt: skip
def test_T_35_a_name_that_leads_elsewhere_is_4003(world: World, client: Client, name: str) -> None:
    job = report(world, client, pdf=b"a report")
    world.results.put(f"{job.results_prefix}{name}", b"a trap")
    assert refused(world.anonymous, REPORT_FILE, task_code=job.id, filename=name) == 4003


@settings(max_examples=300)
@given(st.text(max_size=30) | st.from_regex(r"report_\d+\.(pdf|html|txt)", fullmatch=True))
def test_T_35_only_plain_names_of_reports_are_taken(name: str) -> None:
    try:
        period_report(name)
    except CallscribeError:
        return
    assert name.isascii()
    assert PurePosixPath(name).name == name
    assert name.startswith("report_")


@pytest.mark.parametrize("code", [UNKNOWN, "1", "zz", "x" * 3_000, "' OR 1", "\x00"])
def test_T_35_an_unknown_code_is_4041(world: World, client: Client, code: str) -> None:
    report(world, client, pdf=b"a report")
    assert refused(world.anonymous, REPORT_FILE, task_code=code, filename="report_1.pdf") == 4041


def test_T_A14_a_code_that_can_be_guessed_opens_a_report_by_a_token_of_its_tenant_and_by_nothing_else(
    world: World, client: Client
) -> None:
    for _ in range(9):
        world.add_chat(client)
    job = report(world, client, pdf=b"a report")
    name = f"report_{job.number}.pdf"
    assert (job.number, job.task is None) == (10, False)
    same_tenant = world.client(tenant_id=job.tenant_id)
    stranger = world.client()
    for code in (job.number, f"0{job.number}", "a", "A", job.id.upper()):
        for asking in (client, same_tenant):
            assert body_of(ask(asking, REPORT_FILE, task_code=code, filename=name)) == b"a report"
    for code in (job.number, f"0{job.number}", "a", "A"):
        for asking in (world.anonymous, stranger, client.with_token("no token")):
            assert refused(asking, REPORT_FILE, task_code=code, filename=name) == 4041


def test_T_A14_a_token_opens_by_a_short_code_nothing_but_a_report_and_needs_the_right_to_read(
    world: World, client: Client
) -> None:
    call = world.job(world.completed(client))
    world.results.put(f"{call.results_prefix}report_{call.number}.pdf", b"a trap")
    assert refused(client, REPORT_FILE, task_code=call.number, filename=f"report_{call.number}.pdf") == 4041
    job = report(world, client, pdf=b"a report")
    writer = world.client(tenant_id=job.tenant_id, scopes=frozenset({Scope.TRANSCRIBE}))
    assert refused(writer, REPORT_FILE, task_code=job.number, filename=f"report_{job.number}.pdf") == 4041


def test_T_35_the_uuid_is_the_right_whatever_token_comes_with_it(world: World, client: Client) -> None:
    job = report(world, client, pdf=b"a report")
    for asking in (world.client(), client.with_token("no token")):
        answer = ask(asking, REPORT_FILE, task_code=job.id, filename=f"report_{job.number}.pdf")
        assert body_of(answer) == b"a report"


def test_T_36_a_report_on_a_video_names_no_operator(world: World, client: Client) -> None:
    code = video(world, client)
    world.carry_on(code)
    text = body_of(ask(client, file_type="txt_youtube", task_code=code)).decode()
    assert "File:" in text
    assert "Operator: global" not in text


def test_T_35_the_code_of_another_kind_of_task_opens_nothing(world: World, client: Client) -> None:
    job = world.job(world.completed(client))
    world.results.put(f"{job.results_prefix}report_{job.number}.pdf", b"a trap")
    assert refused(world.anonymous, REPORT_FILE, task_code=job.id, filename=f"report_{job.number}.pdf") == 4041


def test_T_35_a_file_that_is_not_there_is_4043(world: World, client: Client) -> None:
    job = report(world, client)
    for name in (f"report_{job.number}.pdf", "report_999.html"):
        assert refused(world.anonymous, REPORT_FILE, task_code=job.id, filename=name) == 4043


def test_T_35_a_report_whose_owner_is_gone_is_4044(world: World, client: Client) -> None:
    job = report(world, client, pdf=b"a report")
    tenant = world.store.get(Tenant, job.tenant_id)
    assert tenant is not None
    world.store.commit(delete(tenant))
    assert refused(world.anonymous, REPORT_FILE, task_code=job.id, filename=f"report_{job.number}.pdf") == 4044


def test_T_35_a_report_that_was_deleted_is_4041(world: World, client: Client) -> None:
    job = report(world, client, pdf=b"a report")
    erasure.erase_job(world.deps, tenant_id=job.tenant_id, job_id=job.id)
    assert refused(world.anonymous, REPORT_FILE, task_code=job.id, filename=f"report_{job.number}.pdf") == 4041


def test_T_35_a_report_that_is_too_large_for_an_answer_is_led_to() -> None:
    world = World(settings=Settings(public_base_url="https://callscribe.example", inline_body_bytes=1_000))
    job = report(world, world.client(), html=b"<html>" * 1_000)
    name = f"report_{job.number}.html"
    answer = ask(world.anonymous, REPORT_FILE, task_code=job.id, filename=name)
    how = world.results.sent_as(led_to(answer))
    assert how.disposition == f'attachment; filename="{name}"'
    assert how.media_type == "text/html; charset=utf-8"


def test_T_A13_the_names_that_gettask_gives_are_the_names_that_are_taken(world: World, client: Client) -> None:
    job = report(world, client, pdf=b"pdf", html=b"html")
    world.change(job.id, state=JobState.COMPLETED, failure=None)
    names = client.send("GET", "/gettask", query=f"task_code={job.id}").json["report_files"]
    bodies = [body_of(ask(world.anonymous, REPORT_FILE, task_code=job.id, filename=name)) for name in names]
    assert bodies == [b"pdf", b"html"]


def test_T_36_an_answer_of_a_question_that_is_gone_is_not_reported(world: World, client: Client) -> None:
    job = world.job(world.completed(client))
    assert job.task is not None
    world.change(job.id, task=replace(job.task, answers=(ChecklistAnswer(99, "Yes", "nobody"),)))
    assert refused(client, file_type="txt_call", task_code=job.id) == 4057
