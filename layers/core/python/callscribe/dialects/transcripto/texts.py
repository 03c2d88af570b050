"""What the answers say to people, in the languages that we have (T-03). English is for everybody else."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from callscribe.dialects.transcripto import amounts, rules

ENGLISH: Final = "en"
RUSSIAN: Final = "ru"
LANGUAGES: Final = (ENGLISH, RUSSIAN)


class Said(StrEnum):
    """The messages of answers that succeed, as the document has them, but for LED_TO, which is ours."""

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
    LED_TO = "the file is too large for this way: it is at `url`, and in `Location`; the door would give it whole"


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
    Said.LED_TO: "файл слишком велик для этого пути: он по адресу `url` и `Location`; door отдал бы его целиком",
}
_SOME_FAILURE: Final = "задача не выполнена"


def language_of(accepted: str) -> str:
    """The best of our languages for an Accept-Language header, "en" where none fits."""
    languages = (tag.partition("-")[0] for tag in tags_of(accepted))
    return next((language for language in languages if language in LANGUAGES), ENGLISH)


def tags_of(accepted: str) -> list[str]:
    """The language tags of an Accept-Language header in lower case, the best first (RFC 9110, section 12.5.4)."""
    wanted = [(tag, weight) for tag, weight in map(_range, accepted.split(",")) if weight > 0]
    return [tag for tag, _ in sorted(wanted, key=lambda one: -one[1])]


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
    """Tag and weight of one range; weight 0 for what cannot be read. Java and Android write ru_RU for ru-RU."""
    tag, *parameters = text.lower().split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    weight = next((value for name, _, value in pairs if name.strip() == "q"), "1")
    try:
        return tag.strip().replace("_", "-"), float(weight)
    except ValueError:
        return "", 0.0
