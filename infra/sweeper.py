"""Every few minutes: what got lost on the way is found and moved on."""

from aws_cdk import Aws, Duration, Stack
from aws_cdk.aws_events import Rule, Schedule
from aws_cdk.aws_events_targets import LambdaFunction
from aws_cdk.aws_sqs import Queue
from aws_cdk.aws_stepfunctions import StateMachine
from constructs import Construct

from callscribe import names
from infra.data_stack import DataStack
from infra.findings import acknowledge
from infra.functions import FunctionKit, FunctionSize, python_function
from infra.permissions import READ_OBJECT, READ_VERSION, WRITE_OBJECT, Grants
from infra.runtime import Variables


class Sweeper(Construct):
    """The function and its clock. It runs again whatever happened, so a missed run needs no queue."""

    def __init__(
        self,
        scope: Construct,
        *,
        kit: FunctionKit,
        data: DataStack,
        variables: Variables,
        transcription: StateMachine,
        callback_queue: Queue,
        fetch_queue: Queue,
        index_queue: Queue,
    ) -> None:
        super().__init__(scope, "Sweeper")
        unused = {names.ENV_SETTINGS, names.ENV_CALLBACK_MACHINE, names.ENV_VIDEO_QUEUE}
        unused |= {names.ENV_INDEX_BUCKET, names.ENV_CAPTCHA_SECRET}
        wanted = set(variables.values) - unused
        self.function = python_function(
            self,
            "sweep",
            kit,
            environment=variables.pick(*sorted(wanted)),
            size=FunctionSize(memory_mb=1_024, timeout_s=240),
        )
        grants = Grants.of(self.function).table(data.table).due_records(data.table).secret(data.root_keys)
        grants.objects(data.audio, names.AUDIO_PREFIX, READ_VERSION).missing_objects(data.audio)
        grants.objects(data.results, names.RESULTS_PREFIX, READ_OBJECT + WRITE_OBJECT).missing_objects(data.results)
        grants.cleaning_up(data.audio, data.results)
        grants.start(transcription).send(callback_queue).send(fetch_queue).send(index_queue)
        self._let_it_look_at_executions(grants, transcription)
        Rule(
            self,
            "Clock",
            schedule=Schedule.rate(Duration.minutes(kit.settings.sweep_minutes)),
            targets=[LambdaFunction(self.function)],
        )

    def _let_it_look_at_executions(self, grants: Grants, machine: StateMachine) -> None:
        """On `arn:…:execution:<machine>:*`: a right on a state machine does not reach its executions."""
        prefix = f"arn:{Aws.PARTITION}:states:{Aws.REGION}:{Aws.ACCOUNT_ID}:execution"
        executions = f"{prefix}:{machine.state_machine_name}:*"
        grants.allow(["states:DescribeExecution"], executions)
        logical_id = Stack.of(self).get_logical_id(machine.node.default_child)  # type: ignore[arg-type]  # a CfnElement
        finding = (
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"
            f":execution:<{logical_id}.Name>:*]"
        )
        acknowledge(grants.role, {finding: "the executions of one state machine, which are named by their job"})
