"""The findings about an account, on one that is made up: what is missing is missing, and what cannot be seen is said."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from callscribe import names
from callscribe.domain.deployment import (
    FailedWorker,
    Identity,
    Pool,
    PoolPart,
    Stack,
    Subscription,
    WorkerDefinition,
)
from callscribe.errors import Forbidden, Unauthenticated, Unavailable
from callscribe.services.diagnosis import ON_DEMAND_QUOTA, SPOT_QUOTA, Finding, Question, Verdict, diagnose

NOW_MS = 1_800_000_000_000
QUESTION = Question("prod", {"whisper-large-v3-turbo": True, "another": False}, max_workers=10, now_ms=NOW_MS)
FINE = PoolPart("spot", "ENABLED", "VALID", most_vcpus=40, spot=True)
POOL = Pool(PoolPart("queue", "ENABLED", "VALID"), (FINE, replace(FINE, name="on-demand", spot=False)))
WORKER = WorkerDefinition(
    "1.dkr.ecr.eu-west-1.amazonaws.com/x:y",
    {names.ENV_ENGINE: "faster-whisper", names.ENV_MODEL_DIR: "/opt/models/whisper-large-v3-turbo"},
)
GPU_OUTPUTS = {"WorkerPoolQueue": "arn:queue", "WorkerPoolDefinition": "arn:definition"}


def all_stacks() -> dict[str, Stack]:
    queues = {
        "WorkQueue": "https://work",
        "WorkDeadLetters": "https://dead",
        "CallbackRecordFailures": "https://failed",
    }
    named = {part: f"Callscribe-prod-{part}" for part in ("Data", "App", "Gpu")}
    return {
        named["Data"]: Stack(named["Data"], "CREATE_COMPLETE", queues={"UploadDeadLetters": "https://upload"}),
        named["App"]: Stack(named["App"], "UPDATE_COMPLETE", queues=queues, topics=("arn:topic",)),
        named["Gpu"]: Stack(named["Gpu"], "CREATE_COMPLETE", GPU_OUTPUTS),
    }


@dataclass
class FakeAccount:
    """An account in which all is well. `refused`: methods by name, with what they raise."""

    stacks: dict[str, Stack] = field(default_factory=all_stacks)
    vcpus: dict[str, float] = field(default_factory=lambda: {ON_DEMAND_QUOTA: 64.0, SPOT_QUOTA: 64.0})
    concurrent: int = 1_000
    known_pool: Pool | None = POOL
    definition: WorkerDefinition | None = WORKER
    image: bool = True
    failed: FailedWorker | None = None
    waiting: dict[str, int] = field(default_factory=dict)
    mailed: tuple[Subscription, ...] = (Subscription("ops@example.com", confirmed=True),)
    refused: dict[str, Exception] = field(default_factory=dict)

    def __getattribute__(self, name: str) -> Any:
        refused = object.__getattribute__(self, "refused")
        if name in refused:
            raise refused[name]
        return object.__getattribute__(self, name)

    def whoami(self) -> Identity:
        return Identity("123456789012", "arn:aws:iam::123456789012:user/me", "eu-west-1")

    def stack(self, name: str) -> Stack | None:
        return self.stacks.get(name)

    def machine_vcpus(self, quota_code: str) -> float:
        return self.vcpus[quota_code]

    def concurrent_executions(self) -> int:
        return self.concurrent

    def pool(self, queue_arn: str) -> Pool | None:
        assert queue_arn == "arn:queue"
        return self.known_pool

    def worker_definition(self, definition_arn: str) -> WorkerDefinition | None:
        assert definition_arn == "arn:definition"
        return self.definition

    def has_image(self, image: str) -> bool:
        assert image == WORKER.image
        return self.image

    def last_failed(self, queue_arn: str) -> FailedWorker | None:
        assert queue_arn == "arn:queue"
        return self.failed

    def messages(self, queue_url: str) -> int:
        return self.waiting.get(queue_url, 0)

    def subscriptions(self, topic_arn: str) -> tuple[Subscription, ...]:
        assert topic_arn == "arn:topic"
        return self.mailed


def found(account: FakeAccount, question: Question = QUESTION) -> dict[str, Finding]:
    findings = list(diagnose(account, question))
    by_subject = {one.subject: one for one in findings}
    assert len(by_subject) == len(findings)
    return by_subject


def troubles(account: FakeAccount) -> dict[str, Verdict]:
    return {subject: one.verdict for subject, one in found(account).items() if one.verdict is not Verdict.OK}


def test_an_account_in_which_all_is_well_is_told_so_thing_by_thing() -> None:
    findings = found(FakeAccount())
    assert {one.verdict for one in findings.values()} == {Verdict.OK}
    assert set(findings) == {
        "credentials",
        "stack Callscribe-prod-Data",
        "stack Callscribe-prod-App",
        "stack Callscribe-prod-Gpu",
        "job queue queue",
        "compute environment spot",
        "compute environment on-demand",
        "quota on demand",
        "quota spot",
        "Lambda concurrency",
        "weights",
        "image",
        "last worker",
        "dead letters UploadDeadLetters",
        "dead letters WorkDeadLetters",
        "dead letters CallbackRecordFailures",
        "alarms",
    }


def test_an_empty_account_lacks_its_stacks_and_machines() -> None:
    account = FakeAccount(stacks={}, vcpus={ON_DEMAND_QUOTA: 0, SPOT_QUOTA: 0}, concurrent=10)
    assert troubles(account) == {
        "stack Callscribe-prod-Data": Verdict.MISSING,
        "stack Callscribe-prod-App": Verdict.MISSING,
        "stack Callscribe-prod-Gpu": Verdict.WARNING,
        "quota on demand": Verdict.MISSING,
        "quota spot": Verdict.MISSING,
        "Lambda concurrency": Verdict.WARNING,
    }
    findings = found(account)
    assert findings["stack Callscribe-prod-App"].advice == "make deploy STAGE=prod"
    assert findings["quota spot"].advice == "Service Quotas, Amazon EC2, L-3819A6DF: ask for 40"


@pytest.mark.parametrize(
    ("allowed", "verdict", "told"),
    [
        (40, Verdict.OK, "40 vCPUs"),
        (39, Verdict.WARNING, "9 can run"),
        (4, Verdict.WARNING, "1 can run"),
        (3, Verdict.MISSING, "none can run"),
    ],
)
def test_a_quota_is_compared_with_what_the_largest_pool_wants(allowed: float, verdict: Verdict, told: str) -> None:
    finding = found(FakeAccount(vcpus={ON_DEMAND_QUOTA: 64, SPOT_QUOTA: allowed}))["quota spot"]
    assert finding.verdict is verdict
    assert told in finding.told


@pytest.mark.parametrize(
    ("allowed", "verdict", "told"),
    [(80, Verdict.OK, "for 10 workers"), (9, Verdict.WARNING, "1 can run"), (7, Verdict.MISSING, "none can run")],
)
def test_of_a_larger_machine_all_vcpus_count_though_one_worker_runs_on_it(
    allowed: float, verdict: Verdict, told: str
) -> None:
    larger = replace(FINE, most_vcpus=80, machine_vcpus=8)
    account = FakeAccount(known_pool=replace(POOL, environments=(larger,)), vcpus={SPOT_QUOTA: allowed})
    finding = found(account)["quota spot"]
    assert finding.verdict is verdict
    assert told in finding.told


def test_a_pool_without_spot_machines_needs_no_quota_for_them() -> None:
    account = FakeAccount(known_pool=replace(POOL, environments=POOL.environments[1:]), vcpus={ON_DEMAND_QUOTA: 64})
    assert "quota spot" not in found(account)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("CREATE_IN_PROGRESS", Verdict.WARNING),
        ("UPDATE_ROLLBACK_COMPLETE", Verdict.WARNING),
        ("ROLLBACK_COMPLETE", Verdict.MISSING),
        ("UPDATE_ROLLBACK_FAILED", Verdict.MISSING),
        ("DELETE_FAILED", Verdict.MISSING),
    ],
)
def test_a_stack_that_is_not_whole_is_told_by_its_status(status: str, verdict: Verdict) -> None:
    account = FakeAccount()
    account.stacks["Callscribe-prod-App"] = replace(account.stacks["Callscribe-prod-App"], status=status)
    finding = found(account)["stack Callscribe-prod-App"]
    assert (finding.verdict, status in finding.told) == (verdict, True)


@pytest.mark.parametrize(("state", "status"), [("DISABLED", "VALID"), ("ENABLED", "INVALID")])
def test_a_part_of_the_pool_that_takes_no_work_is_told_with_its_reason(state: str, status: str) -> None:
    broken = replace(FINE, state=state, status=status, reason="the role is gone")
    finding = found(FakeAccount(known_pool=Pool(POOL.queue, (broken,))))["compute environment spot"]
    assert finding.verdict is Verdict.MISSING
    assert finding.told == f"{state}, {status}: the role is gone"


@pytest.mark.parametrize(
    ("variables", "verdict", "told"),
    [
        ({}, Verdict.WARNING, "smoke test"),
        ({names.ENV_ENGINE: "faster-whisper"}, Verdict.MISSING, "no model"),
        ({names.ENV_ENGINE: "x", names.ENV_MODEL_DIR: "/opt/models/another"}, Verdict.WARNING, "does not pin"),
        ({names.ENV_ENGINE: "x", names.ENV_MODEL_DIR: "/opt/models/mine"}, Verdict.WARNING, "does not pin"),
    ],
)
def test_weights_that_nobody_pinned_are_told(variables: dict[str, str], verdict: Verdict, told: str) -> None:
    finding = found(FakeAccount(definition=replace(WORKER, variables=variables)))["weights"]
    assert (finding.verdict, told in finding.told) == (verdict, True)


def test_what_the_outputs_name_and_the_account_lacks_is_missing() -> None:
    assert troubles(FakeAccount(known_pool=None, definition=None)) == {
        "job queue": Verdict.MISSING,
        "job definition": Verdict.MISSING,
    }
    assert troubles(FakeAccount(image=False)) == {"image": Verdict.MISSING}


def test_a_worker_that_failed_today_is_told_with_its_reason() -> None:
    failed = FailedWorker("job-1", "CannotPullContainerError", NOW_MS - 7 * 60_000)
    finding = found(FakeAccount(failed=failed))["last worker"]
    assert (finding.verdict, finding.told) == (
        Verdict.WARNING,
        "job-1 failed 7 minutes ago: CannotPullContainerError",
    )
    old = replace(failed, ended_at_ms=NOW_MS - 86_400_000)
    assert found(FakeAccount(failed=old))["last worker"].verdict is Verdict.OK


def test_dead_letters_are_counted_queue_by_queue_and_other_queues_left_alone() -> None:
    account = FakeAccount(waiting={"https://dead": 3, "https://work": 1_000})
    assert troubles(account) == {"dead letters WorkDeadLetters": Verdict.WARNING}
    assert found(account)["dead letters WorkDeadLetters"].told.startswith("3 messages")


def test_alarms_reach_nobody_without_a_confirmed_address() -> None:
    waiting = (Subscription("ops@example.com", confirmed=False), *FakeAccount().mailed)
    assert found(FakeAccount(mailed=waiting))["alarms"].told == "ops@example.com has not confirmed"
    assert troubles(FakeAccount(mailed=())) == {"alarms": Verdict.WARNING}


LOOKS = {
    "stack": 3,
    "machine_vcpus": 2,
    "concurrent_executions": 1,
    "pool": 1,
    "worker_definition": 1,
    "has_image": 1,
    "last_failed": 1,
    "messages": 2,
    "subscriptions": 1,
}


@pytest.mark.parametrize("method", LOOKS)
def test_a_right_that_is_lacking_is_named_and_all_else_is_looked_at(method: str) -> None:
    account = FakeAccount(refused={method: Forbidden("some:Action")})
    findings = found(account)
    refused = [one for one in findings.values() if one.told == "could not look: needs some:Action"]
    assert len(refused) == LOOKS[method]
    assert all(one.verdict is Verdict.WARNING for one in refused)
    assert findings["credentials"].verdict is Verdict.OK


def test_a_service_that_is_silent_does_not_end_the_look() -> None:
    findings = found(FakeAccount(refused={"pool": Unavailable("batch did not answer")}))
    assert findings["worker pool"].told == "could not look: batch did not answer"
    assert findings["quota spot"].verdict is Verdict.OK  # by the number that was asked about


def test_without_credentials_there_is_nothing_to_look_at() -> None:
    with pytest.raises(Unauthenticated):
        found(FakeAccount(refused={"whoami": Unauthenticated("no AWS credentials")}))
