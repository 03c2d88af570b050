"""The rules that values break most often and why tasks usually fail, in Russian; all else is told in English alone."""

import re
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from callscribe.dialects import answers
from callscribe.dialects.front import Malformed

# How pydantic names the types that one of several may be, where it says in which of them something is wrong.
_TYPE: Final = re.compile(r"[A-Z]\w*|(constrained-)?(str|int|float|bool)")
_TEXT_OR_NUMBER: Final = "must be a string or a number"
_NAMED: Final = re.compile(r"([\w.-]{1,64}):? (.+)")  # `page: must be …`, `call_date must be …`
_RUSSIAN: Final[Mapping[re.Pattern[str], str]] = {
    re.compile(rule): russian
    for rule, russian in {
        r"is required": r"обязательный параметр",
        r"must not be empty": r"не должно быть пустым",
        r"must be a string": r"должно быть строкой",
        r"must be a string, or an object with `text`": r"должно быть строкой или объектом с полем `text`",
        r"must be a link to a video": r"должно быть ссылкой на видео",
        r"must be a task's UUID, its id or its short code": r"должно быть UUID задачи, её id или коротким кодом",
        r"must be a number": r"должно быть числом",
        r"must be an integer|Input should be a valid integer": r"должно быть целым числом",
        r"must be a string or an integer": r"должно быть строкой или целым числом",
        r"must be a string or a number": r"должно быть строкой или числом",
        r"must be an integer from (\S+) to (\S+)": r"должно быть целым числом от \1 до \2",
        r"must be a number from (\S+) to (\S+)": r"должно быть числом от \1 до \2",
        r"Input should be greater than or equal to (\S+)": r"должно быть не меньше \1",
        r"Input should be less than or equal to (\S+)": r"должно быть не больше \1",
        r"must be one of (.+)": r"допустимые значения: \1",
        r"Input should be ('.*') or ('.*')": r"допустимые значения: \1, \2",
        r"must be text of at most (\d+) characters": r"должно быть текстом не длиннее \1 символов",
        r"String should have at most (\d+) characters?": r"должно быть не длиннее \1 символов",
        r"has (\d+) characters; at most (\d+) are allowed": r"должно быть не длиннее \2 символов, а не \1",
        r"must have at most (\d+) values": r"должно быть не больше \1 значений",
        r"must have a letter or a digit": r"нужна хотя бы одна буква или цифра",
        r"must not be later than (\w+)": r"должно быть не позже \1",
        r"must not be more than (\w+)": r"должно быть не больше \1",
        r"must be a date, YYYY-MM-DD": r"должно быть датой вида ГГГГ-ММ-ДД",
        r"must be a date or a time: (\S+) or (\S+)": r"должно быть датой или временем: \1 или \2",
        r"must be ISO 8601 with a time zone: (\S+)": r"должно быть временем ISO 8601 с часовым поясом: \1",
        r"must come with (\w+)": r"указывается только вместе с \1",
        r"must be valid JSON": r"должно быть правильным JSON",
        r"must be a JSON object": r"должно быть объектом JSON",
    }.items()
}
_SENTENCES: Final[Mapping[re.Pattern[str], str]] = {
    re.compile(sentence): russian
    for sentence, russian in {
        r"cancelled": r"отменена",
        r"minutes needed: (\S+), left: (\S+)": r"нужно минут: \1, осталось: \2",
        r"chats needed: (\S+), left: (\S+)": r"нужно чатов: \1, осталось: \2",
        r"reports needed: (\S+), left: (\S+)": r"нужно отчётов: \1, осталось: \2",
        r"minutes left: (\S+)": r"осталось минут: \1",
        r"the task (\d+) was made of this file before": r"из этого файла уже создана задача \1",
        r"the recording was not transcribed within the time limit": r"запись не расшифрована за отведённое время",
        r"nothing was uploaded before the upload window closed": r"файл не был загружен в отведённое время",
        r"the audio could not be fetched in time": r"запись не удалось скачать за отведённое время",
        r"the recording could not be transcribed because of an internal error": r"внутренняя ошибка расшифровки",
        r"reports are not made yet by this version": r"эта версия ещё не создаёт отчёты",
        r"the uploaded file is no longer there": r"загруженного файла больше нет",
        r"the file is empty \(0 bytes\)": r"файл пуст (0 байт)",
        r"the file holds no audio samples \(0 s\)": r"в файле нет звука (0 с)",
        r"the file holds no audio track": r"в файле нет звуковой дорожки",
        r"the audio lasts (\S+) s; at least (\S+) s are needed": r"запись длится \1 с; нужно не меньше \2 с",
        r"the audio lasts (\S+) s; at most (\S+) s are accepted": r"запись длится \1 с; допустимо не больше \2 с",
        r"the audio lasts (\S+) s or more; at most (\S+) s are accepted": r"запись длится от \1 с; допустимо до \2 с",
        r"the file has (\d+) bytes; at most (\d+) are (?:accepted|allowed)": r"в файле \1 байт; допустимо не больше \2",
        r"the file has more than the (\d+) bytes that are allowed": r"в файле больше допустимых \1 байт",
        r"the file is none of the accepted audio formats \((.+)\)": r"формат не поддерживается; поддерживаются: \1",
        r"the audio codec (\S+) is not supported": r"аудиокодек \1 не поддерживается",
        r"the file is damaged: no audio could be read from it": r"файл повреждён: звук не читается",
        r"the file is damaged: none of its audio could be decoded": r"файл повреждён: звук не декодируется",
        r"the file broke its decoder": r"файл повреждён: звук не декодируется",
    }.items()
}  # fmt: skip


def malformed(error: RequestValidationError) -> Malformed:
    """The first value that is wrong, by the names and numbers that lead to it in the body, and its rule."""
    first, *others = error.errors()
    path = _path(first)
    of_value = [first, *(one for one in others if _path(one) == path)]
    found = answers.malformed(RequestValidationError(of_value))
    takes_floats = {"string_type", "float_type"} <= {one["type"] for one in of_value}
    return Malformed(".".join(path) or found.field, _TEXT_OR_NUMBER if takes_floats else found.rule)


def _path(error: Mapping[str, Any]) -> list[str]:
    """What leads to the value; each type that it may be of has an error of its own."""
    return [part for part in map(str, error["loc"]) if part != "body" and not _is_type(part)]


def _is_type(part: str) -> bool:
    return "[" in part or _TYPE.fullmatch(part) is not None


def in_russian(detail: str) -> str | None:
    """A known sentence, or the field by its own name and the rule that it breaks; None for all else."""
    for sentence, russian in _SENTENCES.items():
        if said := sentence.fullmatch(detail):
            return said.expand(russian)
    named = _NAMED.fullmatch(detail)
    if named is None:
        return None
    for rule, russian in _RUSSIAN.items():
        if broken := rule.fullmatch(named[2]):
            return f"{named[1]}: {broken.expand(russian)}"
    return None
