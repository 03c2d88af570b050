"""Call categories, as a client sees them: rows T-28 and T-29."""

import re
from functools import partial
from typing import Any

import pytest

from callscribe.adapters.memory import MemoryStore
from tests.dialects.conftest import Client
from tests.dialects.transcripto.kept import created, listed, refused
from tests.dialects.transcripto.world import World
from tests.services.shelf_work import Crowded, all_at_once

LIST = "/user/call_categories/list"
CREATE = "/user/call_categories/create"
EDIT = "/user/call_categories/edit"
DELETE = "/user/call_categories/delete"
WITH_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00")


def made(client: Client, name: str, **fields: Any) -> int:
    return created(client, CREATE, {"name": name, **fields})


def found(client: Client, **wanted: Any) -> list[int]:
    return listed(client, LIST, **wanted)


@pytest.fixture
def tree(client: Client) -> list[int]:
    """Sales over Retail over Shops; Tech."""
    sales = made(client, "Sales", description="Sales calls")
    retail = made(client, "Retail", description="tech-savvy", parent_id=sales)
    return [sales, retail, made(client, "Магазины", parent_id=retail), made(client, "Tech", parent_id=None)]


def test_T_28_a_list_shows_every_documented_field(world: World, client: Client, tree: list[int]) -> None:
    world.clock.advance(seconds=100)
    client.send("POST", f"{EDIT}/{tree[0]}", fields={"name": "Sales!"})
    answer = client.send("POST", LIST, fields={"q": "sales", "parent_id": None, "page": 1, "per_page": 10}).json
    assert {name: value for name, value in answer.items() if name != "items"} == {
        "success": True,
        "error_code": 0,
        "total": 1,
        "page": 1,
        "per_page": 10,
    }
    (item,) = answer["items"]
    assert item == {
        "id": tree[0],
        "name": "Sales!",
        "description": "Sales calls",
        "parent_id": None,
        "children_count": 1,
        "created_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "2026-01-01T00:01:40+00:00",
    }


@pytest.mark.parametrize("fields", [..., {}, None, {"q": None, "parent_id": None, "page": None, "per_page": None}])
def test_T_28_nothing_and_null_filter_nothing(client: Client, tree: list[int], fields: object) -> None:
    answer = client.send("POST", LIST, fields=fields).json
    assert [one["id"] for one in answer["items"]] == tree
    assert (answer["total"], answer["page"], answer["per_page"]) == (4, 1, 20)


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ({"q": "TECH"}, [1, 3]),
        ({"q": "мАГАЗ"}, [2]),
        ({"q": " магазины "}, [2]),
        ({"q": "sales  CALLS"}, [0]),
        ({"q": "zzz"}, []),
        ({"q": ""}, [0, 1, 2, 3]),
        ({"parent_id": 1}, [1]),
        ({"parent_id": "1", "q": "tech"}, [1]),
        ({"parent_id": 0}, [0, 3]),
        ({"parent_id": 0.0}, [0, 3]),
        ({"parent_id": "", "page": 1.0, "per_page": 20.0}, [0, 1, 2, 3]),
        ({"parent_id": " ", "page": "", "per_page": " \t"}, [0, 1, 2, 3]),
        ({"parent_id": 99}, []),
        ({"page": "2", "per_page": "3"}, [3]),
        ({"page": 10**12, "per_page": 100}, []),
    ],
)
def test_T_28_a_list_is_searched_filtered_and_paged(
    client: Client, tree: list[int], wanted: dict[str, Any], places: list[int]
) -> None:
    assert found(client, **wanted) == [tree[place] for place in places]


@pytest.mark.parametrize(
    "wanted",
    [{"page": 0}, {"page": -1}, {"page": "x"}, {"page": 1.5}, {"page": True}, {"per_page": 0}, {"per_page": 101}, {"q": 5}, {"parent_id": "x"}, {"parent_id": [1]}, [], "x"],
)  # fmt: skip
def test_T_28_a_bad_value_is_refused(client: Client, wanted: object) -> None:
    assert refused(client, LIST, wanted) == 4001


def test_T_29_a_category_is_created(client: Client) -> None:
    fields = {"name": " Tech support 🛠 ", "description": "Technical inquiries", "parent_id": None}
    assert client.send("POST", CREATE, fields=fields).json == {
        "success": True,
        "error_code": 0,
        "success_message": "Saved successfully",
        "data": {
            "id": 1,
            "name": "Tech support 🛠",
            "description": "Technical inquiries",
            "parent_id": None,
            "created_at": "2026-01-01T00:00:00+00:00",
            "updated_at": "2026-01-01T00:00:00+00:00",
        },
    }


def test_T_29_a_parent_of_0_is_none_and_one_in_text_is_a_number(client: Client) -> None:
    first = client.send("POST", CREATE, fields={"name": "a", "parent_id": 0}).json["data"]
    blank = client.send("POST", CREATE, fields={"name": "a", "parent_id": " "}).json["data"]
    assert blank["parent_id"] is None
    decimal = client.send("POST", CREATE, fields={"name": "b", "parent_id": float(first["id"])})
    assert decimal.json["data"]["parent_id"] == first["id"]
    assert decimal.headers["x-callscribe-leniency"] == "parent_id as decimal"
    second = client.send("POST", CREATE, fields={"name": "b", "parent_id": str(first["id"])}).json["data"]
    assert (first["parent_id"], second["parent_id"]) == (None, first["id"])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 4001),  # T-29: a missing name
        (..., 4001),
        ({"name": None}, 4001),
        ({"name": "  "}, 4001),
        ({"name": 5}, 4001),
        ({"name": "n" * 256}, 4001),
        ({"name": "n", "description": "d" * 2_001}, 4001),
        ({"name": "n", "description": 5}, 4001),
        ({"name": "n", "parent_id": "x"}, 4001),
        ({"name": "n", "parent_id": 99}, 4059),
        ({"name": "n", "parent_id": -1}, 4059),
        ({"name": "n", "parent_id": 10**30}, 4059),
    ],
)
def test_T_29_a_category_that_cannot_be_is_not_created(client: Client, fields: object, code: int) -> None:
    assert refused(client, CREATE, fields) == code
    assert found(client) == []


def test_T_29_a_category_is_edited(world: World, client: Client, tree: list[int]) -> None:
    world.clock.advance(seconds=60)
    fields = {"name": "Tech support (L2)", "description": "Complex technical issues", "parent_id": tree[1]}
    answer = client.send("POST", f"{EDIT}/{tree[3]}", fields=fields).json
    assert (answer["success"], answer["error_code"], answer["success_message"]) == (True, 0, "Saved successfully")
    assert answer["data"] == {
        "id": tree[3],
        **fields,
        "created_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "2026-01-01T00:01:00+00:00",
    }


def test_T_29_the_id_in_the_body_overrides_that_of_the_url(client: Client, tree: list[int]) -> None:
    for given in (tree[0], 99, "one"):
        fields = {"category_id": tree[3], "name": f"by {given}"}
        assert client.send("POST", f"{EDIT}/{given}", fields=fields).json["data"]["id"] == tree[3]
    assert refused(client, f"{EDIT}/{tree[0]}", {"category_id": 99, "name": "x"}) == 4059
    for nothing in (None, "", " "):
        answer = client.send("POST", f"{EDIT}/{tree[0]}", fields={"category_id": nothing, "name": "by the URL"})
        assert answer.json["data"]["id"] == tree[0]


def test_T_29_an_edit_keeps_what_it_does_not_name_and_null_takes_away_parent_and_description(
    client: Client, tree: list[int]
) -> None:
    kept = client.send("POST", f"{EDIT}/{tree[1]}", fields={}).json["data"]
    assert (kept["name"], kept["description"], kept["parent_id"]) == ("Retail", "tech-savvy", tree[0])
    fields = {"name": None, "description": None, "parent_id": None}
    taken = client.send("POST", f"{EDIT}/{tree[1]}", fields=fields).json["data"]
    assert (taken["name"], taken["description"], taken["parent_id"]) == ("Retail", None, None)


@pytest.mark.parametrize("below", [0, 1, 2])
def test_T_29_no_category_comes_to_lie_below_itself(client: Client, tree: list[int], below: int) -> None:
    assert refused(client, f"{EDIT}/{tree[0]}", {"parent_id": tree[below]}) == 4001
    assert found(client, parent_id=0) == [tree[0], tree[3]]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": " "}, 4001),
        ({"name": "n" * 256}, 4001),
        ({"description": "d" * 2_001}, 4001),
        ({"category_id": "x"}, 4001),
        ({"parent_id": 99}, 4059),
    ],
)
def test_T_29_an_edit_that_cannot_be_changes_nothing(
    client: Client, tree: list[int], fields: dict[str, Any], code: int
) -> None:
    before = client.send("POST", LIST).json
    assert refused(client, f"{EDIT}/{tree[3]}", fields) == code
    assert client.send("POST", LIST).json == before


def test_T_29_a_category_is_deleted_but_not_one_that_has_children(client: Client, tree: list[int]) -> None:
    assert refused(client, f"{DELETE}/{tree[0]}") == 4045
    for number in (tree[2], tree[1], tree[0]):
        answer = client.send("POST", f"{DELETE}/{number}")
        assert answer.json == {"success": True, "error_code": 0, "message": "Deleted successfully"}
    assert found(client) == [tree[3]]


@pytest.mark.parametrize("given", ["99", "0", "-1", "one", "9" * 40])
def test_T_29_an_unknown_category_is_not_found(client: Client, tree: list[int], given: str) -> None:
    assert refused(client, f"{EDIT}/{given}", {"name": "x"}) == 4059
    assert refused(client, f"{DELETE}/{given}") == 4059


def test_T_28_T_29_categories_are_each_users_own(world: World, client: Client, tree: list[int]) -> None:
    for stranger in (world.client(tenant_id=world.tenant_of(client)), world.client()):
        assert found(stranger) == []
        assert refused(stranger, f"{EDIT}/{tree[3]}", {"name": "mine"}) == 4059
        assert refused(stranger, f"{DELETE}/{tree[3]}") == 4059
        assert refused(stranger, CREATE, {"name": "mine", "parent_id": tree[3]}) == 4059


def test_T_28_T_29_categories_need_a_token(world: World) -> None:
    for path in (LIST, CREATE, f"{EDIT}/1", f"{DELETE}/1"):
        assert refused(world.anonymous, path, {}) == 4023


def test_T_A19_the_times_of_categories_have_an_offset(client: Client, tree: list[int]) -> None:
    (item,) = client.send("POST", LIST, fields={"q": "Retail"}).json["items"]
    assert WITH_OFFSET.fullmatch(item["created_at"])
    assert WITH_OFFSET.fullmatch(item["updated_at"])


def test_T_29_of_two_requests_that_would_make_a_cycle_together_one_is_refused_in_any_of_10_races() -> None:
    store = Crowded(MemoryStore())
    world = World(overrides={"store": store})
    client = world.client()

    def move(number: int, parent: int) -> int:
        code: int = client.send("POST", f"{EDIT}/{number}", fields={"parent_id": parent}).json["error_code"]
        return code

    for _ in range(10):
        first, second = made(client, "first"), made(client, "second")
        codes = all_at_once([partial(move, first, second), partial(move, second, first)])
        assert sorted(codes) == [0, 4001]
    assert store.lost > 0


def test_T_29_10_concurrent_writers_of_one_tenant_lose_no_update() -> None:
    world = World(overrides={"store": Crowded(MemoryStore())})
    client = world.client()
    all_at_once(partial(made, client, f"category {number}") for number in range(10))
    answer = client.send("POST", LIST).json
    assert {one["name"] for one in answer["items"]} == {f"category {number}" for number in range(10)}
    assert len({one["id"] for one in answer["items"]}) == answer["total"] == 10


def test_T_29_an_id_of_0_in_the_body_overrides_that_of_the_url_too(client: Client) -> None:
    number = client.send("POST", "/user/call_categories/create", fields={"name": "a"}).json["data"]["id"]
    answer = client.send("POST", f"/user/call_categories/edit/{number}", fields={"category_id": 0, "name": "b"})
    assert answer.json["error_code"] == 4059
