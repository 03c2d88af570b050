"""How the command line finds a stage, and what it costs to start it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from callscribe import names
from callscribe.cli import app
from callscribe.cli.edge import ExitCode, UsageError
from callscribe.cli.session import Tools
from callscribe.cli.stages import LOCAL_FILE, Stage, find_stage, open_deps
from callscribe.errors import Unauthenticated, Unavailable

LOCAL: dict[str, Any] = {
    "stage": "local",
    "aws_endpoint": "http://127.0.0.1:4566",
    "base_url": "http://127.0.0.1:8000",
    "webhook_secret": "whsec_x",
    "presign": {"app_id": "app-1", "api_key": "cs_live_1"},
    "outputs": {"TableName": "table"},
    "tenant_id": "t1",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below one with a running laptop stage; the current directory."""
    path = tmp_path / LOCAL_FILE
    path.parent.mkdir()
    path.write_text(json.dumps(LOCAL))
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return tmp_path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AWS_", "CALLSCRIBE_"))]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def credentials(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def test_the_laptops_stage_is_found_from_a_folder_below_it(folder: Path) -> None:
    stage = find_stage(None)
    assert stage is not None
    assert (stage.name, stage.base_url, stage.tenant_id) == ("local", "http://127.0.0.1:8000", "t1")
    assert (stage.app_id, stage.api_key, stage.outputs) == ("app-1", "cs_live_1", {"TableName": "table"})
    assert find_stage("local") == stage


def test_a_broken_local_file_is_told_by_its_path(folder: Path) -> None:
    (folder / LOCAL_FILE).write_text("{")
    with pytest.raises(UsageError, match=r"local\.json cannot be read"):
        find_stage(None)


def test_the_laptops_stage_is_reached_through_its_emulator(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "before")
    stage = find_stage(None)
    assert stage is not None
    with pytest.raises(UsageError, match=names.ENV_AUDIO_BUCKET):  # the outputs above name a table only
        open_deps(stage)
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"


def test_without_a_stage_the_command_says_how_to_get_one(nowhere: Path) -> None:
    done = CliRunner().invoke(app, ["keys", "list"])
    assert (done.exit_code, "make serve" in done.stderr) == (ExitCode.USAGE, True)


def test_without_a_base_url_the_command_says_how_to_give_one(nowhere: Path) -> None:
    (nowhere / "call.wav").write_bytes(b"RIFF....WAVE")
    done = CliRunner().invoke(app, ["transcribe", "call.wav"])
    assert (done.exit_code, "--base-url" in done.stderr) == (ExitCode.USAGE, True)


@mock_aws
def test_a_deployed_stage_is_found_by_its_stacks_outputs(credentials: None) -> None:
    _deploy("Callscribe-prod-App", {"ApiUrl": "https://api.example", "TableName": "callscribe-prod"})
    stage = find_stage("prod")
    assert stage is not None
    assert (stage.base_url, stage.outputs["TableName"]) == ("https://api.example", "callscribe-prod")
    assert (stage.api_key, stage.tenant_id, stage.aws_endpoint) == (None, None, None)


@mock_aws
@pytest.mark.parametrize(
    ("public", "expected"),
    [("https://calls.example.com", "https://calls.example.com"), ("http://127.0.0.1:8420", "https://api.example")],
)
def test_a_deployed_stage_is_called_by_its_own_domain(credentials: None, public: str, expected: str) -> None:
    _deploy("Callscribe-prod-App", {"ApiUrl": "https://api.example", "PublicBaseUrl": public})
    stage = find_stage("prod")
    assert stage is not None
    assert stage.base_url == expected


@mock_aws
def test_a_stack_that_is_not_there_or_not_ours_is_a_usage_error(credentials: None) -> None:
    _deploy("Callscribe-other-App", {"Something": "else"})
    with pytest.raises(UsageError, match="no stack Callscribe-prod-App"):
        find_stage("prod")
    with pytest.raises(UsageError, match="no output ApiUrl"):
        find_stage("other")


def test_without_aws_credentials_the_command_is_not_authorised(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("HOME", str(nowhere))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(Unauthenticated, match="AWS_PROFILE"):
        find_stage("prod")


def test_a_missing_region_or_profile_is_a_usage_error(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(nowhere))
    with pytest.raises(UsageError, match="AWS_DEFAULT_REGION"):
        find_stage("prod")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageError, match="nobody"):
        find_stage("prod")


def test_when_aws_cannot_be_reached_the_service_is_unavailable(
    credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    done = CliRunner().invoke(app, ["--stage", "prod", "keys", "list"])
    assert (done.exit_code, "AWS cannot be asked" in done.stderr) == (ExitCode.UNREACHABLE, True)
    with pytest.raises(Unavailable):
        find_stage("prod")


def test_a_deployed_stage_without_a_tenant_asks_for_one(nowhere: Path) -> None:
    tools = Tools(find_stage=lambda _name: Stage("prod", "https://api.example"))
    done = CliRunner().invoke(app, ["--stage", "prod", "keys", "list"], obj=tools)
    assert (done.exit_code, "--tenant" in done.stderr) == (ExitCode.USAGE, True)


@pytest.mark.parametrize("command", [["transcribe", "call.wav"], ["keys", "list"]])
def test_a_laptops_file_without_its_cloud_is_told_by_the_way_to_start_it(folder: Path, command: list[str]) -> None:
    content = {**LOCAL, "base_url": "http://127.0.0.1:1", "aws_endpoint": "http://127.0.0.1:1"}
    (folder / LOCAL_FILE).write_text(json.dumps(content))
    Path("call.wav").write_bytes(b"RIFF....WAVE")
    done = CliRunner().invoke(app, command)
    assert done.exit_code == ExitCode.UNREACHABLE
    assert "the laptop cloud is not running (`make serve`): nothing answers at 127.0.0.1:1" in done.stderr


def test_help_loads_neither_the_aws_sdk_nor_an_http_client() -> None:
    code = (
        "import sys; from callscribe.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('boto3', 'httpx', 'pydantic', 'aws_lambda_powertools') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def _deploy(stack: str, outputs: dict[str, str]) -> None:
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))
