"""The contract's general rows: those that hold at more than one endpoint. Each area has a module of its own."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from callscribe.dialects.transcripto.results.schemas import AnalysisAnswer
from callscribe.services import accounts
from infra.settings import StageSettings
from tests.dialects.conftest import Answer, Client
from tests.dialects.transcripto.samples import samples
from tests.dialects.transcripto.scene import body_of
from tests.dialects.transcripto.world import ADMIN, AUDIO_URL, FILTER, OPENAPI, World, multipart

DAY_S = 86_400
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def make_directory(client: Client) -> Any:
    return client.send("POST", "/user/directories", fields={"name": "calls"}).json["directory"]["id"]


def make_question(client: Client) -> Any:
    return client.send("POST", "/checklist", fields={"question": "Was it polite?"}).json["data"]["id"]


def make_category(client: Client) -> Any:
    return client.send("POST", "/user/call_categories/create", fields={"name": "Sales"}).json["data"]["id"]


def make_script(client: Client) -> Any:
    fields = body_of("POST /user/call_check_scripts/create")
    return client.send("POST", "/user/call_check_scripts/create", fields=fields).json["data"]["id"]


def make_filter(client: Client) -> Any:
    client.send("POST", "/tasks/filters/save", fields=body_of("POST /tasks/filters/save"))
    return client.send("GET", "/tasks/filters/list").json["filters"][0]["id"]


# T-01, T-03


def test_T_01_an_api_key_opens_what_a_token_opens(world: World) -> None:
    tenant_id = world.tenant()
    _, secret = accounts.create_key(world.deps, tenant_id=tenant_id, name="a key")
    by_key = world.anonymous.with_token(secret)
    code = world.add_call(by_key, operator_name="Ivan")
    assert world.row(world.client(tenant_id=tenant_id), code)["operator_name"] == "Ivan"
    assert make_directory(by_key) == 1


def test_T_01_the_scheme_of_the_header_may_be_written_in_any_case(world: World, client: Client) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = world.anonymous.send("GET", "/user/tariff", headers={"authorization": f"{scheme} {client.token}"})
        assert answer.outcome == 200


CHANGES: dict[str, Callable[[Client, str], Answer]] = {
    "chat": lambda client, language: said(client, language, "/add_chat_analysis_task", text="hello"),
    "report": lambda client, language: said(
        client, language, "/user/callreport", start_date="2025-10-01", end_date="2025-10-31"
    ),
    "question": lambda client, language: said(client, language, "/checklist", question="Was it short?"),
    "question reworded": lambda client, language: said(
        client, language, f"/checklist/{make_question(client)}", question="Was it long?"
    ),
    "question deleted": lambda client, language: said(client, language, f"/checklist/delete/{make_question(client)}"),
    "directory deleted": lambda client, language: client.send(
        "DELETE", f"/user/directories/delete/{make_directory(client)}", headers={"accept-language": language}
    ),
    "category": lambda client, language: said(client, language, "/user/call_categories/create", name="Support"),
    "category deleted": lambda client, language: said(
        client, language, f"/user/call_categories/delete/{make_category(client)}"
    ),
    "filter": lambda client, language: said(client, language, "/tasks/filters/save", name="all", criteria={}),
    "filter deleted": lambda client, language: said(client, language, f"/tasks/filters/delete/{make_filter(client)}"),
    "script deleted": lambda client, language: said(
        client, language, f"/user/call_check_scripts/delete/{make_script(client)}"
    ),
}


def said(client: Client, language: str, path: str, **fields: Any) -> Answer:
    return client.send("POST", path, fields=fields, headers={"accept-language": language})


@pytest.mark.parametrize("change", CHANGES)
def test_T_03_every_change_is_confirmed_in_the_language_that_is_asked_for(world: World, change: str) -> None:
    told = {}
    for language in ("ru-RU,ru;q=0.9,en;q=0.5", "en", "de"):
        answer = CHANGES[change](world.client(), language)
        assert answer.outcome == 200, answer.text
        told[language] = next(answer.json[key] for key in ("message", "success_message") if key in answer.json)
    russian, english, german = told.values()
    assert re.search("[а-я]", russian)
    assert english == german
    assert english.isascii()


# T-04, T-A19


@pytest.mark.parametrize("given", ["2025-10-20T10:00:00", "2025-10-20", "20.10.2025 10:00", "yesterday", "1760943600"])
def test_T_04_a_moment_without_a_time_zone_is_4001(world: World, client: Client, given: str) -> None:
    by_form = client.send("POST", "/addtaskcall", **multipart({"call_datetime": given}))
    by_url = client.send("POST", "/addtaskcallbyurl", fields={"file_url": AUDIO_URL, "call_datetime": given})
    for answer in (by_form, by_url):
        assert answer.outcome == 4001
        assert "call_datetime" in answer.json["error_message"]
    assert world.uploads.keys() == []


@pytest.mark.parametrize("given", ["2025-02-29", "2025-13-01", "20251020", "2025-10-20T10:00:00", "20.10.2025"])
def test_T_04_a_date_is_a_day_that_there_is_as_year_month_and_day(client: Client, given: str) -> None:
    by_form = client.send("POST", "/addtaskcall", **multipart({"call_date": given}))
    by_chat = client.send("POST", "/add_chat_analysis_task", fields={"text": "hello", "call_date": given})
    assert {by_form.outcome, by_chat.outcome} == {4001}


def test_T_04_a_moment_is_shown_in_utc_whatever_zone_it_was_given_in(world: World, client: Client) -> None:
    code = world.add_call(client, call_datetime="2025-10-20T01:30:00+03:00")
    row = world.row(client, code)
    assert (row["call_time"], row["call_date"]) == ("2025-10-19T22:30:00+00:00", "2025-10-20")


WITH_MICROSECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
WITH_OFFSET = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
WITH_Z = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
WITHOUT_ZONE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"


def moments(value: Any) -> set[str]:
    """Every text of an answer that begins with a date and a time."""
    if isinstance(value, dict):
        return set().union(*map(moments, value.values()))
    if isinstance(value, list):
        return set().union(*map(moments, value))
    return {value} if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) else set()


def test_T_A19_every_endpoint_has_its_own_form_of_times(world: World) -> None:
    user = world.user(scopes=ADMIN)
    client = world.client_of(user)
    code = world.completed(client, call_datetime="2025-10-20T10:00:00+03:00")
    for make in (make_category, make_script, make_filter):
        make(client)
    answers = {
        WITH_MICROSECONDS: [
            world.anonymous.send("POST", "/auth/login", fields=user.log_in),
            client.send("GET", "/user/tariff"),
        ],
        WITH_OFFSET: [
            client.send("POST", FILTER, fields={}),
            client.send("GET", "/gettask", query=f"task_code={code}"),
            client.send("POST", "/user/call_categories/list", fields={}),
        ],
        WITH_Z: [client.send("POST", "/user/call_check_scripts/list", fields={})],
        WITHOUT_ZONE: [client.send("GET", "/tasks/filters/list")],
    }
    for form, given in answers.items():
        for answer in given:
            found = moments(answer.json)
            assert found, answer.text
            assert [one for one in found if not re.fullmatch(form, one)] == []


def test_T_A19_the_forms_are_those_of_the_documents_examples() -> None:
    shown = {sample.route: moments(sample.answer) for sample in samples() if sample.answer is not None}
    for route, form in {
        "POST /auth/login": WITH_MICROSECONDS,
        "GET /user/tariff": WITH_MICROSECONDS,
        "POST /tasks/filter": WITH_OFFSET,
        "GET /gettask": WITH_OFFSET,
        "POST /user/call_categories/list": WITH_OFFSET,
        "POST /user/call_check_scripts/list": WITH_Z,
        "GET /tasks/filters/list": WITHOUT_ZONE,
    }.items():
        assert shown[route]
        assert all(re.fullmatch(form, one) for one in shown[route])


# T-05, T-06, T-07


def test_T_05_a_task_has_a_number_of_its_tenant_and_a_uuid(world: World, client: Client) -> None:
    made = [
        client.send("POST", "/addtaskcall", **multipart({}, file_name="1.wav")).json,
        client.send("POST", "/addtaskcallbyurl", fields={"file_url": AUDIO_URL}).json,
        client.send("POST", "/addtaskaudio", **multipart({})).json,
        world.client().send("POST", "/addtaskaudio", **multipart({})).json,
    ]
    assert [answer["id"] for answer in made] == [1, 2, 3, 1]
    codes = {answer["code"] for answer in made}
    assert len(codes) == 4
    assert all(UUID.fullmatch(code) for code in codes)


def test_T_06_an_analysis_may_have_keys_that_nobody_knows_yet(world: World) -> None:
    document = world.anonymous.send("GET", OPENAPI).json
    described = [schema for name, schema in document["components"]["schemas"].items() if name.startswith("Analysis")]
    assert described
    assert [schema for schema in described if schema.get("additionalProperties") is False] == []
    (sample,) = [sample for sample in samples() if "/calls_analysis_v2/" in sample.route]
    analysis = {**sample.answer["analysis"], "a_later_key": [1]}
    AnalysisAnswer.model_validate({**sample.answer, "analysis": analysis, "another": {}})


def test_T_07_tasks_and_their_results_are_kept_for_a_year(world: World) -> None:
    assert StageSettings().results_retention_days == 365
    user = world.user()
    code = world.completed(world.client_of(user))
    world.clock.advance(364 * DAY_S)
    client = world.client_of(user)  # by a fresh token
    world.fold_in(client)
    assert world.row(client, code)["status"] == "completed"
    answer = client.send("GET", "/gettask", query=f"task_code={code}").json
    assert "good morning" in answer["task_result"]["original_text"]


# T-L2: what the index must be good for, all in one question


def test_T_L2_substring_words_several_values_ranges_total_and_order_hold_together(world: World, client: Client) -> None:
    wanted = []
    for number in range(12):
        name = ("Ivanov", "Petrov")[number % 2]
        world.clock.advance(60)
        code = world.completed(client, file_name=f"{number}.wav", operator_name=f"{name} {number}", call_type="inbound")
        wanted += [code] if name == "Ivanov" else []
        if number == 6:
            world.fold_in(client)
    asked = {"operator_name": "IVAN", "message": "help morning", "length_min": 0.1, "length_max": 0.5, "per_page": 4}
    pages = [client.send("POST", FILTER, fields={**asked, "page": page}).json for page in (1, 2, 3)]
    assert [page["pagination"]["total_tasks"] for page in pages] == [6, 6, 6]
    assert [page["pagination"]["total_pages"] for page in pages] == [2, 2, 2]
    assert [task["task_code"] for page in pages for task in page["tasks"]] == wanted[::-1]


# T-A25


def test_T_A25_parameters_have_the_names_of_the_documents_examples(world: World) -> None:
    document = world.anonymous.send("GET", OPENAPI).json
    for sample in samples():
        if "-d '{" not in sample.command and "--data-raw" not in sample.command:
            continue
        method, path = sample.route.split(" ")
        operation = described(document, method, path)
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        known = document["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
        assert body_of(sample.route).keys() <= known.keys(), sample.route


def test_T_A25_the_log_in_is_by_email(world: World) -> None:
    user = world.user(email="somebody@example.com")
    assert world.anonymous.send("POST", "/auth/login", fields=user.log_in).json["email"] == "somebody@example.com"
    renamed = {("login" if name == "email" else name): value for name, value in user.log_in.items()}
    assert world.anonymous.send("POST", "/auth/login", fields=renamed).outcome != 200


def described(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """The operation at a path, whose ids stand for parameters."""
    for known, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", known), path) and method.lower() in operations:
            found: dict[str, Any] = operations[method.lower()]
            return found
    raise LookupError(f"{method} {path}")


# What is whose


@pytest.mark.parametrize(
    ("make", "path", "shown"),
    [
        (make_question, "/checklist/delete/{}", ("GET", "/checklist", "data")),
        (make_category, "/user/call_categories/delete/{}", ("POST", "/user/call_categories/list", "items")),
        (make_filter, "/tasks/filters/delete/{}", ("GET", "/tasks/filters/list", "filters")),
        (make_script, "/user/call_check_scripts/delete/{}", ("POST", "/user/call_check_scripts/list", "items")),
    ],
)
def test_T_21_T_28_T_31_T_33_what_a_user_keeps_no_colleague_sees_or_deletes(
    world: World, make: Callable[[Client], Any], path: str, shown: tuple[str, str, str]
) -> None:
    tenant_id = world.tenant()
    owner, colleague = (world.client(tenant_id=tenant_id) for _ in range(2))
    kept = make(owner)
    foreign, unknown = (colleague.send("POST", path.format(one), fields={}) for one in (kept, 999))
    assert foreign == unknown
    assert foreign.outcome != 200
    assert colleague.send(*shown[:2]).json[shown[2]] == []
    assert [one["id"] for one in owner.send(*shown[:2]).json[shown[2]]] == [kept]


def test_T_18_T_26_tasks_and_directories_are_the_whole_tenants(world: World) -> None:
    tenant_id = world.tenant()
    owner, colleague = (world.client(tenant_id=tenant_id) for _ in range(2))
    code, directory = world.add_call(owner), make_directory(owner)
    assert world.row(colleague, code)["id"] == 1
    assert [one["id"] for one in colleague.send("GET", "/user/directories").json["directories"]] == [directory]
