"""One task, its analysis, and the published lists: rows T-19, T-20, T-A2, T-A13, T-A14, T-A17, T-A19, T-A21, T-L3."""

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from callscribe.dialects.transcripto import codes
from callscribe.dialects.transcripto.results.schemas import AnalysisAnswer, DictionariesAnswer, GetTaskAnswer
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Account
from callscribe.domain.task_facts import TaskType
from callscribe.domain.tasks import LABELS, TaskStatus
from callscribe.errors import Failure, FailureCode
from callscribe.services import ledger
from callscribe.services.failures import MESSAGES
from tests.dialects.conftest import Answer, Client
from tests.dialects.pipeline import TRANSCRIPT
from tests.dialects.transcripto.world import UNKNOWN, VIDEO_URL, World, multipart

GET_TASK = "/gettask"
V2 = "/api/calls_analysis_v2"
V1 = "/api/calls_analysis"
FIELDS = [
    *("success", "error_code", "id", "type", "status", "file_name", "created_at", "updated_at", "call_date"),
    *("error_message", "directory_id", "report_type", "task_code", "task_length", "task_error_code", "task_result"),
]


def get_task(client: Client, **parameters: object) -> Answer:
    return client.send("GET", GET_TASK, query=urlencode(parameters))


def code_of(answer: Answer) -> int:
    assert (answer.status, answer.json["success"]) == (200, False), answer.text
    return int(answer.json["error_code"])


def why_in_russian(client: Client, task: str) -> str:
    """Why the only task failed, which gettask and the list say alike."""
    russian = {"accept-language": "ru"}
    one: str = client.send("GET", GET_TASK, query=f"task_code={task}", headers=russian).json["error_message"]
    listed = client.send("POST", "/tasks/filter", fields={}, headers=russian).json["tasks"][0]["error_message"]
    assert one == listed
    return one


def a_report(world: World, client: Client, **known: Any) -> Job:
    """A report's task, as it will be once reports are made."""
    made = client.send("POST", "/user/callreport", fields={"start_date": "2025-10-01", "end_date": "2025-10-31"})
    return world.change(world.made(made), **known)


def test_T_19_a_completed_call_has_all_fields_and_its_text(world: World, client: Client) -> None:
    code = world.completed(client, file_name="rec_2025-10-01_0750.wav", call_date="2025-10-01")
    answer = get_task(client, task_code=code)
    assert list(answer.json) == FIELDS
    assert answer.json | {"created_at": "", "updated_at": ""} == {
        "success": True,
        "error_code": 0,
        "id": world.job(code).number,
        "type": "call",
        "status": "completed",
        "file_name": "rec_2025-10-01_0750.wav",
        "created_at": "",
        "updated_at": "",
        "call_date": "2025-10-01",
        "error_message": None,
        "directory_id": None,
        "report_type": None,
        "task_code": code,
        "task_length": 0.17,
        "task_error_code": None,
        "task_result": {
            "blog_post": None,
            "image_prompt": None,
            "normalized_text": None,
            "original_text": "Operator: good morning\nCustomer: I need help\nOperator: of course",
        },
    }
    GetTaskAnswer.model_validate(answer.json)


def test_T_A14_digits_alone_are_an_id_wherever_a_task_is_asked_for(world: World, client: Client) -> None:
    codes_ = [world.add_chat(client) for _ in range(36)]  # the last one's id is 10 in base 36
    for given, expected in (("10", 10), ("010", 10), ("a", 10), ("A", 10), ("Z", 35), ("36", 36)):
        assert get_task(client, task_code=given).json["id"] == expected
        assert world.row(client, given)["id"] == expected
    world.change(codes_[9], state=JobState.COMPLETED)
    world.change(codes_[35], state=JobState.FAILED, failure=Failure(FailureCode.INTERNAL, "no"))
    for given, status in (("10", "completed"), ("a", "completed"), ("36", "error")):
        for path in (V2, V1):
            assert f"the task is {status}" in client.send("GET", f"{path}/{given}").json["error_message"]


def test_T_19_before_it_is_completed_a_task_has_no_result(world: World, client: Client) -> None:
    code = world.add_call(client)
    assert [get_task(client, task_code=code).json[name] for name in ("status", "task_result")] == ["pending", None]
    world.prepare(code)
    assert [get_task(client, task_code=code).json[name] for name in ("status", "task_result")] == ["processing", None]


def test_T_19_a_failed_task_says_why(world: World, client: Client) -> None:
    code = world.add_call(client)
    world.prepare(code)
    failed = world.fail(code)
    shown = get_task(client, task_code=code).json
    assert failed.failure is not None
    assert (shown["success"], shown["status"], shown["task_result"]) == (True, "error", None)
    assert shown["error_message"] == failed.failure.message


def test_T_19_a_failed_task_tells_programs_why_beside_the_code_of_the_request(world: World, client: Client) -> None:
    call = world.add_call(client)
    for step in (lambda: None, lambda: world.prepare(call)):
        step()
        assert get_task(client, task_code=call).json["task_error_code"] is None
    world.fail(call, FailureCode.AUDIO_UNREADABLE)
    report = a_report(world, client).id
    world.carry_on(report)
    video = world.made(client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL}))
    world.change(video, state=JobState.FAILED, failure=Failure(FailureCode.SOURCE_UNREACHABLE, "private"))
    for code, number in ((call, 4026), (report, 5003), (video, 4024)):
        shown = get_task(client, task_code=code).json
        assert (shown["success"], shown["error_code"], shown["status"]) == (True, 0, "error")
        assert shown["task_error_code"] == number
        GetTaskAnswer.model_validate(shown)


def test_T_19_a_failure_that_was_noted_of_a_task_under_way_has_no_code_yet(world: World, client: Client) -> None:
    code = world.add_call(client)
    world.change(code, failure=Failure(FailureCode.AUDIO_TOO_SHORT, "too short"))
    assert get_task(client, task_code=code).json["task_error_code"] is None
    world.change(code, state=JobState.FAILED)
    assert get_task(client, task_code=code).json["task_error_code"] == 4092


@pytest.mark.parametrize(("state", "number"), [(JobState.FAILED, 5000), (JobState.CANCELLED, None)])
def test_T_19_an_error_of_which_nobody_noted_why_is_5000_and_what_was_cancelled_has_no_code(
    world: World, client: Client, state: JobState, number: int | None
) -> None:
    code = world.add_call(client)
    world.change(code, state=state, failure=None)
    shown = get_task(client, task_code=code).json
    assert (shown["status"], shown["task_error_code"]) == ("error", number)


@pytest.mark.parametrize("code", FailureCode)
def test_T_A17_every_code_of_a_failed_task_is_published(world: World, client: Client, code: FailureCode) -> None:
    task = world.add_call(client)
    world.change(task, state=JobState.FAILED, failure=Failure(code, "no"))
    general = [one for one in client.send("GET", "/dictionaries").json["error_codes"] if one["endpoint"] is None]
    assert get_task(client, task_code=task).json["task_error_code"] in {one["error_code"] for one in general}


@pytest.mark.parametrize("code", FailureCode)
@pytest.mark.parametrize("message", ["a rare reason", "page: a (rare) reason"])
def test_T_03_a_rare_failure_is_told_alike_by_gettask_and_by_the_list_its_english_behind_the_russian(
    world: World, client: Client, code: FailureCode, message: str
) -> None:
    task = world.add_call(client)
    world.change(task, state=JobState.FAILED, failure=Failure(code, message))
    assert why_in_russian(client, task) == f"задача не выполнена ({message})"
    assert get_task(client, task_code=task).json["error_message"] == message
    assert world.row(client, task)["error_message"] == message


@pytest.mark.parametrize("message", [*MESSAGES.values(), "the audio lasts 1.250 s; at least 2 s are needed"])
def test_T_03_why_a_task_usually_fails_is_told_in_russian_alone_by_gettask_and_by_the_list(
    world: World, client: Client, message: str
) -> None:
    task = world.add_call(client)
    world.change(task, state=JobState.FAILED, failure=Failure(FailureCode.INTERNAL, message))
    told = why_in_russian(client, task)
    assert re.search("[а-я]", told)
    assert not re.search("[a-z]", told)


def test_T_15_a_video_that_could_not_be_paid_says_so_in_minutes(world: World, client: Client) -> None:
    tenant_id = world.tenant_of(client)
    left = ledger.balance(world.deps, tenant_id=tenant_id, account=Account.VIDEO_SECONDS).available
    world.top_up(tenant_id, Account.VIDEO_SECONDS, 9 - left)
    code = world.made(client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL}))
    world.carry_on(code)
    told = "minutes needed: 0.17, left: 0.15"
    assert get_task(client, task_code=code).json["error_message"] == told
    assert world.row(client, code)["error_message"] == told
    russian = client.send("GET", GET_TASK, query=f"task_code={code}", headers={"accept-language": "ru"}).json
    assert russian["error_message"] == "нужно минут: 0.17, осталось: 0.15"


def test_T_19_a_completed_task_whose_text_is_no_longer_kept_has_none(world: World, client: Client) -> None:
    code = world.completed(client)
    world.results.erase(world.job(code).results_prefix)
    assert get_task(client, task_code=code).json["task_result"]["original_text"] is None


def test_T_19_roles_that_somebody_swapped_are_swapped(world: World, client: Client) -> None:
    code = world.completed(client)
    world.change(code, roles_swapped=True)
    text = get_task(client, task_code=code).json["task_result"]["original_text"]
    assert text == "Customer: good morning\nOperator: I need help\nCustomer: of course"


def test_T_19_nobody_is_called_an_operator_who_may_be_the_customer(world: World, client: Client) -> None:
    said = replace(TRANSCRIPT, segments=tuple(replace(one, text="hm", channel=0) for one in TRANSCRIPT.segments))
    code = world.completed(client, said)
    text = get_task(client, task_code=code).json["task_result"]["original_text"]
    assert text == "Speaker 0: hm\nSpeaker 1: hm\nSpeaker 0: hm"


def test_T_19_a_video_has_speakers_and_no_operator(world: World, client: Client) -> None:
    code = world.made(client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL}))
    world.carry_on(code)
    shown = get_task(client, task_code=code).json
    assert (shown["type"], shown["task_result"]["original_text"].split(":")[0]) == ("youtubenew", "Speaker 0")


def test_T_A21_a_chat_has_no_length(world: World, client: Client) -> None:
    code = world.add_chat(client, text="Operator: good morning\nCustomer: hello")
    world.carry_on(code)
    shown = get_task(client, task_code=code).json
    assert (shown["type"], shown["status"], shown["task_length"]) == ("chat", "completed", 0)
    assert shown["task_result"]["original_text"] == "Operator: good morning\nCustomer: hello"


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"text": "Anna: hi\n\n  Boris : where is it?\nAnna: here"}, None),
        ({"text": " Dialog with a customer...\r\n"}, None),
        (
            {"text": None, "chunks": [{"text": "hi", "role": "Anna", "time": "10:21"}, {"text": "hello"}, "bye\nnow"]},
            "[10:21] Anna: hi\nhello\nbye\nnow",
        ),
        ({"text": "Anna: hi", "chunks": [{"text": "hi", "role": "Anna"}]}, "Anna: hi\n\nAnna: hi"),
    ],
)
def test_T_19_T_A20_the_text_of_a_chat_is_what_was_sent(
    world: World, client: Client, sent: dict[str, Any], text: str | None
) -> None:
    code = world.add_chat(client, **sent)
    assert get_task(client, task_code=code).json["task_result"] is None
    world.carry_on(code)
    assert get_task(client, task_code=code).json["task_result"]["original_text"] == (text or sent["text"])


def test_T_19_the_text_of_a_chat_outlives_what_was_uploaded_and_goes_with_the_results(
    world: World, client: Client
) -> None:
    code = world.add_chat(client, text="Anna: hi")
    world.carry_on(code)
    world.uploads.erase(world.job(code).audio_key)
    assert get_task(client, task_code=code).json["task_result"]["original_text"] == "Anna: hi"
    world.results.erase(world.job(code).results_prefix)
    assert get_task(client, task_code=code).json["task_result"]["original_text"] is None


def test_T_18_T_A20_a_chat_is_found_by_names_and_by_words(world: World, client: Client) -> None:
    code = world.add_chat(client, chunks=[{"text": "the parcel", "role": "Hermione", "time": "teatime"}])
    world.carry_on(code)
    for _ in range(2):
        for words in ("hermione", "parcel", "teatime", "morning"):
            found = client.send("POST", "/tasks/filter", fields={"message": words}).json["tasks"]
            assert [task["task_code"] for task in found] == [code], words
        world.fold_in(client)


def test_T_19_a_text_that_is_too_long_for_an_answer_is_led_to() -> None:
    world = World(settings=replace(World().settings, inline_body_bytes=10_000))
    client = world.client()
    said = replace(TRANSCRIPT, segments=(replace(TRANSCRIPT.segments[0], text='"quoted" ' * 1_000, words=()),))
    long, short = world.completed(client, said), world.completed(client, file_name="b.wav")
    answer = get_task(client, task_code=long)
    result = answer.json["task_result"]
    assert (len(answer.content) < 2_000, result["original_text"]) == (True, None)
    assert world.results.fetch(result["original_text_url"]).decode().count('"quoted"') == 1_000
    assert get_task(client, task_code=long).json["task_result"].keys() == result.keys()
    assert "original_text_url" not in get_task(client, task_code=short).json["task_result"]
    GetTaskAnswer.model_validate(answer.json)
    keys = [key for key in world.results.keys() if key.endswith("original_text.txt")]  # noqa: SIM118 - a bucket
    assert [key.startswith(world.job(long).results_prefix) for key in keys] == [True]


def test_T_19_what_an_answer_takes_is_counted_with_the_escapes_of_the_way() -> None:
    world = World(settings=replace(World().settings, inline_body_bytes=10_000))
    client = world.client()
    for letter, is_shown in (("x", True), ('"', False)):
        code = world.add_chat(client, text=letter * 4_000)
        world.carry_on(code)
        result = get_task(client, task_code=code).json["task_result"]
        assert (result["original_text"] == letter * 4_000, "original_text_url" in result) == (is_shown, not is_shown)


def test_T_A21_a_length_is_minutes_with_two_decimals(world: World, client: Client) -> None:
    code = world.completed(client)
    audio = world.job(code).audio
    assert audio is not None
    world.change(code, audio=replace(audio, duration_s=996.4))
    assert get_task(client, task_code=code).json["task_length"] == 16.61


def test_T_A19_times_have_an_offset_and_the_last_change_is_shown(world: World, client: Client) -> None:
    code = world.add_call(client)
    world.clock.advance(61)
    world.carry_on(code)
    shown = get_task(client, task_code=code).json
    assert (shown["created_at"], shown["updated_at"]) == ("2026-01-01T00:00:00+00:00", "2026-01-01T00:01:01+00:00")


@pytest.mark.parametrize("query", ["", "task_code=", "task_code=%20", "code=1", f"TASK_CODE={UNKNOWN}"])
def test_T_19_without_a_code_it_is_4020(client: Client, query: str) -> None:
    assert code_of(client.send("GET", GET_TASK, query=query)) == 4020


@pytest.mark.parametrize(
    "code", [UNKNOWN, "999999", "zzz", "0", "no such", "../x", "'--", "\x00", "x" * 5_000, "１", f"{UNKNOWN},{UNKNOWN}"]
)
def test_T_19_an_unknown_code_is_4021(client: Client, code: str) -> None:
    assert code_of(get_task(client, task_code=code)) == 4021


def test_T_19_another_tenants_task_is_4021(world: World, client: Client) -> None:
    code = world.completed(client)
    other = world.client()
    for given in (code, world.job(code).number):
        assert code_of(get_task(other, task_code=given)) == 4021
    assert get_task(world.client(tenant_id=world.tenant_of(client)), task_code=code).json["success"] is True


def test_T_A14_a_task_answers_to_its_id_and_its_short_code_too(world: World, client: Client) -> None:
    codes_made = [world.add_chat(client) for _ in range(12)]
    for given in (codes_made[11], codes_made[11].upper(), "12", "c", "C", " c "):
        assert get_task(client, task_code=given).json["task_code"] == codes_made[11]


def test_T_A13_a_completed_report_names_its_files_in_three_places(world: World, client: Client) -> None:
    job = a_report(world, client, state=JobState.COMPLETED, failure=None)
    names = [f"report_{job.number}.pdf", f"report_{job.number}.html"]
    shown = get_task(client, task_code=job.id).json
    assert (shown["type"], shown["report_type"], shown["file_name"]) == ("callreport", "standard", names[0])
    assert shown["report_files"] == shown["task_result"]["report_files"] == names
    assert shown["task_result"]["original_text"] is None
    assert world.row(client, job.id)["file_name"] == names[0]
    GetTaskAnswer.model_validate(shown)


def test_T_A13_a_report_that_is_not_completed_names_no_files(world: World, client: Client) -> None:
    shown = get_task(client, task_code=a_report(world, client).id).json
    assert (shown["file_name"], shown["task_result"], "report_files" in shown) == (None, None, False)


@pytest.mark.parametrize("path", [V2, V1])
def test_T_A2_both_paths_answer_4057_until_there_are_analyses(world: World, client: Client, path: str) -> None:
    call, chat, waiting = world.completed(client), world.add_chat(client), world.add_call(client, file_name="b.wav")
    world.carry_on(chat)
    for code in (call, chat, waiting, call.upper(), str(world.job(call).number)):
        assert code_of(client.send("GET", f"{path}/{code}")) == 4057


@pytest.mark.parametrize("path", [V2, V1])
def test_T_20_an_unknown_task_is_4021_and_another_tenants_as_well(world: World, client: Client, path: str) -> None:
    code = world.completed(client)
    assert code_of(client.send("GET", f"{path}/{UNKNOWN}")) == 4021
    assert code_of(client.send("GET", f"{path}/{'x' * 3_000}")) == 4021
    assert code_of(world.client().send("GET", f"{path}/{code}")) == 4021


@pytest.mark.parametrize("path", [V2, V1])
def test_T_20_a_task_of_any_type_has_no_analysis_yet_and_is_4057(world: World, client: Client, path: str) -> None:
    video = world.made(client.send("POST", "/addtaskyoutube", fields={"file_path": VIDEO_URL}))
    audio = world.made(client.send("POST", "/addtaskaudio", **multipart()))
    for code in (video, audio, a_report(world, client).id):
        assert code_of(client.send("GET", f"{path}/{code}")) == 4057


def test_T_20_the_shape_of_an_analysis_is_documented_on_both_paths(world: World) -> None:
    document = json.loads(world.anonymous.send("GET", "/transcripto/openapi.json").text)
    for path in (f"{V2}/{{task_code}}", f"{V1}/{{task_code}}"):
        shape = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert {"$ref": "#/components/schemas/AnalysisAnswer"} in shape["anyOf"]
    notes = document["components"]["schemas"]["NotesAnswer"]["properties"]
    assert {"decision_driver", "funnel_stage", "root_cause", "sales_signals"} <= set(notes)
    assert len(notes) == 12


def test_T_20_the_documented_shape_takes_an_analysis_of_the_documents_kind() -> None:
    notes = dict.fromkeys(AnalysisAnswer.model_json_schema()["$defs"]["NotesAnswer"]["properties"], "x")
    AnalysisAnswer.model_validate(
        {
            "success": True,
            "error_code": 0,
            "task_code": UNKNOWN,
            "call_datetime": "2025-10-01T07:50:00+00:00",
            "call_type": "inbound",
            "duration_sec": 996,
            "transcript": {"language": "en", "turns": 128},
            "analysis": {
                "summary": "s",
                "sentiment": "positive",
                "scores": {"csat": 9, "politeness": 0.95, "empathy": 0.86},
                "actions": ["a"],
                "tags": ["t"],
                "analysis_notes": notes,
                "added_later": 1,  # T-06
            },
            "call_checklists": [
                {
                    "checklist_id": 7,
                    "title": "t",
                    "score": 0.9,
                    "answers": [{"question_id": 1, "title": "q", "value": True}],
                }
            ],
            "category_ids": [101, 202],
            "customer_satisfaction_score": 9,
        }
    )


def test_T_A17_every_list_of_ids_is_published_in_both_languages(client: Client) -> None:
    english = client.send("GET", "/dictionaries").json
    russian = client.send("GET", "/dictionaries", headers={"accept-language": "ru-RU"}).json
    DictionariesAnswer.model_validate(english)
    for label in LABELS:
        assert [term["id"] for term in english[label]] == list(range(1, len(english[label]) + 1))
        assert [term["names"] for term in english[label]] == [term["names"] for term in russian[label]]
        for term, other in zip(english[label], russian[label], strict=True):
            assert (term["name"], other["name"]) == (term["names"]["en"], term["names"]["ru"])
            assert re.search("[а-я]", other["name"])


def test_T_A17_the_documents_samples_ask_for_ids_that_there_are(client: Client) -> None:
    asked = {"tone": [1, 2], "resolved_status": [5], "priority": [3], "funnel_stage": [4, 5]}
    lists = client.send("GET", "/dictionaries").json
    assert all(set(wanted) <= {term["id"] for term in lists[label]} for label, wanted in asked.items())


def test_T_A17_statuses_types_and_every_error_code_are_published(client: Client) -> None:
    lists = client.send("GET", "/dictionaries").json
    assert [one["value"] for one in lists["task_types"]] == list(TaskType)
    assert {one["value"] for one in lists["statuses"]} == {*TaskStatus, "completed2"}
    numbers = {one["error_code"] for one in lists["error_codes"]}
    assert {4003, 4017, 4059, 4066, 4091, 4092, 4602, 5001} <= numbers  # T-A6
    assert numbers == {code.number for _, code in codes.published()}
    assert any(one["endpoint"] == "/get_file" and one["error_code"] == 4046 for one in lists["error_codes"])
    texts = client.send("GET", "/dictionaries", headers={"accept-language": "ru"}).json["error_codes"]
    assert all(re.search("[а-я]", one["message"]) for one in texts)


def test_T_L3_the_scale_of_politeness_is_published(client: Client) -> None:
    scale = client.send("GET", "/dictionaries").json["operator_politeness"]
    assert [(one["rating"], one["score"]) for one in scale] == [(1, 0.0), (2, 0.25), (3, 0.5), (4, 0.75), (5, 1.0)]


@pytest.mark.parametrize("path", [f"{GET_TASK}?task_code=1", f"{V2}/1", f"{V1}/1", "/dictionaries", "/tasks/filter"])
def test_T_01_without_a_token_every_route_of_the_area_is_4023(world: World, path: str) -> None:
    path, _, query = path.partition("?")
    assert code_of(world.anonymous.send("GET", path, query=query)) == 4023
    assert code_of(world.anonymous.with_token("nonsense").send("GET", path, query=query)) == 4023
