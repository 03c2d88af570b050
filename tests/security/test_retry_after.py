"""The header Retry-After in all its forms."""

import pytest

from callscribe.adapters.web.retry_after import parse_retry_after

NOW_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60),
        ("Sun Nov  6 08:50:37 1994", 60),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
    ],
)
def test_seconds_and_dates_are_understood(value: str, seconds: float) -> None:
    assert parse_retry_after(value, now_s=NOW_S) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1.5", "1e3", "٣", "9" * 400, "Sun, 99 Nov 1994 08:50:37 GMT", "\x00"]
)
def test_anything_else_is_ignored(value: str) -> None:
    assert parse_retry_after(value, now_s=NOW_S) is None
