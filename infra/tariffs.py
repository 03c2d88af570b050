"""Tariffs as the operator writes them: a JSON file that holds a list, or a TOML file of tables `[[tariffs]]`.

The running code has its own say on what a tariff is (`callscribe.domain.tariffs`), which this package does not import;
a test holds the two together. What is refused here would be refused there, when nobody looks.
"""

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

KINDS: Final[Mapping[str, type]] = {
    "id": int,
    "name": str,
    "identifier": str,
    "days": int,
    "call_minutes": int,
    "audio_minutes": int,
    "video_minutes": int,
    "chats": int,
    "reports": int,
    "text_tokens": int,
    "image_tokens": int,
    "transcription": bool,
    "image_generation": bool,
    "calls": bool,
    "prices": dict,
}
REQUIRED: Final = frozenset(tuple(KINDS)[:9])
_MOST_DAYS: Final = 36_500


def read_tariffs(path: str) -> list[dict[str, Any]]:
    """The tariffs of a file, by field names. Raises ValueError, whose message says what is wrong."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        document = tomllib.loads(text) if path.endswith(".toml") else json.loads(text)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from error
    except ValueError as error:  # of UTF-8, JSON and TOML
        raise ValueError(f"the file is not valid {'TOML' if path.endswith('.toml') else 'JSON'}: {error}") from error
    entries = document.get("tariffs") if isinstance(document, dict) else document
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("the file must hold a list of tariffs")
    for entry in entries:
        _check(entry)
    _check_unique(entries)
    return entries


def _check(entry: Mapping[str, Any]) -> None:
    called = entry.get("identifier", entry.get("name", "a tariff"))
    if unknown := entry.keys() - KINDS.keys():
        raise ValueError(f"{called}: there is no field {min(unknown)}; there are {', '.join(KINDS)}")
    if missing := REQUIRED - entry.keys():
        raise ValueError(f"{called}: {min(missing)} is missing")
    for name, value in entry.items():
        if not _fits(name, value):
            raise ValueError(f"{called}: {name} must not be {value!r}")


def _fits(name: str, value: object) -> bool:
    if isinstance(value, dict):
        return name == "prices" and all(_is_amount(amount) for amount in value.values())
    if isinstance(value, str):
        return KINDS[name] is str and bool(value.strip())
    if not isinstance(value, int) or type(value) is not KINDS[name]:
        return False
    lowest, highest = {"id": (1, math.inf), "days": (1, _MOST_DAYS)}.get(name, (0, math.inf))
    return lowest <= value <= highest


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _check_unique(entries: Sequence[Mapping[str, Any]]) -> None:
    for name in ("id", "identifier"):
        if len({entry[name] for entry in entries}) < len(entries):
            raise ValueError(f"each tariff needs its own {name}")
