"""Directories, as a client sees them: rows T-26 and T-27, and what becomes of the tasks in one."""

import pytest

from tests.dialects.conftest import Client
from tests.dialects.transcripto.kept import refused
from tests.dialects.transcripto.world import World

DIRECTORIES = "/user/directories"
DELETE = "/user/directories/delete"


def made(client: Client, name: str) -> int:
    answer = client.send("POST", DIRECTORIES, fields={"name": name}).json
    assert answer["success"], answer
    number: int = answer["directory"]["id"]
    return number


def test_T_26_directories_are_created_and_listed(client: Client) -> None:
    first = client.send("POST", DIRECTORIES, fields={"name": "Website promotion"})
    assert first.json == {
        "success": True,
        "error_code": 0,
        "directory": {"id": 1, "name": "Website promotion"},
    }
    second = made(client, " Отдел продаж 📞 ")
    assert client.send("GET", DIRECTORIES).json == {
        "success": True,
        "error_code": 0,
        "directories": [{"id": 1, "name": "Website promotion"}, {"id": second, "name": "Отдел продаж 📞"}],
    }


def test_T_26_the_same_name_again_is_the_same_directory(client: Client) -> None:
    assert made(client, "Sales") == made(client, "Sales")
    assert len(client.send("GET", DIRECTORIES).json["directories"]) == 1


def test_T_26_all_users_of_a_tenant_share_its_directories_and_no_other_tenant_sees_them(world: World) -> None:
    tenant = world.tenant()
    anna, boris, stranger = world.client(tenant_id=tenant), world.client(tenant_id=tenant), world.client()
    number = made(anna, "Sales")
    assert [one["id"] for one in boris.send("GET", DIRECTORIES).json["directories"]] == [number]
    assert stranger.send("GET", DIRECTORIES).json["directories"] == []
    assert refused(stranger, f"{DELETE}/{number}", method="DELETE") == 4041


@pytest.mark.parametrize(
    ("fields", "code"),
    [({}, 4002), ({"name": None}, 4002), ({"name": "  "}, 4002), ({"name": 5}, 4001), ({"name": "n" * 256}, 4001), ([], 4001), (None, 4002)],
)  # fmt: skip
def test_T_26_a_name_has_to_be_a_text_of_1_to_255_characters(client: Client, fields: object, code: int) -> None:
    assert refused(client, DIRECTORIES, fields) == code
    assert client.send("GET", DIRECTORIES).json["directories"] == []


def test_T_27_T_A4_a_deletion_says_so_with_the_success_key_that_the_document_forgot(client: Client) -> None:
    number = made(client, "Sales")
    answer = client.send("DELETE", f"{DELETE}/{number}")
    assert answer.json == {"success": True, "error_code": 0, "message": "Directory deleted successfully"}
    said = client.send("DELETE", f"{DELETE}/{made(client, 'Sales')}", headers={"accept-language": "ru"})
    assert said.json["message"] == "Папка удалена"


@pytest.mark.parametrize("given", ["99", "0", "-1", "one", "1.0", "9" * 40, "%D9%A1"])
def test_T_A23_a_directory_that_there_is_not_is_not_deleted(client: Client, given: str) -> None:
    made(client, "Sales")
    assert refused(client, f"{DELETE}/{given}", method="DELETE") == 4041
    assert len(client.send("GET", DIRECTORIES).json["directories"]) == 1


def test_T_A23_the_tasks_of_a_deleted_directory_lie_in_none(world: World, client: Client) -> None:
    number = made(client, "Sales")
    code = world.add_call(client, directory_id=number)
    assert world.row(client, code)["directory_id"] == number
    client.send("DELETE", f"{DELETE}/{number}")
    assert world.row(client, code)["directory_id"] is None
    assert client.send("GET", "/gettask", query=f"task_code={code}").json["directory_id"] is None
    assert made(client, "Sales") != number  # so that they will not turn up in another one


def test_T_26_directories_need_a_token(world: World) -> None:
    for method, path in (("GET", DIRECTORIES), ("POST", DIRECTORIES), ("DELETE", f"{DELETE}/1")):
        assert refused(world.anonymous, path, method=method) == 4023
