"""The two state machines: their definitions (Amazon States Language, JSONPath, ids only), and how they are made.

transcription: Prepare ─▶ Words? ─ no ─▶ Transcribe (waits for a worker) ─▶ Finish          at most 5 transitions
                   │         └──── yes: nobody has to listen ──────────────────▶
                   └── any error, of these three, too ──▶ FinishFailed ─▶ JobFailed
callback:      Wait ─▶ Deliver ─▶ Done? ─▶ Delivered
                 ▲                  │ no
                 └──────────────────┘
"""

import json
from typing import Any, TypedDict

from aws_cdk import aws_stepfunctions as sfn
from aws_cdk.aws_iam import Role, ServicePrincipal
from constructs import Construct

from callscribe import names
from infra.findings import acknowledge
from infra.functions import log_group
from infra.permissions import Grants
from infra.settings import StageSettings

Json = dict[str, Any]

JOB_FAILED = "JobFailed"  # class name of the error that no retry can help
# Lambda did not run, or its answer got lost: docs.aws.amazon.com/step-functions, "Handle transient Lambda exceptions";
# and the class name of the error by which a function says that a service it depends on does not answer.
OUTAGE_ERRORS = (
    "Unavailable",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
# A function's time or memory ran out, and probably would again.
EXHAUSTED_ERRORS = ("Lambda.Unknown", "Sandbox.Timedout")
SQS_ERRORS = ("SQS.AmazonSQSException", "SQS.SdkClientException")
# An attempt that another process has claimed is free again after 60 s (`callscribe.services.callbacks`).
CLAIMED = {"ErrorEquals": ["Conflict"], "IntervalSeconds": 30, "MaxAttempts": 5, "BackoffRate": 1.0}


class _Patience(TypedDict):
    attempts: int
    longest_s: int


# Half of these on average, because of the jitter. A finished transcript is worth more than a few transitions.
_OUTAGE: _Patience = {"attempts": 20, "longest_s": 300}  # up to 68 min
_DEFECT: _Patience = {"attempts": 10, "longest_s": 60}  # up to 6 min
_EXHAUSTED: _Patience = {"attempts": 2, "longest_s": 60}


def transcription_definition(*, prepare_arn: str, finish_arn: str, work_queue_url: str, deadline_s: int) -> Json:
    """State: {"tenant_id", "job_id"}; Prepare adds {"prepared": {"words": truth value}}, an error adds "error"."""
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "FinishFailed"}]
    transcribe: Json = {
        "Type": "Task",
        "Comment": "A worker reports by the token. No heartbeat: its clock would start while the message still queues.",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {
            "QueueUrl": work_queue_url,
            "MessageGroupId.$": "$.tenant_id",
            "MessageBody": {"tenant_id.$": "$.tenant_id", "job_id.$": "$.job_id", "task_token.$": "$$.Task.Token"},
        },
        "TimeoutSeconds": deadline_s,
        "ResultPath": None,
        "Retry": [_retry(SQS_ERRORS, **_OUTAGE)],
        "Catch": catch,
        "Next": "Finish",
    }
    words = {"Variable": "$.prepared.words", "BooleanEquals": True, "Next": "Finish"}
    failed = _lambda_task(finish_arn, next_state=JOB_FAILED) | {
        "Parameters": {"tenant_id.$": "$.tenant_id", "job_id.$": "$.job_id", "error.$": "$.error.Error"}
    }
    states = {
        "Prepare": _lambda_task(prepare_arn, next_state="Words?") | {"ResultPath": "$.prepared", "Catch": catch},
        "Words?": {"Type": "Choice", "Choices": [words], "Default": "Transcribe"},
        "Transcribe": transcribe,
        "Finish": _lambda_task(finish_arn, next_state=None) | {"Catch": catch},
        "FinishFailed": failed,
        JOB_FAILED: {"Type": "Fail", "Error": JOB_FAILED, "Cause": "See the job's failure"},
    }
    return {"Comment": "One recording, from upload to transcript", "StartAt": "Prepare", "States": states}


def callback_definition(*, deliver_arn: str) -> Json:
    """State: {"tenant_id", "job_id", "replay", "attempt", "wait_s"}, and "done" from the first attempt on."""
    deliver = {
        "Type": "Task",
        "Resource": deliver_arn,
        "Retry": [CLAIMED, _retry(OUTAGE_ERRORS, **_OUTAGE), _retry(("States.ALL",), **_DEFECT)],
        "Next": "Done?",
    }
    done = {"Variable": "$.done", "BooleanEquals": True, "Next": "Delivered"}
    states = {
        "Wait": {"Type": "Wait", "SecondsPath": "$.wait_s", "Next": "Deliver"},
        "Deliver": deliver,
        "Done?": {"Type": "Choice", "Choices": [done], "Default": "Wait"},
        "Delivered": {"Type": "Succeed"},
    }
    return {"Comment": "The later attempts of one callback", "StartAt": "Wait", "States": states}


class Machine(Construct):
    """A standard state machine with a role of its own, traced, its errors logged without data."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        title: str,
        definition: Json,
        settings: StageSettings,
        name: str | None = None,
    ) -> None:
        """`title` ends the log group's name, `name` is the machine's own where it must be known before it is made."""
        super().__init__(scope, construct_id)
        role = Role(self, "Role", assumed_by=ServicePrincipal("states.amazonaws.com"))
        # By this prefix the account's one resource policy for log delivery covers any number of groups.
        group = f"/aws/vendedlogs/states/{names.SERVICE}-{settings.stage}-{title}"
        self.grants = Grants(role)
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            # Not Stack.to_json_string: it drops nulls, and "ResultPath": null is what keeps the state small.
            definition_body=sfn.DefinitionBody.from_string(json.dumps(definition)),
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=log_group(self, "Logs", settings, name=group),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
        )
        acknowledge(
            self,
            {
                "AwsSolutions-SF1": "errors only: the history of every execution is kept for 90 days anyway",
                "AwsSolutions-IAM5[Resource::*]": "log delivery and X-Ray accept the resource * only",
            },
        )


def _lambda_task(arn: str, *, next_state: str | None) -> Json:
    """A Lambda step that leaves the state as it is."""
    follow: Json = {"Next": next_state} if next_state else {"End": True}
    retries = [
        _retry(OUTAGE_ERRORS, **_OUTAGE),
        {"ErrorEquals": [JOB_FAILED], "MaxAttempts": 0},
        _retry(EXHAUSTED_ERRORS, **_EXHAUSTED),
        _retry(("States.ALL",), **_DEFECT),
    ]
    return {"Type": "Task", "Resource": arn, "ResultPath": None, "Retry": retries, **follow}


def _retry(errors: tuple[str, ...], *, attempts: int, longest_s: int) -> Json:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": 2,
        "MaxAttempts": attempts,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": longest_s,
        "JitterStrategy": "FULL",
    }
