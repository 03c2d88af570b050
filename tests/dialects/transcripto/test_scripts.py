"""Call check scripts, as a client sees them: rows T-33 and T-34."""

import re
from typing import Any

import pytest

from tests.dialects.conftest import Client
from tests.dialects.transcripto.kept import created, listed, refused
from tests.dialects.transcripto.world import World

LIST = "/user/call_check_scripts/list"
CREATE = "/user/call_check_scripts/create"
EDIT = "/user/call_check_scripts/edit"
DELETE = "/user/call_check_scripts/delete"
SCRIPT = {
    "identifier": "welcome_v1",
    "title": "Customer greeting",
    "description": "Greeting and data verification script",
    "is_active": True,
    "version": 1,
    "script_body": "Hello! My name is ...",
}


def made(client: Client, **fields: Any) -> int:
    return created(client, CREATE, {**SCRIPT, **fields})


def found(client: Client, **wanted: Any) -> list[int]:
    return listed(client, LIST, **wanted)


@pytest.fixture
def scripts(client: Client) -> list[int]:
    """Two that are active, and one that is not."""
    return [
        made(client),
        made(client, identifier="bye", title="До свидания 👋", script_body="needle"),
        made(client, identifier="welcome_v0", is_active=False),
    ]


def test_T_33_a_list_shows_every_documented_field(world: World, client: Client, scripts: list[int]) -> None:
    world.clock.advance(seconds=100)
    client.send("POST", f"{EDIT}/{scripts[0]}", fields={"version": 2})
    wanted = {"q": "WELCOME", "only_active": True, "page": 1, "per_page": 10}
    assert client.send("POST", LIST, fields=wanted).json == {
        "success": True,
        "error_code": 0,
        "total": 1,
        "page": 1,
        "per_page": 10,
        "items": [
            {
                "id": scripts[0],
                **SCRIPT,
                "version": 2,
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:01:40Z",
            }
        ],
    }


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ({}, [0, 1, 2]),
        ({"q": None, "only_active": None, "page": None, "per_page": None}, [0, 1, 2]),
        ({"q": "ДО СВИ"}, [1]),
        ({"q": " до  сви "}, [1]),
        ({"q": "needle"}, []),
        ({"page": 2, "per_page": "2"}, [2]),
        ({"only_active": "", "page": " ", "per_page": ""}, [0, 1, 2]),
        ({"only_active": " \t"}, [0, 1, 2]),
        *(({"only_active": yes}, [0, 1]) for yes in (True, 1, "true", "True", "1", "yes", "YES")),
        *(({"only_active": no}, [0, 1, 2]) for no in (False, 0, "false", "0", "no")),
    ],
)
def test_T_33_a_list_is_searched_narrowed_and_paged(
    client: Client, scripts: list[int], wanted: dict[str, Any], places: list[int]
) -> None:
    assert found(client, **wanted) == [scripts[place] for place in places]


def test_T_33_without_a_body_everything_is_listed(client: Client, scripts: list[int]) -> None:
    answer = client.send("POST", LIST).json
    assert (answer["total"], answer["page"], answer["per_page"]) == (3, 1, 20)


@pytest.mark.parametrize(
    "wanted",
    [{"only_active": "maybe"}, {"only_active": 2}, {"only_active": [True]}, {"page": 0}, {"per_page": 101}, {"q": 5}],
)
def test_T_33_a_bad_value_is_refused(client: Client, wanted: dict[str, Any]) -> None:
    assert refused(client, LIST, wanted) == 4001


def test_T_34_a_script_is_created(client: Client) -> None:
    assert client.send("POST", CREATE, fields=SCRIPT).json == {
        "success": True,
        "error_code": 0,
        "success_message": "Saved successfully",
        "data": {"id": 1, **SCRIPT, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"},
    }


def test_T_34_a_version_without_a_fraction_is_an_integer_and_the_header_says_so(client: Client) -> None:
    number = made(client)
    answer = client.send("POST", f"{EDIT}/{number}", fields={"version": 3.0, "script_id": float(number)})
    assert client.send("POST", LIST).json["items"][0]["version"] == 3
    assert answer.headers["x-callscribe-leniency"] == "script_id as decimal, version as decimal"


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"description": None, "is_active": None, "version": None},
        {"is_active": "", "version": " "},
    ],
)
def test_T_34_a_script_is_active_and_of_version_1_by_default(client: Client, rest: dict[str, str | None]) -> None:
    fields = {name: SCRIPT[name] for name in ("identifier", "title", "script_body")}
    kept = client.send("POST", CREATE, fields=fields | rest).json["data"]
    assert (kept["is_active"], kept["version"], kept["description"]) == (True, 1, None)


@pytest.mark.parametrize("name", ["identifier", "title", "script_body"])
@pytest.mark.parametrize("value", [..., None, "", " \n"])
def test_T_34_identifier_title_and_body_are_required(client: Client, name: str, value: object) -> None:
    fields = {key: kept for key, kept in SCRIPT.items() if key != name}
    assert refused(client, CREATE, fields if value is ... else {**fields, name: value}) == 4002
    assert found(client) == []


WRONG = [
    {"identifier": "i" * 256},
    {"identifier": 5},
    {"title": "t" * 256},
    {"title": ["t"]},
    {"description": "d" * 2_001},
    {"is_active": "maybe"},
    {"version": "x"},
    {"version": 1.5},
    {"version": -1},
    {"version": 2**31},
    {"script_body": "b" * 100_001},
    {"script_body": {"text": "b"}},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_T_34_a_bad_value_is_refused_in_a_new_script_and_in_an_edit(client: Client, wrong: dict[str, Any]) -> None:
    assert refused(client, CREATE, {**SCRIPT, **wrong}) == 4001
    number = made(client)
    assert refused(client, f"{EDIT}/{number}", wrong) == 4001
    assert client.send("POST", LIST).json["items"][0]["script_body"] == SCRIPT["script_body"]


@pytest.mark.parametrize("blank", [{"identifier": " "}, {"title": ""}, {"script_body": "\n"}])
def test_T_34_an_edit_leaves_nothing_blank(client: Client, blank: dict[str, str]) -> None:
    assert refused(client, f"{EDIT}/{made(client)}", blank) == 4001


def test_T_34_an_identifier_is_unique_for_its_user(world: World, client: Client, scripts: list[int]) -> None:
    assert refused(client, CREATE, {**SCRIPT, "identifier": " welcome_v1 "}) == 4001
    assert refused(client, f"{EDIT}/{scripts[1]}", {"identifier": "welcome_v1"}) == 4001
    made(world.client(tenant_id=world.tenant_of(client)))
    made(client, identifier="Welcome_v1")


def test_T_34_a_script_is_edited(world: World, client: Client) -> None:
    number = made(client)
    world.clock.advance(seconds=1)
    fields = {
        "identifier": "welcome_v2",
        "title": "Customer greeting (extended)",
        "description": "Added verification block",
        "is_active": False,
        "version": 2,
        "script_body": "Hello! My name is ..., let's verify your details ...",
    }
    answer = client.send("POST", f"{EDIT}/{number}", fields={"script_id": number, **fields}).json
    assert (answer["success"], answer["error_code"], answer["success_message"]) == (True, 0, "Saved successfully")
    assert answer["data"] == {
        "id": number,
        **fields,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:01Z",
    }


def test_T_34_an_edit_keeps_what_it_does_not_name_and_null_takes_away_a_description(client: Client) -> None:
    number = made(client)
    assert SCRIPT.items() <= client.send("POST", f"{EDIT}/{number}").json["data"].items()
    nothing = dict.fromkeys(SCRIPT)
    kept = client.send("POST", f"{EDIT}/{number}", fields=nothing).json["data"]
    assert {**SCRIPT, "description": None}.items() <= kept.items()
    blank = {"script_id": " ", "is_active": "", "version": " "}
    assert client.send("POST", f"{EDIT}/{number}", fields=blank).json["data"]["version"] == SCRIPT["version"]


def test_T_34_the_id_in_the_body_overrides_that_of_the_url_in_edit_and_delete(
    client: Client, scripts: list[int]
) -> None:
    for given in (scripts[0], 99, "one"):
        edited = client.send("POST", f"{EDIT}/{given}", fields={"script_id": str(scripts[1]), "title": "edited"})
        assert edited.json["data"]["id"] == scripts[1]
    assert refused(client, f"{EDIT}/{scripts[0]}", {"script_id": 99, "title": "x"}) == 4053
    assert refused(client, f"{DELETE}/{scripts[0]}", {"script_id": 99}) == 4053
    assert client.send("POST", f"{DELETE}/one", fields={"script_id": scripts[1]}).json["success"]
    assert found(client) == [scripts[0], scripts[2]]


def test_T_34_a_script_is_deleted_once_with_or_without_a_body(client: Client, scripts: list[int]) -> None:
    answer = client.send("POST", f"{DELETE}/{scripts[0]}")
    assert answer.json == {"success": True, "error_code": 0, "message": "Deleted successfully"}
    assert refused(client, f"{DELETE}/{scripts[0]}") == 4053
    for number, fields in ((scripts[1], {"script_id": ""}), (scripts[2], {"script_id": None})):
        assert client.send("POST", f"{DELETE}/{number}", fields=fields).json["success"]
    assert found(client) == []


@pytest.mark.parametrize("given", ["99", "0", "-1", "one", "9" * 40])
def test_T_34_an_unknown_script_is_not_found(client: Client, given: str) -> None:
    assert refused(client, f"{EDIT}/{given}", {"title": "x"}) == 4053
    assert refused(client, f"{DELETE}/{given}") == 4053


def test_T_33_T_34_scripts_are_each_users_own(world: World, client: Client, scripts: list[int]) -> None:
    for stranger in (world.client(tenant_id=world.tenant_of(client)), world.client()):
        assert found(stranger) == []
        assert refused(stranger, f"{EDIT}/{scripts[0]}", {"title": "mine"}) == 4053
        assert refused(stranger, f"{DELETE}/{scripts[0]}") == 4053


def test_T_33_T_34_scripts_need_a_token(world: World) -> None:
    for path in (LIST, CREATE, f"{EDIT}/1", f"{DELETE}/1"):
        assert refused(world.anonymous, path, {}) == 4023


@pytest.mark.parametrize(
    "body", ["Здравствуйте 😀 " * 6_000, "a\tb\r\n\u0000\u2028" * 10_000, '"\\' * 50_000, "😀" * 90_000]
)
def test_T_34_a_very_long_body_comes_back_to_the_letter(client: Client, body: str) -> None:
    number = made(client, script_body=body)
    kept = client.send("POST", LIST).json["items"][0]
    assert (kept["id"], kept["script_body"]) == (number, body)


def test_T_33_however_many_scripts_there_are_a_page_of_them_fits_into_an_answer(client: Client) -> None:
    codes = [
        client.send("POST", CREATE, fields={**SCRIPT, "identifier": f"s{number}", "script_body": "b" * 100_000}).json[
            "error_code"
        ]
        for number in range(35)
    ]
    assert set(codes[:29]) == {0}
    assert codes[-1] == 4001  # the list is full
    assert len(client.send("POST", LIST, fields={"per_page": 100}).text.encode()) < 4_000_000


def test_T_A19_the_times_of_scripts_end_in_z(client: Client, scripts: list[int]) -> None:
    for item in client.send("POST", LIST).json["items"]:
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", item["created_at"])
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", item["updated_at"])


def test_T_33_a_description_and_a_body_are_not_searched(client: Client) -> None:
    fields = {"identifier": "a", "title": "b", "description": "needle", "script_body": "needle"}
    client.send("POST", "/user/call_check_scripts/create", fields=fields)
    assert client.send("POST", "/user/call_check_scripts/list", fields={"q": "needle"}).json["total"] == 0


def test_T_34_an_id_of_0_in_the_body_overrides_that_of_the_url_too(client: Client) -> None:
    fields = {"identifier": "a", "title": "b", "script_body": "c"}
    number = client.send("POST", "/user/call_check_scripts/create", fields=fields).json["data"]["id"]
    for how in ("edit", "delete"):
        answer = client.send("POST", f"/user/call_check_scripts/{how}/{number}", fields={"script_id": 0, "title": "d"})
        assert answer.json["error_code"] == 4053
    assert client.send("POST", "/user/call_check_scripts/list").json["items"][0]["title"] == "b"
