"""The header Retry-After (RFC 9110, 10.2.3): seconds, or a date in one of three forms."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,9}")


def parse_retry_after(value: str, *, now_s: float) -> float | None:
    """Seconds to wait from now, at least 0; None for a value that is neither seconds nor a date."""
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    date = _date(text)
    return None if date is None else max(0.0, date.timestamp() - now_s)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
