"""Times as people and players read them."""

from datetime import UTC, datetime


def timestamp(milliseconds: int, mark: str = ".") -> str:
    """`01:02:03.456`, with `mark` before the milliseconds."""
    seconds, millisecond = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{mark}{millisecond:03}"


def clock_time(seconds: float) -> str:
    """`1:02:03`, rounded down."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"


def moment(at_ms: int) -> str:
    """`2026-01-31 08:05:09 UTC` for epoch milliseconds, rounded down."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
