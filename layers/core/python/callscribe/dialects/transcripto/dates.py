"""The forms in which the document writes times (T-A19), and how it reads them (T-04). Times inside: epoch ms."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from callscribe.dialects.transcripto.codes import Problem, Refused

DATE_OR_TIME: Final = "must be a date or a time: 2025-10-20 or 2025-10-20T10:00:00+03:00"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DAY_OR_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ].+)?", re.ASCII)  # Python takes any other separator, too
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_DAY: Final = timedelta(days=1)


def with_microseconds(at_ms: int) -> str:
    """`2025-10-20T08:45:25.670423Z`: log-in and tariff."""
    return _moment(at_ms).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def with_offset(at_ms: int) -> str:
    """`2025-10-20T08:45:14+00:00`: tasks and categories."""
    return _moment(at_ms).replace(microsecond=0).isoformat()


def with_z(at_ms: int) -> str:
    """`2025-10-20T12:35:41Z`: scripts."""
    return _moment(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def without_zone(at_ms: int) -> str:
    """`2025-10-31T12:00:00`, of UTC: saved filters."""
    return _moment(at_ms).strftime("%Y-%m-%dT%H:%M:%S")


def read_date(name: str, given: str) -> str:
    """`YYYY-MM-DD`, a day that there is. Raises Refused (INVALID)."""
    try:
        if not _DATE.fullmatch(given):
            raise ValueError(given)
        return date.fromisoformat(given).isoformat()
    except ValueError as error:
        raise Refused(Problem.INVALID, f"{name} must be a date, YYYY-MM-DD") from error


def read_datetime(name: str, given: str) -> int:
    """ISO 8601 with a time zone. Raises Refused (INVALID)."""
    try:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None or _DATE.fullmatch(given):
            raise ValueError(given)
        return _at_ms(moment)
    except ValueError as error:
        raise Refused(
            Problem.INVALID, f"{name} must be ISO 8601 with a time zone: 2025-10-20T10:00:00+03:00"
        ) from error


def read_day_or_time(given: str, *, whole_day: bool = False) -> int:
    """A date or a time, UTC where no zone is; of a date the first moment, or the last one of the `whole_day`.

    For what documents call `date | datetime` (T-17, T-18). Raises ValueError.
    """
    if not _DAY_OR_TIME.fullmatch(given):
        raise ValueError(given)
    moment = datetime.fromisoformat(given)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if whole_day and _DATE.fullmatch(given):
        moment += _DAY - _MS
    return _at_ms(moment)


def _at_ms(moment: datetime) -> int:
    """Raises ValueError for a moment that UTC has in no year from 1 to 9999."""
    at_ms = (moment - _EPOCH) // _MS
    _moment(at_ms)
    return at_ms


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
