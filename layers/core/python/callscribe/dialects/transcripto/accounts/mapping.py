"""Accounts as the contract shows them. What has been granted and not used is shown in whole minutes and pieces."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from callscribe.dialects.transcripto.accounts.prices import price_of
from callscribe.dialects.transcripto.dates import with_microseconds
from callscribe.domain.prices import Account
from callscribe.domain.tariffs import Subscription, Tariff
from callscribe.domain.tasks import TaskRow

_AT_LOGIN: Final = ("audio_minutes", "call_minutes", "text_tokens", "image_tokens")
_MINUTE_S: Final = 60


def tariff_at_login(
    tariff: Tariff, subscription: Subscription, remaining: Mapping[Account, int], *, now_ms: int
) -> dict[str, Any]:
    """T-10. The tariff with what is left of it; `remaining` in each account's smallest unit."""
    limits, left = _limits(tariff), _left(tariff, remaining)
    return {
        **_head(tariff, subscription, now_ms),
        **_figures({name: limits[name] for name in _AT_LOGIN}, left),
        **_flags(tariff),
        **_dates(subscription),
    }


def tariff_in_full(
    tariff: Tariff, subscription: Subscription, remaining: Mapping[Account, int], *, now_ms: int, accepted: str
) -> dict[str, Any]:
    """T-11. The same with limits, the legacy fields, and the price where there is one for who asks."""
    limits, left = _limits(tariff), _left(tariff, remaining)
    price = price_of(tariff, accepted)
    return {
        **_head(tariff, subscription, now_ms),
        "text_tokens": left["text_tokens"],
        "image_tokens": left["image_tokens"],
        "limits": limits,
        **_figures(limits, left),
        **_flags(tariff),
        **_dates(subscription),
        **({} if price is None else {"price": price}),
    }


def last_task(row: TaskRow, known_directories: Collection[int]) -> dict[str, Any]:
    """T-10. A directory that is gone is none (T-A23)."""
    return {
        "directory_id": row.directory_id if row.directory_id in known_directories else None,
        "status": str(row.status),
        "id": row.code,
        "created_at": with_microseconds(row.created_at_ms),
        "file_path": row.file_name,
        "task_length": row.length_min,
    }


def _head(tariff: Tariff, subscription: Subscription, now_ms: int) -> dict[str, Any]:
    return {
        "id": tariff.id,
        "name": tariff.name,
        "identifier": tariff.identifier,
        "days_left": subscription.days_left(now_ms),
    }


def _limits(tariff: Tariff) -> dict[str, int]:
    return {
        "audio_minutes": tariff.audio_minutes,
        "call_minutes": tariff.call_minutes,
        "text_tokens": tariff.text_tokens,
        "image_tokens": tariff.image_tokens,
        "report_count": tariff.reports,
        "video_minutes": tariff.video_minutes,
        "chat_count": tariff.chats,
    }


def _left(tariff: Tariff, remaining: Mapping[Account, int]) -> dict[str, int]:
    """What is available by the names of the limits: a started minute is used, tokens are never spent."""
    return {
        "audio_minutes": remaining[Account.AUDIO_SECONDS] // _MINUTE_S,
        "call_minutes": remaining[Account.CALL_SECONDS] // _MINUTE_S,
        "text_tokens": tariff.text_tokens,
        "image_tokens": tariff.image_tokens,
        "report_count": remaining[Account.REPORTS],
        "video_minutes": remaining[Account.VIDEO_SECONDS] // _MINUTE_S,
        "chat_count": remaining[Account.CHATS],
    }


def _figures(limits: Mapping[str, int], left: Mapping[str, int]) -> dict[str, Any]:
    return {
        "remaining_resources": {f"available_{name}": left[name] for name in limits},
        "usage": {f"used_{name}": max(0, limit - left[name]) for name, limit in limits.items()},
    }


def _flags(tariff: Tariff) -> dict[str, bool]:
    return {
        "transcription_enabled": tariff.transcription,
        "image_generation_enabled": tariff.image_generation,
        "calls_enabled": tariff.calls,
    }


def _dates(subscription: Subscription) -> dict[str, str]:
    return {
        "start_date": with_microseconds(subscription.starts_at_ms),
        "end_date": with_microseconds(subscription.ends_at_ms),
    }
