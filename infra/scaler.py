"""The function that says how many GPU workers there are: once a minute, and at once when one has failed."""

import json

from aws_cdk import Duration
from aws_cdk.aws_events import EventPattern, Match, Rule, Schedule
from aws_cdk.aws_events_targets import LambdaFunction
from constructs import Construct

from callscribe import names
from infra.app_stack import AppStack
from infra.data_stack import DataStack
from infra.findings import acknowledge
from infra.functions import FunctionKit, FunctionSize, python_function
from infra.gpu_pool import GpuPool
from infra.permissions import Grants
from infra.runtime import variables_of
from infra.settings import StageSettings

_TIMEOUT_S = 50  # one look is over before the next one begins


class Scaler(Construct):
    """`functions/scale_workers`, its clock, and the events of AWS Batch that call it in between.

    Two looks at one time would not ask for too many workers: what was asked for is noted by compare-and-swap. So
    there is one at a time only where concurrency is set aside anyway.
    """

    def __init__(self, scope: Construct, *, kit: FunctionKit, data: DataStack, app: AppStack, pool: GpuPool) -> None:
        super().__init__(scope, "Scaler")
        settings = kit.settings
        where = {"queue": pool.queue.job_queue_arn, "definition": pool.definition.job_definition_arn}
        variables = variables_of(settings, data, base_url="")
        variables.values[names.ENV_WORK_QUEUE] = app.pipeline.work.queue_url
        variables.values[names.ENV_WORKER_POOL] = json.dumps(where)
        variables.values[names.ENV_SCALING] = json.dumps(_scaling(settings))
        wanted = (names.ENV_TABLE, names.ENV_WORK_QUEUE, names.ENV_WORKER_POOL, names.ENV_SCALING)
        self.function = python_function(
            self,
            "scale_workers",
            kit,
            environment=variables.pick(*wanted),
            size=FunctionSize(timeout_s=_TIMEOUT_S, reserved_concurrency=1 if settings.reserved_concurrency else None),
        )
        self._grant(data, app, pool)
        target = LambdaFunction(self.function)
        Rule(self, "Clock", schedule=Schedule.rate(Duration.minutes(1)), targets=[target])
        self.worker_failed = Rule(
            self, "WorkerFailed", event_pattern=_failed(pool.queue.job_queue_arn), targets=[target]
        )
        self.queue_blocked = Rule(
            self, "QueueBlocked", event_pattern=_blocked(pool.queue.job_queue_arn), targets=[target]
        )

    def _grant(self, data: DataStack, app: AppStack, pool: GpuPool) -> None:
        grants = Grants.of(self.function).table(data.table)
        grants.allow(["sqs:GetQueueAttributes"], app.pipeline.work.queue_arn)
        grants.allow(["batch:SubmitJob"], pool.queue.job_queue_arn, pool.definition.job_definition_arn)
        grants.allow(["batch:ListJobs"], "*")
        named = "jobs have random ids; the function ends only those that it has listed in its own queue"
        grants.own(["batch:TerminateJob"], "batch", "job/*", reason=named)
        acknowledge(grants.role, {"AwsSolutions-IAM5[Resource::*]": "batch:ListJobs and X-Ray know no resource but *"})


# Seconds of audio by channel that a worker does in a second, taken for true until it was measured. From published and
# assumed figures for an L4 (`callscribe/costs/inputs.toml`), and because some 40 % of a channel is speech.
EXPECTED_RATE = {"faster-whisper": 95, "transformers": 400}


def _scaling(settings: StageSettings) -> dict[str, int]:
    """`callscribe.domain.scaling.ScalingSettings`, by field name."""
    return {
        "max_workers": settings.gpu_max_workers,
        "target_wait_s": settings.gpu_target_wait_s,
        "hold_s": settings.gpu_hold_s,
        "cooldown_s": settings.gpu_cooldown_s,
        "idle_s": settings.gpu_idle_s,
        "expected_rate": EXPECTED_RATE[settings.gpu_engine],
    }


def _failed(queue_arn: str) -> EventPattern:
    """A worker ended badly, and not because we ended it."""
    detail = {
        "jobQueue": [queue_arn],
        "status": ["FAILED"],
        "statusReason": Match.anything_but_prefix(names.SENT_AWAY),
    }
    return EventPattern(source=["aws.batch"], detail_type=["Batch Job State Change"], detail=detail)


def _blocked(queue_arn: str) -> EventPattern:
    """No environment can start what waits: no capacity or quota, a role or network that is wrong, an invalid one."""
    return EventPattern(source=["aws.batch"], detail_type=["Batch Job Queue Blocked"], detail={"jobQueue": [queue_arn]})
