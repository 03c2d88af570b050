"""Between the vendor's words and ours: what a client says about a task that is to be made."""

import re
from datetime import datetime
from typing import Final

from callscribe.dialects.front import read_language
from callscribe.dialects.transcripto.codes import Problem, Refused
from callscribe.dialects.transcripto.dates import DATE_OR_TIME, read_date, read_datetime, read_day_or_time
from callscribe.dialects.transcripto.tasks.schemas import (
    MOST_LINK_CHARACTERS,
    AudioFields,
    CallFields,
    ChatRequest,
    Chunk,
    ReportRequest,
)
from callscribe.domain import chats
from callscribe.domain.call_facts import Direction
from callscribe.domain.chats import Chat, Message
from callscribe.domain.task_facts import TaskType
from callscribe.domain.texts import is_blank, one_line
from callscribe.errors import Invalid
from callscribe.services.task_making import NOBODY_NAMED
from callscribe.services.tasks import NewTask

STANDARD: Final = "standard"
_DETECTED: Final = "00"
_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_MAX_MOMENT_CHARACTERS: Final = 64


def call(fields: CallFields, leniencies: list[str]) -> NewTask:
    """T-12, T-13. Raises Refused and Invalid."""
    call_date, call_at_ms = _called(fields.call_date, fields.call_datetime)
    return NewTask(
        TaskType.CALL,
        operator_name=_given(fields.operator_name) or NOBODY_NAMED,
        client_id=_client(fields.client_id, leniencies),
        direction=Direction(fields.call_type) if fields.call_type else None,
        call_date=call_date,
        call_at_ms=call_at_ms,
        processing_type=fields.processing_type or STANDARD,
        directory_id=directory(fields.directory_id, leniencies),
    )


def audio(kind: TaskType, fields: AudioFields, leniencies: list[str]) -> NewTask:
    """T-14, T-15. Raises Invalid."""
    directory_id = directory(fields.directory_id, leniencies)
    return NewTask(kind, operator_name=None, directory_id=directory_id, language=language(fields.file_lang))


def video(link: object) -> str:
    """T-15: the link to a video. Raises Refused: MISSING, BAD_LINK."""
    if link is None or (isinstance(link, str) and not link.strip()):
        raise Refused(Problem.MISSING, "file_path is required")
    if not isinstance(link, str):
        raise Refused(Problem.BAD_LINK, "file_path: must be a link to a video")
    if len(link) > MOST_LINK_CHARACTERS:
        raise Refused(Problem.BAD_LINK, f"file_path: must be text of at most {MOST_LINK_CHARACTERS} characters")
    return link.strip()


def chat(request: ChatRequest) -> tuple[NewTask, Chat]:
    """T-16, T-A20. Raises Refused: MISSING where neither text nor chunks show anything, INVALID for a bad date."""
    written = chats.of(request.text or None, [_message(chunk) for chunk in request.chunks or ()])
    if written.is_empty:
        raise Refused(Problem.MISSING, "text or chunks: one of them is required")
    call_date, call_at_ms = _written(request.call_date)
    new = NewTask(
        TaskType.CHAT,
        operator_name=_given(request.operator_name) or NOBODY_NAMED,
        call_date=call_date,
        call_at_ms=call_at_ms,
    )
    return new, written


def period(request: ReportRequest) -> tuple[str, str]:
    """T-17: both ends as they were given. Raises Refused, by what is wrong with them."""
    start, end = _day_or_time("start_date", request.start_date), _day_or_time("end_date", request.end_date)
    if start is None or end is None:
        raise Refused(Problem.NO_DATES, f"{'start_date' if start is None else 'end_date'} is required")
    if _moment_ms("start_date", start) > _moment_ms("end_date", end, whole_day=True):
        raise Refused(Problem.DATES_REVERSED)
    return start, end


def directory(given: int | str | None, leniencies: list[str] | None = None) -> int | None:
    """0, "0" and null are none. Raises Invalid. A number in a text is understood."""
    if given is None:
        return None
    if isinstance(given, str):
        if not _NUMBER.fullmatch(given.strip()):
            raise Invalid("directory_id", "must be a number")
        if leniencies is not None:
            leniencies.append("directory_id as text")
    return int(given) or None


def language(given: str | None) -> str | None:
    """None for 00, the engine's own guess. Raises Invalid."""
    tag = _given(given)
    try:
        return None if tag == _DETECTED else read_language(tag)
    except Invalid as error:
        raise Invalid("file_lang", 'must be a language tag such as en or pt-BR, or "00"') from error


def _given(text: str | None) -> str | None:
    """What there is of a text, in one line; None for what shows nothing."""
    line = one_line(text or "")
    return None if is_blank(line) else line


def _client(given: str | int | None, leniencies: list[str]) -> str | None:
    if isinstance(given, int):
        leniencies.append("client_id as number")
        return str(given)
    return _given(given)


def _called(day: str | None, moment: str | None) -> tuple[str | None, int | None]:
    """The date of a call and its time, epoch ms: the date is, if not given, the one where the call was made (T-04)."""
    date_given, moment_given = _given(day), _given(moment)
    call_date = None if date_given is None else read_date("call_date", date_given)
    if moment_given is None:
        return call_date, None
    call_at_ms = read_datetime("call_datetime", moment_given)
    return call_date or _day_of(moment_given), call_at_ms


def _written(given: str | None) -> tuple[str | None, int | None]:
    """The date of a chat, and its time, epoch ms, where its date came with one (T-04)."""
    text = _given(given)
    if text is None or _is_day(text):
        return _called(text, None)
    call_at_ms = read_datetime("call_date", text)
    return _day_of(text), call_at_ms


def _day_of(moment: str) -> str:
    """The date of a good time, where its time zone is."""
    return datetime.fromisoformat(moment).date().isoformat()


def _is_day(given: str) -> bool:
    """Whether it is meant to be a date without a time."""
    return len(given) <= len("2025-10-31")


def _message(chunk: str | Chunk) -> Message:
    if isinstance(chunk, str):
        return Message(chunk)
    return Message(chunk.text, _given(chunk.role), None if chunk.time is None else str(chunk.time))


def _day_or_time(name: str, given: object) -> str | None:
    """Text that may be a date or a time; None for blanks. Raises Refused (BAD_DATE)."""
    if given is not None and not (isinstance(given, str) and len(given) <= _MAX_MOMENT_CHARACTERS):
        raise Refused(Problem.BAD_DATE, f"{name}: {DATE_OR_TIME}")
    return _given(given)


def _moment_ms(name: str, given: str, *, whole_day: bool = False) -> int:
    """As `read_day_or_time`, epoch ms. Raises Refused (BAD_DATE)."""
    try:
        return read_day_or_time(given, whole_day=whole_day)
    except ValueError as error:
        raise Refused(Problem.BAD_DATE, f"{name}: {DATE_OR_TIME}") from error
