"""Saved filters, as a client sees them: rows T-30 to T-32."""

import json
import re
from typing import Any

import pytest

from tests.dialects.conftest import Client
from tests.dialects.transcripto.kept import refused
from tests.dialects.transcripto.world import World

SAVE = "/tasks/filters/save"
LIST = "/tasks/filters/list"
DELETE = "/tasks/filters/delete"
CRITERIA = {
    "task_type": "call",
    "status": "completed",
    "date_from": "2025-10-01",
    "tone_id": [1, 2],
    "risk_signal_id": None,
    "tags_any": "eSIM,APN",
    "answers": ["Yes", "Частично 🤷"],
    "customer_satisfaction_score_min": 8.5,
    "page": 1,
    "something": {"of": ["ours", {"deeply": "nested"}]},
}


def save(client: Client, name: str, criteria: dict[str, Any]) -> None:
    answer = client.send("POST", SAVE, fields={"name": name, "criteria": criteria})
    assert answer.json == {"success": True, "error_code": 0, "message": "Filter created or updated"}


def filters(client: Client) -> list[dict[str, Any]]:
    answer = client.send("GET", LIST).json
    kept: list[dict[str, Any]] = answer["filters"]
    assert (answer["success"], answer["error_code"], answer["count"]) == (True, 0, len(kept))
    return kept


def test_T_30_T_31_T_A4_a_filter_is_kept_as_it_was_sent_and_listed(client: Client) -> None:
    save(client, "Critical calls — Октябрь", CRITERIA)
    save(client, "Chats with low CSAT", {})
    first, second = filters(client)
    assert first == {
        "id": 1,
        "name": "Critical calls — Октябрь",
        "criteria": CRITERIA,
        "created_at": "2026-01-01T00:00:00",
    }
    assert list(first["criteria"]) == list(CRITERIA)
    assert (second["id"], second["criteria"]) == (2, {})


def test_T_30_a_filter_of_the_same_name_is_replaced_and_keeps_its_id(world: World, client: Client) -> None:
    save(client, "one", {"status": "completed"})
    world.clock.advance(seconds=60)
    save(client, " one ", {"status": "error"})
    assert filters(client) == [
        {"id": 1, "name": "one", "criteria": {"status": "error"}, "created_at": "2026-01-01T00:00:00"}
    ]


def test_T_30_what_was_saved_can_be_asked(world: World, client: Client) -> None:
    code = world.completed(client)
    save(client, "calls", {"task_type": "call", "risk_signal_id": None, "page": 1, "per_page": 12})
    criteria = filters(client)[0]["criteria"]
    assert [one["task_code"] for one in client.send("POST", "/tasks/filter", fields=criteria).json["tasks"]] == [code]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 4045),
        (..., 4045),
        ({"name": "one"}, 4045),
        ({"criteria": {}}, 4045),
        ({"name": None, "criteria": {}}, 4045),
        ({"name": " ", "criteria": {}}, 4045),
        ({"name": "one", "criteria": None}, 4045),
        ({"name": "one", "criteria": "{}"}, 4001),
        ({"name": "one", "criteria": []}, 4001),
        ({"name": 5, "criteria": {}}, 4001),
        ({"name": "n" * 256, "criteria": {}}, 4001),
        ({"name": "one", "criteria": {"text": "x" * 16_000}}, 4001),
        ({"name": "one", "criteria": {"text": "я" * 8_000}}, 4001),
    ],
)
def test_T_30_a_filter_needs_a_name_and_an_object_of_criteria(client: Client, fields: object, code: int) -> None:
    assert refused(client, SAVE, fields) == code
    assert filters(client) == []


@pytest.mark.parametrize(
    "criteria",
    ['{"a": 1e999}', '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}', '{"a":' * 40 + "{}" + "}" * 40],
)
def test_T_30_criteria_that_no_answer_could_repeat_are_refused(client: Client, criteria: str) -> None:
    body = f'{{"name": "one", "criteria": {criteria}}}'.encode()
    headers = {"content-type": "application/json"}
    assert refused(client, SAVE, body=body, headers=headers) == 4001
    assert filters(client) == []


def test_T_30_criteria_in_many_bytes_fit_into_a_request(client: Client) -> None:
    criteria = {"text": "😀" * 3_900}
    assert len(json.dumps(criteria)) > 46_000
    save(client, "one", criteria)
    assert filters(client)[0]["criteria"] == criteria


def test_T_32_a_filter_is_deleted_once(client: Client) -> None:
    save(client, "one", {})
    answer = client.send("POST", f"{DELETE}/1")
    assert answer.json == {"success": True, "error_code": 0, "message": "Filter deleted"}
    assert filters(client) == []
    assert refused(client, f"{DELETE}/1") == 4066
    save(client, "one", {})
    assert filters(client)[0]["id"] == 2


@pytest.mark.parametrize("given", ["99", "0", "-1", "one", "9" * 40])
def test_T_32_an_unknown_filter_is_not_found(client: Client, given: str) -> None:
    assert refused(client, f"{DELETE}/{given}") == 4066


def test_T_30_T_31_T_32_filters_are_each_users_own(world: World, client: Client) -> None:
    save(client, "one", {})
    for stranger in (world.client(tenant_id=world.tenant_of(client)), world.client()):
        assert filters(stranger) == []
        assert refused(stranger, f"{DELETE}/1") == 4066
        save(stranger, "one", {"status": "error"})
    assert filters(client)[0]["criteria"] == {}


def test_T_30_T_31_T_32_filters_need_a_token(world: World) -> None:
    assert refused(world.anonymous, SAVE, {}) == 4023
    assert refused(world.anonymous, f"{DELETE}/1") == 4023
    assert world.anonymous.send("GET", LIST).json["error_code"] == 4023


def test_T_A19_the_times_of_filters_have_no_zone(client: Client) -> None:
    save(client, "one", {})
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", filters(client)[0]["created_at"])


def test_T_32_messages_are_in_the_language_that_is_asked_for(client: Client) -> None:
    save(client, "one", {})
    russian = {"accept-language": "ru"}
    assert client.send("POST", f"{DELETE}/1", headers=russian).json["message"] == "Фильтр удалён"
    assert client.send("POST", f"{DELETE}/1", headers=russian).json["error_message"].startswith("Фильтр не найден")
