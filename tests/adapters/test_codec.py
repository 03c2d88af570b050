"""Every kind of record survives the way through DynamoDB's notation."""

import dataclasses
import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any, ClassVar, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import callscribe.domain
from callscribe.adapters.aws import codec, items, keys
from callscribe.domain.accounts import Tenant
from callscribe.domain.jobs import Job


def _record_kinds() -> list[type[Any]]:
    modules = [importlib.import_module(f"callscribe.domain.{found.name}") for found in _domain_modules()]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    kinds = [kind for kind in classes if dataclasses.is_dataclass(kind) and hasattr(kind, "KEY")]
    return sorted(kinds, key=lambda kind: kind.__name__)


def _domain_modules() -> list[pkgutil.ModuleInfo]:
    return list(pkgutil.iter_modules(callscribe.domain.__path__))


KINDS = _record_kinds()
st.register_type_strategy(int, st.integers(0, 10**15))
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
st.register_type_strategy(float, st.just(0.0) | st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100))


def test_the_kinds_of_records_are_found() -> None:
    assert {Job, Tenant} <= set(KINDS)
    assert len({kind.__name__ for kind in KINDS}) == len(KINDS)  # the name is part of the key


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_record_comes_back_equal(kind: type[Any]) -> None:
    @given(st.builds(kind, **{field.name: st.from_type(_hint(kind, field.name)) for field in dataclasses.fields(kind)}))
    @settings(max_examples=40)
    def comes_back(record: Any) -> None:
        assert items.from_item(kind, items.to_item(record, write_id="w")) == record

    comes_back()


def _hint(kind: type[Any], name: str) -> Any:
    return get_type_hints(kind)[name]


@dataclass(frozen=True)
class Greedy:
    """A record with a field that the table uses itself."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    id: str
    schema: str = "mine"
    version: int = 0


@dataclass(frozen=True)
class Odd:
    """Values whose absence or type the codec must get right."""

    needed: str
    maybe: int | None
    preset: str | None = "default"


def test_a_field_that_would_hide_an_attribute_is_refused() -> None:
    with pytest.raises(ValueError, match="schema"):
        items.to_item(Greedy("t", "g"), write_id="w")


def test_none_is_told_from_a_default() -> None:
    assert codec.to_plain(Odd("x", None, None)) == {"needed": "x", "preset": None}
    assert codec.from_plain(Odd, {"needed": "x", "preset": None}) == Odd("x", None, None)
    assert codec.from_plain(Odd, {"needed": "x"}) == Odd("x", None, "default")


def test_a_missing_field_that_cannot_be_none_is_an_error() -> None:
    with pytest.raises(TypeError, match="needed"):
        codec.from_plain(Odd, {"maybe": 1})


def test_fields_of_newer_code_are_ignored() -> None:
    assert codec.from_plain(Odd, {"needed": "x", "invented": 1}) == Odd("x", None)


values = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(["#", "%23", "%", " #"])


@given(st.lists(values, min_size=2, max_size=2), st.lists(values, min_size=2, max_size=2))
def test_keys_differ_and_sort_as_their_values_do(one: list[str], other: list[str]) -> None:
    assert (keys.join(*one) < keys.join(*other)) == (tuple(one) < tuple(other))
    assert (keys.path(*one) < keys.path(*other)) == (tuple(one) < tuple(other))
    assert (keys.join(*one) == keys.join(*other)) == (one == other)


@given(st.integers(0, 10**19), st.integers(0, 10**19))
def test_numbers_in_keys_sort_as_numbers(one: int, other: int) -> None:
    assert (keys.join(one) < keys.join(other)) == (one < other)


@pytest.mark.parametrize("number", [-1, 10**20])
def test_a_number_that_has_no_place_in_a_key_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="not a number for a key"):
        keys.join(number)
