"""The rules that values break most often, in Russian; all others are told in English alone."""

import re
from collections.abc import Mapping
from typing import Final

_NAMED: Final = re.compile(r"([\w.-]{1,64}):? (.+)")  # `page: must be …`, `call_date must be …`
_RUSSIAN: Final[Mapping[re.Pattern[str], str]] = {
    re.compile(rule): russian
    for rule, russian in {
        r"is required": r"обязательный параметр",
        r"must not be empty": r"не должно быть пустым",
        r"must be a string": r"должно быть строкой",
        r"must be a number": r"должно быть числом",
        r"must be an integer|Input should be a valid integer": r"должно быть целым числом",
        r"must be a string or an integer": r"должно быть строкой или целым числом",
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
        r"must be valid JSON": r"должно быть правильным JSON",
        r"must be a JSON object": r"должно быть объектом JSON",
    }.items()
}


def in_russian(detail: str) -> str | None:
    """The field by its own name, and the rule that it breaks; None for a detail that is not so, or a rarer rule."""
    named = _NAMED.fullmatch(detail)
    if named is None:
        return None
    for rule, russian in _RUSSIAN.items():
        if broken := rule.fullmatch(named[2]):
            return f"{named[1]}: {broken.expand(russian)}"
    return None
