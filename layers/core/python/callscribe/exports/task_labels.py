"""What a task's report says around its facts, in the languages that we have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from callscribe.exports.labels import Names


@dataclass(frozen=True, slots=True)
class TaskLabels:
    """The words of one language."""

    call: str  # titles, followed by the task's number
    video: str
    facts: str  # headings
    checklist: str
    transcript: str
    file: str  # facts
    operator: str
    client: str
    direction: str
    called: str
    created: str
    duration: str
    language: str
    inbound: str
    outbound: str
    no_words: str
    names: Names


ENGLISH: Final = TaskLabels(
    call="Call report, task",
    video="Video report, task",
    facts="Facts",
    checklist="Checklist",
    transcript="Transcript",
    file="File",
    operator="Operator",
    client="Client",
    direction="Direction",
    called="Call time",
    created="Task created",
    duration="Duration",
    language="Language",
    inbound="inbound",
    outbound="outbound",
    no_words="There are no words.",
    names=Names("Operator", "Customer", "Speaker"),
)
RUSSIAN: Final = TaskLabels(
    call="Отчёт по звонку, задача",
    video="Отчёт по видео, задача",
    facts="Сведения",
    checklist="Чек-лист",
    transcript="Расшифровка",
    file="Файл",
    operator="Оператор",
    client="Клиент",
    direction="Направление",
    called="Время звонка",
    created="Задача создана",
    duration="Длительность",
    language="Язык",
    inbound="входящий",
    outbound="исходящий",
    no_words="Слов нет.",
    names=Names("Оператор", "Клиент", "Говорящий"),
)
TASK_LABELS: Final[Mapping[str, TaskLabels]] = {"en": ENGLISH, "ru": RUSSIAN}
