"""The rows of dialect `transcripto`: what is numbered there, and how its owner is answered (see `Answer.outcome`)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.dialects.transcripto.world import VIDEO_URL
from tests.security.places import Request, Route, Row, Slot, Value, body, form, header, parameter, query
from tests.security.tenants import JOBS, Stranger

_OPEN = ("as it is", "token of mor")
# What is kept belongs to the user: a key has a shelf of its own.
_USERS = ("token of a user", "token of transcripto")

_TASKS = tuple(f"uuid, {job}" for job in JOBS if job != "of aivoco")  # one that is not kept is no task
_NUMBERS = ("number", "number with zeros", "number as a number")
_FORMS = ("uuid in upper case", "short code", *_NUMBERS)


def _row(
    method: str,
    path: str,
    *,
    fields: Callable[[Stranger], Any] | None = None,
    params: Callable[[Stranger], Mapping[str, str]] = lambda _who: {},
    parameters: Callable[[Stranger], Mapping[str, Value]] = lambda _who: {},
    **row: Any,
) -> tuple[Route, Row]:
    def request(who: Stranger) -> Request:
        sent = None if fields is None else fields(who)
        return Request(method, path, params(who), sent).with_query(**parameters(who))

    return (method, path), Row(request, **row)


def _kept(kind: str) -> Callable[[Stranger], str]:
    return lambda who: str(who.kept[kind])


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Accounts


def _log_in(who: Stranger) -> dict[str, str]:
    return {"email": who.username, "password_hash": who.client_hash, "captcha_token": "a token"}


_ACCOUNTS = (
    _row(
        "POST",
        "/auth/login",
        fields=_log_in,
        slots={
            "email": Slot(body("email"), {"user name": 200}),
            "password_hash": Slot(body("password_hash"), {"client hash": 200}),
        },
        plain=_names("captcha_token"),
        credentials=("as it is",),
        judges="log-in",
    ),
    _row("GET", "/user/tariff"),
)

# Tasks

_DIRECTORY = {"directory": 200}
# The key was used for a chat: with anything else it is refused.
_ORDER = {"Idempotency-Key": Slot(header("Idempotency-Key"), {"order at transcripto": 4001})}
_SAME_ORDER = {"Idempotency-Key": Slot(header("Idempotency-Key"), {"order at transcripto": 200})}
_FACTS = _names("operator_name client_id call_type call_date call_datetime processing_type")


def _form_row(path: str, slots: Mapping[str, Slot], plain: frozenset[str], **row: Any) -> tuple[Route, Row]:
    directory = {"directory_id": Slot(form("directory_id"), _DIRECTORY)}
    made = Row(
        lambda _who: Request("POST", path, form={}),
        slots={**directory, **_ORDER, **slots},
        plain=plain | _names("file X-Callscribe-Duplicate-Check"),
        **row,
    )
    return ("POST", path), made


def _named_file(request: Request, value: Value, _who: Stranger) -> Request:
    return replace(request, file_name=str(value))


_MAKING = (
    _form_row("/addtaskcall", {"name of the file": Slot(_named_file, {"file name": 4091})}, _FACTS, credentials=_USERS),
    _form_row("/addtaskaudio", {}, _names("file_lang")),
    _row(
        "POST",
        "/addtaskcallbyurl",
        fields=lambda who: {"file_url": who.audio_url},
        slots={
            "file_url": Slot(body("file_url")),  # means the same to everybody
            "directory_id": Slot(body("directory_id"), _DIRECTORY),
            **_ORDER,
        },
        plain=_FACTS,
    ),
    _row(
        "POST",
        "/addtaskyoutube",
        fields=lambda _who: {"file_path": VIDEO_URL},
        slots={
            "file_path": Slot(body("file_path")),
            "directory_id": Slot(body("directory_id"), _DIRECTORY),
            **_ORDER,
        },
        plain=_names("file_lang"),
    ),
    _row(
        "POST",
        "/add_chat_analysis_task",
        fields=lambda _who: {"text": "a chat"},
        slots=_SAME_ORDER,
        plain=_names("text chunks operator_name call_date"),
    ),
    _row(
        "POST",
        "/user/callreport",
        fields=lambda _who: {"start_date": "2025-12-01", "end_date": "2025-12-31"},
        slots=_ORDER,
        plain=_names("start_date end_date report_type"),
    ),
)

# Results

_ANY_TASK = dict.fromkeys((*_TASKS, *_FORMS), 200)
_CRITERIA = _names(
    "date_from date_to task_type status call_type tone_id resolved_status_id priority_id funnel_stage_id"
    " risk_signal_id sales_signal_id script_alignment_min script_alignment_max customer_satisfaction_score_min"
    " customer_satisfaction_score_max operator_politeness operator_politeness_min operator_politeness_max tags_any"
    " tags_all length_min length_max answers page per_page"
)


def _filter_slots(put: Callable[[str], Any]) -> dict[str, Slot]:
    by_code = dict.fromkeys((*_TASKS, "uuid in upper case", "short code"), 200)
    return {
        "task_code": Slot(put("task_code"), by_code),
        "task_id": Slot(put("task_id"), dict.fromkeys(_NUMBERS, 200)),
        "checklist_id": Slot(put("checklist_id"), {"answered question": 200}),
        "operator_name": Slot(put("operator_name"), {"operator": 200}),
        "message": Slot(put("message"), {"word": 200}),
    }


def _analysis(path: str) -> tuple[Route, Row]:
    calls = tuple(kind for kind in _TASKS if kind not in ("uuid, video", "uuid, report"))
    return _row(
        "GET",
        path,
        params=lambda who: {"task_code": who.jobs["completed"].id},
        done=4057,
        slots={"task_code": Slot(parameter("task_code"), dict.fromkeys((*calls, *_FORMS), 4057))},
    )


_RESULTS = (
    *(
        _row("GET", path, slots=_filter_slots(query), plain=_CRITERIA)
        for path in ("/tasks/filter", "/user/tasks/filter")
    ),
    *(
        _row("POST", path, fields=lambda _who: {}, slots=_filter_slots(body), plain=_CRITERIA)
        for path in ("/tasks/filter", "/user/tasks/filter")
    ),
    _row(
        "GET",
        "/gettask",
        parameters=lambda who: {"task_code": who.jobs["completed"].id},
        slots={"task_code": Slot(query("task_code"), _ANY_TASK)},
    ),
    _analysis("/api/calls_analysis_v2/<task_code>"),
    _analysis("/api/calls_analysis/<task_code>"),
    _row("GET", "/dictionaries"),
)

# Checklists


def _answer(request: Request, value: Value, _who: Stranger) -> Request:
    return replace(request, fields=[{"checklist_id": value, "answer": "yes"}])


def _task_of(who: Stranger) -> dict[str, str]:
    return {"task_id": str(who.jobs["of transcripto"].number)}


_TASK_NUMBER = Slot(parameter("task_id"), dict.fromkeys(_NUMBERS, 200))
_CHECKLISTS = (
    _row("GET", "/checklist", credentials=_USERS),
    _row("POST", "/checklist", fields=lambda _who: {"question": "a new one"}, plain=_names("question")),
    _row(
        "GET",
        "/checklist/<number>",
        params=lambda who: {"number": str(who.user_number)},
        slots={"number": Slot(parameter("number"), {"user number": 200})},
        credentials=(*_USERS, "token of an administrator"),
    ),
    _row(
        "POST",
        "/checklist/<number>",
        params=lambda who: {"number": str(who.kept["question"])},
        fields=lambda _who: {"question": "put in other words"},
        slots={"number": Slot(parameter("number"), {"question": 200, "answered question": 4055})},
        plain=_names("question"),
        credentials=_USERS,
    ),
    _row(
        "POST",
        "/checklist/delete/<checklist_id>",
        params=lambda who: {"checklist_id": str(who.kept["question"])},
        slots={"checklist_id": Slot(parameter("checklist_id"), {"question": 200, "answered question": 200})},
        credentials=_USERS,
    ),
    _row("GET", "/checklist/answer/<task_id>", params=_task_of, slots={"task_id": _TASK_NUMBER}),
    _row(
        "POST",
        "/checklist/answer/<task_id>",
        params=_task_of,
        fields=lambda who: [{"checklist_id": who.kept["question"], "answer": "yes"}],
        slots={
            "task_id": _TASK_NUMBER,
            "checklist_id": Slot(_answer, {"question": 200, "answered question": 200}),
        },
        plain=_names("answer"),
        credentials=_USERS,
    ),
)

# What is kept


def _on_shelf(path: str, kind: str, **more: Any) -> tuple[Route, Row]:
    """A change of one thing, by the id that its path ends with."""
    name = path.partition("<")[2].rstrip(">")
    slots = {name: Slot(parameter(name), {kind: 200, **more.pop("also", {})}), **more.pop("slots", {})}
    return _row(more.pop("method", "POST"), path, params=lambda who: {name: str(who.kept[kind])}, slots=slots, **more)


_PAGES = _names("q page per_page")
_SCRIPT = _names("identifier title description is_active version script_body")
_KEPT = (
    _row("GET", "/user/directories"),
    _row("POST", "/user/directories", fields=lambda _who: {"name": "a new one"}, plain=_names("name")),
    _on_shelf("/user/directories/delete/<directory_id>", "directory", method="DELETE"),
    _row(
        "POST",
        "/user/call_categories/list",
        fields=lambda _who: {},
        slots={"parent_id": Slot(body("parent_id"), {"upper category": 200})},
        plain=_PAGES,
        credentials=_USERS,
    ),
    _row(
        "POST",
        "/user/call_categories/create",
        fields=lambda _who: {"name": "a new one"},
        slots={"parent_id": Slot(body("parent_id"), {"upper category": 200, "category": 200})},
        plain=_names("name description"),
        credentials=_USERS,
    ),
    _on_shelf(
        "/user/call_categories/edit/<id>",
        "category",
        also={"upper category": 200},
        fields=lambda _who: {"name": "another name"},
        slots={
            "category_id": Slot(body("category_id"), {"upper category": 200}),
            "parent_id": Slot(body("parent_id"), {"upper category": 200, "category": 4001}),
        },
        plain=_names("name description"),
        credentials=_USERS,
    ),
    _on_shelf("/user/call_categories/delete/<id>", "category", also={"upper category": 4045}, credentials=_USERS),
    _row(
        "POST",
        "/tasks/filters/save",
        fields=lambda _who: {"name": "a new one", "criteria": {}},
        plain=_names("name criteria"),
    ),
    _row("GET", "/tasks/filters/list", credentials=_USERS),
    _on_shelf("/tasks/filters/delete/<filter_id>", "filter", credentials=_USERS),
    _row("POST", "/user/call_check_scripts/list", fields=lambda _who: {}, plain=_PAGES | _names("only_active")),
    _row(
        "POST",
        "/user/call_check_scripts/create",
        fields=lambda _who: {"identifier": "a new one", "title": "a title", "script_body": "say something"},
        plain=_SCRIPT,
    ),
    *(
        _on_shelf(
            f"/user/call_check_scripts/{change}/<script_id>",
            "script",
            fields=lambda _who: {},
            slots={"script_id in the body": Slot(body("script_id"), {"script": 200})},
            plain=plain,
            credentials=_USERS,
        )
        for change, plain in (("edit", _SCRIPT), ("delete", frozenset()))
    ),
)

# Files


def _report(who: Stranger) -> dict[str, Value]:
    report = who.jobs["report"]
    return {"task_code": report.id, "filename": f"report_{report.number}.pdf"}


_FILES = (
    _row(
        "GET",
        "/user/callreport/file",
        parameters=_report,
        slots={
            # Whoever knows the code may have the report.
            "task_code": Slot(query("task_code"), {"uuid, report": 200}, opens=frozenset({"uuid, report"})),
            "filename": Slot(query("filename"), {"report file": 200}),
        },
        credentials=_OPEN,
        judges="report",
    ),
    _row(
        "GET",
        "/get_file",
        parameters=lambda who: {"file_type": "audio", "task_code": who.jobs["completed"].id},
        slots={
            "task_code": Slot(
                query("task_code"), dict.fromkeys(("uuid, completed", "uuid, of transcripto", *_FORMS), 200)
            )
        },
        plain=_names("file_type"),
        numbers={403: 4023},
    ),
)
TRANSCRIPTO_ROWS: Mapping[Route, Row] = {
    route: replace(row, plain=row.plain | _names("Accept-Language"))
    for route, row in (
        *(*_ACCOUNTS, *_MAKING, *_RESULTS, *_CHECKLISTS, *_KEPT, *_FILES),
        *(_row("GET", f"/transcripto/{path}", credentials=_OPEN) for path in ("openapi.json", "docs")),
    )
}
