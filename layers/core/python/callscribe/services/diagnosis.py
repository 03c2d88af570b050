"""What is missing in an AWS account for a stage to transcribe: one finding for each thing that was looked at.

Looking takes rights that a stage's own functions do not have. Where the operator lacks one, the finding says which.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import PurePosixPath
from typing import Protocol

from callscribe import names
from callscribe.domain.deployment import (
    SMALLEST_VCPUS,
    FailedWorker,
    Identity,
    Pool,
    PoolPart,
    Stack,
    Subscription,
    WorkerDefinition,
)
from callscribe.errors import Forbidden, Unavailable

ON_DEMAND_QUOTA = "L-DB2E81BA"  # Running On-Demand G and VT instances, in vCPUs
SPOT_QUOTA = "L-3819A6DF"  # All G and VT Spot Instance Requests, in vCPUs
EMBEDDED_ENGINE = "pocketsphinx"
# What the logical ids of queues have in them where messages end that nobody could handle.
LAST_RESORTS = ("DeadLetters", "RecordFailures")
_FEW_CONCURRENT = 50
_DEPLOY_GPU = "deploy the stack Gpu again"
_DAY_MS = 86_400_000


class Verdict(StrEnum):
    """How a thing stands. MISSING: nothing is transcribed, or not by the pool, until somebody does something."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it stands, and what to do about it."""

    subject: str
    verdict: Verdict
    told: str
    advice: str = ""


class Account(Protocol):
    """An AWS account, as the operator's credentials show it.

    Every method raises Forbidden with the action that the credentials may not do, Unauthenticated, and Unavailable.
    """

    def whoami(self) -> Identity:
        """The account, and where it is looked at. Raises Invalid where no region is named."""
        ...

    def stack(self, name: str) -> Stack | None:
        """A stack by its name; None where there is none."""
        ...

    def machine_vcpus(self, quota_code: str) -> float:
        """A quota of EC2 in vCPUs, as it holds for this account and region."""
        ...

    def concurrent_executions(self) -> int:
        """How many Lambda functions may run at one time."""
        ...

    def pool(self, queue_arn: str) -> Pool | None:
        """The job queue and its compute environments; None where there is no such queue."""
        ...

    def worker_definition(self, definition_arn: str) -> WorkerDefinition | None:
        """What a job definition says; None where it is not active."""
        ...

    def has_image(self, image: str) -> bool:
        """Whether ECR holds the image."""
        ...

    def last_failed(self, queue_arn: str) -> FailedWorker | None:
        """The worker that failed last, of those that AWS Batch still knows."""
        ...

    def messages(self, queue_url: str) -> int:
        """About how many messages wait in a queue."""
        ...

    def subscriptions(self, topic_arn: str) -> tuple[Subscription, ...]:
        """Whom a topic tells."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked at. `pinned`: the models that are known, each with whether its weights are pinned to a commit.

    `max_workers` counts only while no pool says it itself.
    """

    stage: str
    pinned: Mapping[str, bool]
    max_workers: int
    now_ms: int


def diagnose(account: Account, question: Question) -> Iterator[Finding]:
    """Everything, in the order in which an operator would mend it.

    Raises Unauthenticated and Invalid where nothing can be looked at: no credentials, no region.
    """
    identity = account.whoami()
    told = f"account {identity.account_id}, region {identity.region}, as {identity.arn}"
    yield Finding("credentials", Verdict.OK, told)
    looking = _Looking(account, question)
    for subject, check in looking.checks():
        try:
            yield from check()
        except Forbidden as refused:
            yield Finding(subject, Verdict.WARNING, f"could not look: needs {refused.scope}", "ask for that right")
        except Unavailable as silent:
            yield Finding(subject, Verdict.WARNING, f"could not look: {silent}", "try again")


Check = Callable[[], Iterable[Finding]]


@dataclass
class _Looking:
    """The checks, and what earlier ones have found for later ones."""

    account: Account
    question: Question
    stacks: dict[str, Stack] = field(default_factory=dict)
    found_pool: Pool | None = None
    found_worker: WorkerDefinition | None = None

    def checks(self) -> Iterator[tuple[str, Check]]:
        """What is looked at, and how; each as soon as the one before is over."""
        for part in ("Data", "App", "Gpu"):
            yield f"stack {part}", partial(self.stack, part)
        yield "worker pool", self.pool
        for spot in (False, True):
            yield f"quota {_kind(spot=spot)}", partial(self.machines, spot=spot)
        yield "Lambda concurrency", self.concurrency
        yield "job definition", self.worker
        yield "image", self.image
        yield "last worker", self.last_failed
        for part in ("Data", "App"):
            yield f"dead letters of {part}", partial(self.dead_letters, part)
        yield "alarms", self.mails

    def stack(self, part: str) -> Iterator[Finding]:
        name = f"{names.STACK_PREFIX}-{self.question.stage}-{part}"
        stack = self.account.stack(name)
        if stack is not None:
            self.stacks[part] = stack
            yield _deployed(stack)
        elif part == "Gpu":
            advice = "deploy with gpu=true, or run workers of your own (WorkerRoleArn)"
            yield Finding(f"stack {name}", Verdict.WARNING, "is not there: no GPU workers", advice)
        else:
            yield Finding(f"stack {name}", Verdict.MISSING, "is not there", f"make deploy STAGE={self.question.stage}")

    def pool(self) -> Iterator[Finding]:
        queue_arn = self._output("WorkerPoolQueue")
        if queue_arn is None:
            return
        pool = self.found_pool = self.account.pool(queue_arn)
        if pool is None:
            yield Finding("job queue", Verdict.MISSING, f"{queue_arn} is not there", _DEPLOY_GPU)
            return
        yield _part("job queue", pool.queue)
        for environment in pool.environments:
            yield _part("compute environment", environment)

    def machines(self, *, spot: bool) -> Iterator[Finding]:
        """A new account may start no such machine at all, and nothing else tells: jobs just stay RUNNABLE."""
        pool = self.found_pool
        each = pool.machine_vcpus(spot=spot) if pool else SMALLEST_VCPUS
        wanted = pool.most_vcpus(spot=spot) if pool else self.question.max_workers * each
        if wanted is not None:
            code = SPOT_QUOTA if spot else ON_DEMAND_QUOTA
            yield _machines(_kind(spot=spot), code, self.account.machine_vcpus(code), wanted, each)

    def concurrency(self) -> Iterator[Finding]:
        allowed = self.account.concurrent_executions()
        told = f"{allowed} functions may run at one time"
        if allowed >= _FEW_CONCURRENT:
            yield Finding("Lambda concurrency", Verdict.OK, told)
        else:
            ask = "Service Quotas, AWS Lambda, L-B99A9384: ask for 1000 (new accounts have 10)"
            yield Finding("Lambda concurrency", Verdict.WARNING, f"{told}: calls will be throttled", ask)

    def worker(self) -> Iterator[Finding]:
        definition_arn = self._output("WorkerPoolDefinition")
        if definition_arn is None:
            return
        self.found_worker = self.account.worker_definition(definition_arn)
        if self.found_worker is None:
            yield Finding("job definition", Verdict.MISSING, f"{definition_arn} is not active", _DEPLOY_GPU)
        else:
            yield _weights(self.found_worker.variables, self.question.pinned)

    def image(self) -> Iterator[Finding]:
        if self.found_worker is not None:
            image = self.found_worker.image
            if self.account.has_image(image):
                yield Finding("image", Verdict.OK, image)
            else:
                advice = "deploy again from a machine with Docker"
                yield Finding("image", Verdict.MISSING, f"{image} is not in ECR", advice)

    def last_failed(self) -> Iterator[Finding]:
        queue_arn = self._output("WorkerPoolQueue")
        if queue_arn is None:
            return
        failed = self.account.last_failed(queue_arn)
        ago_ms = self.question.now_ms - failed.ended_at_ms if failed else _DAY_MS
        if failed is None or ago_ms >= _DAY_MS:
            yield Finding("last worker", Verdict.OK, "none has failed in the last 24 hours")
        else:
            told = f"{failed.id} failed {ago_ms // 60_000} minutes ago: {failed.reason}"
            yield Finding("last worker", Verdict.WARNING, told, "its log group has the rest")

    def dead_letters(self, part: str) -> Iterator[Finding]:
        queues = self.stacks[part].queues if part in self.stacks else {}
        for logical_id, url in sorted(queues.items()):
            if any(word in logical_id for word in LAST_RESORTS):
                yield _dead_letters(logical_id, self.account.messages(url))

    def mails(self) -> Iterator[Finding]:
        if "App" in self.stacks:
            topics = self.stacks["App"].topics
            yield _mails([one for topic in topics for one in self.account.subscriptions(topic)])

    def _output(self, name: str) -> str | None:
        return self.stacks["Gpu"].outputs.get(name) if "Gpu" in self.stacks else None


def _deployed(stack: Stack) -> Finding:
    subject, told = f"stack {stack.name}", f"is {stack.status}"
    if stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
        return Finding(subject, Verdict.OK, told)
    if stack.status.endswith("IN_PROGRESS"):
        return Finding(subject, Verdict.WARNING, told, "look again when that is over")
    if stack.status == "UPDATE_ROLLBACK_COMPLETE":
        advice = "its events say why the last deployment failed; what runs is what was before"
        return Finding(subject, Verdict.WARNING, told, advice)
    return Finding(subject, Verdict.MISSING, told, "its events say why; delete or repair it, and deploy")


def _part(kind: str, part: PoolPart) -> Finding:
    subject, told = f"{kind} {part.name}", f"{part.state}, {part.status}"
    if part.is_fine:
        return Finding(subject, Verdict.OK, told)
    reason = f": {part.reason}" if part.reason else ""
    return Finding(subject, Verdict.MISSING, f"{told}{reason}", "enable it, or mend what its status says")


def _machines(kind: str, code: str, allowed: float, wanted: int, each: int) -> Finding:
    """`each`: vCPUs of a machine, on which one worker runs, however many it has."""
    subject, workers = f"quota {kind}", wanted // each
    told = f"{allowed:g} vCPUs of G and VT machines {kind} are allowed, {wanted} are wanted for {workers} workers"
    ask = f"Service Quotas, Amazon EC2, {code}: ask for {wanted}"
    if allowed >= wanted:
        return Finding(subject, Verdict.OK, told)
    if allowed >= each:
        return Finding(subject, Verdict.WARNING, f"{told}: {int(allowed // each)} can run", ask)
    return Finding(subject, Verdict.MISSING, f"{told}: none can run", ask)


def _weights(variables: Mapping[str, str], pinned: Mapping[str, bool]) -> Finding:
    engine = variables.get(names.ENV_ENGINE) or EMBEDDED_ENGINE
    if engine == EMBEDDED_ENGINE:
        return Finding("weights", Verdict.WARNING, f"the workers run {engine}, which is a smoke test", "set gpu_engine")
    model = PurePosixPath(variables.get(names.ENV_MODEL_DIR, "")).name
    told = f"{engine} with {model or 'no model'}"
    if not model:
        return Finding("weights", Verdict.MISSING, told, f"set {names.ENV_MODEL_DIR} (the setting gpu_model)")
    if pinned.get(model):
        return Finding("weights", Verdict.OK, f"{told}, pinned to one commit")
    told += ", which `callscribe models list` does not pin"
    return Finding("weights", Verdict.WARNING, told, "see to its origin yourself")


def _dead_letters(logical_id: str, count: int) -> Finding:
    subject = f"dead letters {logical_id}"
    if count == 0:
        return Finding(subject, Verdict.OK, "none")
    advice = "read them, mend the cause, move them back (redrive)"
    return Finding(subject, Verdict.WARNING, f"{count} messages that nobody could handle", advice)


def _mails(told: Sequence[Subscription]) -> Finding:
    waiting = [one.endpoint for one in told if not one.confirmed]
    if not told:
        return Finding("alarms", Verdict.WARNING, "nobody is mailed", "deploy with alarm_email=you@example.com")
    if waiting:
        advice = "open the mail of AWS Notifications and confirm"
        return Finding("alarms", Verdict.WARNING, f"{', '.join(waiting)} has not confirmed", advice)
    return Finding("alarms", Verdict.OK, f"mailed to {', '.join(one.endpoint for one in told)}")


def _kind(*, spot: bool) -> str:
    return "spot" if spot else "on demand"
