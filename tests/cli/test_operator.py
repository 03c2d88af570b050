"""The operator's commands on the in-memory fakes: keys, tenants, callbacks."""

import json
from typing import Any

import pytest

from callscribe import names
from callscribe.adapters.memory import MemoryWebhooks
from callscribe.cli.callbacks import when_ms
from callscribe.cli.edge import ExitCode, UsageError
from callscribe.domain.callbacks import Answer, Attempt, Callback, CallbackState, Endpoint, Outcome
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import insert
from callscribe.errors import NotFound, OutboundFailed, Unauthenticated
from callscribe.services import accounts, callbacks
from tests.cli.conftest import Run
from tests.cli.service import Service

URL = "https://receiver.example/hook"
HOUR_MS = 3_600_000


def _json(run: Run, *arguments: str) -> Any:
    done = run(*arguments, "-o", "json")
    assert done.exit_code == ExitCode.OK, done.output
    return json.loads(done.stdout)


@pytest.fixture
def tenant_id(service: Service) -> str:
    """A tenant of this test's own."""
    return accounts.create_tenant(service.deps, name="Another Ltd").id


def _delivered(service: Service, tenant_id: str, job_id: str, state: CallbackState, *, hours_ago: int = 1) -> Callback:
    made_ms = service.deps.now_ms() - hours_ago * HOUR_MS
    callback = Callback(
        tenant_id, job_id, 0, URL, f"body-of-{job_id}", state, made_ms, made_ms, None, attempts=1, last_status=500
    )
    attempt = Attempt(tenant_id, job_id, 0, 1, made_ms, Outcome.RETRY, 500, answer_excerpt="out of \x1b[31morder")
    job = Job(tenant_id, job_id, "presign", "key", JobState.COMPLETED, made_ms, made_ms, None, callback_url=URL)
    service.deps.results.put_if_absent(callback.body_key, b"{}", content_type="application/json")
    service.deps.store.commit(insert(callback), insert(attempt), insert(job))
    return callback


def test_a_new_key_is_shown_once_and_authenticates(run: Run, service: Service) -> None:
    made = _json(run, "keys", "create", "--name", "laptop", "--expires-days", "30")
    key = accounts.authenticate(service.deps, key_id=made["app_id"], secret=made["api_key"])
    assert (key.tenant_id, key.name) == (service.tenant.id, "laptop")
    assert key.expires_at_ms == service.deps.now_ms() + 30 * 24 * HOUR_MS
    listed = run("keys", "list", "-o", "json").stdout
    assert made["app_id"] in listed
    assert made["api_key"] not in listed


def test_a_key_for_a_new_tenant_comes_with_the_tenants_webhook_secret(run: Run, service: Service) -> None:
    made = _json(run, "keys", "create", "--new-tenant", "Third Ltd")
    assert accounts.get_tenant(service.deps, made["tenant_id"]).name == "Third Ltd"
    assert made["webhook_secret"] == accounts.webhook_secrets(service.deps, made["tenant_id"])[0]


def test_a_new_key_printed_for_people_holds_what_they_must_copy(run: Run, service: Service) -> None:
    done = run("keys", "create")
    assert done.exit_code == ExitCode.OK
    assert "cs_live_" in done.stdout
    assert "shown this once" in done.stderr


def test_a_key_gets_only_the_scopes_and_options_it_was_given(run: Run, service: Service) -> None:
    made = _json(run, "keys", "create", "--scope", "transcribe", "--option", "created-at-string")
    assert (made["scopes"], made["options"]) == (["transcribe"], ["created-at-string"])


def test_a_key_can_be_made_that_may_do_nothing(run: Run, service: Service) -> None:
    made = _json(run, "keys", "create", "--scope", "none")
    assert made["scopes"] == []
    key = accounts.authenticate(service.deps, key_id=made["app_id"], secret=made["api_key"])
    assert key.scopes == frozenset()


@pytest.mark.parametrize("scopes", [["everything"], ["none", "transcribe"]])
def test_scopes_that_there_are_not_are_refused(run: Run, scopes: list[str]) -> None:
    done = run("keys", "create", *(part for scope in scopes for part in ("--scope", scope)))
    assert (done.exit_code, "none" in done.stderr) == (ExitCode.USAGE, True)


def test_an_option_that_no_dialect_has_is_refused_with_those_there_are(run: Run) -> None:
    done = run("keys", "create", "--option", "nonsense")
    assert done.exit_code == ExitCode.USAGE
    assert "created-at-string" in done.stderr


def test_a_revoked_key_is_listed_as_such_and_no_longer_authenticates(run: Run, service: Service) -> None:
    made = _json(run, "keys", "create")
    assert run("keys", "revoke", made["app_id"]).exit_code == ExitCode.OK
    assert {key["app_id"]: key["state"] for key in _json(run, "keys", "list")}[made["app_id"]] == "revoked"
    with pytest.raises(Unauthenticated):
        accounts.authenticate(service.deps, key_id=made["app_id"], secret=made["api_key"])


def test_an_expired_key_is_listed_as_expired(run: Run, service: Service, tenant_id: str) -> None:
    accounts.create_key(service.deps, tenant_id=tenant_id, name="old", expires_at_ms=service.deps.now_ms())
    assert [key["state"] for key in _json(run, "keys", "list", "--tenant", tenant_id)] == ["expired"]


def test_a_foreign_key_cannot_be_revoked(run: Run, service: Service, tenant_id: str) -> None:
    done = run("keys", "revoke", service.key.id, "--tenant", tenant_id)
    assert (done.exit_code, f"of the tenant {tenant_id}" in done.stderr) == (ExitCode.REFUSED, True)
    assert "--tenant" in done.stderr


@pytest.mark.parametrize("command", [("keys", "create"), ("keys", "list"), ("callbacks", "list")])
def test_an_unknown_tenant_is_told_so(run: Run, command: tuple[str, str]) -> None:
    done = run(*command, "--tenant", "tnone")
    assert (done.exit_code, "no tenant tnone" in done.stderr) == (ExitCode.REFUSED, True)


def test_tenant_and_new_tenant_exclude_each_other(run: Run) -> None:
    assert run("keys", "create", "--tenant", "t1", "--new-tenant", "X").exit_code == ExitCode.USAGE


def test_rotating_a_tenants_secret_keeps_the_one_before(run: Run) -> None:
    made = _json(run, "tenants", "create", "Fourth Ltd")
    rotated = _json(run, "tenants", "rotate-secret", "--tenant", made["tenant_id"])
    assert rotated["webhook_secrets"][1:] == made["webhook_secrets"]
    assert _json(run, "tenants", "secret", "--tenant", made["tenant_id"]) == rotated
    assert made["webhook_secrets"][0] in run("tenants", "secret", "--tenant", made["tenant_id"]).stdout


def test_a_tenant_without_a_name_is_refused(run: Run) -> None:
    done = run("tenants", "create", " ")
    assert (done.exit_code, done.stderr) == (ExitCode.USAGE, "Error: name: must not be empty\n")


def test_the_delivery_log_lists_the_window_newest_first(run: Run, service: Service, tenant_id: str) -> None:
    for job_id, hours in (("old", 30), ("middle", 20), ("new", 1)):
        _delivered(service, tenant_id, job_id, CallbackState.FAILED, hours_ago=hours)
    listed = _json(run, "callbacks", "list", "--tenant", tenant_id)
    assert [entry["job_id"] for entry in listed] == ["new", "middle"]
    assert listed[0]["log"][0]["answer_excerpt"].startswith("out of ")
    longer = _json(run, "callbacks", "list", "--tenant", tenant_id, "--since", "2d", "--until", "25h")
    assert [entry["job_id"] for entry in longer] == ["old"]


def test_the_log_for_people_shows_attempts_of_one_job_and_controls_no_terminal(
    run: Run, service: Service, tenant_id: str
) -> None:
    _delivered(service, tenant_id, "one", CallbackState.FAILED)
    _delivered(service, tenant_id, "two", CallbackState.FAILED)
    done = run("callbacks", "list", "--tenant", tenant_id, "--job", "one")
    assert "attempt 1" in done.stdout
    assert "two" not in done.stdout
    assert "\x1b" not in done.stdout


def test_the_log_shows_how_long_an_attempt_took_that_got_no_answer(run: Run, service: Service, tenant_id: str) -> None:
    callback = _delivered(service, tenant_id, "one", CallbackState.FAILED)
    for number, took_ms in ((2, 15_000), (3, 0), (4, None)):
        made = Attempt(
            tenant_id, "one", 0, number, callback.created_at_ms, Outcome.RETRY, error="timeout", duration_ms=took_ms
        )
        service.deps.store.commit(insert(made))
    shown = run("callbacks", "list", "--tenant", tenant_id, "--job", "one").stdout
    assert [line.rpartition(", ")[2] for line in shown.splitlines()[-3:]] == [
        "timeout in 15000 ms",
        "timeout in 0 ms",
        "timeout in - ms",
    ]


def test_only_failed_callbacks_are_listed_when_asked_for(run: Run, service: Service, tenant_id: str) -> None:
    for state in CallbackState:
        _delivered(service, tenant_id, f"job-{state}", state)
    listed = _json(run, "callbacks", "list", "--tenant", tenant_id, "--failed")
    assert {entry["state"] for entry in listed} == {"FAILED", "DISABLED"}


def test_one_callback_is_replayed_into_a_log_of_its_own(run: Run, service: Service, tenant_id: str) -> None:
    _delivered(service, tenant_id, "one", CallbackState.DELIVERED)
    made = _json(run, "callbacks", "replay", "one", "--tenant", tenant_id)
    assert [(entry["job_id"], entry["replay"], entry["state"]) for entry in made] == [("one", 1, "PENDING")]
    assert service.deps.store.get(Callback, tenant_id, "one", 1) is not None


def test_a_window_of_failed_callbacks_is_replayed_each_once_and_oldest_first(
    run: Run, service: Service, tenant_id: str
) -> None:
    _delivered(service, tenant_id, "later", CallbackState.FAILED, hours_ago=2)
    _delivered(service, tenant_id, "earlier", CallbackState.DISABLED, hours_ago=3)
    _delivered(service, tenant_id, "fine", CallbackState.DELIVERED)
    window = ("callbacks", "replay", "--tenant", tenant_id, "--since", "1d", "--failed")
    assert [entry["job_id"] for entry in _json(run, *window)] == ["earlier", "later"]


def test_what_is_being_replayed_already_is_not_replayed_again(run: Run, service: Service, tenant_id: str) -> None:
    _delivered(service, tenant_id, "one", CallbackState.FAILED)
    window = ("callbacks", "replay", "--tenant", tenant_id, "--since", "1d", "--failed")
    assert len(_json(run, *window)) == 1
    assert _json(run, *window) == []


def test_what_is_still_being_delivered_is_refused_when_named(run: Run, service: Service, tenant_id: str) -> None:
    _delivered(service, tenant_id, "one", CallbackState.PENDING)
    done = run("callbacks", "replay", "one", "--tenant", tenant_id)
    assert (done.exit_code, "still being delivered" in done.stderr) == (ExitCode.REFUSED, True)


@pytest.mark.parametrize("which", [["one"], ["--since", "1d"]])
def test_a_replay_to_a_disabled_receiver_is_refused_with_how_to_enable_it(
    run: Run, service: Service, tenant_id: str, which: list[str]
) -> None:
    _delivered(service, tenant_id, "one", CallbackState.DISABLED)
    _disable(service, tenant_id)
    done = run("callbacks", "replay", *which, "--tenant", tenant_id)
    assert done.exit_code == ExitCode.REFUSED
    assert "is disabled, because it answered 410" in done.stderr
    assert "1 on their way" not in done.stderr
    assert service.deps.store.get(Callback, tenant_id, "one", 1) is None
    assert f"callscribe callbacks enable {URL}" in done.stderr
    assert run("callbacks", "enable", URL, "--tenant", tenant_id).exit_code == ExitCode.OK
    assert run("callbacks", "replay", *which, "--tenant", tenant_id).exit_code == ExitCode.OK


def test_replay_wants_a_job_or_a_window(run: Run) -> None:
    assert run("callbacks", "replay").exit_code == ExitCode.USAGE
    assert run("callbacks", "replay", "one", "--since", "1d").exit_code == ExitCode.USAGE


def test_replay_of_an_unknown_job_is_refused(run: Run) -> None:
    assert run("callbacks", "replay", "none").exit_code == ExitCode.REFUSED


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Answer(204, 5), ExitCode.OK),
        (Answer(500, 5, "broken"), ExitCode.JOB_FAILED),
        (Answer(302, 5), ExitCode.JOB_FAILED),
        (OutboundFailed("timeout", "no answer within 15 s"), ExitCode.JOB_FAILED),
        (OutboundFailed("connect", "nobody listens"), ExitCode.JOB_FAILED),
    ],
)
def test_a_ping_is_signed_and_its_exit_code_says_how_it_went(
    run: Run, service: Service, reply: Answer | OutboundFailed, code: ExitCode
) -> None:
    webhooks = service.deps.webhooks
    assert isinstance(webhooks, MemoryWebhooks)
    webhooks.answer_with(reply)
    assert run("callbacks", "ping", URL).exit_code == code
    assert webhooks.posts[-1].headers["webhook-signature"].startswith("v1,")
    assert names.SERVICE in webhooks.posts[-1].headers["user-agent"]


def test_a_ping_that_nobody_answered_is_told_in_either_form(run: Run, service: Service) -> None:
    webhooks = service.deps.webhooks
    assert isinstance(webhooks, MemoryWebhooks)
    webhooks.answer_with(*[OutboundFailed("connect", "nobody listens")] * 2)
    assert run("callbacks", "ping", URL).stdout == f"{URL} did not answer: connect: nobody listens\n"
    told = json.loads(run("callbacks", "ping", URL, "-o", "json").stdout)
    assert (told["accepted"], told["status"], told["error"]) == (False, None, "connect: nobody listens")


def test_a_ping_to_an_address_that_the_guard_refuses_is_refused_as_the_help_says(run: Run, service: Service) -> None:
    webhooks = service.deps.webhooks
    assert isinstance(webhooks, MemoryWebhooks)
    webhooks.refuse["https://10.0.0.1/"] = "address"
    assert run("callbacks", "ping", "https://10.0.0.1/").exit_code == ExitCode.REFUSED
    told = " ".join(run("callbacks", "ping", "--help").stdout.split())
    assert "Exit code 1 unless the receiver answers 2xx" in told
    assert "6 for an address that is not allowed" in told


def _disable(service: Service, tenant_id: str) -> Endpoint:
    endpoint = Endpoint(
        tenant_id, callbacks._digest(URL), URL, 1, 1, disabled_at_ms=1, disabled_because="it answered 410"
    )
    service.deps.store.commit(insert(endpoint))
    return endpoint


def test_a_disabled_receiver_is_enabled(run: Run, service: Service, tenant_id: str) -> None:
    with pytest.raises(NotFound):
        callbacks.enable(service.deps, tenant_id=tenant_id, url=URL)
    assert run("callbacks", "enable", URL, "--tenant", tenant_id).exit_code == ExitCode.REFUSED
    endpoint = _disable(service, tenant_id)
    assert run("callbacks", "enable", URL, "--tenant", tenant_id).exit_code == ExitCode.OK
    enabled = service.deps.store.get(Endpoint, tenant_id, endpoint.url_sha256)
    assert enabled is not None
    assert enabled.disabled_at_ms is None


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("30m", 10 * HOUR_MS - HOUR_MS // 2),
        ("2h", 8 * HOUR_MS),
        ("1970-01-01T03:00Z", 3 * HOUR_MS),
        ("1970-01-01T03:00", 3 * HOUR_MS),
        ("1970-01-01T03:00+01:00", 2 * HOUR_MS),
    ],
)
def test_a_moment_is_read_as_ago_or_as_iso_8601(text: str, expected_ms: int) -> None:
    assert when_ms(text, now_ms=10 * HOUR_MS) == expected_ms


@pytest.mark.parametrize("text", ["yesterday", "24", "-3h", "", "2026-13-01"])
def test_a_moment_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        when_ms(text, now_ms=0)
