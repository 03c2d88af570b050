"""The operator's file of tariffs: what is read, what is refused, and that the running code agrees."""

import json
from collections.abc import Callable
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from callscribe.domain import tariffs as domain
from callscribe.domain.tariffs import TARIFFS, Tariff
from callscribe.wiring import parse_settings
from infra.settings import BadSetting, StageSettings
from infra.tariffs import KINDS, REQUIRED, read_tariffs

PRO: dict[str, Any] = asdict(TARIFFS[0])
TOML = """
[[tariffs]]
id = 4
name = "Enterprise"
identifier = "enterprise"
days = 152
call_minutes = 9655
audio_minutes = 10000
video_minutes = 3000
chats = 500
reports = 25
prices = { USD = 99.9 }
"""

Write = Callable[[object], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def as_json(document: object) -> str:
        path = tmp_path / "tariffs.json"
        path.write_text(json.dumps(document))
        return str(path)

    return as_json


def test_the_fields_are_those_of_the_running_code() -> None:
    assert {entry.name: dict if entry.name == "prices" else entry.type for entry in fields(Tariff)} == KINDS
    without = {e.name for e in fields(Tariff) if e.default is MISSING and e.default_factory is MISSING}
    assert without == REQUIRED


def test_T_A24_what_the_operator_writes_is_what_the_running_code_has(write: Write) -> None:
    path = write([asdict(tariff) for tariff in TARIFFS])
    told = json.loads(json.dumps(StageSettings(tariffs=path).runtime_overrides()))
    assert parse_settings(told).tariffs == TARIFFS


def test_T_A24_toml_says_the_same_as_json(write: Write, tmp_path: Path) -> None:
    (tmp_path / "tariffs.toml").write_text(TOML)
    by_toml = read_tariffs(str(tmp_path / "tariffs.toml"))
    assert by_toml == read_tariffs(write(by_toml)) == read_tariffs(write({"tariffs": by_toml}))
    (tariff,) = domain.parse(by_toml)
    assert (tariff.prices, tariff.reports, tariff.days) == ({"USD": 99.9}, 25, 152)


def test_without_a_file_the_vendors_packages_hold() -> None:
    assert "tariffs" not in StageSettings().runtime_overrides()
    assert parse_settings({}).tariffs == TARIFFS
    domain.validate(TARIFFS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"call_minutes": -1}, "call_minutes"),
        ({"days": 0}, "days"),
        ({"days": 36_501}, "days"),
        ({"id": 0}, "id"),
        ({"id": True}, "id"),
        ({"chats": 1.5}, "chats"),
        ({"chats": "10"}, "chats"),
        ({"calls": 1}, "calls"),
        ({"name": ""}, "name"),
        ({"identifier": " "}, "identifier"),
        ({"prices": {"EUR": -1}}, "prices"),
        ({"prices": {"EUR": "1"}}, "prices"),
        ({"prices": {"EUR": True}}, "prices"),
        ({"prices": [1]}, "prices"),
        ({"minutes": 5}, "minutes"),
    ],
)
def test_what_cannot_be_a_tariff_is_refused_when_it_is_written_and_when_it_is_read(
    write: Write, changes: dict[str, Any], said: str
) -> None:
    path = write([PRO | changes])
    with pytest.raises(BadSetting, match=said):
        StageSettings(tariffs=path)
    with pytest.raises(ValueError, match="tariffs: "):
        parse_settings({"tariffs": [PRO | changes]})


@pytest.mark.parametrize("missing", sorted(REQUIRED))
def test_what_has_no_default_must_be_said(write: Write, missing: str) -> None:
    entry = {name: value for name, value in PRO.items() if name != missing}
    with pytest.raises(BadSetting, match=f"{missing} is missing"):
        StageSettings(tariffs=write([entry]))
    with pytest.raises(ValueError, match=missing):
        domain.parse([entry])


@pytest.mark.parametrize("same", ["id", "identifier"])
def test_ids_and_identifiers_differ(write: Write, same: str) -> None:
    twice = [PRO, asdict(replace(TARIFFS[1], **{same: PRO[same]}))]
    with pytest.raises(BadSetting, match=f"its own {same}"):
        StageSettings(tariffs=write(twice))
    with pytest.raises(ValueError, match=f"its own {same}"):
        domain.parse(twice)


@pytest.mark.parametrize("document", [{}, [], "pro", [1], {"tariffs": {}}, None])
def test_a_file_without_a_list_of_tariffs_is_refused(write: Write, document: object) -> None:
    with pytest.raises(BadSetting, match="a list of tariffs"):
        StageSettings(tariffs=write(document))


@pytest.mark.parametrize(("name", "content"), [("a.json", b"{"), ("a.toml", b"[["), ("a.json", b"\xff")])
def test_a_file_that_is_neither_json_nor_toml_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadSetting, match="not valid"):
        StageSettings(tariffs=str(tmp_path / name))


def test_more_tariffs_than_lambdas_environment_holds_are_refused_clearly(write: Write) -> None:
    many = [PRO | {"id": number, "identifier": f"pro-{number}"} for number in range(1, 40)]
    with pytest.raises(BadSetting, match=r"of each function's environment, 2700 are allowed"):
        StageSettings(tariffs=write(many))
