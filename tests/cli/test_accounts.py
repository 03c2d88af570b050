"""The operator's commands for tenants, users, money, recordings and jobs, on the in-memory fakes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from callscribe.cli import app
from callscribe.cli.amounts import amount_of, amount_text
from callscribe.cli.edge import ExitCode, UsageError
from callscribe.cli.session import Tools
from callscribe.cli.stages import Stage
from callscribe.domain.credits import Account
from callscribe.domain.jobs import Job
from callscribe.errors import NotFound, Unauthenticated
from callscribe.services import accounts, jobs, ledger, recordings, users
from callscribe.services.jobs import NewJob
from tests.cli.conftest import Run
from tests.cli.service import Service


def _json(run: Run, *arguments: str) -> Any:
    done = run(*arguments, "-o", "json")
    assert done.exit_code == ExitCode.OK, done.output
    return json.loads(done.stdout)


@pytest.fixture
def tenant_id(service: Service) -> str:
    """A tenant of this test's own."""
    return accounts.create_tenant(service.deps, name="Another Ltd").id


def _job(service: Service, tenant_id: str) -> Job:
    key, _ = accounts.create_key(service.deps, tenant_id=tenant_id, name="")
    principal = accounts.identify(service.deps, tenant_id=tenant_id, key_id=key.id)
    return jobs.create(service.deps, principal, NewJob("presign"))


def test_tenants_are_listed_newest_first(run: Run, service: Service) -> None:
    made = [_json(run, "tenants", "create", name)["tenant_id"] for name in ("First", "Second")]
    listed = [entry["tenant_id"] for entry in _json(run, "tenants", "list")]
    assert set(made) <= set(listed)
    assert "First" in run("tenants", "list").stdout


def test_a_plan_is_set_shown_and_taken_away(run: Run, service: Service, tenant_id: str) -> None:
    shown = _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--credits-per-second", "0.0005")
    assert (shown["pays_from"], shown["credits_per_second"]) == ("credits", "0.0005")
    plan = accounts.get_tenant(service.deps, tenant_id).plan
    assert plan is not None
    assert plan.credits_m_per_s == 500
    assert _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--free")["pays_from"] is None
    assert _json(run, "tenants", "show", "--tenant", tenant_id)["pays_from"] is None


def test_prepaid_seconds_are_a_plan_too(run: Run, tenant_id: str) -> None:
    shown = _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--account", "seconds")
    assert shown["pays_from"] == "seconds"


def test_what_holds_for_a_tenants_calls_is_set_and_shown(run: Run, service: Service, tenant_id: str) -> None:
    set_calls = ("tenants", "set-calls", "--tenant", tenant_id, "--agent-channel", "1", "--direction", "inbound")
    shown = _json(run, *set_calls)
    assert (shown["agent_channel"], shown["direction"]) == (1, "inbound")
    assert accounts.get_tenant(service.deps, tenant_id).call.agent_channel == 1
    assert "agent_channel" in run("tenants", "show", "--tenant", tenant_id).stdout


def test_sources_are_set_and_rubbish_is_refused(run: Run, tenant_id: str) -> None:
    shown = _json(run, "tenants", "set-sources", "s3://calls/2026/", "--tenant", tenant_id)
    assert shown["sources"] == ["s3://calls/2026/"]
    refused = run("tenants", "set-sources", "https://calls/2026/", "--tenant", tenant_id)
    assert refused.exit_code == ExitCode.USAGE


def test_a_user_is_made_with_a_password_from_stdin_and_logs_in(service: Service, run: Run, tenant_id: str) -> None:
    stage = Stage(name="local", base_url=service.base_url, tenant_id=tenant_id)
    tools = Tools(find_stage=lambda _name: stage, open_deps=lambda _stage: service.deps)
    command = ["users", "create", "ricarda", "--scope", "read", "--password-stdin", "-o", "json"]
    done = CliRunner().invoke(app, command, obj=tools, input="9kAXZZu?rjMbk$Rh\n")
    assert done.exit_code == ExitCode.OK, done.output
    assert "9kAXZZu" not in done.stdout
    principal = users.authenticate(service.deps, username="ricarda", password="9kAXZZu?rjMbk$Rh")
    assert (principal.tenant_id, set(principal.scopes)) == (tenant_id, {"read"})
    assert [user["username"] for user in _json(run, "users", "list", "--tenant", tenant_id)] == ["ricarda"]


def test_stdin_without_a_password_is_a_mistake_of_usage(service: Service, tenant_id: str) -> None:
    stage = Stage(name="local", base_url=service.base_url, tenant_id=tenant_id)
    tools = Tools(find_stage=lambda _name: stage, open_deps=lambda _stage: service.deps)
    done = CliRunner().invoke(app, ["users", "create", "nobody", "--password-stdin"], obj=tools, input="\n")
    assert (done.exit_code, "no password" in done.stderr) == (ExitCode.USAGE, True)


def test_a_disabled_user_is_not_let_in_until_enabled(run: Run, service: Service, tenant_id: str) -> None:
    user = users.create_user(service.deps, tenant_id=tenant_id, username=f"u-{tenant_id}", password="secret words")
    assert _json(run, "users", "disable", user.id, "--tenant", tenant_id)["state"] == "disabled"
    with pytest.raises(Unauthenticated):
        users.authenticate(service.deps, username=user.username, password="secret words")
    assert _json(run, "users", "enable", user.id, "--tenant", tenant_id)["state"] == "active"
    assert users.authenticate(service.deps, username=user.username, password="secret words").key_id == user.id


def test_a_top_up_with_a_reference_counts_once(run: Run, tenant_id: str) -> None:
    command = ("credits", "top-up", "12.5", "--reference", "invoice-7", "--tenant", tenant_id)
    assert [_json(run, *command)["available"] for _ in range(2)] == ["12.5", "12.5"]


def test_what_is_not_there_cannot_be_taken_back(run: Run, tenant_id: str) -> None:
    assert run("credits", "top-up", "--tenant", tenant_id, "1").exit_code == ExitCode.OK
    done = run("credits", "top-up", "--tenant", tenant_id, "--", "-2")
    assert (done.exit_code, "insufficient" in done.stderr) == (ExitCode.REFUSED, True)
    assert run("credits", "top-up", "--tenant", tenant_id, "--", "-0.25").exit_code == ExitCode.OK
    assert _json(run, "credits", "show", "--tenant", tenant_id)[0]["available"] == "0.75"


def test_the_ledger_lists_every_line_and_sums_to_the_balance(run: Run, service: Service, tenant_id: str) -> None:
    deps = service.deps
    ledger.top_up(deps, tenant_id=tenant_id, account=Account.SECONDS, amount=100, reference="a")
    ledger.hold(deps, tenant_id=tenant_id, hold_id="j", account=Account.SECONDS, amount=40, deadline_at_ms=2**40)
    ledger.settle(deps, tenant_id=tenant_id, hold_id="j", amount=30)
    lines = _json(run, "credits", "ledger", "--tenant", tenant_id)
    assert sorted(line["kind"] for line in lines) == ["hold", "settle", "top-up"]
    balance = next(b for b in _json(run, "credits", "show", "--tenant", tenant_id) if b["account"] == "seconds")
    for figure in ("available", "held", "spent"):
        assert sum(int(line[figure]) for line in lines) == int(balance[figure])
    assert (balance["available"], balance["held"], balance["spent"]) == ("70", "0", "30")


def test_recordings_are_registered_with_a_url_a_file_or_nothing(run: Run, tenant_id: str, recording: Path) -> None:
    add = ("recordings", "add", "--tenant", tenant_id)
    run(*add, "1", "--url", "https://media.example.com/1.wav")
    run(*add, "2", "--file", str(recording))
    run(*add, "3")
    listed = {entry["id"]: entry["audio"] for entry in _json(run, "recordings", "list", "--tenant", tenant_id)}
    assert listed == {"1": "https://media.example.com/1.wav", "2": "stored", "3": "none"}


def test_a_registered_file_is_what_jobs_are_made_of(
    run: Run, service: Service, tenant_id: str, recording: Path
) -> None:
    assert run("recordings", "add", "77", "--file", str(recording), "--tenant", tenant_id).exit_code == ExitCode.OK
    source, _ = recordings.source_of(service.deps, tenant_id=tenant_id, given="77")
    assert service.deps.uploads.read(str(source.key)) == recording.read_bytes()


def test_a_job_is_listed_and_shown_by_id_and_number(run: Run, service: Service, tenant_id: str) -> None:
    job = _job(service, tenant_id)
    assert [entry["id"] for entry in _json(run, "jobs", "list", "--tenant", tenant_id)] == [job.id]
    by_number = _json(run, "jobs", "show", str(job.number), "--tenant", tenant_id)
    assert by_number == _json(run, "jobs", "show", job.id, "--tenant", tenant_id)
    assert by_number["state"] == "AWAITING_UPLOAD"


def test_roles_are_swapped_and_swapped_back(run: Run, service: Service, tenant_id: str) -> None:
    job = _job(service, tenant_id)
    swap = ("jobs", "swap-roles", job.id, "--tenant", tenant_id)
    assert [_json(run, *swap)["roles_swapped"] for _ in range(2)] == [True, False]


def test_a_deleted_job_is_gone(run: Run, service: Service, tenant_id: str) -> None:
    job = _job(service, tenant_id)
    assert run("jobs", "delete", job.id, "--yes", "--tenant", tenant_id).exit_code == ExitCode.OK
    with pytest.raises(NotFound):
        jobs.find(service.deps, tenant_id=tenant_id, job_id=job.id)
    assert run("jobs", "delete", job.id, "--yes", "--tenant", tenant_id).exit_code == ExitCode.REFUSED


@pytest.mark.parametrize(
    "command",
    [
        ("users", "list"),
        ("credits", "show"),
        ("credits", "ledger"),
        ("credits", "top-up", "5"),
        ("recordings", "list"),
        ("jobs", "list"),
        ("tenants", "show"),
    ],
)
def test_an_unknown_tenant_is_told_so(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "--tenant", "tnone")
    assert (done.exit_code, "no tenant tnone" in done.stderr) == (ExitCode.REFUSED, True)


@pytest.mark.parametrize(
    ("text", "account", "amount"),
    [("12.5", Account.CREDITS, 12_500_000), ("-0.000001", Account.UNITS, -1), ("90", Account.SECONDS, 90)],
)
def test_amounts_are_read_and_written_exactly(text: str, account: Account, amount: int) -> None:
    assert amount_of(text, account) == amount
    assert amount_text(amount, account) == text


@pytest.mark.parametrize("text", ["much", "0.0000001", "nan", "inf", "1e400"])
def test_what_is_no_amount_is_a_mistake_of_usage(text: str) -> None:
    with pytest.raises(UsageError):
        amount_of(text, Account.CREDITS)


def test_seconds_have_no_fractions() -> None:
    with pytest.raises(UsageError):
        amount_of("1.5", Account.SECONDS)
