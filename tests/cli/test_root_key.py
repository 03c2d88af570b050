"""`callscribe root-key rotate` on a secret as CloudFormation makes it."""

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from callscribe import wiring
from callscribe.adapters.aws import clients
from callscribe.adapters.aws.secrets import load_root_keys
from callscribe.cli import app
from callscribe.cli.edge import ExitCode
from callscribe.cli.session import Tools
from callscribe.cli.stages import Stage

Run = Callable[..., Result]
SECRET = "root-keys"  # its name


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an account that holds a stage's secret."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("secretsmanager")
        client.create_secret(Name=SECRET, SecretString=json.dumps({"id": "1", "key": "a" * 64}))
        yield client


def command(outputs: dict[str, str], *arguments: str, answer: str | None = None) -> Result:
    tools = Tools(find_stage=lambda _name: Stage("prod", "https://api.example", outputs=outputs))
    return CliRunner().invoke(app, ["root-key", "rotate", *arguments], obj=tools, input=answer)


def rotate(*arguments: str, answer: str | None = None) -> Result:
    return command({"RootKeysSecret": SECRET}, *arguments, answer=answer)


def test_a_rotation_says_which_keys_verify_and_when_the_new_one_signs(manager: Any) -> None:
    done = rotate("--yes")
    assert (done.exit_code, done.stdout) == (ExitCode.OK, "root keys that verify: 1, 2\n")
    assert "root key 2 signs from " in done.stderr
    keys = load_root_keys(manager, SECRET)
    assert (keys.newest, keys.roots["1"], len(keys.roots["2"])) == ("2", b"a" * 64, 64)


def test_a_rotation_for_programs_is_one_line_of_json_without_any_key(manager: Any) -> None:
    done = rotate("--yes", "-o", "json")
    made = json.loads(done.stdout)
    assert (made["newest"], made["verifying"]) == ("2", ["1", "2"])
    assert 0 < datetime.fromisoformat(made["signs_from"]).timestamp() - time.time() < 120
    assert load_root_keys(manager, SECRET).roots["2"].decode() not in done.output


def test_a_rotation_is_asked_about_first(manager: Any) -> None:
    assert rotate(answer="n\n").exit_code != ExitCode.OK
    assert load_root_keys(manager, SECRET).newest == "1"
    asked = rotate(answer="y\n")
    assert (asked.exit_code, "for the stage prod?" in asked.stderr) == (ExitCode.OK, True)
    assert load_root_keys(manager, SECRET).newest == "2"


def test_a_second_rotation_at_once_is_refused(manager: Any) -> None:
    rotate("--yes")
    done = rotate("--yes")
    assert (done.exit_code, "a moment ago" in done.stderr) == (ExitCode.REFUSED, True)


def test_a_stage_without_its_secret_is_a_usage_error(manager: Any) -> None:
    assert command({}, "--yes").exit_code == ExitCode.USAGE
    gone = command({"RootKeysSecret": "another"}, "--yes")
    assert (gone.exit_code, "no secret another" in gone.stderr) == (ExitCode.USAGE, True)


def test_without_credentials_a_rotation_is_not_authorised(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HOME", "/nowhere")
    # Sessions and clients of earlier tests remember credentials.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    wiring._client_of.cache_clear()
    clients._session.cache_clear()
    done = rotate("--yes")
    assert (done.exit_code, "AWS_PROFILE" in done.stderr) == (ExitCode.NOT_AUTHORISED, True)
