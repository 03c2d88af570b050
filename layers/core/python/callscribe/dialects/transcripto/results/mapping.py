"""Tasks, their results and the published lists, as the document shows them."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from callscribe.dialects.transcripto import codes, dates
from callscribe.dialects.transcripto.results.criteria import COMPLETED_2
from callscribe.dialects.transcripto.texts import ENGLISH, RUSSIAN, failure
from callscribe.domain.dictionaries import DICTIONARIES, POLITENESS, Term, politeness_score
from callscribe.domain.roles import Roles
from callscribe.domain.tasks import Found, TaskRow, TaskStatus, TaskType
from callscribe.domain.transcripts import Transcript
from callscribe.exports.labels import Names, label_by
from callscribe.exports.turns import turns

ENDINGS: Final = ("pdf", "html")  # of a report's files
_SPEAKERS: Final = Names("Operator", "Customer", "Speaker")  # in every language: programs read this text
_UNTIMED: Final = (TaskType.CHAT, TaskType.EMAIL)
# By value: in English and in Russian.
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    TaskType.CALL: ("a call", "звонок"),
    TaskType.CHAT: ("a chat", "чат"),
    TaskType.EMAIL: ("an e-mail; no endpoint makes one", "письмо; ни один метод его не создаёт"),
    TaskType.AUDIO: ("another recording", "другая запись"),
    TaskType.YOUTUBE: ("a video, by its link", "видео по ссылке"),
    TaskType.REPORT: ("a report on a time's calls and chats", "отчёт по звонкам и чатам за период"),
}
_STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    TaskStatus.PENDING: ("waits to be worked on", "ожидает обработки"),
    TaskStatus.PROCESSING: ("is worked on", "обрабатывается"),
    TaskStatus.AUDIO_COMPLETED: ("transcribed, still to be analysed", "расшифрована, ожидает анализа"),
    TaskStatus.COMPLETED: ("done", "готова"),
    COMPLETED_2: ("may be asked for in filters; no task has it", "допустим в фильтрах; у задач не встречается"),
    TaskStatus.ERROR: ("failed: `error_message` says why", "ошибка: причина в `error_message`"),
}


def listed(found: Found, directories: Collection[int], languages: str, *, page: int, per_page: int) -> dict[str, Any]:
    """A page of a list (T-18); `directories` are the ids of those that there are (T-A23), `languages` the header
    Accept-Language.
    """
    return {
        "tasks": [task(row, directories, languages) for row in found.rows],
        "pagination": {
            "current_page": page,
            "per_page": per_page,
            "total_tasks": found.total,
            "total_pages": math.ceil(found.total / per_page),
        },
    }


def task(row: TaskRow, directories: Collection[int], languages: str) -> dict[str, Any]:
    """A task in a list: all 16 fields (T-18)."""
    return {
        "id": row.id,
        "type": str(row.type),
        "status": str(row.status),
        "file_name": file_name(row),
        "created_at": dates.with_offset(row.created_at_ms),
        "updated_at": dates.with_offset(row.updated_at_ms),
        "operator_name": row.operator_name,
        "call_time": None if row.call_at_ms is None else dates.with_offset(row.call_at_ms),
        "call_type": row.call_type,
        "call_date": row.call_date,
        "error_message": None if row.error_message is None else failure(row.error_message, languages),
        "directory_id": row.directory_id if row.directory_id in directories else None,
        "task_length": length_min(row),
        "task_code": row.code,
        "report_type": row.report_type,
        "customer_satisfaction_score": row.satisfaction,
    }


def one_task(
    row: TaskRow,
    directories: Collection[int],
    languages: str,
    failed_as: int | None,
    text: str | None,
    url: str | None = None,
) -> dict[str, Any]:
    """A task by itself (T-19); `failed_as` is the number for why it failed, None where it did not. `text` is what was
    said or written, None where nothing is known of that, or where it is too long for an answer, and to be had at a
    `url`. The rest as in `task`.
    """
    shown = task(row, directories, languages)
    names = ("id", "type", "status", "file_name", "created_at", "updated_at", "call_date", "error_message")
    files = report_files(row)
    more = files if url is None else {"original_text_url": url}
    return {
        **{name: shown[name] for name in (*names, "directory_id", "report_type", "task_code", "task_length")},
        "task_error_code": failed_as,
        "task_result": _result(text, more) if row.status is TaskStatus.COMPLETED else None,
        **files,
    }


def report_files(row: TaskRow) -> dict[str, list[str]]:
    """The names of a report's files, once they are there (T-A13); nothing for any other task."""
    if row.type is not TaskType.REPORT or row.status is not TaskStatus.COMPLETED:
        return {}
    return {"report_files": [f"report_{row.id}.{ending}" for ending in ENDINGS]}


def file_name(row: TaskRow) -> str | None:
    """What a task was made of, or, of a report, the first of what it made."""
    return next(iter(report_files(row).get("report_files", [])), row.file_name)


def length_min(row: TaskRow) -> float:
    """Minutes, two decimals (T-A21)."""
    return 0 if row.type in _UNTIMED else round(row.length_min, 2)


def original_text(found: Transcript, roles: Roles | None) -> str:
    """One line per turn: `Operator: …`. `roles` None where nobody is an operator."""
    lines = (
        f"{turn.label}: {turn.text}" if turn.label else turn.text for turn in turns(found, label_by(roles, _SPEAKERS))
    )
    return "\n".join(lines)


def dictionaries(language: str) -> dict[str, Any]:
    """Everything that is said by numbers and fixed words (T-A17), with meanings in this language."""
    return {
        **{name: [_term(term, language) for term in terms] for name, terms in DICTIONARIES.items()},
        "operator_politeness": [{"rating": rating, "score": politeness_score(rating)} for rating in POLITENESS],
        "task_types": list(_words(_TYPES, language)),
        "statuses": list(_words(_STATUSES, language)),
        "error_codes": [_code(endpoint, code, language) for endpoint, code in codes.published()],
    }


def _result(text: str | None, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"blog_post": None, "image_prompt": None, "normalized_text": None, "original_text": text, **more}


def _term(term: Term, language: str) -> dict[str, Any]:
    names = {ENGLISH: term.english, RUSSIAN: term.russian}
    return {"id": term.id, "name": names[language], "names": names}


def _words(meanings: Mapping[str, tuple[str, str]], language: str) -> Iterator[dict[str, str]]:
    for value, (english, russian) in meanings.items():
        yield {"value": str(value), "meaning": russian if language == RUSSIAN else english}


def _code(endpoint: str, code: codes.Code, language: str) -> dict[str, Any]:
    message = code.russian if language == RUSSIAN else code.english
    return {"error_code": code.number, "endpoint": endpoint or None, "message": message}
