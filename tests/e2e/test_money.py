"""Money on the running system: whatever happens to a job, it is paid once or not at all, and who has too little is told."""

import base64
import concurrent.futures
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from callscribe.client import Client, Status
from callscribe.domain.credits import EntryKind
from callscribe.domain.prices import MICRO, Account, Plan
from callscribe.services import accounts, ledger
from local.system import LocalSystem
from tests.corpora import bad_audio
from tests.e2e.books import assert_nets_zero, assert_sums_to_the_balance, paid
from tests.e2e.integrator import (
    JOBS,
    MOR,
    WAIT_S,
    ended,
    executions_of,
    newest_job,
    transcribe,
    uploaded,
    usage,
    wait_for,
    worker_log,
)

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

RECHARGE = "https://playground.aivoco.com"
UNITS = "http://cloud.vispark.in"
PLAN = Plan(Account.CREDITS, credits_m_per_s=MICRO // 2, units_m_per_s=2 * MICRO)  # 0.5 credits or 2 units per second


@dataclass(frozen=True)
class Poor:
    """A tenant with next to nothing, and a key of each kind."""

    tenant_id: str
    api_key: str
    admin_key: str


@pytest.fixture
def poor(system: LocalSystem) -> Callable[[int], Poor]:
    """Makes a tenant that has so many millionths, of credits and of units."""

    def make(amount: int) -> Poor:
        deps = system.deps()
        tenant = accounts.create_tenant(deps, name="Poor")
        accounts.change_tenant(deps, tenant.id, plan=PLAN)
        for account in (Account.CREDITS, Account.UNITS) if amount else ():
            ledger.top_up(deps, tenant_id=tenant.id, account=account, amount=amount, reference=f"first {account}")
        secrets = [
            accounts.create_key(deps, tenant_id=tenant.id, name=name, pays_from=pays_from)[1]
            for name, pays_from in (("user's", None), ("admin's", Account.UNITS))
        ]
        return Poor(tenant.id, *secrets)

    return make


def inline(key: str, audio: bytes) -> dict[str, str]:
    return {"api_key": key, "audio_data": base64.b64encode(audio).decode()}


def test_a_worker_killed_in_the_middle_of_a_paid_call_costs_nothing_but_time(system: LocalSystem, clip: Path) -> None:
    victim = system.workers[0].process
    body = inline(system.credentials.api_key, clip.with_name("jfk.flac").read_bytes())
    before = worker_log(system).count(": begun")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(transcribe, system.base_url, body)
        wait_for(lambda: worker_log(system).count(": begun") > before, "the worker to take the job")
        job = newest_job(system)
        victim.kill()
        assert f"{job.id}: done" not in worker_log(system)
        wait_for(lambda: _is_replaced(system, victim.pid), "another worker")
        answer = asked.result()
    assert answer.status_code == 200, answer.text
    assert paid(system, job.id) == 11 * 500
    assert answer.json()["user_credits_deducted"] == 0.0055
    assert worker_log(system).count(f"{job.id}: begun") == 2
    assert executions_of(system, job.id) == [job.id]


def test_A_A3_bad_media_nets_zero_in_every_dialect(
    system: LocalSystem, mor: httpx.Client, client: Client, tmp_path: Path
) -> None:
    before, bad = usage(mor), bad_audio.GOOD["wav"]()[:30]
    made = uploaded(mor, bad)
    assert ended(mor, made)["error"]["code"] == "audio_unreadable"
    answer = transcribe(system.base_url, inline(system.credentials.api_key, bad))
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    file = tmp_path / "bad.wav"
    file.write_bytes(bad)
    ours = client.create_upload("audio/wav")
    client.upload(ours.url, file, "audio/wav")
    assert client.wait(ours.request_id, timeout_s=WAIT_S).status is Status.ERROR
    for job_id in (made["uuid"], newest_job(system).id, ours.request_id):
        assert_nets_zero(system, job_id)
    assert usage(mor) == before


def test_what_was_held_for_a_job_that_fails_at_the_worker_is_given_back(
    system: LocalSystem, mor: httpx.Client, clip: Path
) -> None:
    before = usage(mor)
    made = uploaded(mor, clip.read_bytes(), language="es")
    assert ended(mor, made)["error"]["code"] == "language_unsupported"
    assert_nets_zero(system, made["uuid"], EntryKind.HOLD, EntryKind.RELEASE)
    assert usage(mor) == before


def test_A_07_who_has_nothing_is_told_so_before_anything_is_made(
    system: LocalSystem, poor: Callable[[int], Poor], clip: Path
) -> None:
    tenant = poor(0)
    answer = transcribe(system.base_url, inline(tenant.api_key, clip.read_bytes()))
    assert (answer.status_code, answer.json()) == (402, {"error": f"Insufficient credits, recharge at {RECHARGE}"})
    answer = transcribe(system.base_url, inline(tenant.admin_key, clip.read_bytes()))
    assert answer.status_code == 402
    assert answer.json()["required_units"] == 2.0, "what a second costs: nobody has looked at the audio yet"
    refused = httpx.post(
        f"{system.base_url}{MOR}{JOBS}", headers={"Authorization": f"Bearer {tenant.api_key}"}, trust_env=False
    )
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")
    assert list(ledger.entries(system.deps(), tenant.tenant_id)) == []


def test_A_07_who_has_too_little_is_told_how_much_it_takes_and_loses_nothing(
    system: LocalSystem, poor: Callable[[int], Poor], clip: Path
) -> None:
    tenant = poor(MICRO)
    by_credits = transcribe(system.base_url, inline(tenant.api_key, clip.read_bytes()))
    assert (by_credits.status_code, by_credits.json()) == (
        402,
        {
            "error": f"Insufficient user credits for transcription, recharge at {RECHARGE}",
            "required_credits": 1.5,
            "current_credits": 1.0,
        },
    )
    by_units = transcribe(system.base_url, inline(tenant.admin_key, clip.read_bytes()))
    assert (by_units.status_code, by_units.json()) == (
        402,
        {
            "error": f"Insufficient admin units for transcription, get now from Vispark Cloud at {UNITS}",
            "required_units": 6.0,
        },
    )
    for account in (Account.CREDITS, Account.UNITS):
        left = ledger.balance(system.deps(), tenant_id=tenant.tenant_id, account=account)
        assert (left.available, left.held, left.spent) == (MICRO, 0, 0)
    assert_sums_to_the_balance(system, tenant.tenant_id)


def test_A_07_the_same_request_is_answered_once_there_is_enough_and_the_balance_is_used_up_exactly(
    system: LocalSystem, poor: Callable[[int], Poor], clip: Path
) -> None:
    tenant = poor(MICRO)
    body = inline(tenant.api_key, clip.read_bytes())
    assert transcribe(system.base_url, body).status_code == 402
    deps = system.deps()
    ledger.top_up(deps, tenant_id=tenant.tenant_id, account=Account.CREDITS, amount=MICRO // 2, reference="more")
    answer = transcribe(system.base_url, body)
    assert (answer.status_code, answer.json()["user_credits_deducted"]) == (200, 1.5)
    assert paid(system, newest_job(system, tenant.tenant_id).id, tenant_id=tenant.tenant_id) == 1_500_000
    left = ledger.balance(deps, tenant_id=tenant.tenant_id, account=Account.CREDITS)
    assert (left.available, left.held, left.spent) == (0, 0, 1_500_000)
    assert_sums_to_the_balance(system, tenant.tenant_id)


def test_after_all_this_the_ledger_of_the_systems_tenant_sums_to_its_balance(system: LocalSystem) -> None:
    assert_sums_to_the_balance(system)


def _is_replaced(system: LocalSystem, pid: int) -> bool:
    """Look after the workers as `make serve` does."""
    system.keep_workers()
    return system.workers[0].process.pid != pid
