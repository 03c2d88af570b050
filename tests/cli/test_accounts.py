"""The operator's commands for tenants, users, money, recordings and jobs, on the in-memory fakes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from callscribe.cli import app
from callscribe.cli.amounts import amount_of
from callscribe.cli.edge import ExitCode, UsageError
from callscribe.cli.session import Tools
from callscribe.cli.stages import Stage
from callscribe.domain.accounts import USUAL_SCOPES
from callscribe.domain.jobs import Job
from callscribe.domain.prices import Account, shown
from callscribe.errors import NotFound, Unauthenticated, Unavailable
from callscribe.services import accounts, jobs, ledger, recordings, tariffs, users
from callscribe.services.accounts import Principal
from callscribe.services.jobs import NewJob
from tests.cli.conftest import Run
from tests.cli.service import Service

HOME = "203.0.113.7"


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


def test_a_price_that_is_not_given_stays_as_it_was(run: Run, service: Service, tenant_id: str) -> None:
    _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--credits-per-second", "0.0005")
    shown = _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--units-per-second", "0.0004")
    assert (shown["credits_per_second"], shown["units_per_second"]) == ("0.0005", "0.0004")
    shown = _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--account", "units")
    assert (shown["pays_from"], shown["credits_per_second"]) == ("units", "0.0005")


def test_a_plan_that_would_charge_nothing_has_to_say_so(run: Run, service: Service, tenant_id: str) -> None:
    others = (("--units-per-second", "0.0004"), ("--account", "units", "--credits-per-second", "1"))
    for given in ((), ("--credits-per-second", "0"), *others):
        refused = run("tenants", "set-plan", "--tenant", tenant_id, *given)
        assert refused.exit_code == ExitCode.USAGE
        assert f"--{'units' if 'units' in given else 'credits'}-per-second a price above 0, or --free" in refused.stderr
    assert accounts.get_tenant(service.deps, tenant_id).plan is None


def test_a_price_cannot_be_taken_away_from_the_account_that_is_paid_from(
    run: Run, service: Service, tenant_id: str
) -> None:
    _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--credits-per-second", "0.0005")
    refused = run("tenants", "set-plan", "--tenant", tenant_id, "--credits-per-second", "0")
    assert (refused.exit_code, "--free" in refused.stderr) == (ExitCode.USAGE, True)
    plan = accounts.get_tenant(service.deps, tenant_id).plan
    assert plan is not None
    assert plan.credits_m_per_s == 500


@pytest.mark.parametrize("account", ["credits", "units"])
def test_nobody_is_paid_for_having_calls_transcribed(run: Run, tenant_id: str, account: str) -> None:
    prices = {"credits": "1", "units": "1"} | {account: "-0.5"}
    given = [part for name, price in prices.items() for part in (f"--{name}-per-second", price)]
    refused = run("tenants", "set-plan", "--tenant", tenant_id, *given)
    assert (refused.exit_code, "0 or more" in refused.stderr) == (ExitCode.USAGE, True)


def test_a_key_whose_jobs_would_be_free_under_its_tenants_plan_is_not_made(
    run: Run, service: Service, tenant_id: str
) -> None:
    create = ("keys", "create", "--tenant", tenant_id, "--pays-from", "units")
    _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--credits-per-second", "0.0005")
    refused = run(*create)
    assert (refused.exit_code, "set-plan --units-per-second" in refused.stderr) == (ExitCode.USAGE, True)
    assert accounts.list_keys(service.deps, tenant_id) == []
    assert _json(run, "keys", "create", "--tenant", tenant_id, "--pays-from", "seconds")["pays_from"] == "seconds"
    assert _json(run, "keys", "create", "--tenant", tenant_id)["pays_from"] is None
    _json(run, "tenants", "set-plan", "--tenant", tenant_id, "--units-per-second", "0.0004")
    assert _json(run, *create)["pays_from"] == "units"


def test_without_a_plan_nothing_is_charged_and_a_later_plan_names_the_keys_that_stay_free(
    run: Run, tenant_id: str
) -> None:
    ids = [_json(run, "keys", "create", "--tenant", tenant_id, "--pays-from", "units")["app_id"] for _ in range(2)]
    paying = _json(run, "keys", "create", "--tenant", tenant_id)["app_id"]
    run("keys", "revoke", ids[1], "--tenant", tenant_id)
    told = run("tenants", "set-plan", "--tenant", tenant_id, "--credits-per-second", "0.0005")
    assert told.exit_code == ExitCode.OK
    assert [app_id in told.stderr for app_id in (*ids, paying)] == [True, False, False]
    assert "free" not in run("tenants", "set-plan", "--tenant", tenant_id, "--units-per-second", "1").stderr
    assert "free" not in run("tenants", "set-plan", "--tenant", tenant_id, "--free").stderr


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


def test_a_vocabulary_is_set_and_shown_and_rubbish_is_refused(run: Run, service: Service, tenant_id: str) -> None:
    shown = _json(run, "tenants", "set-vocabulary", "Callscribe", "Müller & Söhne", "--tenant", tenant_id)
    assert shown["vocabulary"] == ["Callscribe", "Müller & Söhne"]
    assert accounts.get_tenant(service.deps, tenant_id).vocabulary == ("Callscribe", "Müller & Söhne")
    for rubbish in (["x" * 65], [" x"], ["a\nb"], [""], [f"term{number}" for number in range(101)]):
        refused = run("tenants", "set-vocabulary", "--tenant", tenant_id, "--", *rubbish)
        assert (refused.exit_code, "vocabulary" in refused.stderr) == (ExitCode.USAGE, True)
    assert _json(run, "tenants", "set-vocabulary", "--tenant", tenant_id)["vocabulary"] == []


def test_a_user_is_made_with_a_password_from_stdin_and_logs_in(service: Service, run: Run, tenant_id: str) -> None:
    stage = Stage(name="local", base_url=service.base_url, tenant_id=tenant_id)
    tools = Tools(find_stage=lambda _name: stage, open_deps=lambda _stage: service.deps)
    command = ["users", "create", "ricarda", "--scope", "read", "--password-stdin", "-o", "json"]
    done = CliRunner().invoke(app, command, obj=tools, input="9kAXZZu?rjMbk$Rh\n")
    assert done.exit_code == ExitCode.OK, done.output
    assert "9kAXZZu" not in done.stdout
    principal = users.authenticate(service.deps, username="ricarda", password="9kAXZZu?rjMbk$Rh", address=HOME)
    assert (principal.tenant_id, set(principal.scopes)) == (tenant_id, {"read"})
    assert [user["username"] for user in _json(run, "users", "list", "--tenant", tenant_id)] == ["ricarda"]


def test_an_administrator_is_made_when_it_is_asked_for(service: Service, tenant_id: str) -> None:
    stage = Stage(name="local", base_url=service.base_url, tenant_id=tenant_id)
    tools = Tools(find_stage=lambda _name: stage, open_deps=lambda _stage: service.deps)
    asked: dict[str, tuple[str, ...]] = {
        "usual": (),
        "admin": ("--admin",),
        "watcher": ("--scope", "read", "--admin"),
        "named": ("--scope", "admin"),
    }
    for name, options in asked.items():
        command = ["users", "create", f"{name}-{tenant_id}", *options, "--password-stdin"]
        assert CliRunner().invoke(app, command, obj=tools, input="secret words\n").exit_code == ExitCode.OK
    made = {user.username.partition("-")[0]: set(user.scopes) for user in users.list_users(service.deps, tenant_id)}
    assert made == {
        "usual": {"transcribe", "read"},
        "admin": {"transcribe", "read", "admin"},
        "watcher": {"read", "admin"},
        "named": {"admin"},
    }


def test_T_A24_a_tenant_subscribes_and_its_tariff_is_shown(run: Run, service: Service, tenant_id: str) -> None:
    before = _json(run, "tenants", "show", "--tenant", tenant_id)
    assert (before["tariff"], before["tariff_active"], before["tariff_until"]) == (None, False, None)
    shown = _json(run, "tenants", "subscribe", tenant_id, "pro", "--days", "7", "--from", "2020-02-03")
    assert (shown["tariff"], shown["tariff_active"]) == ("pro", False)
    assert (shown["tariff_from"][:10], shown["tariff_until"][:10]) == ("2020-02-03", "2020-02-10")
    assert _json(run, "tenants", "subscribe", tenant_id, "enterprise")["tariff_active"] is True
    assert _json(run, "tenants", "show", "--tenant", tenant_id)["tariff"] == "enterprise"
    assert "enterprise" in run("tenants", "show", "--tenant", tenant_id).stdout
    assert tariffs.active(service.deps, tenant_id).name == "Enterprise"
    balances = {one["account"]: one["available"] for one in _json(run, "credits", "show", "--tenant", tenant_id)}
    assert (balances["call-seconds"], balances["chats"]) == ("600000", "10000")


def test_what_cannot_be_subscribed_to_is_told_so(run: Run, tenant_id: str) -> None:
    unknown = run("tenants", "subscribe", tenant_id, "basic")
    assert (unknown.exit_code, "pro, enterprise" in unknown.stderr) == (ExitCode.REFUSED, True)
    assert run("tenants", "subscribe", "tnone", "pro").exit_code == ExitCode.REFUSED
    for rubbish in (("--days", "0"), ("--from", "soon"), ("--days", "36501")):
        assert run("tenants", "subscribe", tenant_id, "pro", *rubbish).exit_code == ExitCode.USAGE, rubbish


def test_T_A24_the_stages_tariffs_are_listed(run: Run, service: Service) -> None:
    listed = _json(run, "tariffs")
    assert [one["identifier"] for one in listed] == [one.identifier for one in service.deps.settings.tariffs]
    shown = run("tariffs").stdout
    assert "enterprise" in shown
    assert "600 EUR" in shown


def test_stdin_without_a_password_is_a_mistake_of_usage(service: Service, tenant_id: str) -> None:
    stage = Stage(name="local", base_url=service.base_url, tenant_id=tenant_id)
    tools = Tools(find_stage=lambda _name: stage, open_deps=lambda _stage: service.deps)
    done = CliRunner().invoke(app, ["users", "create", "nobody", "--password-stdin"], obj=tools, input="\n")
    assert (done.exit_code, "no password" in done.stderr) == (ExitCode.USAGE, True)


def test_a_disabled_user_is_not_let_in_until_enabled(run: Run, service: Service, tenant_id: str) -> None:
    user = users.create_user(service.deps, tenant_id=tenant_id, username=f"u-{tenant_id}", password="secret words")
    assert _json(run, "users", "disable", user.id, "--tenant", tenant_id)["state"] == "disabled"
    with pytest.raises(Unauthenticated):
        users.authenticate(service.deps, username=user.username, password="secret words", address=HOME)
    assert _json(run, "users", "enable", user.id, "--tenant", tenant_id)["state"] == "active"
    assert (
        users.authenticate(service.deps, username=user.username, password="secret words", address=HOME).key_id
        == user.id
    )


def test_a_top_up_with_a_reference_counts_once(run: Run, tenant_id: str) -> None:
    command = ("credits", "top-up", "12.5", "--reference", "invoice-7", "--tenant", tenant_id)
    assert [_json(run, *command)["available"] for _ in range(2)] == ["12.5", "12.5"]


def test_a_top_up_that_got_no_answer_can_be_repeated_with_the_reference_that_was_told(
    run: Run, tenant_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = ledger.top_up

    def unheard(*given: Any, **how: Any) -> None:
        counted(*given, **how)
        raise Unavailable("dynamodb did not answer")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "top_up", unheard)
        done = run("credits", "top-up", "5", "--tenant", tenant_id)
    assert done.exit_code == ExitCode.UNREACHABLE
    reference = done.stderr.partition("--reference ")[2].split(")")[0]
    again = _json(run, "credits", "top-up", "5", "--tenant", tenant_id, "--reference", reference)
    assert (again["available"], again["reference"]) == ("5", reference)


def test_a_top_up_that_succeeds_tells_its_reference_in_json_too(run: Run, tenant_id: str) -> None:
    done = run("credits", "top-up", "5", "--tenant", tenant_id, "-o", "json")
    reference = json.loads(done.stdout)["reference"]
    assert f"--reference {reference}" in done.stderr
    assert _json(run, "credits", "ledger", "--tenant", tenant_id)[0]["reference"] == reference


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
    source, _ = recordings.source_of(service.deps, Principal(tenant_id, "app-1", USUAL_SCOPES), "77")
    assert service.deps.uploads.read(str(source.key)) == recording.read_bytes()


def test_a_removed_recording_is_gone_with_its_audio(
    run: Run, service: Service, tenant_id: str, recording: Path
) -> None:
    run("recordings", "add", "78", "--file", str(recording), "--tenant", tenant_id)
    (kept,) = recordings.list_recordings(service.deps, tenant_id)
    assert _json(run, "recordings", "remove", "78", "--tenant", tenant_id) == {"id": "78", "removed": True}
    assert _json(run, "recordings", "list", "--tenant", tenant_id) == []
    assert service.deps.uploads.head(kept.audio_key) is None
    assert run("recordings", "remove", "78", "--tenant", tenant_id).exit_code == ExitCode.REFUSED


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
    assert shown(account, amount) == text


@pytest.mark.parametrize("text", ["much", "0.0000001", "nan", "inf", "1e400"])
def test_what_is_no_amount_is_a_mistake_of_usage(text: str) -> None:
    with pytest.raises(UsageError):
        amount_of(text, Account.CREDITS)


def test_seconds_have_no_fractions() -> None:
    with pytest.raises(UsageError):
        amount_of("1.5", Account.SECONDS)
