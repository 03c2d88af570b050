"""What is taken from outside: `inputs.toml`, where every figure has a unit, a source and a date."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("inputs.toml")
_FIELDS = {"value", "unit", "source", "date"}
_MAY_HAVE = {"seen"}


class NoSuchInput(KeyError):
    """Raised for an input that the file does not hold, or that is not a figure of the kind that was asked for."""


@dataclass(frozen=True, slots=True)
class Input:
    """One figure: `value` is a number, a range, a list or a table.

    `seen`: where the figure was read, other than in its source itself; None where it was written down unread.
    """

    value: Any
    unit: str
    source: str
    date: date
    seen: str | None = None

    @property
    def assumed(self) -> bool:
        """Whether nobody was asked."""
        return self.source.startswith("assumed")


@cache
def all_inputs() -> Mapping[str, Input]:
    """Every input by its name, such as `prices.s3_gb_month`. Raises ValueError for one with a part missing."""
    return dict(_inputs("", tomllib.loads(FILE.read_text(encoding="utf-8"))))


def number(name: str) -> float:
    """A single figure. Raises NoSuchInput."""
    value = _value(name)
    if not isinstance(value, int | float):
        raise NoSuchInput(f"{name} is no single figure")
    return float(value)


def numbers(name: str) -> list[float]:
    """A range or a list. Raises NoSuchInput."""
    value = _value(name)
    if not isinstance(value, list):
        raise NoSuchInput(f"{name} is no list of figures")
    return [float(one) for one in value]


def table(name: str) -> Mapping[str, Any]:
    """Figures by name. Raises NoSuchInput."""
    value = _value(name)
    if not isinstance(value, dict):
        raise NoSuchInput(f"{name} is no table")
    return value


def _value(name: str) -> Any:
    try:
        return all_inputs()[name].value
    except KeyError:
        raise NoSuchInput(f"inputs.toml holds no {name}") from None


def _inputs(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, Input]]:
    for name, below in tree.items():
        path = f"{prefix}{name}"
        if not isinstance(below, dict):
            raise ValueError(f"{path} stands outside of an input")
        if "value" not in below:
            yield from _inputs(f"{path}.", below)
        elif below.keys() - _MAY_HAVE != _FIELDS:
            raise ValueError(f"{path} has {sorted(below)}, not {sorted(_FIELDS)}")
        else:
            yield path, Input(**below)
