"""Errors as answers: HTTP 200, one shape, the endpoint's number, the caller's language, and nothing internal."""

import json
import logging
import re
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from callscribe import errors
from callscribe.dialects.front import BodyTooLong, Call, MethodNotAllowed
from callscribe.dialects.transcripto import refusals, routes
from callscribe.dialects.transcripto.codes import Problem, Refused, code_of
from callscribe.dialects.transcripto.texts import RUSSIAN
from callscribe.domain.prices import Account
from infra.alarms import SERVER_ERROR_LOG, UNEXPECTED_LOG
from tests.dialects.conftest import Client
from tests.dialects.transcripto.world import AUDIO_URL, World, multipart

SHAPE = {"success", "error_code", "error_message"}
NAMED = {"id", "code", "errorcode"}  # the earlier task, where a file came before; the tariff's own spelling


def refused(error: Exception, route: str = "-", languages: str = "") -> dict[str, Any]:
    answer = refusals.refuse(error, Call(route=route, languages=languages))
    assert answer["statusCode"] == 200
    found: dict[str, Any] = json.loads(answer["body"])
    assert set(found) - NAMED == SHAPE
    assert found["success"] is False
    return found


def missing(field: str) -> RequestValidationError:
    return RequestValidationError([{"type": "missing", "loc": ("body", field), "msg": "Field required"}])


@pytest.mark.parametrize(
    ("error", "route", "number"),
    [
        (errors.Invalid("page", "must be 1 or more"), "/tasks/filter", 4001),
        (missing("name"), "/user/directories", 4002),
        (missing("name"), "/tasks/filters/save", 4045),
        (missing("name"), "/user/call_categories/create", 4001),  # T-29
        (missing("file_url"), "/addtaskcallbyurl", 4002),
        (missing("question"), "/checklist", 4045),
        (RequestValidationError([{"type": "int_type", "loc": ("body", "page"), "msg": "wrong"}]), "/tasks/filter", 4001),
        (errors.Unauthenticated("no token"), "/get_file", 4023),
        (errors.Unauthenticated("wrong password"), "/auth/login", 4023),
        (errors.Forbidden("transcribe"), "/addtaskcall", 4056),
        (errors.Forbidden("read"), "/get_file", 4023),
        (errors.NotFound("no such path"), "-", 4041),
        (errors.NotFound("no such directory"), "/user/directories/delete/<directory_id>", 4041),
        (errors.NotFound("no such question"), "/checklist/delete/<checklist_id>", 4053),
        (errors.NotFound("no such category"), "/user/call_categories/delete/<id>", 4059),
        (errors.NotFound("no such filter"), "/tasks/filters/delete/<filter_id>", 4066),
        (MethodNotAllowed(("GET", "HEAD")), "-", 4041),
        (BodyTooLong("body", "must have at most 4 bytes"), "/addtaskcall", 4024),
        (BodyTooLong("body", "must have at most 4 bytes"), "/addtaskaudio", 4024),
        (BodyTooLong("body", "must have at most 4 bytes"), "/addtaskcallbyurl", 4001),
        (BodyTooLong("body", "must have at most 4 bytes"), "/tasks/filter", 4001),
        (errors.InsufficientCredits(Account.CALL_SECONDS, available=5), "/addtaskcall", 4050),
        (errors.InsufficientCredits(Account.REPORTS, available=0), "/user/callreport", 4602),
        (errors.Exhausted("x"), "/addtaskcall", 4050),
        (errors.NoTariff("the tariff has expired"), "/addtaskcall", 4044),
        (errors.NoTariff("the tariff has expired"), "/user/callreport", 4602),
        (errors.DuplicateFile("x", 101), "/addtaskcall", 4091),
        (errors.OutboundRefused("address", "the address is not public"), "/addtaskcallbyurl", 4024),
        (errors.OutboundFailed("status", "the answer was 404"), "/addtaskcallbyurl", 4024),
        (errors.RateLimited(60), "/auth/login", 4023),
        (errors.RateLimited(60), "/tasks/filter", 4001),
        (errors.Conflict("x"), "/checklist", 5000),
        (errors.Unavailable("dynamodb: no answer"), "/get_file", 5002),
        (errors.Unavailable("dynamodb: no answer"), "/addtaskcall", 5000),
        (RuntimeError("a defect"), "/user/callreport/file", 5001),
        (errors.Unavailable("dynamodb: no answer"), "/user/callreport/file", 5000),
        (RuntimeError("a defect"), "/addtaskcall", 5000),
        (errors.JobFailed(errors.FailureCode.AUDIO_TOO_SHORT, "too short"), "/addtaskcall", 4092),
        (errors.JobFailed(errors.FailureCode.AUDIO_TOO_LONG, "too long"), "/addtaskaudio", 4092),
        (errors.JobFailed(errors.FailureCode.AUDIO_EMPTY, "empty"), "/addtaskcallbyurl", 4092),
        (errors.JobFailed(errors.FailureCode.AUDIO_UNSUPPORTED, "an image"), "/addtaskcall", 4025),
        (errors.JobFailed(errors.FailureCode.AUDIO_UNREADABLE, "broken"), "/addtaskaudio", 4026),
        (errors.JobFailed(errors.FailureCode.UPLOAD_TOO_LARGE, "too large"), "/addtaskcall", 4092),
        (errors.JobFailed(errors.FailureCode.REPORT_FAILED, "no report"), "/gettask", 5003),
    ],
)  # fmt: skip
def test_T_02_every_error_is_http_200_with_the_number_of_its_endpoint(
    error: Exception, route: str, number: int
) -> None:
    assert refused(error, route)["error_code"] == number


@pytest.mark.parametrize("path", sorted({path for _, path in routes.ROUTES}))
def test_T_A5_every_problem_is_answered_at_every_route_by_its_number_and_its_words(path: str) -> None:
    for problem in Problem:
        code = code_of(path, problem)
        found = refused(Refused(problem, "a detail"), path)
        assert found["error_code"] == code.number
        assert found["error_message"].startswith(f"{code.english}: a detail")


@pytest.mark.parametrize(
    "kind", [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.CallscribeError)]
)
def test_every_error_of_the_tree_is_known_here(kind: type[errors.CallscribeError]) -> None:
    fallback_is_right = kind in (errors.CallscribeError, errors.Stopped, errors.JobFailed)  # the last by its code
    assert fallback_is_right or any(base in refusals.PROBLEMS for base in kind.__mro__ if base is not Exception)
    assert set(refusals.FAILURES) == set(errors.FailureCode)


def test_T_03_the_message_is_in_the_language_of_the_call() -> None:
    error = Refused(Problem.TASK_NOT_FOUND)
    assert refused(error, "/gettask", "en")["error_message"] == "Task not found"
    assert refused(error, "/gettask", "ru-RU, en;q=0.5")["error_message"] == "Задача не найдена"
    assert refused(error, "/gettask", "de")["error_message"] == "Task not found"
    assert RUSSIAN == "ru"


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("page: must be an integer from 1 to 100", "Неверный формат данных или параметра: page: должно быть целым числом от 1 до 100"),
        ("name: is required", "Неверный формат данных или параметра: name: обязательный параметр"),
        ("start_date is required", "Неверный формат данных или параметра: start_date: обязательный параметр"),
        ("call_date must be a date, YYYY-MM-DD", "Неверный формат данных или параметра: call_date: должно быть датой вида ГГГГ-ММ-ДД"),
        ("call_type: must be one of inbound, outbound", "Неверный формат данных или параметра: call_type: допустимые значения: inbound, outbound"),
        ("a rare rule holds here", "Неверный формат данных или параметра (a rare rule holds here)"),
        ("", "Неверный формат данных или параметра"),
    ],
)  # fmt: skip
def test_T_03_a_rule_is_told_in_russian_or_its_english_stands_in_brackets(detail: str, expected: str) -> None:
    assert refused(Refused(Problem.INVALID, detail), languages="ru")["error_message"] == expected
    assert detail in refused(Refused(Problem.INVALID, detail), languages="en")["error_message"]


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        ("/tasks/filter", {"page": 0}, "page"),
        ("/tasks/filter", {"call_type": "x"}, "call_type"),
        ("/tasks/filter", {"date_from": "x"}, "date_from"),
        ("/tasks/filter", {"message": "*"}, "message"),
        ("/tasks/filter", {"script_alignment_min": "x"}, "script_alignment_min"),
        ("/tasks/filter", {"length_min": 2, "length_max": 1}, "length_min"),
        ("/tasks/filter", {"answers": "No"}, "answers"),
        ("/checklist", {}, "question"),
        ("/user/directories", {"name": 7}, "name"),
        ("/user/call_categories/list", {"page": 0}, "page"),
        ("/user/call_categories/list", {"per_page": 1_000}, "per_page"),
        ("/user/callreport", {"start_date": "x", "end_date": "y"}, "start_date"),
        ("/user/callreport", {"start_date": "2025-10-01", "end_date": "2025-10-01", "report_type": "x"}, "report_type"),
        ("/addtaskcallbyurl", {"file_url": AUDIO_URL, "call_type": "x"}, "call_type"),
        ("/addtaskcallbyurl", {"file_url": AUDIO_URL, "call_datetime": "2025-10-20T10:00:00"}, "call_datetime"),
        ("/add_chat_analysis_task", {"text": "x", "operator_name": "x" * 201}, "operator_name"),
        ("/add_chat_analysis_task", {"chunks": [None]}, "chunks.0"),
        ("/add_chat_analysis_task", {"chunks": [{"text": "x", "time": []}]}, "chunks.0.time"),
        ("/addtaskyoutube", {"file_path": 5}, "file_path"),
        ("/tasks/filter", {"task_code": ["x"]}, "task_code"),
    ],
)  # fmt: skip
def test_T_03_a_russian_client_reads_no_english_of_the_common_rules(
    client: Client, path: str, fields: dict[str, Any], name: str
) -> None:
    found = client.send("POST", path, fields=fields, headers={"accept-language": "ru"}).json["error_message"]
    text, _, rule = found.rpartition(f"{name}: ")
    assert re.search("[а-я]", text), found
    assert re.search("[а-я]", rule), found
    assert not re.search(r"\b(must|should|be|or|Input|required)\b|\(", rule), found


@pytest.mark.parametrize(
    ("method", "path", "fields", "message"),
    [
        ("POST", "/add_chat_analysis_task", {"chunks": [{"speaker": "x", "message": "y"}]}, "chunks.0.text: is required"),
        ("POST", "/add_chat_analysis_task", {"chunks": ["a", {"text": 5}]}, "chunks.1.text: must be a string"),
        ("POST", "/add_chat_analysis_task", {"chunks": ["a", None]}, "chunks.1: must be a string, or an object with `text`"),
        ("POST", "/add_chat_analysis_task", {"chunks": [[]]}, "chunks.0: must be a string, or an object with `text`"),
        ("POST", "/checklist/answer/1", [{"checklist_id": 1, "answer": True}], "0.answer: must be a string"),
        ("POST", "/checklist/answer/1", [{"checklist_id": 1, "answer": "a"}, {"answer": "b"}], "1.checklist_id: is required"),
        ("POST", "/tasks/filter", {"date_from": 20251020}, "date_from: must be a date or a time: 2025-10-20 or 2025-10-20T10:00:00+03:00"),
        ("POST", "/tasks/filter", {"status": ["completed"]}, "status: must be one of pending, processing, audio_completed, completed, error, completed2"),
        ("POST", "/tasks/filter", {"task_type": 5}, "task_type: must be one of call, chat, email, audio, youtubenew, callreport"),
        ("POST", "/tasks/filter", {"task_code": ["x"]}, "task_code: must be a task's UUID, its id or its short code"),
        ("POST", "/addtaskyoutube", {"file_path": 5}, "file_path: must be a link to a video"),
        ("POST", "/user/callreport", {"start_date": 20251001, "end_date": "2025-10-31"}, "start_date: must be a date or a time: 2025-10-20 or 2025-10-20T10:00:00+03:00"),
        ("POST", "/add_chat_analysis_task", {"chunks": [{"text": 5}, {"text": "a", "time": []}]}, "chunks.0.text: must be a string"),
        ("POST", "/add_chat_analysis_task", {"chunks": [{"text": 5, "time": []}]}, "chunks.0.text: must be a string"),
        ("POST", "/add_chat_analysis_task", {"chunks": [{"text": "a", "time": []}]}, "chunks.0.time: must be a string or a number"),
        ("POST", "/add_chat_analysis_task", {"chunks": [{"text": "a", "role": 5}]}, "chunks.0.role: must be a string"),
        ("POST", "/addtaskcallbyurl", {"file_url": AUDIO_URL, "client_id": []}, "client_id: must be a string or an integer"),
        ("POST", "/addtaskcallbyurl", {"file_url": AUDIO_URL, "directory_id": []}, "directory_id: must be a string or an integer"),
    ],
)  # fmt: skip
def test_T_02_a_refusal_says_which_value_is_wrong_and_what_is_needed(
    client: Client, method: str, path: str, fields: Any, message: str
) -> None:
    found = client.send(method, path, fields=fields).json
    assert found["success"] is False
    assert found["error_message"].endswith(f": {message}"), found


@pytest.mark.parametrize(
    ("error", "route", "english", "russian"),
    [
        (errors.InsufficientCredits(Account.CALL_SECONDS, available=1, required=3), "/addtaskcall", "minutes needed: 0.05, left: 0.02", "нужно минут: 0.05, осталось: 0.02"),
        (errors.InsufficientCredits(Account.CHATS, available=2, required=3), "/add_chat_analysis_task", "chats needed: 3, left: 2", "нужно чатов: 3, осталось: 2"),
        (errors.InsufficientCredits(Account.REPORTS, available=0, required=1), "/user/callreport", "reports needed: 1, left: 0", "нужно отчётов: 1, осталось: 0"),
        (errors.InsufficientCredits(Account.VIDEO_SECONDS, available=0), "/addtaskyoutube", "minutes left: 0", "осталось минут: 0"),
        (errors.DuplicateFile("a-task", 7), "/addtaskcall", "the task 7 was made of this file before", "из этого файла уже создана задача 7"),
    ],
)  # fmt: skip
def test_T_03_what_is_left_is_told_in_units_of_the_tariff_and_in_the_language_of_the_call(
    error: Exception, route: str, english: str, russian: str
) -> None:
    assert refused(error, route)["error_message"].endswith(f": {english}")
    assert refused(error, route, "ru")["error_message"].endswith(f": {russian}")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("sk-secret"),
        errors.Unavailable("dynamodb sk-secret"),
        errors.Conflict("sk-secret"),
        errors.Exhausted("sk-secret"),
    ],
)
def test_nothing_internal_is_told_or_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    assert "sk-secret" not in refused(error, "/addtaskcall")["error_message"]
    if not isinstance(error, errors.Unavailable):  # which names the service, and was made for the log
        assert "sk-secret" not in caplog.text


def test_headers_say_what_a_client_of_http_looks_for() -> None:
    call = Call(route="/auth/login")
    assert refusals.refuse(errors.RateLimited(7), call)["headers"]["Retry-After"] == "7"
    assert refusals.refuse(errors.Unavailable("x"), call)["headers"]["Retry-After"] == "1"
    assert refusals.refuse(MethodNotAllowed(("GET", "HEAD")), call)["headers"]["Allow"] == "GET, HEAD"
    assert set(refusals.refuse(errors.Invalid("a", "b"), call)["headers"]) == {"Content-Type"}


@pytest.mark.parametrize(
    "route", sorted(route for route, access in routes.ROUTES.items() if access.scope is not None), ids=" ".join
)
def test_T_A8_without_a_good_token_every_route_that_needs_one_is_4023(world: World, route: tuple[str, str]) -> None:
    method, path = route
    for token in (None, "no token", "a.b.c"):
        found = world.anonymous.with_token(token).send(method, path.replace("<", "").replace(">", ""))
        assert (found.status, found.json["error_code"], found.json["success"]) == (200, 4023, False)


def test_T_A8_the_message_says_that_a_token_has_expired(world: World, client: Client) -> None:
    world.clock.advance(world.settings.token_life_s + 1)
    found = client.send("POST", "/addtaskcall", **multipart()).json
    assert found["error_code"] == 4023
    assert "expired" in found["error_message"]


@pytest.mark.parametrize("path", ["/user/nothing", "/auth/login/x", "/tasks", "/transcripto/x", "/checklist/a/b/c"])
def test_T_02_an_unknown_path_is_http_200_and_4041(client: Client, path: str) -> None:
    found = client.send("GET", path)
    assert (found.status, found.json["error_code"]) == (200, 4041)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_T_02_a_method_that_a_path_does_not_take_is_http_200_and_names_those_it_takes(
    client: Client, method: str
) -> None:
    found = client.send(method, "/addtaskcall")
    assert (found.status, found.json["error_code"], found.headers["allow"]) == (200, 4041, "POST")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'"x"', b"null", b"\xff", b'{"file_url": 7}', b'{"a": 1, "a": 2}', b"[" * 100_000]
)
def test_T_02_a_body_that_is_no_json_object_is_http_200_and_refused(client: Client, body: bytes) -> None:
    found = client.send("POST", "/addtaskcallbyurl", body=body, headers={"content-type": "application/json"})
    assert found.status == 200
    assert found.json["error_code"] in (4001, 4002)


def test_T_02_a_defect_is_http_200_and_5000_and_raises_the_alarm(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "-".join(("sk", "secret"))  # the log shows this line

    def broken(*_args: object, **_how: object) -> None:
        raise RuntimeError(secret)

    world = World(overrides={"downloader": type("Broken", (), {"check": broken})()})
    with caplog.at_level(logging.INFO, "callscribe"):
        found = world.client().send("POST", "/addtaskcallbyurl", fields={"file_url": AUDIO_URL})
    assert (found.status, found.json["error_code"]) == (200, 5000)
    assert SERVER_ERROR_LOG in caplog.text
    assert UNEXPECTED_LOG in caplog.text
    assert secret not in found.text + caplog.text


def test_T_02_a_service_that_does_not_answer_is_http_200_and_raises_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    def away(*_args: object, **_how: object) -> None:
        raise errors.Unavailable("dns: no answer")

    world = World(overrides={"downloader": type("Away", (), {"check": away})()})
    with caplog.at_level(logging.INFO, "callscribe"):
        found = world.client().send("POST", "/addtaskcallbyurl", fields={"file_url": AUDIO_URL})
    assert (found.status, found.json["error_code"], found.headers["retry-after"]) == (200, 5000, "1")
    assert "status=503" in caplog.text
    assert UNEXPECTED_LOG not in caplog.text


def test_T_L1_a_form_that_is_too_long_for_its_way_is_told_of_the_door_before_it_is_decoded() -> None:
    world = World(settings=replace(World().settings, inline_body_bytes=10_000))
    found = world.client().send("POST", "/addtaskcall", **multipart(file=b"x" * 10_000))
    assert (found.status, found.json["error_code"]) == (200, 4024)
    for said in ("10000 bytes", "the door", "80 MB", "/addtaskcallbyurl"):
        assert said in found.json["error_message"]
    assert world.client().send("POST", "/addtaskcall", **multipart(file=b"x" * 9_000)).json["success"]
