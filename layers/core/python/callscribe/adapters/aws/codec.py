"""Frozen dataclasses ↔ the plain values that DynamoDB knows, by the dataclass's own type hints.

Handles str, int, float (exactly, as Decimal), bool, enumerations, other dataclasses, `X | None`, and tuples, lists
and frozen sets of one type. Another type in a record is a TypeError when it is first read.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_COLLECTIONS = (tuple, list, frozenset)
_SCALARS = (str, int, float, bool)


class _Shape(NamedTuple):
    hints: dict[str, Any]
    none_when_absent: dict[str, None]  # the fields that may be None and have no other default


def to_plain(record: Any) -> dict[str, Any]:
    """A dataclass's fields as strings, integers, Decimals, booleans, lists and dictionaries.

    A field that is None is left out where its absence is read as None again.
    """
    optional = _shape(type(record)).none_when_absent
    plain = {name: _plain(value) for name, value in asdict(record).items()}
    return {name: value for name, value in plain.items() if value is not None or name not in optional}


def from_plain(kind: type[T], plain: Mapping[str, Any]) -> T:
    """The inverse of `to_plain`. What `plain` holds beyond the fields is ignored: newer code may have written it."""
    shape = _shape(kind)
    known = {**shape.none_when_absent, **plain}
    return kind(**{name: _restore(hint, known[name]) for name, hint in shape.hints.items() if name in known})


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))  # repr is the shortest text that reads as the same float
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(inner) for inner in value)
    return [_plain(inner) for inner in value] if isinstance(value, _COLLECTIONS) else value


def _restore(hint: Any, plain: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return None if plain is None else _restore(_only(hint, NoneType), plain)
    if origin in _COLLECTIONS:
        return origin(_restore(_only(hint, Ellipsis), inner) for inner in plain)
    if is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, plain)
    if isinstance(hint, type) and issubclass(hint, (*_SCALARS, Enum)):
        return hint(plain)
    raise TypeError(f"a record cannot hold {hint}")


def _only(hint: Any, besides: Any) -> Any:
    inner = [argument for argument in get_args(hint) if argument is not besides]
    if len(inner) != 1:
        raise TypeError(f"a record cannot hold {hint}: more than one type")
    return inner[0]


def _shape(kind: type) -> _Shape:
    return _read_shape(kind)  # apart, because mypy takes a `type[T]` for unhashable


@cache
def _read_shape(kind: type) -> _Shape:
    hints = get_type_hints(kind)
    optional = {
        f.name: None for f in fields(kind) if f.default in (None, MISSING) and NoneType in get_args(hints[f.name])
    }
    return _Shape({field.name: hints[field.name] for field in fields(kind)}, optional)
