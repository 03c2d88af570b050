"""What went wrong, and the number that each endpoint has for it (T-02, T-A5, T-A6).

The endpoint's own table wins; `GENERAL` is the fallback, and what neither has is said by the next problem that `_AS`
names. A number means one thing at an endpoint, and no number has a meaning that the document does not give it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from callscribe.errors import CallscribeError


class Problem(StrEnum):
    """Every reason for which an endpoint may refuse. Which number that is depends on the endpoint."""

    INVALID = "invalid"  # a value breaks a rule
    MISSING = "missing"  # a required value
    BODY_TOO_LONG = "body too long"  # for the way on which it came (T-L1)
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"  # T-A22: what is somebody else's
    TOO_MANY = "too many"  # requests in this window
    NO_TASK_CODE = "no task code"
    TASK_NOT_FOUND = "task not found"
    NOT_FOUND = "not found"  # a directory, question, category, filter, script, or path
    NO_FILE = "no file"  # none sent, or none to be had at its URL
    UNSUPPORTED_FORMAT = "unsupported format"
    UNDECODABLE = "undecodable"
    LENGTH = "length"  # too short, or too long
    NO_TARIFF = "no tariff"
    NOT_ENOUGH = "not enough"  # minutes or pieces of the tariff
    DUPLICATE_FILE = "duplicate file"
    BAD_LINK = "bad link"  # to a video
    NO_DATES = "no dates"
    BAD_DATE = "bad date"
    DATES_REVERSED = "dates reversed"
    NO_REPORTS_LEFT = "no reports left"
    DUPLICATE = "duplicate"  # of a name, question or identifier
    ANSWERED = "answered"  # answers exist: the question may not change any more
    HAS_CHILDREN = "has children"
    WRONG_TYPE = "wrong type"  # of a task: a call is wanted
    NOT_A_VIDEO = "not a video"  # the wrong type of a task: a video is wanted
    WRONG_STATUS = "wrong status"  # of a task
    NO_ANALYSIS = "no analysis"  # or no result
    FILE_GONE = "file gone"
    FILE_TYPE = "file type"
    NO_DOCX = "no docx"
    BAD_FILE_NAME = "bad file name"
    BAD_PATH = "bad path"
    NO_OWNER = "no owner"
    REPORT = "report"  # it could not be made
    DATABASE = "database"
    HANDLER = "handler"
    INTERNAL = "internal"


class Refused(CallscribeError):
    """An endpoint refuses. `detail` says more than the problem's own text, in English."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(detail or str(problem))
        self.problem = problem
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Code:
    """A number and what it means, as the document says it, and in Russian."""

    number: int
    english: str
    russian: str


Table = Mapping[Problem, Code]

# Section 11, with what the endpoints' own tables add (T-A6).
GENERAL: Final[Table] = {
    Problem.INVALID: Code(4001, "Invalid data/parameter format", "Неверный формат данных или параметра"),
    Problem.MISSING: Code(4002, "Required parameter is missing", "Не указан обязательный параметр"),
    Problem.BAD_PATH: Code(4003, "Invalid path", "Недопустимый путь"),
    Problem.BAD_LINK: Code(4017, "Invalid/unsupported URL", "Неверная или неподдерживаемая ссылка"),
    Problem.NO_TASK_CODE: Code(4020, "task_code is not specified", "Не указан task_code"),
    Problem.TASK_NOT_FOUND: Code(4021, "Task not found", "Задача не найдена"),
    Problem.UNAUTHORIZED: Code(4023, "Unauthorized", "Нет авторизации"),
    Problem.NO_FILE: Code(4024, "File not uploaded / download error", "Файл не загружен / ошибка скачивания"),
    Problem.UNSUPPORTED_FORMAT: Code(4025, "Unsupported file format", "Неподдерживаемый формат файла"),
    Problem.UNDECODABLE: Code(4026, "File decoding/encoding error", "Ошибка декодирования или кодирования файла"),
    Problem.NO_OWNER: Code(4033, "User not found", "Пользователь не найден"),
    Problem.NOT_FOUND: Code(4041, "Resource is unavailable", "Ресурс недоступен"),
    Problem.NO_TARIFF: Code(4044, "No active plan (tariff)", "Нет активного тарифа"),
    Problem.FILE_TYPE: Code(4047, "Unsupported file_type or currency", "Неподдерживаемый file_type или валюта"),
    Problem.NOT_ENOUGH: Code(4050, "Insufficient plan resources", "Недостаточно ресурсов тарифа"),
    Problem.ANSWERED: Code(4055, "Cannot edit — answers already exist", "Изменить нельзя: ответы уже есть"),
    Problem.FORBIDDEN: Code(4056, "Access denied", "Доступ запрещён"),
    Problem.NO_ANALYSIS: Code(4057, "Analysis/result data not found", "Данные анализа или результата не найдены"),
    Problem.NO_DATES: Code(4060, "start_date/end_date were not provided", "Не указаны start_date/end_date"),
    Problem.BAD_DATE: Code(4061, "Invalid date format", "Неверный формат даты"),
    Problem.DATES_REVERSED: Code(4062, "start_date is later than end_date", "start_date позже end_date"),
    Problem.NO_DOCX: Code(4070, "DOCX library is unavailable", "Библиотека DOCX недоступна"),
    Problem.DUPLICATE_FILE: Code(4091, "Duplicate file", "Файл уже загружен"),
    Problem.LENGTH: Code(
        4092, "Audio is too short or length limit exceeded", "Аудио слишком короткое или превышена длина"
    ),
    Problem.INTERNAL: Code(5000, "Internal error", "Внутренняя ошибка"),
    Problem.REPORT: Code(5003, "Report generation error", "Ошибка создания отчёта"),
}

# Published by the document, for what cannot happen here or what another number is given for: never given a new meaning.
UNUSED: Final = (
    Code(4012, "Invalid/expired token", "Недействительный или истёкший токен"),  # T-A8: 4023
    *(
        Code(number, "User validation error", "Ошибка проверки пользователя")
        for number in (4030, 4031, 4032, 4035, 4036, 4037)
    ),
    Code(4034, "Plan (tariff) not found", "Тариф не найден"),
    Code(4043, "Invalid YouTube link", "Неверная ссылка YouTube"),  # T-A7: 4017
    Code(4045, "Required fields are missing", "Не заполнены обязательные поля"),
    Code(4046, "Amount/currency does not match the plan", "Сумма или валюта не соответствует тарифу"),
    Code(4052, "Failed to determine audio duration", "Не удалось определить длительность аудио"),
    Code(4053, "Checklist/record not found", "Чек-лист или запись не найдены"),
    Code(4054, "Duplicate checklist question", "Такой вопрос чек-листа уже есть"),
    Code(5002, "Database error", "Ошибка базы данных"),
)

# By which problem an endpoint says what it has no number for; INVALID, where nothing is said here.
_AS: Final[Mapping[Problem, Problem]] = {
    Problem.FORBIDDEN: Problem.UNAUTHORIZED,
    Problem.TASK_NOT_FOUND: Problem.NOT_FOUND,
    Problem.FILE_GONE: Problem.NOT_FOUND,
    Problem.NOT_A_VIDEO: Problem.WRONG_TYPE,
    Problem.NO_REPORTS_LEFT: Problem.NOT_ENOUGH,
    Problem.DATABASE: Problem.INTERNAL,
    Problem.HANDLER: Problem.INTERNAL,
    Problem.REPORT: Problem.INTERNAL,
}

_NO_PLAN: Final = Code(4044, "No active plan", "Нет активного тарифа")
_FAILED: Final = Code(5000, "Internal server error", "Внутренняя ошибка сервера")
_NOT_PROVIDED: Final = Code(4024, "File not provided", "Файл не передан")
_FORMAT: Final = Code(4025, "Unsupported file format", "Неподдерживаемый формат файла")
_DECODING: Final = Code(4026, "File decoding error", "Ошибка декодирования файла")
_CALL_MINUTES: Final = Code(4050, "Not enough plan minutes (calls)", "Недостаточно минут тарифа (звонки)")
_REQUIRED: Final = Code(4045, "Required fields are missing", "Не заполнены обязательные поля")
_NO_RECORD: Final = Code(4053, "Checklist/record not found", "Чек-лист или запись не найдены")
_JWT: Final = Code(4023, "Unauthorized (missing/invalid JWT)", "Нет авторизации (JWT не передан или недействителен)")

_LOGIN: Final[Table] = {Problem.TOO_MANY: GENERAL[Problem.UNAUTHORIZED]}
_ADD_CALL: Final[Table] = {
    Problem.INVALID: Code(
        4001,
        "Invalid parameters (including an invalid directory_id or call_datetime without TZ)",
        "Неверные параметры (в том числе неверный directory_id или call_datetime без часового пояса)",
    ),
    Problem.NO_FILE: _NOT_PROVIDED,
    Problem.BODY_TOO_LONG: _NOT_PROVIDED,
    Problem.UNSUPPORTED_FORMAT: _FORMAT,
    Problem.UNDECODABLE: _DECODING,
    Problem.NO_TARIFF: _NO_PLAN,
    Problem.NOT_ENOUGH: _CALL_MINUTES,
    Problem.DUPLICATE_FILE: Code(
        4091,
        "Duplicate file (same original filename already uploaded)",
        "Файл уже загружен (такое же исходное имя файла)",
    ),
    Problem.LENGTH: Code(
        4092,
        "Audio is too short (< 2 sec) or length limit exceeded",
        "Аудио слишком короткое (< 2 с) или превышена допустимая длина",
    ),
    Problem.INTERNAL: _FAILED,
}
_ADD_CALL_BY_URL: Final[Table] = {
    Problem.INVALID: Code(
        4001,
        "Invalid parameters (including call_datetime without TZ)",
        "Неверные параметры (в том числе call_datetime без часового пояса)",
    ),
    Problem.MISSING: Code(4002, "file_url not provided", "Не указан file_url"),
    Problem.NO_FILE: Code(4024, "Failed to download the file by URL", "Не удалось скачать файл по ссылке"),
    Problem.NO_TARIFF: _NO_PLAN,
    Problem.NOT_ENOUGH: _CALL_MINUTES,
    Problem.LENGTH: Code(
        4092, "Audio is too short/empty after downloading", "После скачивания аудио слишком короткое или пустое"
    ),
    Problem.INTERNAL: _FAILED,
}
_ADD_AUDIO: Final[Table] = {
    Problem.NO_FILE: _NOT_PROVIDED,
    Problem.BODY_TOO_LONG: _NOT_PROVIDED,
    Problem.UNSUPPORTED_FORMAT: _FORMAT,
    Problem.UNDECODABLE: _DECODING,
    Problem.NO_TARIFF: _NO_PLAN,
    Problem.NOT_ENOUGH: Code(4050, "Not enough plan minutes (audio)", "Недостаточно минут тарифа (аудио)"),
    Problem.LENGTH: Code(4092, "Audio is too short/too long", "Аудио слишком короткое или слишком длинное"),
    Problem.INTERNAL: _FAILED,
}
_ADD_VIDEO: Final[Table] = {
    Problem.BAD_LINK: GENERAL[Problem.BAD_LINK],
    Problem.NO_TARIFF: _NO_PLAN,
    Problem.INTERNAL: _FAILED,
}
_PLAN_OR_QUOTA: Final = Code(
    4602,
    "No active plan or business report quota exhausted",
    "Нет активного тарифа или исчерпана квота бизнес-отчётов",
)
_ADD_REPORT: Final[Table] = {
    Problem.UNAUTHORIZED: _JWT,
    Problem.NO_DATES: Code(4060, "Dates not provided (start_date/end_date)", "Не указаны даты (start_date/end_date)"),
    Problem.BAD_DATE: GENERAL[Problem.BAD_DATE],
    Problem.DATES_REVERSED: GENERAL[Problem.DATES_REVERSED],
    Problem.NO_TARIFF: _PLAN_OR_QUOTA,
    Problem.NOT_ENOUGH: _PLAN_OR_QUOTA,
    Problem.NO_REPORTS_LEFT: _PLAN_OR_QUOTA,
    Problem.INTERNAL: Code(5000, "Generic internal error", "Внутренняя ошибка"),
}
_CHECKLIST: Final[Table] = {
    Problem.MISSING: _REQUIRED,
    Problem.NOT_FOUND: _NO_RECORD,
    Problem.DUPLICATE: Code(4054, "Duplicate checklist question", "Такой вопрос чек-листа уже есть"),
    Problem.ANSWERED: GENERAL[Problem.ANSWERED],
    Problem.FORBIDDEN: GENERAL[Problem.FORBIDDEN],
}
_CATEGORIES: Final[Table] = {
    Problem.MISSING: GENERAL[Problem.INVALID],  # T-29
    Problem.UNAUTHORIZED: Code(4023, "Unauthorized / user not found", "Нет авторизации / пользователь не найден"),
    Problem.NOT_FOUND: Code(
        4059,
        "Category not found (or not accessible to the user)",
        "Категория не найдена (или недоступна пользователю)",
    ),
    Problem.INTERNAL: _FAILED,
}
_DELETE_CATEGORY: Final[Table] = {
    **_CATEGORIES,
    Problem.HAS_CHILDREN: Code(
        4045,
        "Cannot delete a category that has child records",
        "Нельзя удалить категорию, у которой есть дочерние записи",
    ),
}
_SAVE_FILTER: Final[Table] = {Problem.MISSING: _REQUIRED, Problem.INTERNAL: _FAILED}
_DELETE_FILTER: Final[Table] = {
    Problem.NOT_FOUND: Code(4066, "Filter not found", "Фильтр не найден"),
    Problem.INTERNAL: _FAILED,
}
_SCRIPTS: Final[Table] = {Problem.NOT_FOUND: _NO_RECORD}
_BOTH_NEEDED: Final = Code(4001, "task_code and filename are required", "Нужны task_code и filename")
_NO_SUCH_REPORT: Final = Code(4041, "Task not found", "Задача не найдена")
_REPORT_FILE: Final[Table] = {
    Problem.MISSING: _BOTH_NEEDED,
    Problem.INVALID: _BOTH_NEEDED,
    Problem.NO_TASK_CODE: _BOTH_NEEDED,
    Problem.BAD_FILE_NAME: Code(4002, "Invalid filename", "Недопустимое имя файла"),
    Problem.BAD_PATH: GENERAL[Problem.BAD_PATH],
    Problem.TASK_NOT_FOUND: _NO_SUCH_REPORT,
    Problem.NOT_FOUND: _NO_SUCH_REPORT,
    Problem.FILE_GONE: Code(4043, "File missing on disk", "Файл отсутствует на диске"),
    Problem.NO_OWNER: Code(4044, "User id not found for task", "Для задачи не найден id пользователя"),
    Problem.HANDLER: Code(5001, "Internal handler error", "Внутренняя ошибка обработчика"),
    Problem.INTERNAL: Code(5000, "Generic internal error", "Внутренняя ошибка"),
}
_GET_FILE: Final[Table] = {
    Problem.UNAUTHORIZED: _JWT,
    Problem.NO_TASK_CODE: Code(4045, "Missing task_code", "Не указан task_code"),
    Problem.TASK_NOT_FOUND: Code(4021, "Task not found for the user", "Задача пользователя не найдена"),
    Problem.FILE_GONE: Code(4046, "File not found on disk", "Файл не найден на диске"),
    Problem.FILE_TYPE: Code(4047, "Unsupported file_type", "Неподдерживаемый file_type"),
    Problem.WRONG_TYPE: Code(4056, "Invalid task type (call expected)", "Неверный тип задачи (ожидается call)"),
    Problem.NO_ANALYSIS: Code(
        4057, "No data (analysis, checklist or result)", "Нет данных (анализа, чек-листа, результата)"
    ),
    Problem.NOT_A_VIDEO: Code(
        4061, "Invalid task type (youtubenew expected)", "Неверный тип задачи (ожидается youtubenew)"
    ),
    Problem.WRONG_STATUS: Code(
        4062, "Invalid task status (completed expected)", "Неверный статус задачи (ожидается completed)"
    ),
    Problem.NO_DOCX: GENERAL[Problem.NO_DOCX],
    Problem.DATABASE: Code(5002, "DB error", "Ошибка базы данных"),
    Problem.INTERNAL: Code(5000, "Generic internal error", "Внутренняя ошибка"),
}

# One table per endpoint that has meanings of its own, by its path without the names of its parameters.
CODES: Final[Mapping[str, Table]] = {
    "/auth/login": _LOGIN,
    "/addtaskcall": _ADD_CALL,
    "/addtaskcallbyurl": _ADD_CALL_BY_URL,
    "/addtaskaudio": _ADD_AUDIO,
    "/addtaskyoutube": _ADD_VIDEO,
    "/user/callreport": _ADD_REPORT,
    "/checklist": _CHECKLIST,
    "/checklist/<>": _CHECKLIST,
    "/checklist/delete/<>": _CHECKLIST,
    "/user/call_categories/list": _CATEGORIES,
    "/user/call_categories/create": _CATEGORIES,
    "/user/call_categories/edit/<>": _CATEGORIES,
    "/user/call_categories/delete/<>": _DELETE_CATEGORY,
    "/tasks/filters/save": _SAVE_FILTER,
    "/tasks/filters/delete/<>": _DELETE_FILTER,
    "/user/call_check_scripts/edit/<>": _SCRIPTS,
    "/user/call_check_scripts/delete/<>": _SCRIPTS,
    "/user/callreport/file": _REPORT_FILE,
    "/get_file": _GET_FILE,
}


def code_of(route: str, problem: Problem) -> Code:
    """What the endpoint at this path, as the table of routes has it, calls a problem."""
    own = CODES.get(endpoint_of(route), {})
    taken = {code.number for code in own.values()}
    while True:
        if problem in own:
            return own[problem]
        general = GENERAL.get(problem)
        if general is not None and (general.number not in taken or general in own.values()):
            return general
        problem = _AS.get(problem, Problem.INVALID)


def endpoint_of(route: str) -> str:
    """A route's path without the names of its parameters."""
    return re.sub(r"<\w+>", "<>", route)


def published() -> Iterator[tuple[str, Code]]:
    """Every number that there is, with the endpoint at which it means this, "" for the general meaning; by number."""
    general = {("", code) for code in (*GENERAL.values(), *UNUSED)}
    own = {(path, code) for path, table in CODES.items() for code in table.values() if ("", code) not in general}
    yield from sorted(general | own, key=lambda one: (one[1].number, one[0]))


def published_table() -> str:
    """The same as a table in Markdown."""
    rows = (f"| {code.number} | {f'`{path}`' if path else ''} | {code.english} |" for path, code in published())
    return "\n".join(("| error_code | endpoint | meaning |", "| --- | --- | --- |", *rows))
