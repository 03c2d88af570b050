"""What the answers say to people, in the languages that we have (T-03). English is for everybody else."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from callscribe.dialects.transcripto import amounts, rules

ENGLISH: Final = "en"
RUSSIAN: Final = "ru"
LANGUAGES: Final = (ENGLISH, RUSSIAN)


class Said(StrEnum):
    """The messages of answers that succeed, as the document has them."""

    LOGGED_IN = "Login successful"
    CHAT_CREATED = "Chat analysis task created"
    REPORT_CREATED = "Report task created"
    QUESTION_CREATED = "Checklist question created"
    QUESTION_UPDATED = "Checklist question updated"
    QUESTION_DELETED = "Checklist question deleted"
    ANSWERS_SAVED = "Checklist answers saved"
    DIRECTORY_DELETED = "Directory deleted successfully"
    SAVED = "Saved successfully"
    DELETED = "Deleted successfully"
    FILTER_SAVED = "Filter created or updated"
    FILTER_DELETED = "Filter deleted"


_RUSSIAN: Final[Mapping[Said, str]] = {
    Said.LOGGED_IN: "Вход выполнен",
    Said.CHAT_CREATED: "Задача анализа чата создана",
    Said.REPORT_CREATED: "Задача отчёта создана",
    Said.QUESTION_CREATED: "Вопрос чек-листа создан",
    Said.QUESTION_UPDATED: "Вопрос чек-листа изменён",
    Said.QUESTION_DELETED: "Вопрос чек-листа удалён",
    Said.ANSWERS_SAVED: "Ответы чек-листа сохранены",
    Said.DIRECTORY_DELETED: "Папка удалена",
    Said.SAVED: "Сохранено",
    Said.DELETED: "Удалено",
    Said.FILTER_SAVED: "Фильтр создан или обновлён",
    Said.FILTER_DELETED: "Фильтр удалён",
}
_SOME_FAILURE: Final = "задача не выполнена"


def language_of(accepted: str) -> str:
    """The best of our languages for an Accept-Language header, "en" where none fits."""
    languages = (tag.partition("-")[0] for tag in tags_of(accepted))
    return next((language for language in languages if language in LANGUAGES), ENGLISH)


def tags_of(accepted: str) -> list[str]:
    """The language tags of an Accept-Language header in lower case, the best first (RFC 9110, section 12.5.4)."""
    ranked = sorted(map(_range, accepted.split(",")), key=lambda one: -one[1])
    return [tag for tag, weight in ranked if weight > 0]


def say(said: Said, accepted: str) -> str:
    """A message in the language that an Accept-Language header asks for."""
    return _RUSSIAN[said] if language_of(accepted) == RUSSIAN else str(said)


def failure(message: str, accepted: str) -> str:
    """Why a task failed, in the language that an Accept-Language header asks for.

    In Russian an English `message` stands in brackets, where there is no Russian one.
    """
    told = amounts.in_units(message)
    if language_of(accepted) != RUSSIAN:
        return told
    return rules.in_russian(told) or f"{_SOME_FAILURE} ({told})"


def _range(text: str) -> tuple[str, float]:
    """Tag and weight of one range; weight 0 for what cannot be read."""
    tag, _, parameter = text.strip().lower().partition(";")
    name, _, weight = parameter.strip().partition("=")
    try:
        return tag.strip(), float(weight) if name == "q" else 1.0
    except ValueError:
        return "", 0.0
