"""From a finished job to its callback: the stream's reader, the first attempt, the machine of the later ones.

The stream's reader also tells the index of tasks what changed.
"""

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk.aws_lambda import FilterCriteria, FilterRule, Function, StartingPosition
from aws_cdk.aws_lambda_event_sources import DynamoEventSource, SqsDlq, SqsEventSource
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from callscribe import names
from infra.data_stack import DataStack
from infra.findings import acknowledge
from infra.functions import FunctionKit, FunctionSize, python_function
from infra.machines import Machine, callback_definition
from infra.permissions import READ_OBJECT, Grants
from infra.queues import dead_letter_queue, queue
from infra.runtime import Variables

_DELIVER_TIMEOUT_S = 60  # one attempt takes 15 s at most


class Callbacks(Construct):
    """Everything between an outbox row in the table and a receiver's answer."""

    def __init__(
        self, scope: Construct, *, kit: FunctionKit, data: DataStack, variables: Variables, index_queue: Queue
    ) -> None:
        super().__init__(scope, "Callbacks")
        self._kit, self._data, self._variables = kit, data, variables
        self.dead_letters = dead_letter_queue(self, "DeadLetters")
        self.queue = queue(self, "Queue", visibility_s=6 * _DELIVER_TIMEOUT_S, dead_letters=self.dead_letters)
        self.record_failures = dead_letter_queue(self, "RecordFailures")
        acknowledge(
            self.record_failures, {"AwsSolutions-SQS3": "it is itself the end: the stream's failure destination"}
        )
        variables.values[names.ENV_CALLBACK_QUEUE] = self.queue.queue_url
        # The machine and its function need one another: a name of our own breaks the circle.
        machine_name = f"{names.SERVICE}-{kit.settings.stage}-callback"
        machine_arn = Stack.of(self).format_arn(
            service="states",
            resource="stateMachine",
            resource_name=machine_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        variables.values[names.ENV_CALLBACK_MACHINE] = machine_arn
        self.on_record = self._record_function(index_queue)
        self.deliver = self._deliver_function(machine_arn)
        self.machine = self._machine(machine_name)

    @property
    def functions(self) -> list[Function]:
        """Both Lambdas."""
        return [self.on_record, self.deliver]

    def _record_function(self, index_queue: Queue) -> Function:
        wanted = (names.ENV_CALLBACK_QUEUE, names.ENV_INDEX_QUEUE)
        function = python_function(self, "on_record", self._kit, environment=self._variables.pick(*wanted))
        Grants.of(function).send(self.queue).send(index_queue)
        kinds = FilterRule.or_(names.CALLBACK_KIND, names.DIRTY_TASK_KIND)
        new_row = {
            "eventName": FilterRule.is_equal("INSERT"),
            "dynamodb": {"NewImage": {names.KIND_ATTRIBUTE: {"S": kinds}}},
        }
        source = DynamoEventSource(
            self._data.table,
            starting_position=StartingPosition.TRIM_HORIZON,
            batch_size=100,
            bisect_batch_on_error=True,
            retry_attempts=5,
            max_record_age=Duration.hours(23),
            report_batch_item_failures=True,
            on_failure=SqsDlq(self.record_failures),
            filters=[FilterCriteria.filter(new_row)],
        )
        function.add_event_source(source)
        return function

    def _deliver_function(self, machine_arn: str) -> Function:
        wanted = (names.ENV_TABLE, names.ENV_RESULTS_BUCKET, names.ENV_ROOT_KEYS_SECRET, names.ENV_CALLBACK_MACHINE)
        function = python_function(
            self,
            "deliver_callback",
            self._kit,
            environment=self._variables.pick(*wanted),
            size=FunctionSize(timeout_s=_DELIVER_TIMEOUT_S),
        )
        grants = Grants.of(function).table(self._data.table).secret(self._data.root_keys)
        grants.objects(self._data.results, names.RESULTS_PREFIX, READ_OBJECT).missing_objects(self._data.results)
        grants.allow(["states:StartExecution"], machine_arn)
        # One message at a time: a slow receiver delays nobody else's callback.
        function.add_event_source(SqsEventSource(self.queue, batch_size=1, report_batch_item_failures=True))
        return function

    def _machine(self, name: str) -> Machine:
        definition = callback_definition(deliver_arn=self.deliver.function_arn)
        machine = Machine(
            self, "Machine", title="callback", definition=definition, settings=self._kit.settings, name=name
        )
        machine.grants.allow(["lambda:InvokeFunction"], self.deliver.function_arn)
        return machine
