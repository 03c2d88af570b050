"""Lists of tasks: every criterion, by query and in JSON, against a plain scan of the same rows."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.memory.plain_scan import scan
from callscribe.adapters.sqlite.index import SqliteTaskIndex
from callscribe.dialects.transcripto.results import criteria as criteria_module
from callscribe.dialects.transcripto.results.schemas import FilterRequest
from callscribe.domain.accounts import USUAL_SCOPES
from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.task_facts import ChecklistAnswer
from callscribe.domain.tasks import EVERYTHING, LABELS, Criteria, Range, TaskRow, TaskStatus, TaskType
from callscribe.services import accounts, task_rows
from tests.dialects.conftest import Answer, Client
from tests.dialects.transcripto.world import FILTER, World

USER_FILTER = "/user/tasks/filter"
JANUARY_MS = 1_767_225_600_000
DAY_MS = 86_400_000
ALL_16 = {
    *("id", "type", "status", "file_name", "created_at", "updated_at", "operator_name", "call_time"),
    *("call_type", "call_date", "error_message", "directory_id", "task_length", "task_code"),
    *("report_type", "customer_satisfaction_score"),
}
OFFSET_FORM = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"


def by_query(client: Client, parameters: Mapping[str, object], path: str = FILTER) -> Answer:
    return client.send("GET", path, query=urlencode(dict(parameters)))


def by_body(client: Client, parameters: Mapping[str, object], path: str = FILTER) -> Answer:
    return client.send("POST", path, fields=dict(parameters))


def ids(answer: Answer) -> list[int]:
    assert answer.json["success"] is True, answer.text
    return [task["id"] for task in answer.json["tasks"]]


def row(number: int, **known: Any) -> TaskRow:
    made = {
        "id": number,
        "code": f"00000000-0000-4000-8000-{number:012}",
        "type": TaskType.CALL,
        "status": TaskStatus.COMPLETED,
        "created_at_ms": JANUARY_MS,
        "updated_at_ms": JANUARY_MS + number,
        "version": 1,
    }
    return TaskRow(**{**made, **known})


class Listing:
    """A tenant with these rows in its index."""

    def __init__(self, world: World, *rows: TaskRow) -> None:
        self.tenant_id = world.tenant()
        _, secret = accounts.create_key(world.deps, tenant_id=self.tenant_id, name="a key", scopes=USUAL_SCOPES)
        self.client = world.anonymous.with_token(secret)  # a key costs no hash of a password
        self.world = world
        self.put(*rows)

    def put(self, *rows: TaskRow) -> None:
        for month in {one.month for one in rows}:
            self.world.deps.task_index.take_in(
                self.tenant_id, month, [one for one in rows if one.month == month], gone={}
            )


# --- the answers


@pytest.mark.parametrize("path", [FILTER, USER_FILTER])
@pytest.mark.parametrize("ask", [by_query, by_body])
def test_T_A1_both_paths_answer_both_methods(world: World, ask: Any, path: str) -> None:
    listing = Listing(world, row(1), row(2, type=TaskType.CHAT))
    assert ids(ask(listing.client, {"task_type": "chat"}, path)) == [2]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"unknown": 1}'])
def test_T_18_a_request_without_criteria_lists_everything_last_changed_first(world: World, body: bytes) -> None:
    client = Listing(world, row(1, updated_at_ms=JANUARY_MS + 9), row(2), row(3)).client
    assert ids(client.send("POST", FILTER, body=body)) == [1, 3, 2]
    assert ids(client.send("GET", FILTER)) == [1, 3, 2]


def test_T_18_every_task_has_all_16_fields_in_the_documented_forms(world: World, client: Client) -> None:
    directory = client.send("POST", "/user/directories", fields={"name": "a"}).json["directory"]["id"]
    code = world.completed(
        client,
        file_name="rec.wav",
        operator_name="Ivanov",
        call_type="inbound",
        call_date="2025-10-20",
        call_datetime="2025-10-20T11:45:00+03:00",
        directory_id=directory,
    )
    shown = world.row(client, code)
    assert shown.keys() == ALL_16
    assert shown | {"task_length": 0, "created_at": "", "updated_at": ""} == {
        "id": 1,
        "type": "call",
        "status": "completed",
        "file_name": "rec.wav",
        "created_at": "",
        "updated_at": "",
        "operator_name": "Ivanov",
        "call_time": "2025-10-20T08:45:00+00:00",
        "call_type": "inbound",
        "call_date": "2025-10-20",
        "error_message": None,
        "directory_id": directory,
        "task_length": 0,
        "task_code": code,
        "report_type": None,
        "customer_satisfaction_score": None,
    }


def test_T_18_a_score_of_satisfaction_is_shown(world: World) -> None:
    client = Listing(world, row(1, satisfaction=8)).client
    assert by_query(client, {}).json["tasks"][0]["customer_satisfaction_score"] == 8


def test_T_A19_times_of_a_list_have_an_offset_and_no_fraction(world: World) -> None:
    client = Listing(world, row(1, updated_at_ms=JANUARY_MS + 999, call_at_ms=JANUARY_MS - 1)).client
    task = by_query(client, {}).json["tasks"][0]
    assert (task["created_at"], task["updated_at"]) == ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00")
    assert task["call_time"] == "2025-12-31T23:59:59+00:00"


def test_T_A21_lengths_are_minutes_with_two_decimals_and_none_of_a_chat(world: World) -> None:
    client = Listing(world, row(1, length_min=996 / 60), row(2, type=TaskType.CHAT, length_min=3.0)).client
    assert [task["task_length"] for task in by_query(client, {}).json["tasks"]] == [0, 16.6]


def test_T_A23_a_directory_that_is_gone_is_shown_as_none(world: World, client: Client) -> None:
    made = client.send("POST", "/user/directories", fields={"name": "a"}).json["directory"]["id"]
    code = world.completed(client, directory_id=made)
    assert world.row(client, code)["directory_id"] == made
    assert client.send("DELETE", f"/user/directories/delete/{made}").json["error_code"] == 0
    assert world.row(client, code)["directory_id"] is None
    assert client.send("GET", "/gettask", query=f"task_code={code}").json["directory_id"] is None


def test_T_A4_a_list_says_how_it_went_although_the_document_forgot(world: World) -> None:
    answer = by_query(Listing(world).client, {}).json
    assert (answer["success"], answer["error_code"]) == (True, 0)


def test_T_18_pages_have_a_total_and_follow_one_another(world: World) -> None:
    client = Listing(world, *(row(number) for number in range(1, 26))).client
    first = by_query(client, {}).json
    assert [task["id"] for task in first["tasks"]] == list(range(25, 15, -1))
    assert first["pagination"] == {"current_page": 1, "per_page": 10, "total_tasks": 25, "total_pages": 3}
    pages = [ids(by_body(client, {"page": number, "per_page": 12})) for number in (1, 2, 3, 4)]
    assert [task for page in pages for task in page] == list(range(25, 0, -1))
    beyond = by_query(client, {"page": 1_000_000, "per_page": 100}).json
    assert beyond["tasks"] == []
    assert beyond["pagination"] == {"current_page": 1_000_000, "per_page": 100, "total_tasks": 25, "total_pages": 1}


def test_T_18_another_tenants_tasks_are_never_listed(world: World) -> None:
    theirs, ours = Listing(world, row(1)), Listing(world, row(2))
    assert ids(by_query(ours.client, {})) == [2]
    assert ids(by_query(ours.client, {"task_id": 1})) == []
    assert ids(by_query(theirs.client, {"task_code": row(2).code})) == []


def test_T_18_what_changed_this_moment_is_listed_at_once(world: World, client: Client) -> None:
    code = world.add_call(client)
    assert world.row(client, code)["status"] == "pending"
    world.prepare(code)
    assert world.row(client, code)["status"] == "processing"
    world.fail(code)
    assert (world.row(client, code)["status"], world.row(client, code)["error_message"] is None) == ("error", False)


# --- how values are read


@pytest.mark.parametrize("nothing", [None, "", "  ", []])
@pytest.mark.parametrize("name", list(FilterRequest.model_fields))
def test_T_18_null_and_blank_ask_for_nothing(world: World, name: str, nothing: object) -> None:
    if nothing == [] and not name.startswith(("tone", "tags", "answers", "operator_politeness")):
        return  # no list is asked for there
    if nothing == [] and name.endswith(("_min", "_max")):
        return
    client = Listing(world, row(1)).client
    assert ids(by_body(client, {name: nothing})) == [1]
    if isinstance(nothing, str):
        assert ids(by_query(client, {name: nothing})) == [1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("page", value) for value in ("0", "-1", "1.5", "x", "1,2", "１", "9" * 30, "0.0", "1.", "1.0.0", "NULL")),
        *(("per_page", value) for value in ("0", "101", "ten")),
        *(("task_id", value) for value in ("-1", "1e3", "0x1", "9" * 30)),
        *(("task_code", value) for value in ("no code", "' OR 1=1", "0000-0000", "z" * 30)),
        *(
            ("date_from", value)
            for value in ("yesterday", "2025-02-30", "2025-10", "20251001", "2025-10-01T25:00", "1")
        ),
        ("date_to", "0000-01-01"),
        ("date_to", "9999-12-31T23:59:59-23:59x"),
        ("task_type", "calls"),
        ("status", "done"),
        *(("message", value) for value in ("*", "-", "!! ...", "_", "\U0001f600")),
        ("call_type", "sideways"),
        *(("tone_id", value) for value in ("1,x", "-1", "1.5", "nan")),
        *(("script_alignment_min", value) for value in ("-1", "100.1", "nan", "inf", "1_0", "1e999")),
        *(("customer_satisfaction_score_max", value) for value in ("11", "-1", "5.5")),
        *(("operator_politeness", value) for value in ("0", "6", "1,6")),
        *(("operator_politeness_min", value) for value in ("0", "6")),
        *(("length_min", value) for value in ("-0.1", "infinity", "--1")),
        ("checklist_id", "seven"),
        *(("answers", value) for value in ("No", "Yes,No")),
        ("operator_name", "x" * 1_001),
        ("message", "x" * 1_001),
        ("tags_any", ",".join("abcdefghij" * 11)),
    ],
)
def test_T_18_a_value_that_breaks_a_rule_is_4001_and_named(world: World, name: str, value: str) -> None:
    client = Listing(world, row(1)).client
    for answer in (by_query(client, {name: value}), by_body(client, {name: value})):
        assert (answer.status, answer.json["success"], answer.json["error_code"]) == (200, False, 4001)
        assert f"{name}: " in answer.json["error_message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, True) for name in ("page", "task_id", "tone_id", "script_alignment_min", "length_max", "message")),
        *((name, {}) for name in ("page", "status", "tags_any", "answers", "date_from", "operator_name")),
        *((name, 7) for name in ("status", "operator_name", "message", "date_from")),
        ("tags_any", [1]),
        ("answers", [["Yes"]]),
        ("tone_id", [[1]]),
        ("tone_id", [None, "x"]),
        ("tone_id", 10**16),
        ("page", 1.5),
        ("length_min", [1]),
    ],
)
def test_T_18_a_wrong_type_in_the_body_is_4001_and_named(world: World, name: str, value: object) -> None:
    answer = by_body(Listing(world).client, {name: value})
    assert (answer.json["success"], answer.json["error_code"]) == (False, 4001)
    assert f"{name}: " in answer.json["error_message"]


NUMBERS = [
    *(
        f"{name}_{end}"
        for name in ("script_alignment", "length", "customer_satisfaction_score")
        for end in ("min", "max")
    ),
    *("operator_politeness", "operator_politeness_min", "operator_politeness_max", "task_id", "checklist_id"),
    *("page", "per_page", *(f"{label}_id" for label in LABELS)),
]


@pytest.mark.parametrize("name", NUMBERS)
def test_T_18_the_word_null_in_a_query_asks_for_no_number(world: World, name: str) -> None:
    client = Listing(world, row(1)).client
    assert ids(by_query(client, {name: "null"})) == [1]
    assert ids(by_body(client, {name: None})) == [1]


def test_T_18_only_numbers_know_the_word_null(world: World) -> None:
    client = Listing(world, row(1, operator_name="Nullman"), row(2, operator_name="Ivan", labels={"tone": 2})).client
    assert ids(by_query(client, {"operator_name": "null"})) == [1]
    assert ids(by_query(client, {"tone_id": "null,2"})) == [2]
    assert by_query(client, {"status": "null"}).json["error_code"] == 4001


@pytest.mark.parametrize("whole", ["8.0", " 8.00 ", "+8.0"])
def test_T_18_a_whole_number_of_a_query_may_have_a_point_as_it_may_in_json(world: World, whole: str) -> None:
    client = Listing(world, *(row(number, satisfaction=number, labels={"tone": number}) for number in (7, 8, 9))).client
    asked = {"customer_satisfaction_score_min": whole, "customer_satisfaction_score_max": whole, "page": "1.0"}
    assert ids(by_query(client, asked)) == [8]
    assert ids(by_query(client, {"tone_id": f"{whole},9.0"})) == [9, 8]
    assert ids(by_body(client, {"customer_satisfaction_score_min": 8.0, "page": 1.0})) == [9, 8]


@pytest.mark.parametrize("ask", [by_query, by_body])
def test_T_18_answers_of_no_question_are_4001(world: World, ask: Any) -> None:
    client = Listing(world, row(1, answers=((7, "No"),)), row(2, answers=((8, "No"),))).client
    refused = ask(client, {"answers": "No"}).json
    assert (refused["error_code"], "answers: must come with checklist_id" in refused["error_message"]) == (4001, True)
    assert ids(ask(client, {"answers": "No", "checklist_id": 7})) == [1]
    assert ids(ask(client, {"answers": "", "checklist_id": 7})) == [1]


@pytest.mark.parametrize("path", [FILTER, USER_FILTER])
def test_T_18_a_post_reads_its_query_and_what_its_body_says_wins(world: World, path: str) -> None:
    failed = {"status": TaskStatus.ERROR}
    client = Listing(world, row(1, **failed), row(2, **failed), row(3), row(4, **failed, labels={"tone": 1})).client

    def asked(query: str, body: dict[str, Any] | None = None) -> list[int]:
        return ids(client.send("POST", path, query=query, fields={} if body is None else body))

    assert asked("page=2&per_page=1&status=error") == [2]
    assert ids(client.send("POST", path, query="page=2&per_page=1&status=error")) == [2]  # without a body
    assert asked("page=2&per_page=1&status=error", {"page": 3}) == [1]
    assert asked("status=error&tone_id=1", {"status": "completed", "tone_id": None}) == [3]
    refused = client.send("POST", path, query="page=x", fields={"status": "error"}).json
    assert (refused["error_code"], "page: " in refused["error_message"]) == (4001, True)


@pytest.mark.parametrize("name", ["script_alignment", "customer_satisfaction_score", "operator_politeness", "length"])
def test_T_18_a_range_that_ends_before_it_begins_is_4001(world: World, name: str) -> None:
    answer = by_query(Listing(world).client, {f"{name}_min": 4, f"{name}_max": 3})
    assert answer.json["error_code"] == 4001
    assert f"{name}_min" in answer.json["error_message"]
    assert ids(by_query(Listing(world).client, {f"{name}_min": 3, f"{name}_max": 3})) == []


@pytest.mark.parametrize("body", [b"[]", b"nonsense", b'{"page": 1, "page": 2}', b'{"page": NaN}', b"\xff"])
def test_T_18_a_body_that_is_no_json_object_is_4001(world: World, body: bytes) -> None:
    assert Listing(world).client.send("POST", FILTER, body=body).json["error_code"] == 4001


def test_T_18_too_many_parameters_are_4001(world: World) -> None:
    answer = Listing(world).client.send("GET", FILTER, query="&".join(["x=1"] * 201))
    assert answer.json["error_code"] == 4001


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-01-02", "2026-01-02", [2, 3]),  # the whole day
        ("2026-01-02", None, [2, 3, 4]),
        (None, "2026-01-01", [1, 9]),  # 9 has no time but that of its making
        ("2026-01-02T00:00:00", "2026-01-02T00:00:00", [2]),  # UTC where no zone is given
        ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00.000+00:00", [2]),
        ("2026-01-02T03:00:00+03:00", "2026-01-02T03:00:00+03:00", [2]),
        ("2026-01-02 00:00", "2026-01-02 23:59:59.999", [2, 3]),
        ("0001-01-01", "9999-12-31", [1, 2, 3, 4, 9]),
    ],
)
def test_T_18_dates_are_of_the_call_and_a_last_date_holds_its_whole_day(
    world: World, first: str | None, last: str | None, expected: list[int]
) -> None:
    moments = (JANUARY_MS, JANUARY_MS + DAY_MS, JANUARY_MS + 2 * DAY_MS - 1, JANUARY_MS + 2 * DAY_MS)
    calls = [row(number, call_at_ms=at_ms) for number, at_ms in enumerate(moments, start=1)]
    client = Listing(world, *calls, row(9)).client
    asked = {name: value for name, value in (("date_from", first), ("date_to", last)) if value}
    assert sorted(ids(by_query(client, asked))) == expected
    assert sorted(ids(by_body(client, asked))) == expected


@pytest.mark.parametrize("sent", ["Inbound", " inbound", "INBOUND "])
def test_T_18_words_are_understood_in_any_case(world: World, sent: str) -> None:
    client = Listing(world, row(1, call_type="inbound"), row(2, call_type="outbound")).client
    for ask in (by_query, by_body):
        assert ids(ask(client, {"call_type": sent, "task_type": "Call", "status": "COMPLETED"})) == [1]


@pytest.mark.parametrize("brackets", ["[]", "%5B%5D", "[0]", "%5B1%5D"])
def test_T_18_a_list_may_have_brackets_in_a_query_as_some_clients_write_it(world: World, brackets: str) -> None:
    client = Listing(world, *(row(number, labels={"tone": number}) for number in (1, 2, 3))).client
    assert ids(client.send("GET", FILTER, query=f"tone_id{brackets}=1&tone_id{brackets}=2")) == [2, 1]
    refused = client.send("GET", FILTER, query=f"tone_id{brackets}=1&tone_id{brackets}=x").json
    assert refused["error_code"] == 4001


@pytest.mark.parametrize("asked", ["not\tquite  YES", " Not quite yes ", "not\x00quite yes"])
def test_T_18_tags_answers_and_names_are_the_same_whatever_their_case_and_white_space(
    world: World, sqlite_world: World, asked: str
) -> None:
    for each in (world, sqlite_world):
        for stored in ("Not  quite\tyes", "not quite\nyes ", "not\x07quite yes"):
            known = row(1, tags=(stored,), answers=((7, stored),), operator_name=f"Mr. {stored}")
            client = Listing(each, known, row(2, tags=("yes",), answers=((7, "yes"),), operator_name="yes")).client
            for name in ("tags_any", "tags_all", "answers", "operator_name"):
                assert ids(by_body(client, {name: asked, "checklist_id": 7})) == [1], (name, stored)


def test_T_18_a_bare_plus_in_a_query_is_still_a_time_zone(world: World) -> None:
    client = Listing(world, row(1, call_at_ms=JANUARY_MS)).client
    moment = "2026-01-01T03:00:00+03:00"
    assert ids(client.send("GET", FILTER, query=f"date_from={moment}&date_to={moment}")) == [1]


@pytest.mark.parametrize("given", ["2026-01-01+03:00", "2026-01-01-05:00", "2026-01-01\u263a10:00", "20260101", "now"])
def test_T_18_what_is_neither_a_date_nor_a_time_is_4001(world: World, given: str) -> None:
    assert by_body(Listing(world).client, {"date_to": given}).json["error_code"] == 4001


def test_T_18_a_first_date_after_the_last_is_4001(world: World) -> None:
    answer = by_query(Listing(world).client, {"date_from": "2026-01-02", "date_to": "2026-01-01"})
    assert (answer.json["error_code"], "date_from" in answer.json["error_message"]) == (4001, True)


def test_T_18_lists_come_as_text_with_commas_or_repeated_or_as_an_array(world: World) -> None:
    client = Listing(
        world, *(row(number, labels={"tone": number}, tags=(f"t{number}",)) for number in (1, 2, 3))
    ).client
    assert ids(client.send("GET", FILTER, query="tone_id=1,%202")) == [2, 1]
    assert ids(client.send("GET", FILTER, query="tone_id=1&tone_id=2")) == [2, 1]
    assert ids(client.send("GET", FILTER, query="tags_any=t1,t3&tags_any=,")) == [3, 1]
    for value in ([1, 2], ["1", 2], "1,2", [1, None, 2], [1.0, 2]):
        assert ids(by_body(client, {"tone_id": value})) == [2, 1]
    assert ids(by_body(client, {"tone_id": 3, "tags_all": ["T3"]})) == [3]


def test_T_18_a_tag_of_an_array_may_hold_a_comma_and_so_may_an_answer_in_text(world: World) -> None:
    kept = row(1, tags=("a,b",), answers=((7, "Yes, but late"),))
    client = Listing(world, kept, row(2, tags=("a",), answers=((7, "Yes"),)), row(3, answers=((7, "No"),))).client
    assert ids(by_body(client, {"tags_any": ["a,b"]})) == [1]
    assert ids(by_body(client, {"tags_any": "a,b"})) == [2]
    assert ids(by_body(client, {"checklist_id": 7, "answers": ["Yes, but late"]})) == [1]
    assert ids(by_query(client, {"checklist_id": 7, "answers": "Yes, but late"})) == [2, 1]
    assert ids(by_query(client, {"checklist_id": 7, "answers": "no"})) == [3]
    assert ids(by_query(client, {"checklist_id": 8, "answers": "no"})) == []


def test_T_18_a_name_and_a_message_are_one_text_whatever_commas_they_hold(world: World) -> None:
    client = Listing(
        world, row(1, operator_name="Ivanov, Ivan", words="hello, world"), row(2, operator_name="Ivan")
    ).client
    assert ids(by_query(client, {"operator_name": "v, i"})) == [1]
    assert ids(by_query(client, {"message": "hello, world"})) == [1]
    assert ids(by_body(client, {"message": "world hello"})) == [1]


def test_T_A14_a_task_is_found_by_its_code_its_id_or_its_short_code(world: World) -> None:
    client = Listing(world, row(37), row(12)).client
    assert ids(by_query(client, {"task_code": row(37).code.upper()})) == [37]
    assert ids(by_query(client, {"task_code": "12"})) == [12]  # digits are the id
    assert ids(by_body(client, {"task_code": 12})) == [12]
    assert ids(by_query(client, {"task_code": "C"})) == [12]  # base 36
    assert ids(by_query(client, {"task_code": "C", "task_id": 12})) == [12]
    assert ids(by_query(client, {"task_code": "C", "task_id": 37})) == []
    assert ids(by_query(client, {"task_code": row(37).code, "task_id": 12})) == []
    assert ids(by_query(client, {"task_code": "zzzzzzzz"})) == []


@pytest.mark.parametrize("ask", [by_query, by_body])
def test_T_A18_completed2_and_email_may_be_asked_for_and_find_nothing(world: World, ask: Any) -> None:
    client = Listing(world, row(1)).client
    for asked in ({"status": "completed2"}, {"task_type": "email"}):
        answer = ask(client, asked)
        assert ids(answer) == []
        assert answer.json["pagination"] == {"current_page": 1, "per_page": 10, "total_tasks": 0, "total_pages": 0}
    assert ask(client, {"status": "completed2", "page": 0}).json["error_code"] == 4001  # what is wrong stays wrong


def test_T_A18_a_task_that_waits_for_its_analysis_is_found_as_audio_completed(world: World) -> None:
    client = Listing(world, row(1, status=TaskStatus.AUDIO_COMPLETED), row(2)).client
    answer = by_query(client, {"status": "audio_completed"})
    assert ([task["status"] for task in answer.json["tasks"]], ids(answer)) == (["audio_completed"], [1])


def test_T_L3_politeness_is_asked_for_by_its_ratings_from_1_to_5(world: World) -> None:
    client = Listing(world, *(row(number, politeness=number) for number in range(1, 6))).client
    assert ids(by_query(client, {"operator_politeness": "4,5"})) == [5, 4]
    assert ids(by_query(client, {"operator_politeness": "1,4,5", "operator_politeness_max": 4})) == [4, 1]
    assert ids(by_body(client, {"operator_politeness_min": 2, "operator_politeness_max": 3})) == [3, 2]


@pytest.mark.parametrize("ask", [by_query, by_body])
@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE tasks; --", '" OR "', "%", "_", "\x00", "a\x00b", "NEAR(", "*", "\\", "\U0001f600", "ﬀ" * 400],
)
def test_T_18_hostile_text_is_only_text(sqlite_world: World, ask: Any, text: str) -> None:
    client = Listing(sqlite_world, row(1, operator_name="Ivan", words="hello", tags=("a",))).client
    for name in ("operator_name", "tags_any", "tags_all", "answers"):
        assert ask(client, {name: text, "checklist_id": 1}).json["success"] is True
    by_words = ask(client, {"message": text}).json
    assert by_words["error_code"] == 0 if text == "\x00" or any(map(str.isalnum, text)) else 4001
    assert ids(ask(client, {})) == [1]


@pytest.mark.parametrize("words", [" ".join(["word"] * 200), " ".join(["a"] * 500)])
def test_T_18_a_long_message_is_searched_for(sqlite_world: World, words: str) -> None:
    client = Listing(sqlite_world, row(1, words=words), row(2, words="other")).client
    assert ids(by_body(client, {"message": words})) == [1]


# --- any criteria find what a plain scan finds

NAMES = [None, "global", "Ivanov", "IVANOVA", "Ümit Öz", "100%_real", "straße", "O'Neil, Ann", "Сергеи\u0306", "Артём"]
SAID = ["eSIM", "setup", "esim-setup", "Straße", "café", "CAFE", "it's", "número", '"quoted"', "NEAR", "42"]
SAID += ["мой", "мои", "МОИ\u0306", "ещё", "еще", "ї", "і", "σας", "ΣΑΣ", "Καλημέρα", "καλημερα"]
TAGS = ["eSIM", "esim", "APN", "Ü", "й", "и\u0306", "ё", "ΣΑΣ"]
moments = st.integers(0, 6).map(lambda day: JANUARY_MS + day * DAY_MS)
rows = st.builds(
    row,
    number=st.integers(1, 12),
    type=st.sampled_from(list(TaskType)),
    status=st.sampled_from(list(TaskStatus)),
    updated_at_ms=moments,
    call_at_ms=st.none() | moments,
    operator_name=st.sampled_from(NAMES),
    call_type=st.sampled_from([None, "inbound", "outbound"]),
    length_min=st.floats(0, 5),
    satisfaction=st.none() | st.integers(0, 10),
    politeness=st.none() | st.integers(1, 5),
    script_alignment=st.none() | st.floats(0, 100),
    labels=st.dictionaries(st.sampled_from(LABELS), st.integers(1, 3)),
    tags=st.lists(st.sampled_from(TAGS), max_size=3).map(tuple),
    answers=st.lists(st.tuples(st.integers(1, 2), st.sampled_from(["Yes", "no"])), max_size=2).map(tuple),
    words=st.lists(st.sampled_from(SAID), max_size=5).map(" ".join),
)


def spans(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Range]:
    """Ranges that end after they begin, or have no end."""
    ends = st.tuples(st.none() | values, st.none() | values)
    return ends.map(lambda pair: Range(*(sorted(pair) if None not in pair else pair)))


def few(values: list[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)


every_criterion: dict[str, st.SearchStrategy[Any]] = {
    "code": st.sampled_from([row(1).code, row(30).code]),
    "id": st.integers(1, 14),
    "type": st.sampled_from(list(TaskType)),
    "status": st.sampled_from(list(TaskStatus)),
    "moment_ms": spans(moments),
    "call_type": st.sampled_from(["inbound", "outbound"]),
    "operator": st.sampled_from(["ivan", "ÜMIT", "%", "_", "STRASSE", "'", "il, a", "СЕРГЕЙ", "артем"]),
    "words": st.lists(st.sampled_from([*SAID, "!!", "OR", "*", "e"]), min_size=1, max_size=2).map(" ".join),
    "labels": st.dictionaries(st.sampled_from(LABELS), few([1, 2, 3, 4]), min_size=1, max_size=2),
    "script_alignment": spans(st.floats(0, 100)),
    "satisfaction": spans(st.integers(0, 10)),
    "politenesses": few([1, 2, 3, 4, 5]),
    "politeness": spans(st.integers(1, 5)),
    "tags_any": few(TAGS),
    "tags_all": few(TAGS),
    "length_min": spans(st.floats(0, 5)),
    "checklist_id": st.integers(1, 3),
    "answers": few(["yes", "NO", "Partially"]),
}
some_criteria = (
    st.lists(st.sampled_from(sorted(every_criterion)), max_size=3, unique=True)
    .flatmap(lambda names: st.fixed_dictionaries({name: every_criterion[name] for name in names}))
    .map(lambda chosen: replace(EVERYTHING, **chosen))
)


def moment(at_ms: float) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def asked(wanted: Criteria) -> dict[str, Any]:
    """The parameters that say this, in JSON's types; the inverse of what is tested."""
    simple: dict[str, Any] = {
        "task_code": wanted.code,
        "task_id": wanted.id,
        "call_type": wanted.call_type,
        "operator_name": wanted.operator,
        "message": wanted.words,
        "checklist_id": wanted.checklist_id,
        "task_type": wanted.type and wanted.type.value,
        "status": wanted.status and wanted.status.value,
        "operator_politeness": list(wanted.politenesses),
        **{name: list(getattr(wanted, name)) for name in ("tags_any", "tags_all", "answers")},
        **{f"{label}_id": list(found) for label, found in wanted.labels.items()},
        "date_from": None if wanted.moment_ms.least is None else moment(wanted.moment_ms.least),
        "date_to": None if wanted.moment_ms.most is None else moment(wanted.moment_ms.most),
    }
    spans_of = {
        "script_alignment": wanted.script_alignment,
        "customer_satisfaction_score": wanted.satisfaction,
        "operator_politeness": wanted.politeness,
        "length": wanted.length_min,
    }
    for name, span in spans_of.items():
        simple |= {f"{name}_min": span.least, f"{name}_max": span.most}
    return simple


def in_query(parameters: Mapping[str, Any]) -> dict[str, str]:
    given_ = {name: value for name, value in parameters.items() if value not in (None, [])}
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in given_.items()
    }


@pytest.fixture(scope="module")
def sqlite_world() -> Iterator[World]:
    """A stage whose index is the real one; each test makes tenants of its own."""
    with tempfile.TemporaryDirectory() as folder:
        index = SqliteTaskIndex(MemoryIndexFiles(), Path(folder))
        yield World(overrides={"task_index": index})
        index.close()


def dirty_job(world: World, listing: Listing, number: int, answers: tuple[tuple[int, str], ...]) -> TaskRow:
    """A task that is in the table alone, as a row."""
    template = world.job(world.add_call(listing.client, file_name=f"{number}.wav", operator_name="Ivanov"))
    assert template.task is not None
    task = replace(
        template.task,
        call_at_ms=JANUARY_MS + number * DAY_MS,
        answers=tuple(ChecklistAnswer(*one, "user") for one in answers),
    )
    direction = Direction.INBOUND if number % 2 else Direction.OUTBOUND
    changed = world.change(template.id, task=task, call=CallFacts(direction=direction))
    return task_rows.row_of(changed)


def drawn_listing(world: World, data: st.DataObject) -> tuple[Listing, list[TaskRow]]:
    """A new tenant with tasks in the index's files, and others, or newer ones, that only the table knows yet."""
    listing = Listing(world)
    answers = st.sampled_from([(), ((1, "Yes"),), ((2, "no"), (1, "no"))])
    count = data.draw(st.integers(0, 2))
    fresh = [dirty_job(world, listing, number, data.draw(answers)) for number in range(1, count + 1)]
    written = {one.id: one for one in data.draw(st.lists(rows, max_size=10))}
    changed = {one.id for one in fresh}
    listing.put(*(replace(one, version=0) if one.id in changed else one for one in written.values()))
    return listing, [*(one for one in written.values() if one.id not in changed), *fresh]


@settings(max_examples=150)
@given(data=st.data())
def test_T_18_any_criteria_find_what_a_plain_scan_finds_also_while_changes_are_not_taken_in(
    sqlite_world: World, data: st.DataObject
) -> None:
    listing, everything = drawn_listing(sqlite_world, data)
    wanted = data.draw(some_criteria)
    page, per_page = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 5))
    expected = [one.id for one in scan(everything, wanted)]
    parameters = {**asked(wanted), "page": page, "per_page": per_page}
    says_nothing = bool(wanted.words) and not any(map(str.isalnum, wanted.words or ""))
    if says_nothing or (wanted.answers and wanted.checklist_id is None):
        assert by_body(listing.client, parameters).json["error_code"] == 4001
        return
    for answer in (by_body(listing.client, parameters), by_query(listing.client, in_query(parameters))):
        assert ids(answer) == expected[(page - 1) * per_page : page * per_page]
        assert answer.json["pagination"]["total_tasks"] == len(expected)


# --- the document of the route


def test_T_18_every_criterion_stands_in_the_openapi_document_for_both_methods(world: World) -> None:
    document = json.loads(world.anonymous.send("GET", "/transcripto/openapi.json").text)
    known = set(FilterRequest.model_fields)
    for path in (FILTER, USER_FILTER):
        operations = document["paths"][path]
        assert {one["name"] for one in operations["get"]["parameters"]} == known | {"Accept-Language"}
        reference = json.dumps(operations["post"]["requestBody"])
        assert "FilterRequest" in reference
    assert set(document["components"]["schemas"]["FilterRequest"]["properties"]) == known


def test_every_criterion_of_the_domain_can_be_asked_for() -> None:
    filled = {
        "task_code": "zz",
        "task_type": "call",
        "status": "error",
        "date_from": "2025-01-01",
        "call_type": "inbound",
        "operator_name": "a",
        "message": "b",
        "tone_id": 1,
        "script_alignment_min": 1,
        "operator_politeness": 2,
        "customer_satisfaction_score_min": 1,
        "operator_politeness_min": 1,
        "tags_any": "c",
        "tags_all": "d",
        "length_max": 1,
        "checklist_id": 1,
        "answers": "e",
    }
    found = criteria_module.read(filled).criteria
    assert found is not None
    unset = {one.name for one in fields(Criteria) if getattr(found, one.name) == getattr(EVERYTHING, one.name)}
    assert unset == {"code"}  # a short code is asked for by the id
