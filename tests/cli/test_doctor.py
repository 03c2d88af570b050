"""`callscribe doctor`, on a made-up account and on this machine."""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from callscribe.cli import app, laptop
from callscribe.cli.edge import ExitCode
from callscribe.cli.laptop import Laptop, diagnose_laptop
from callscribe.cli.session import Tools
from callscribe.cli.stages import LOCAL_FILE, Stage
from callscribe.errors import Unauthenticated
from callscribe.services.diagnosis import ON_DEMAND_QUOTA, SPOT_QUOTA, Verdict
from tests.engines.models import WHISPER
from tests.services.test_diagnosis import FakeAccount

Doctor = Callable[..., Result]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Doctor:
    monkeypatch.chdir(tmp_path)
    for name in ("CALLSCRIBE_STAGE", "ENGINE", "MODEL_DIR", "CALLSCRIBE_ENGINE", "CALLSCRIBE_MODEL_DIR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, account: FakeAccount | None = None, local: Stage | None = None) -> Result:
        tools = Tools(find_stage=lambda _name: local, open_account=lambda: account or FakeAccount())
        return CliRunner().invoke(app, list(arguments), obj=tools)

    return run


def test_a_stage_in_which_all_is_well_ends_with_0(doctor: Doctor) -> None:
    done = doctor("--stage", "prod", "doctor")
    assert (done.exit_code, "0 missing, 0 to look at, of 17" in done.stderr) == (ExitCode.OK, True)


def test_what_is_missing_ends_with_1_and_says_what_to_do(doctor: Doctor) -> None:
    account = FakeAccount(vcpus={ON_DEMAND_QUOTA: 0, SPOT_QUOTA: 8})
    done = doctor("--stage", "prod", "doctor", account=account)
    assert done.exit_code == ExitCode.FOUND_MISSING
    assert "1 missing, 1 to look at, of 17" in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("MISSING")]
    assert "quota on demand" in line
    assert "L-DB2E81BA: ask for 40" in line


def test_warnings_alone_end_with_0(doctor: Doctor) -> None:
    assert doctor("--stage", "prod", "doctor", account=FakeAccount(concurrent=10)).exit_code == ExitCode.OK


def test_programs_get_every_finding_as_json(doctor: Doctor) -> None:
    done = doctor("--stage", "prod", "doctor", "-o", "json", account=FakeAccount(image=False))
    told = {one["subject"]: one for one in json.loads(done.stdout)}
    assert (done.exit_code, len(told)) == (1, 17)
    assert told["image"]["verdict"] == "missing"
    assert set(told["image"]) == {"subject", "verdict", "told", "advice"}


def test_the_workers_that_are_planned_count_while_there_is_no_pool(doctor: Doctor) -> None:
    account = FakeAccount(stacks={})
    done = doctor("--stage", "prod", "doctor", "--max-workers", "30", account=account)
    assert "64 vCPUs of G and VT machines spot are allowed, 120 are wanted for 30 workers: 16 can run" in done.stdout


def test_without_credentials_the_doctor_is_not_authorised(doctor: Doctor) -> None:
    account = FakeAccount(refused={"whoami": Unauthenticated("no AWS credentials: set AWS_PROFILE or log in")})
    done = doctor("--stage", "prod", "doctor", account=account)
    assert (done.exit_code, "set AWS_PROFILE" in done.stderr) == (ExitCode.NOT_AUTHORISED, True)


@pytest.mark.parametrize("options", [[], ["--stage", "local"]])
def test_the_laptops_own_stage_is_looked_at_on_this_machine(doctor: Doctor, options: list[str]) -> None:
    local = Stage("local", "http://127.0.0.1:1")
    account = FakeAccount(refused={"whoami": AssertionError("AWS was asked")})
    done = doctor(*options, "doctor", "--port", str(free_port()), account=account, local=local)
    assert "engine pocketsphinx" in done.stdout
    assert "this is no clone of callscribe" in done.stdout


def test_the_engine_and_its_model_are_loaded_on_trial(doctor: Doctor, tmp_path: Path) -> None:
    done = doctor("doctor", "--engine", "faster-whisper", "--model-dir", str(WHISPER), "-o", "json")
    told = {one["subject"]: one for one in json.loads(done.stdout)}["engine faster-whisper"]
    assert told["verdict"] == "ok"
    assert "tiny_whisper_ct2@sha256:" in told["told"]


@pytest.mark.parametrize("broken", ["empty", "damaged", "unknown"])
def test_an_engine_that_does_not_load_is_told_with_the_reason(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if broken == "damaged":
        for path in WHISPER.iterdir():
            (folder / path.name).write_bytes(path.read_bytes() if path.name != "model.bin" else b"\0" * 100)
    finding = laptop.engine("whisper" if broken == "unknown" else "faster-whisper", folder)
    assert finding.verdict is Verdict.MISSING
    assert {"empty": "lacks model.bin", "damaged": "", "unknown": "is one of"}[broken] in finding.told
    assert "Traceback" not in finding.told
    assert finding.told


def test_a_port_is_free_taken_or_our_own(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        taken = laptop.port(tmp_path, number)
        assert (taken.verdict, "PORT=" in taken.advice) == (Verdict.WARNING, True)
        (tmp_path / LOCAL_FILE).parent.mkdir()
        (tmp_path / LOCAL_FILE).write_text(json.dumps({"base_url": f"http://127.0.0.1:{number}"}))
        assert laptop.port(tmp_path / "below", number).verdict is Verdict.OK
    assert laptop.port(tmp_path, free_port()).told == "free"


def test_environments_are_looked_for_in_the_clone(tmp_path: Path) -> None:
    (tmp_path / "cdk.json").write_text("{}")
    (tmp_path / ".venv").mkdir()
    finding = laptop.environments(tmp_path / "benchmarks")
    assert (finding.verdict, finding.advice) == (Verdict.MISSING, "make setup")
    assert finding.told == ".venv-cloud, node_modules is not there"
    for name in (".venv-cloud", "node_modules"):
        (tmp_path / name).mkdir()
    assert laptop.environments(tmp_path / "benchmarks").verdict is Verdict.OK


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10), Verdict.MISSING), ((3, 11), Verdict.OK), ((3, 14), Verdict.MISSING)]
)
def test_pythons_outside_of_the_supported_ones_are_told(version: tuple[int, int], verdict: Verdict) -> None:
    assert laptop.python(version).verdict is verdict
    assert laptop.python(sys.version_info[:2]).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("version", "verdict"),
    [(None, Verdict.MISSING), ("v18.1.0", Verdict.MISSING), ("v20.2.0", Verdict.WARNING), ("v22.0.1", Verdict.OK)],
)
def test_node_is_judged_by_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, verdict: Verdict
) -> None:
    if version:
        for name in ("node", "npm"):
            (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
            (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert laptop.node().verdict is verdict


def test_little_memory_is_a_warning() -> None:
    assert laptop.memory(2.9).verdict is Verdict.WARNING
    assert laptop.memory(None).verdict is Verdict.WARNING
    assert laptop.memory(3.0).verdict is Verdict.OK
    assert laptop.available_gb() is None or laptop.available_gb() > 0  # type: ignore[operator]  # asked twice


def test_every_check_of_a_laptop_is_one_finding(tmp_path: Path) -> None:
    subjects = [one.subject for one in diagnose_laptop(Laptop(tmp_path, free_port()))]
    assert len(subjects) == len(set(subjects)) == 6


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
