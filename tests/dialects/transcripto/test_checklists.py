"""Checklists, as a client sees them: rows T-21 to T-25, T-A15, T-A16 and T-A22."""

import pytest

from callscribe.domain.accounts import USUAL_SCOPES
from tests.dialects.conftest import Client
from tests.dialects.transcripto.kept import created, refused
from tests.dialects.transcripto.world import ADMIN, World

CHECKLIST = "/checklist"
WORDING = "Did the operator introduce themselves?"


def asked(client: Client, question: str = WORDING) -> int:
    return created(client, CHECKLIST, {"question": question})


def task(world: World, client: Client) -> int:
    """The integer id of a completed task."""
    return world.job(world.completed(client)).number


def questions(client: Client, path: str = CHECKLIST) -> list[str]:
    return [one["question"] for one in client.send("GET", path).json["data"]]


def test_T_21_the_active_questions_of_the_caller_are_listed_all_at_once(client: Client) -> None:
    numbers = [asked(client, f"{WORDING} {number}") for number in range(30)]
    client.send("POST", f"{CHECKLIST}/delete/{numbers[0]}")
    answer = client.send("GET", CHECKLIST)
    assert answer.json["success"] is True
    assert answer.json["error_code"] == 0
    assert [one["id"] for one in answer.json["data"]] == numbers[1:]
    assert answer.json["data"][0] == {"id": numbers[1], "question": f"{WORDING} 1", "is_active": True}


def test_T_21_T_A22_an_administrator_sees_another_users_questions_and_nobody_else_does(world: World) -> None:
    tenant = world.tenant()
    anna, boris, admin = (world.user(tenant_id=tenant, scopes=scopes) for scopes in (USUAL_SCOPES, USUAL_SCOPES, ADMIN))
    asked(world.client_of(anna), "Anna's")
    path = f"{CHECKLIST}/{anna.user.number}"
    assert questions(world.client_of(anna), path) == ["Anna's"]
    assert questions(world.client_of(admin), path) == ["Anna's"]
    assert refused(world.client_of(boris), path, method="GET") == 4056
    assert refused(world.client_of(boris), f"{CHECKLIST}/99", method="GET") == 4056


@pytest.mark.parametrize("given", ["99", "0", "-1", "me", "9" * 40])
def test_T_A22_a_user_that_there_is_not_is_not_found_by_an_administrator(world: World, given: str) -> None:
    assert refused(world.client(scopes=ADMIN), f"{CHECKLIST}/{given}", method="GET") == 4053


def test_T_A22_an_administrator_of_another_tenant_sees_only_the_own_users(world: World) -> None:
    anna = world.user()
    asked(world.client_of(anna), "Anna's")
    stranger = world.user(scopes=ADMIN)
    assert stranger.user.number == anna.user.number  # numbers count in each tenant
    assert questions(world.client_of(stranger), f"{CHECKLIST}/{anna.user.number}") == []


def test_T_22_a_question_is_created(client: Client) -> None:
    assert client.send("POST", CHECKLIST, fields={"question": f"  {WORDING} 🙂 "}).json == {
        "success": True,
        "error_code": 0,
        "message": "Checklist question created",
        "data": {"id": 1, "question": f"{WORDING} 🙂", "is_active": True},
    }


@pytest.mark.parametrize("again", [WORDING, f" {WORDING.upper()}  "])
def test_T_22_a_duplicate_question_is_refused(client: Client, again: str) -> None:
    asked(client)
    assert refused(client, CHECKLIST, {"question": again}) == 4054


def test_T_22_a_duplicate_is_one_of_the_own_active_questions(world: World) -> None:
    tenant = world.tenant()
    anna, boris = world.client(tenant_id=tenant), world.client(tenant_id=tenant)
    number = asked(anna, "Поздоровался?")
    asked(boris, "поздоровался?")
    anna.send("POST", f"{CHECKLIST}/delete/{number}")
    assert asked(anna, "ПОЗДОРОВАЛСЯ?") > number


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 4045),
        ({"question": None}, 4045),
        ({"question": " \n"}, 4045),
        (..., 4045),
        ({"question": 5}, 4001),
        ({"question": ["x"]}, 4001),
        ({"question": "?" * 1_001}, 4001),
    ],
)
def test_T_22_T_23_a_question_has_to_be_a_text_of_1_to_1_000_characters(
    client: Client, fields: object, code: int
) -> None:
    number = asked(client)
    assert refused(client, CHECKLIST, fields) == code
    assert refused(client, f"{CHECKLIST}/{number}", fields) == code
    assert questions(client) == [WORDING]


def test_T_23_a_question_is_reworded(client: Client) -> None:
    number = asked(client)
    assert client.send("POST", f"{CHECKLIST}/{number}", fields={"question": "Did they clearly?"}).json == {
        "success": True,
        "error_code": 0,
        "message": "Checklist question updated",
        "data": {"id": number, "question": "Did they clearly?", "is_active": True},
    }
    assert questions(client) == ["Did they clearly?"]


def test_T_23_an_answered_question_keeps_its_wording(world: World, client: Client) -> None:
    number = asked(client)
    client.send("POST", f"{CHECKLIST}/answer/{task(world, client)}", fields=[{"checklist_id": number, "answer": "Yes"}])
    assert refused(client, f"{CHECKLIST}/{number}", {"question": "Did they?"}) == 4055
    assert questions(client) == [WORDING]


@pytest.mark.parametrize("given", ["99", "0", "-1", "one", "9" * 40])
def test_T_23_T_24_an_unknown_question_is_neither_reworded_nor_hidden(client: Client, given: str) -> None:
    asked(client)
    assert refused(client, f"{CHECKLIST}/{given}", {"question": "Did they?"}) == 4053
    assert refused(client, f"{CHECKLIST}/delete/{given}") == 4053


def test_T_23_a_question_is_not_reworded_to_another_one(client: Client) -> None:
    asked(client)
    number = asked(client, "Did they?")
    assert refused(client, f"{CHECKLIST}/{number}", {"question": WORDING}) == 4054


def test_T_23_T_24_another_users_question_is_an_unknown_one(world: World) -> None:
    tenant = world.tenant()
    number = asked(world.client(tenant_id=tenant))
    for stranger in (world.client(tenant_id=tenant), world.client()):
        assert refused(stranger, f"{CHECKLIST}/{number}", {"question": "mine"}) == 4053
        assert refused(stranger, f"{CHECKLIST}/delete/{number}") == 4053


def test_T_24_a_question_is_hidden_once(client: Client) -> None:
    number = asked(client)
    answer = client.send("POST", f"{CHECKLIST}/delete/{number}")
    assert answer.json == {
        "success": True,
        "error_code": 0,
        "message": "Checklist question deleted",
        "id": number,
    }
    assert questions(client) == []
    assert refused(client, f"{CHECKLIST}/delete/{number}") == 4053
    assert refused(client, f"{CHECKLIST}/{number}", {"question": "Did they?"}) == 4053


def test_T_25_T_A15_answers_of_a_task_are_its_questions_with_answers_as_text(world: World, client: Client) -> None:
    first, second = asked(client), asked(client, "Clarified the purpose?")
    path = f"{CHECKLIST}/answer/{task(world, client)}"
    assert client.send("GET", path).json == {"success": True, "error_code": 0, "data": []}
    given = [{"checklist_id": second, "answer": "Нет 🙁"}, {"checklist_id": first, "answer": "Yes"}]
    kept = [
        {"checklist_id": first, "question": WORDING, "answer": "Yes"},
        {"checklist_id": second, "question": "Clarified the purpose?", "answer": "Нет 🙁"},
    ]
    assert client.send("POST", path, fields=given).json == {
        "success": True,
        "error_code": 0,
        "message": "Checklist answers saved",
        "data": kept,
    }
    assert client.send("GET", path).json == {"success": True, "error_code": 0, "data": kept}


def test_T_25_a_colleague_sees_the_answers_of_a_task_too(world: World) -> None:
    tenant = world.tenant()
    anna, boris = world.client(tenant_id=tenant), world.client(tenant_id=tenant)
    path = f"{CHECKLIST}/answer/{task(world, anna)}"
    anna.send("POST", path, fields=[{"checklist_id": asked(anna), "answer": "Yes"}])
    boris.send("POST", path, fields=[{"checklist_id": asked(boris), "answer": "No"}])
    assert [one["answer"] for one in boris.send("GET", path).json["data"]] == ["Yes", "No"]


def test_T_A16_an_answer_sent_again_replaces_the_earlier_one(world: World, client: Client) -> None:
    number, path = asked(client), f"{CHECKLIST}/answer/{task(world, client)}"
    for answer in ("Yes", "Partially", "Partially"):
        client.send("POST", path, fields=[{"checklist_id": str(number), "answer": answer}])
    assert [one["answer"] for one in client.send("GET", path).json["data"]] == ["Partially"]


def test_T_A16_an_answer_keeps_its_lines_and_loses_its_control_characters(world: World, client: Client) -> None:
    number, path = asked(client), f"{CHECKLIST}/answer/{task(world, client)}"
    client.send("POST", path, fields=[{"checklist_id": float(number), "answer": " Yes,\r\nbut\x00\tlate\x1b\n"}])
    assert [one["answer"] for one in client.send("GET", path).json["data"]] == ["Yes,\nbut  late"]


def test_T_22_a_question_has_one_line_without_control_characters(client: Client) -> None:
    made = client.send("POST", CHECKLIST, fields={"question": "Did they\ngreet\x00?"}).json["data"]
    assert made["question"] == "Did they greet ?"


def test_T_A16_unknown_and_hidden_questions_are_ignored(world: World, client: Client) -> None:
    known, hidden = asked(client), asked(client, "hidden")
    client.send("POST", f"{CHECKLIST}/delete/{hidden}")
    path = f"{CHECKLIST}/answer/{task(world, client)}"
    given = [{"checklist_id": number, "answer": "x"} for number in (known, hidden, 99, 0, -5, 10**17)]
    assert [one["checklist_id"] for one in client.send("POST", path, fields=given).json["data"]] == [known]


def test_T_A16_answers_of_a_question_that_was_hidden_later_stay(world: World, client: Client) -> None:
    number, path = asked(client), f"{CHECKLIST}/answer/{task(world, client)}"
    client.send("POST", path, fields=[{"checklist_id": number, "answer": "Yes"}])
    client.send("POST", f"{CHECKLIST}/delete/{number}")
    assert client.send("GET", path).json["data"] == [{"checklist_id": number, "question": WORDING, "answer": "Yes"}]


def test_T_A16_an_answered_task_is_found_by_its_answer_and_counts_as_changed(world: World, client: Client) -> None:
    number = asked(client)
    code, other = world.completed(client), world.completed(client, file_name="other.wav")
    before = world.row(client, code)["updated_at"]
    world.clock.advance(seconds=5)
    path = f"{CHECKLIST}/answer/{world.job(code).number}"
    client.send("POST", path, fields=[{"checklist_id": number, "answer": "Partially"}])
    wanted = {"checklist_id": number, "answers": ["Yes", "Partially"]}
    assert [one["task_code"] for one in client.send("POST", "/tasks/filter", fields=wanted).json["tasks"]] == [code]
    world.fold_in(client)
    assert [one["task_code"] for one in client.send("POST", "/tasks/filter", fields=wanted).json["tasks"]] == [code]
    assert world.row(client, code)["updated_at"] > before
    assert world.row(client, other)["updated_at"] < world.row(client, code)["updated_at"]


@pytest.mark.parametrize("given", ["99", "0", "-1", "one", "9" * 40, "00000000-0000-4000-8000-000000000000"])
def test_T_25_T_A16_a_task_that_there_is_not_is_not_found(client: Client, given: str) -> None:
    path, answers = f"{CHECKLIST}/answer/{given}", [{"checklist_id": asked(client), "answer": "Yes"}]
    assert refused(client, path, method="GET") == 4021
    assert refused(client, path, answers) == 4021


def test_T_25_another_tenants_task_is_an_unknown_one(world: World, client: Client) -> None:
    number, stranger = task(world, client), world.client()
    assert refused(stranger, f"{CHECKLIST}/answer/{number}", method="GET") == 4021
    assert refused(stranger, f"{CHECKLIST}/answer/{number}", []) == 4021


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (..., 4002),
        ({}, 4001),
        ("Yes", 4001),
        ([5], 4001),
        ([{"checklist_id": 1}], 4002),
        ([{"checklist_id": 1, "answer": None}], 4001),
        ([{"checklist_id": 1, "answer": 5}], 4001),
        ([{"checklist_id": "one", "answer": "x"}], 4001),
        ([{"checklist_id": "", "answer": "x"}], 4002),
        ([{"checklist_id": " ", "answer": "x"}], 4002),
        ([{"checklist_id": None, "answer": "x"}], 4002),
        ([{"checklist_id": True, "answer": "x"}], 4001),
        ([{"checklist_id": 1, "answer": "x" * 1_001}], 4001),
    ],
)
def test_T_A16_answers_that_are_none_are_refused_as_a_whole(
    world: World, client: Client, given: object, code: int
) -> None:
    asked(client)
    path = f"{CHECKLIST}/answer/{task(world, client)}"
    assert refused(client, path, given) == code
    assert client.send("GET", path).json["data"] == []


def test_T_A16_100_long_answers_in_two_escapes_a_character_fit_into_a_request(world: World, client: Client) -> None:
    numbers = [asked(client, f"question {number}") for number in range(100)]
    given = [{"checklist_id": number, "answer": "😀" * 250} for number in numbers]
    answer = client.send("POST", f"{CHECKLIST}/answer/{task(world, client)}", fields=given)
    assert len(answer.json["data"]) == 100


def test_T_22_messages_are_in_the_language_that_is_asked_for(client: Client) -> None:
    russian = {"accept-language": "ru-RU,ru;q=0.9"}
    made = client.send("POST", CHECKLIST, fields={"question": WORDING}, headers=russian)
    assert made.json["message"] == "Вопрос чек-листа создан"
    again = client.send("POST", CHECKLIST, fields={"question": WORDING}, headers=russian)
    assert again.json["error_message"].startswith("Такой вопрос")
