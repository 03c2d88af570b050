"""Making tasks: what each route takes, what it answers, and what becomes of it."""

import io
import json
import wave
from pathlib import Path
from typing import Any

import pytest

from callscribe.adapters.memory import MemoryInspector
from callscribe.dialects.transcripto.documenting import DuplicateRefusal
from callscribe.domain import chats
from callscribe.domain.audio import AudioFacts
from callscribe.domain.call_facts import Direction
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Account
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.errors import FailureCode, JobFailed, OutboundFailed, Unavailable
from callscribe.media.inspect import inspect
from callscribe.ports import Settings
from callscribe.services import ledger
from tests.dialects.conftest import Answer, Client
from tests.dialects.transcripto.world import AUDIO, AUDIO_URL, OPENAPI, VIDEO_URL, World, multipart

CALL = {
    "operator_name": "Ivan",
    "client_id": "C-42",
    "call_type": "inbound",
    "call_date": "2025-10-20",
    "call_datetime": "2025-10-20T10:00:00+03:00",
    "processing_type": "standard",
}
CALLED_AT_MS = 1_760_943_600_000
BY_URL = "/addtaskcallbyurl"
AUDIO_TASK = "/addtaskaudio"
VIDEO = "/addtaskyoutube"
CHAT = "/add_chat_analysis_task"
REPORT = "/user/callreport"
PERIOD = {"start_date": "2025-10-01", "end_date": "2025-10-31"}
# Every route that makes a task, and a request that it takes.
MAKING: dict[str, dict[str, Any]] = {
    "/addtaskcall": multipart(),
    BY_URL: {"fields": {"file_url": AUDIO_URL}},
    AUDIO_TASK: multipart(),
    VIDEO: {"fields": {"file_path": VIDEO_URL}},
    CHAT: {"fields": {"text": "good morning"}},
    REPORT: {"fields": PERIOD},
}


def wav(seconds: float) -> bytes:
    """Silence."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * round(8_000 * seconds)))
    return out.getvalue()


def number(answer: Answer) -> int:
    assert answer.status == 200
    return int(answer.json["error_code"])


def add_call(client: Client, **fields: object) -> Answer:
    return client.send("POST", "/addtaskcall", **multipart(fields))


def job_of(world: World, answer: Answer) -> Job:
    return world.job(world.made(answer))


def facts_of(world: World, answer: Answer) -> TaskFacts:
    facts = job_of(world, answer).task
    assert facts is not None
    return facts


def nothing_made(world: World) -> bool:
    return world.store.all(Job) == [] and world.uploads.keys() == [] and len(world.fetch_queue.take()) == 0


def really_inspecting() -> World:
    return World(overrides={"inspector": inspect})


# T-12


def test_T_12_a_call_is_made_of_a_file_and_what_the_form_says_of_it(world: World, client: Client) -> None:
    directory_id = client.send("POST", "/user/directories", fields={"name": "Sales"}).json["directory"]["id"]
    answer = add_call(client, directory_id=directory_id, **CALL)
    job = job_of(world, answer)
    assert answer.json == {"success": True, "error_code": 0, "id": job.number, "code": job.id}
    assert job.task is not None
    assert (job.task.type, job.task.file_name, job.task.directory_id) == (TaskType.CALL, "call.wav", directory_id)
    assert (job.task.operator_name, job.task.client_id, job.call.direction) == ("Ivan", "C-42", Direction.INBOUND)
    assert (job.task.call_date, job.task.call_at_ms) == ("2025-10-20", CALLED_AT_MS)
    assert world.uploads.read(job.audio_key) == AUDIO
    assert world.inspector.inspected == [AUDIO]
    assert world.carry_on(job.id).state is JobState.COMPLETED


def test_T_12_only_the_file_is_needed(world: World, client: Client) -> None:
    facts = facts_of(world, add_call(client))
    assert (facts.operator_name, facts.client_id, facts.directory_id, facts.processing_type) == (
        "global",
        None,
        None,
        "standard",
    )
    assert (facts.call_date, facts.call_at_ms) == (None, None)


@pytest.mark.parametrize("blank", ["", " "])
def test_T_12_a_blank_field_is_as_good_as_none(world: World, client: Client, blank: str) -> None:
    facts = facts_of(world, add_call(client, directory_id=blank, **dict.fromkeys(CALL, blank)))
    assert (facts.operator_name, facts.client_id, facts.call_date, facts.call_at_ms) == ("global", None, None, None)
    assert (facts.processing_type, facts.directory_id) == ("standard", None)


@pytest.mark.parametrize("blank", ["", " ", "\t" + 25 * " "])
def test_T_13_T_14_T_15_a_blank_directory_is_as_good_as_none(world: World, client: Client, blank: str) -> None:
    for answer in (
        client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, "directory_id": blank}),
        client.send("POST", AUDIO_TASK, **multipart({"directory_id": blank})),
        client.send("POST", VIDEO, fields={"file_path": VIDEO_URL, "directory_id": blank}),
    ):
        assert facts_of(world, answer).directory_id is None


@pytest.mark.parametrize("unseen", ["\u200b", " \ufeff\u2060 ", "\u3164"])
def test_T_12_T_13_T_16_what_shows_nothing_is_as_good_as_none(world: World, client: Client, unseen: str) -> None:
    names = {"operator_name": unseen, "client_id": unseen}
    by_file = client.send("POST", "/addtaskcall", **multipart(names, file_name=unseen))
    by_url = client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, **names})
    chat = client.send("POST", CHAT, fields={"chunks": [{"text": "x", "role": unseen}], "operator_name": unseen})
    for answer in (by_file, by_url, chat):
        facts = facts_of(world, answer)
        assert (facts.operator_name, facts.client_id) == ("global", None)
    assert facts_of(world, by_file).file_name is None
    assert chat_of(world, chat) == (chats.Message("x"),)


def test_T_12_a_name_keeps_a_joiner_that_it_shows_by(world: World, client: Client) -> None:
    sent = multipart({"operator_name": "نا\u200cم"}, file_name="نا\u200cم.wav")
    facts = facts_of(world, client.send("POST", "/addtaskcall", **sent))
    assert (facts.operator_name, facts.file_name) == ("نا\u200cم", "نا\u200cم.wav")


def test_T_12_directory_0_is_none(world: World, client: Client) -> None:
    assert facts_of(world, add_call(client, directory_id="0")).directory_id is None


@pytest.mark.parametrize("given", ["7", "-1", "1.5", "x", "9" * 15, "9" * 20, "9" * 400, "١"])
def test_T_12_a_directory_that_is_not_yours_is_4001(world: World, client: Client, given: str) -> None:
    world.client().send("POST", "/user/directories", fields={"name": "of somebody else"})
    answer = add_call(client, directory_id=given)
    assert (number(answer), "directory_id" in answer.json["error_message"]) == (4001, True)
    assert nothing_made(world)


@pytest.mark.parametrize("path", ["/addtaskcall", AUDIO_TASK])
@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"fields": {"file": "text"}},
        {"body": b"RIFF", "headers": {"content-type": "audio/wav"}},
        {"body": b"directory_id=0", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        multipart({"directory_id": "0"}, file=None),
        multipart(file=b""),
    ],
)  # fmt: skip
def test_T_12_T_14_a_request_without_a_file_is_4024(
    world: World, client: Client, path: str, sent: dict[str, Any]
) -> None:
    assert number(client.send("POST", path, **sent)) == 4024
    assert nothing_made(world)


def test_T_12_a_file_sent_as_a_plain_field_is_taken_as_the_file(world: World, client: Client) -> None:
    sent = multipart({"file": "RIFF\x00 as text"}, file=None)
    job = job_of(world, client.send("POST", "/addtaskcall", **sent))
    assert world.uploads.read(job.audio_key) == b"RIFF\x00 as text"


@pytest.mark.parametrize("path", ["/addtaskcall", AUDIO_TASK])
def test_T_12_T_14_a_path_in_place_of_a_file_is_4024_and_makes_nothing(world: World, client: Client, path: str) -> None:
    answer = client.send("POST", path, **multipart({"file": "/home/anna/call.wav"}, file=None))
    assert number(answer) == 4024
    assert "-F file=@PATH" in answer.json["error_message"]
    assert nothing_made(world)


@pytest.mark.parametrize("by_form", [True, False])
def test_T_12_T_13_texts_are_stored_in_one_line_without_control_characters(
    world: World, client: Client, *, by_form: bool
) -> None:
    fields = {"operator_name": " An\x00na\r\nB ", "client_id": "\tC\u20281\x9f"}
    if by_form:
        answer = client.send("POST", "/addtaskcall", **multipart(fields, file_name="a\tb.wav"))
    else:
        answer = client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, **fields})
    task = job_of(world, answer).task
    assert task is not None
    assert (task.operator_name, task.client_id) == ("An na  B", "C 1")
    assert task.file_name == ("a b.wav" if by_form else "rec_001.wav")


@pytest.mark.parametrize("given", ["Inbound", " inbound", "INBOUND\n"])
def test_T_12_T_13_a_call_type_is_taken_in_any_case(world: World, client: Client, given: str) -> None:
    for answer in (
        client.send("POST", "/addtaskcall", **multipart({"call_type": given})),
        client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, "call_type": given}),
    ):
        assert job_of(world, answer).call.direction == "inbound"


@pytest.mark.parametrize("given", ["Analysis", " analysis", "ANALYSIS\n"])
def test_T_12_T_13_a_processing_type_is_taken_in_any_case(world: World, client: Client, given: str) -> None:
    for answer in (
        client.send("POST", "/addtaskcall", **multipart({"processing_type": given})),
        client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, "processing_type": given}),
    ):
        assert facts_of(world, answer).processing_type == "analysis"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("Business", "business"), ("daily ", "daily"), ("STANDARD", "standard"), (" ", "standard"), ("", "standard")],
)
def test_T_17_a_report_type_is_taken_in_any_case_and_blank_is_standard(
    world: World, client: Client, given: str, kept: str
) -> None:
    answer = client.send("POST", REPORT, fields={**PERIOD, "report_type": given})
    assert facts_of(world, answer).report_type == kept


@pytest.mark.parametrize(("given", "kept"), [(1.0, 1), (0.0, None)])
def test_T_13_an_id_without_a_fraction_is_an_integer_and_the_header_says_so(
    world: World, client: Client, given: float, kept: int | None
) -> None:
    client.send("POST", "/user/directories", fields={"name": "the first"})
    answer = client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, "directory_id": given})
    task = job_of(world, answer).task
    assert task is not None
    assert task.directory_id == kept
    assert answer.headers["x-callscribe-leniency"] == "directory_id as decimal"


@pytest.mark.parametrize("given", [1.5, 1e300, -0.5])
def test_T_13_an_id_with_a_fraction_or_beyond_all_ids_is_4001(client: Client, given: float) -> None:
    assert number(client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, "directory_id": given})) == 4001


@pytest.mark.parametrize("link", [7, ["https://youtu.be/dQw4w9WgXcQ"], True, "https://youtu.be/" + "x" * 3_000])
def test_T_15_T_A7_what_is_no_link_at_all_is_4017(client: Client, link: object) -> None:
    assert number(client.send("POST", VIDEO, fields={"file_path": link})) == 4017


@pytest.mark.parametrize("field", ["start_date", "end_date"])
@pytest.mark.parametrize("given", [20251001, ["2025-10-01"], {}, False, "2025-10-01" + " " * 55])
def test_T_17_what_is_no_date_at_all_is_4061(client: Client, field: str, given: object) -> None:
    fields = {"start_date": "2025-10-01", "end_date": "2025-10-31", field: given}
    assert number(client.send("POST", "/user/callreport", fields=fields)) == 4061


@pytest.mark.parametrize("path", ["/addtaskcall", AUDIO_TASK])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (FailureCode.AUDIO_UNSUPPORTED, 4025),
        (FailureCode.AUDIO_UNREADABLE, 4026),
        (FailureCode.AUDIO_TOO_SHORT, 4092),
        (FailureCode.AUDIO_TOO_LONG, 4092),
        (FailureCode.AUDIO_EMPTY, 4092),
    ],
)
def test_T_12_T_14_audio_that_cannot_be_used_is_refused_at_once(path: str, code: FailureCode, expected: int) -> None:
    world = World(inspector=MemoryInspector(JobFailed(code, "no good")))
    answer = world.client().send("POST", path, **multipart())
    assert (number(answer), answer.json["error_message"].endswith("no good")) == (expected, True)
    assert nothing_made(world)


@pytest.mark.parametrize(
    ("file", "expected"),
    [(wav(1.9), 4092), (wav(2.1), 0), (b"plain text, no audio", 4025), (b"\x89PNG\r\n\x1a\n" + bytes(100), 4025), (b"RIFF\x24\x00\x00\x00WAVEfmt ", 4026)],
)  # fmt: skip
def test_T_12_files_are_really_looked_into(file: bytes, expected: int) -> None:
    world = really_inspecting()
    answer = world.client().send("POST", "/addtaskcall", **multipart(file=file))
    assert number(answer) == expected, answer.text


def test_T_12_the_same_file_name_again_is_4091_for_the_same_user_only(world: World) -> None:
    user = world.user()
    client = world.client_of(user)
    assert number(add_call(client)) == 0
    assert number(add_call(client)) == 4091
    assert number(client.send("POST", "/addtaskcall", **multipart(file_name="other.wav"))) == 0
    assert number(add_call(world.client(tenant_id=user.tenant_id))) == 0
    assert number(client.send("POST", AUDIO_TASK, **multipart())) == 0  # it has no such number


def test_T_A12_who_sends_a_file_again_is_told_which_task_was_made_of_it(world: World) -> None:
    user = world.user()
    client = world.client_of(user)
    first = add_call(client).json
    again = add_call(client).json
    assert (again["error_code"], again["id"], again["code"]) == (4091, first["id"], first["code"])
    assert client.send("GET", "/gettask", query=f"task_code={again['code']}").json["id"] == first["id"]
    DuplicateRefusal.model_validate(again)


def test_T_A12_nobody_is_told_of_another_users_task(world: World) -> None:
    user = world.user()
    sent = multipart(file_name="secret.wav")
    asking = {**sent, "headers": {**sent["headers"], "X-Callscribe-Duplicate-Check": "content"}}
    first = world.client_of(user).send("POST", "/addtaskcall", **asking).json
    for other in (world.client(tenant_id=user.tenant_id), world.client()):
        answer = other.send("POST", "/addtaskcall", **asking)
        assert (number(answer), first["code"] in answer.text) == (0, False)


def test_T_A12_names_that_differ_beyond_what_is_shown_are_different_names(world: World, client: Client) -> None:
    long = "x" * 300
    first, second, again = (
        client.send("POST", "/addtaskcall", **multipart(file_name=f"{long}{end}.wav")) for end in ("a", "b", "a")
    )
    assert [number(answer) for answer in (first, second, again)] == [0, 0, 4091]
    assert facts_of(world, second).file_name == long[:255]


@pytest.mark.parametrize("path", ["/addtaskcall", AUDIO_TASK])
def test_T_A12_the_same_content_again_is_4091_where_that_is_asked_for(client: Client, path: str) -> None:
    def send(name: str, value: str | None) -> int:
        sent = multipart(file_name=name)
        more = {} if value is None else {"X-Callscribe-Duplicate-Check": value}
        return number(client.send("POST", path, body=sent["body"], headers={**sent["headers"], **more}))

    assert send("a.wav", "content") == 0
    assert send("b.wav", "content") == 4091
    assert send("c.wav", None) == 0
    assert send("d.wav", "name") == 4001


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2025-10-20T10:00:00", 4001), ("2025-10-20", 4001), ("yesterday", 4001), ("2025-13-01T10:00:00Z", 4001),
        ("9999-12-31T23:59:59-12:00", 4001), ("0001-01-01T00:00:00+12:00", 4001), ("2025-10-20T10:00:00Z", 0),
    ],
)  # fmt: skip
def test_T_04_a_time_needs_its_time_zone(client: Client, given: str, expected: int) -> None:
    answer = add_call(client, call_datetime=given)
    assert number(answer) == expected
    assert expected == 0 or "call_datetime" in answer.json["error_message"]


@pytest.mark.parametrize("given", ["20.10.2025", "2025-02-30", "2025-1-1", "2025-10-20T10:00:00", "٢٠٢٥-١٠-٢٠"])
def test_T_04_a_date_is_a_day_that_there_is(client: Client, given: str) -> None:
    assert number(add_call(client, call_date=given)) == 4001
    assert number(add_call(client, call_date="2025-10-20T10:00:00Z")) == 4001  # which belongs into call_datetime
    assert number(client.send("POST", CHAT, fields={"text": "x", "call_date": given})) == 4001


def test_T_04_the_date_of_a_call_is_the_one_where_it_was_made(world: World, client: Client) -> None:
    facts = facts_of(world, add_call(client, call_datetime="2025-10-20T23:30:00-05:00"))
    assert (facts.call_date, facts.call_at_ms) == ("2025-10-20", 1_761_021_000_000)


@pytest.mark.parametrize("value", ["inbound", "outbound"])
def test_T_A3_both_call_types_are_taken(world: World, client: Client, value: str) -> None:
    by_file, by_url = (
        add_call(client, call_type=value),
        client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, "call_type": value}),
    )
    assert [job_of(world, answer).call.direction for answer in (by_file, by_url)] == [Direction(value)] * 2


@pytest.mark.parametrize("value", ["standard", "analysis"])
def test_T_A3_both_processing_types_are_taken_by_both_routes(world: World, client: Client, value: str) -> None:
    by_file = add_call(client, processing_type=value)
    by_url = client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, "processing_type": value})
    assert [facts_of(world, answer).processing_type for answer in (by_file, by_url)] == [value, value]


@pytest.mark.parametrize("field", ["call_type", "processing_type"])
def test_T_A3_another_word_is_4001(world: World, client: Client, field: str) -> None:
    assert number(add_call(client, **{field: "other"})) == 4001
    assert number(client.send("POST", BY_URL, fields={"file_url": AUDIO_URL, field: "other"})) == 4001
    assert number(client.send("POST", REPORT, fields={**PERIOD, "report_type": "weekly"})) == 4001
    assert nothing_made(world)


@pytest.mark.parametrize(
    ("path", "takes_s", "measured"),
    [("/addtaskcall", 21, False), ("/addtaskcall", 19, True), (BY_URL, 21, False), (BY_URL, 19, True)],
)
def test_T_12_T_13_a_request_waits_for_the_length_of_its_audio_no_longer_than_the_gateway_does(
    path: str, takes_s: float, measured: bool
) -> None:
    world = World()
    world.inspector.takes_s = takes_s
    job = job_of(world, world.client().send("POST", path, **MAKING[path]))
    assert (job.audio is not None) is measured


# Idempotency-Key: ours


def keyed(sent: dict[str, Any], key: str = "a-key") -> dict[str, Any]:
    return {**sent, "headers": {**sent.get("headers", {}), "Idempotency-Key": key}}


@pytest.mark.parametrize("path", MAKING)
def test_T_12_to_T_17_the_same_key_gives_the_same_task_for_a_day(world: World, client: Client, path: str) -> None:
    first, again = (client.send("POST", path, **keyed(MAKING[path])) for _ in range(2))
    assert (number(first), again.json) == (0, first.json)
    assert len(world.store.all(Job)) == 1
    assert number(client.send("POST", path, **keyed(MAKING[path], "a key"))) == 4001


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/addtaskcall", multipart({"operator_name": "Olga"})),
        ("/addtaskcall", multipart(file=b"RIFF other")),
        ("/addtaskcall", multipart(file_name="other.wav")),
        (AUDIO_TASK, multipart({"file_lang": "de"})),
        (BY_URL, {"fields": {"file_url": f"{AUDIO_URL}?2"}}),
        (VIDEO, {"fields": {"file_path": "https://youtu.be/aaaaaaaaaaa"}}),
        (CHAT, {"fields": {"text": "good evening"}}),
        (REPORT, {"fields": {**PERIOD, "report_type": "daily"}}),
    ],
)
def test_T_12_to_T_17_the_same_key_with_another_request_is_4001(
    client: Client, path: str, other: dict[str, Any]
) -> None:
    assert number(client.send("POST", path, **keyed(MAKING[path]))) == 0
    answer = client.send("POST", path, **keyed(other))
    assert (number(answer), "Idempotency-Key" in answer.json["error_message"]) == (4001, True)
    route = AUDIO_TASK if path == "/addtaskcall" else "/addtaskcall"
    assert number(client.send("POST", route, **keyed(MAKING[route]))) == 4001


def test_T_02_the_key_is_documented_at_every_route_that_makes_a_task(world: World) -> None:
    document = world.anonymous.send("GET", OPENAPI).json
    named = {
        path: [each["name"] for each in described["post"].get("parameters", ())]
        for path, described in document["paths"].items()
        if "post" in described
    }
    assert {path for path, names in named.items() if names.count("Idempotency-Key") == 1} == set(MAKING)


# T-13


def test_T_13_a_call_is_made_of_a_link(world: World, client: Client) -> None:
    answer = client.send(
        "POST", BY_URL, fields={**CALL, "file_url": AUDIO_URL, "directory_id": 0, "call_type": "outbound"}
    )
    job = job_of(world, answer)
    assert answer.json == {"success": True, "error_code": 0, "id": job.number, "code": job.id}
    assert job.task is not None
    assert (job.task.type, job.task.file_name, job.task.call_at_ms) == (TaskType.CALL, "rec_001.wav", CALLED_AT_MS)
    assert (job.call.direction, world.uploads.read(job.audio_key)) == (Direction.OUTBOUND, AUDIO)


@pytest.mark.parametrize("fields", [{}, {"file_url": None}, {"file_url": ""}, {"file_url": " "}])
def test_T_13_without_a_link_it_is_4002(world: World, client: Client, fields: dict[str, Any]) -> None:
    assert number(client.send("POST", BY_URL, fields=fields)) == 4002
    assert number(client.send("POST", BY_URL)) == 4002
    assert nothing_made(world)


@pytest.mark.parametrize("kind", ["connect", "status", "tls", "protocol"])
def test_T_13_a_link_that_gives_no_file_is_4024(world: World, client: Client, kind: str) -> None:
    world.downloads.files[AUDIO_URL] = OutboundFailed(kind, "nothing there")
    assert number(client.send("POST", BY_URL, fields={"file_url": AUDIO_URL})) == 4024
    assert nothing_made(world)


def test_T_13_a_link_that_the_guard_refuses_is_4024_and_nobody_is_asked(world: World, client: Client) -> None:
    world.downloads.refuse[AUDIO_URL] = "address"
    assert number(client.send("POST", BY_URL, fields={"file_url": AUDIO_URL})) == 4024
    assert world.downloads.asked == []


def test_T_13_a_download_that_takes_longer_is_fetched_afterwards(world: World, client: Client) -> None:
    world.downloads.files[AUDIO_URL] = OutboundFailed("timeout", "it took too long")
    job = job_of(world, client.send("POST", BY_URL, fields={"file_url": AUDIO_URL}))
    assert (job.state, job.source, world.uploads.head(job.audio_key)) == (JobState.AWAITING_UPLOAD, True, None)
    world.downloads.files[AUDIO_URL] = AUDIO
    world.fetch()
    assert world.uploads.read(job.audio_key) == AUDIO


def test_T_13_an_empty_recording_behind_a_link_is_4092() -> None:
    world = World(inspector=MemoryInspector(JobFailed(FailureCode.AUDIO_EMPTY, "nothing in it")))
    assert number(world.client().send("POST", BY_URL, fields={"file_url": AUDIO_URL})) == 4092


# T-14


def test_T_14_another_recording_is_paid_from_minutes_of_its_own(world: World, client: Client) -> None:
    tenant_id = world.tenant_of(client)
    job = job_of(world, client.send("POST", AUDIO_TASK, **multipart({"file_lang": "pt-BR"}, file_name="talk.mp3")))
    assert job.task is not None
    assert (job.task.type, job.task.file_name, job.language) == (TaskType.AUDIO, "talk.mp3", "pt-BR")
    assert world.row(client, job.id)["operator_name"] is None
    assert ledger.balance(world.deps, tenant_id=tenant_id, account=Account.AUDIO_SECONDS).held == 10
    assert ledger.balance(world.deps, tenant_id=tenant_id, account=Account.CALL_SECONDS).held == 0


@pytest.mark.parametrize("given", [None, "", "00", "auto"])
def test_T_14_T_15_language_00_is_detected(world: World, client: Client, given: str | None) -> None:
    by_file = client.send("POST", AUDIO_TASK, **multipart({} if given is None else {"file_lang": given}))
    by_link = client.send("POST", VIDEO, fields={"file_path": VIDEO_URL, "file_lang": given})
    assert [job_of(world, answer).language for answer in (by_file, by_link)] == [None, None]


@pytest.mark.parametrize("given", ["english!", "e", "000", "x" * 41])
def test_T_14_T_15_another_language_is_4001(client: Client, given: str) -> None:
    by_file = client.send("POST", AUDIO_TASK, **multipart({"file_lang": given}))
    assert (number(by_file), "file_lang" in by_file.json["error_message"]) == (4001, True)
    assert number(client.send("POST", VIDEO, fields={"file_path": VIDEO_URL, "file_lang": given})) == 4001


# T-15, T-A7, T-A26


def test_T_15_a_video_is_made_of_a_link_and_its_sound_is_ordered(world: World, client: Client) -> None:
    answer = client.send("POST", VIDEO, fields={"file_path": VIDEO_URL, "directory_id": 0, "file_lang": "00"})
    job = job_of(world, answer)
    assert answer.json == {"success": True, "error_code": 0, "id": job.number, "code": job.id, "demo": False}
    assert job.task is not None
    assert (job.task.type, job.state, job.source) == (TaskType.YOUTUBE, JobState.AWAITING_UPLOAD, True)
    assert job.task.operator_name is None
    assert json.loads(world.uploads.read(job.source_key))["video"] == VIDEO_URL
    assert len(world.fetch_queue.take()) == 1
    assert world.downloads.asked == []


def test_T_15_without_a_link_it_is_4002(client: Client) -> None:
    assert {
        number(client.send("POST", VIDEO, fields=fields)) for fields in ({}, {"file_path": ""}, {"file_path": None})
    } == {4002}


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com/video.mp4", "https://www.youtube.com/", "youtube", "file:///etc/passwd", "http://127.0.0.1:80/x",
        "https://www.youtube.com.evil.example/watch?v=dQw4w9WgXcQ", "https://www.youtube.com/playlist?list=PL0123456789",
    ],
)  # fmt: skip
def test_T_A7_T_A26_another_link_is_4017_and_asks_no_network(world: World, client: Client, link: str) -> None:
    assert number(client.send("POST", VIDEO, fields={"file_path": link})) == 4017
    assert nothing_made(world)
    assert world.downloads.asked == []


def test_T_A26_where_the_operator_has_switched_videos_off_every_link_is_4017() -> None:
    world = World(settings=Settings(public_base_url="https://callscribe.example", videos=False))
    answer = world.client().send("POST", VIDEO, fields={"file_path": VIDEO_URL})
    assert (number(answer), "switched off" in answer.json["error_message"]) == (4017, True)
    assert nothing_made(world)


def test_T_A26_a_laptop_takes_videos_of_its_own_loopback() -> None:
    world = World(
        settings=Settings(stage="local", public_base_url="https://x.example", videos=True, allow_loopback=True)
    )
    answer = world.client().send("POST", VIDEO, fields={"file_path": "http://127.0.0.1:8000/video.mp4"})
    assert number(answer) == 0


# T-16, T-A20


def chat_of(world: World, answer: Answer) -> tuple[chats.Message, ...]:
    return chats.from_json(world.uploads.read(job_of(world, answer).audio_key)).messages


def test_T_16_a_chat_is_made_of_its_text(world: World, client: Client) -> None:
    fields = {
        "text": "Dialog with a customer...",
        "chunks": None,
        "operator_name": "Operator 1",
        "call_date": "2025-10-20",
    }
    answer = client.send("POST", CHAT, fields=fields)
    job = job_of(world, answer)
    assert answer.json == {
        "success": True, "error_code": 0, "success_message": "Chat analysis task created", "task_code": job.id,
        "id": job.number,
    }  # fmt: skip
    assert job.task is not None
    assert (job.task.type, job.task.operator_name, job.task.call_date) == (TaskType.CHAT, "Operator 1", "2025-10-20")
    assert chat_of(world, answer) == (chats.Message("Dialog with a customer..."),)


def test_T_16_T_04_a_chat_may_have_a_time_and_is_then_found_by_it(world: World, client: Client) -> None:
    fields = {"text": "hello", "call_date": "2025-10-20T23:30:00-05:00"}
    answer = client.send("POST", CHAT, fields=fields)
    facts = facts_of(world, answer)
    assert (facts.call_date, facts.call_at_ms) == ("2025-10-20", 1_761_021_000_000)
    code = job_of(world, answer).id
    assert world.row(client, code)["call_time"] == "2025-10-21T04:30:00+00:00"
    between = {"date_from": "2025-10-21T04:00:00Z", "date_to": "2025-10-21T05:00:00Z"}
    found = client.send("POST", "/tasks/filter", fields=between).json["tasks"]
    assert [task["task_code"] for task in found] == [code]
    untimed = facts_of(world, client.send("POST", CHAT, fields={"text": "hello", "call_date": "2025-10-20"}))
    assert (untimed.call_date, untimed.call_at_ms) == ("2025-10-20", None)


@pytest.mark.parametrize("number_", ["1e999", "-1e999", "NaN"])
def test_T_16_a_number_that_would_be_infinite_is_4001_as_nan_is(world: World, client: Client, number_: str) -> None:
    body = f'{{"chunks": [{{"text": "hi", "time": {number_}}}]}}'.encode()
    answer = client.send("POST", CHAT, body=body, headers={"content-type": "application/json"})
    assert (number(answer), "must not hold" in answer.json["error_message"]) == (4001, True)
    assert nothing_made(world)


def test_T_A20_chunks_are_texts_or_messages_and_stand_beside_a_text(world: World, client: Client) -> None:
    chunks = ["hello", {"role": "operator", "text": "hi", "time": "10:00"}, {"text": "bye", "time": 7, "more": 1}]
    expected = (chats.Message("hello"), chats.Message("hi", "operator", "10:00"), chats.Message("bye", None, "7"))
    assert chat_of(world, client.send("POST", CHAT, fields={"chunks": chunks})) == expected
    both = client.send("POST", CHAT, fields={"text": "before", "chunks": chunks})
    assert chat_of(world, both) == (chats.Message("before"), *expected)


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"text": None}, {"text": ""}, {"chunks": []}, {"text": "", "chunks": None}, {"text": "", "chunks": []},
        {"text": " "}, {"chunks": [""]}, {"text": "\n", "chunks": [" ", {"text": "\t", "role": "Anna"}]},
        {"text": "\u200b"}, {"text": "\x00\u200b"}, {"chunks": ["\x00", {"text": "\u2060", "role": "Anna"}]},
    ],
)  # fmt: skip
def test_T_A20_neither_text_nor_chunks_that_show_anything_is_4002_and_costs_nothing(
    world: World, client: Client, fields: dict[str, Any]
) -> None:
    answer = client.send("POST", CHAT, fields=fields)
    assert (number(answer), "one of them is required" in answer.json["error_message"]) == (4002, True)
    assert nothing_made(world)
    assert client.send("GET", "/user/tariff").json["tariff"]["usage"]["used_chat_count"] == 0


@pytest.mark.parametrize(
    "fields",
    [{"text": 1}, {"chunks": "x"}, {"chunks": [1]}, {"chunks": [{"text": 1}]}, {"text": " ", "chunks": [None]}],
)
def test_T_A20_what_is_no_chat_is_4001(world: World, client: Client, fields: dict[str, Any]) -> None:
    assert number(client.send("POST", CHAT, fields=fields)) == 4001
    assert nothing_made(world)


def test_T_16_a_long_chat_is_taken_whole_and_counts_by_50_kb(world: World, client: Client) -> None:
    tenant_id = world.tenant_of(client)
    answer = client.send("POST", CHAT, fields={"text": "x" * 120_000})
    assert number(answer) == 0
    assert ledger.balance(world.deps, tenant_id=tenant_id, account=Account.CHATS).held == 3


# T-17


def test_T_17_a_report_of_the_usual_kind_costs_nothing(world: World, client: Client) -> None:
    answer = client.send(
        "POST", REPORT, fields={**PERIOD, "report_type": "standard"}, headers={"accept-language": "en"}
    )
    job = job_of(world, answer)
    assert answer.json == {
        "success": True, "error_code": 0, "success_message": "Report task created", "report_task_code": job.id,
        "id": job.number,
    }  # fmt: skip
    assert job.task is not None
    assert (job.task.type, job.task.report_type) == (TaskType.REPORT, "standard")
    assert (job.task.report_from, job.task.report_until) == ("2025-10-01", "2025-10-31")


def test_T_17_a_business_report_says_how_many_are_left(client: Client) -> None:
    left = [
        client.send("POST", REPORT, fields={**PERIOD, "report_type": "business"}).json["available_report_count"]
        for _ in range(2)
    ]
    assert left == [30, 29]


def test_T_17_without_quota_a_business_report_is_4602_and_others_are_made(client: Client) -> None:
    for _ in range(31):
        assert number(client.send("POST", REPORT, fields={**PERIOD, "report_type": "business"})) == 0
    assert number(client.send("POST", REPORT, fields={**PERIOD, "report_type": "business"})) == 4602
    assert number(client.send("POST", REPORT, fields=PERIOD)) == 0


@pytest.mark.parametrize("kind", ["standard", "business", "daily", "", None])
def test_T_A3_every_kind_of_report_is_taken(world: World, client: Client, kind: str | None) -> None:
    facts = facts_of(world, client.send("POST", REPORT, fields={**PERIOD, "report_type": kind}))
    assert facts.report_type == (kind or "standard")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, "2025-10-31", 4060), ("2025-10-01", None, 4060), ("", "", 4060), (" ", "2025-10-31", 4060),
        ("01.10.2025", "2025-10-31", 4061), ("2025-10-01", "2025-10-32", 4061), ("2025-10-01T25:00:00", "2025-10-31", 4061),
        ("0001-01-01T00:00:00+12:00", "2025-10-31", 4061), ("2025-10-01", "9999-12-31T23:59:59-12:00", 4061),
        ("2025-10-01+03:00", "2025-10-31", 4061), ("2025-10-01-05:00", "2025-10-31", 4061), ("2025-10-01\u263a10:00", "2025-10-31", 4061),
        ("2025-10-01", "now", 4061), ("2025-10-32", "2025-10-01", 4061),
        ("2025-10-31", "2025-10-01", 4062), ("2025-10-01T12:00:00Z", "2025-10-01T11:59:59Z", 4062),
        ("2025-10-02T00:00:00Z", "2025-10-01", 4062),
        ("2025-10-01", "2025-10-01", 0), ("2025-10-01T00:00:00Z", "2025-10-31T23:59:59+03:00", 0),
        ("2025-10-01T12:00:00Z", "2025-10-01", 0),
        ("2025-10-01T00:00:00", "2025-10-31", 0), ("2025-10-01", "2025-10-31 23:59", 0),
        ("2025-10-01T00:00:00", "2025-10-01T03:00:00+03:00", 0),  # UTC where no zone is given
        ("2025-10-01T00:00:01", "2025-10-01T03:00:00+03:00", 4062),
    ],
)  # fmt: skip
def test_T_17_each_mistake_in_the_dates_has_its_number(
    client: Client, start: str | None, end: str | None, expected: int
) -> None:
    assert number(client.send("POST", REPORT, fields={"start_date": start, "end_date": end})) == expected


# All of them


@pytest.mark.parametrize("path", MAKING)
def test_T_12_to_T_17_without_a_tariff_nothing_is_made(world: World, path: str) -> None:
    client = world.client(tenant_id=world.tenant(tariff=None))
    assert number(client.send("POST", path, **MAKING[path])) == (4602 if path == REPORT else 4044)
    assert nothing_made(world)


@pytest.mark.parametrize("path", MAKING)
def test_T_12_to_T_17_with_a_tariff_that_is_over_nothing_is_made(world: World, path: str) -> None:
    user = world.user()
    world.clock.advance(31 * 86_400)
    assert number(world.client_of(user).send("POST", path, **MAKING[path])) == (4602 if path == REPORT else 4044)


@pytest.mark.parametrize("path", ["/addtaskcall", BY_URL, AUDIO_TASK])
def test_T_12_to_T_14_what_is_longer_than_what_is_left_is_4050(path: str) -> None:
    endless = AudioFacts("wav", "pcm_s16le", 1, 8_000, 60.0 * 10_001, 0)
    world = World(inspector=MemoryInspector(endless))
    assert number(world.client().send("POST", path, **MAKING[path])) == 4050
    assert nothing_made(world)


def test_T_15_without_minutes_of_video_a_link_is_4050(world: World, client: Client) -> None:
    tenant_id = world.tenant_of(client)
    left = ledger.balance(world.deps, tenant_id=tenant_id, account=Account.VIDEO_SECONDS).available
    world.top_up(tenant_id, Account.VIDEO_SECONDS, -left)
    assert number(client.send("POST", VIDEO, fields={"file_path": VIDEO_URL})) == 4050


def test_T_A4_every_answer_has_success_and_error_code(client: Client) -> None:
    for path, sent in MAKING.items():
        good, bad = client.send("POST", path, **sent).json, client.send("PUT", path, **sent).json
        assert (good["success"], good["error_code"]) == (True, 0)
        assert (bad["success"], bad["error_code"]) == (False, 4041)


def test_T_05_integers_and_codes_count_for_one_tenant(world: World, client: Client) -> None:
    ids = [client.send("POST", path, **sent).json["id"] for path, sent in MAKING.items()]
    assert ids == [1, 2, 3, 4, 5, 6]
    assert world.client().send("POST", CHAT, **MAKING[CHAT]).json["id"] == 1


def test_T_03_messages_are_in_the_language_of_the_call(client: Client) -> None:
    said = client.send("POST", CHAT, fields={"text": "x"}, headers={"accept-language": "ru"}).json["success_message"]
    assert said == "Задача анализа чата создана"


def test_numbers_are_understood_in_texts_and_texts_in_numbers_and_it_is_said(client: Client) -> None:
    fields = {"file_url": AUDIO_URL, "directory_id": "0", "client_id": 42}
    answer = client.send("POST", BY_URL, fields=fields)
    assert answer.headers["x-callscribe-leniency"] == "client_id as number, directory_id as text"


def test_a_file_that_cannot_be_stored_is_5000_and_can_be_sent_again(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_key: str, _path: Path) -> None:
        raise Unavailable("s3: no answer")

    with monkeypatch.context() as patched:
        patched.setattr(world.uploads, "put_file", away)
        assert number(add_call(client)) == 5000
    assert number(add_call(client)) == 0


def test_T_14_T_15_a_recording_and_a_video_lie_in_the_directory_that_was_named(world: World, client: Client) -> None:
    directory = client.send("POST", "/user/directories", fields={"name": "Sales"}).json["directory"]["id"]
    by_file = client.send("POST", "/addtaskaudio", **multipart({"directory_id": directory}))
    by_link = client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL, "directory_id": directory})
    for answer in (by_file, by_link):
        assert world.row(client, world.made(answer))["directory_id"] == directory


def test_T_15_a_video_is_transcribed_in_the_language_that_was_named(world: World, client: Client) -> None:
    answer = client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL, "file_lang": "pt-BR"})
    assert world.job(world.made(answer)).language == "pt-BR"
