"""The index of tasks: who changed tasks is noted in a queue, and one function at a time takes a tenant's changes in.

The queue is a FIFO one: its groups are tenants, so that each has one writer, and asks of one turn are one message
(see `services.indexing.ask`). It holds each message back for as long as a turn lasts.
"""

from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

from callscribe import names
from infra.data_stack import DataStack
from infra.functions import FunctionKit, FunctionSize, python_function
from infra.permissions import READ_OBJECT, Grants
from infra.queues import dead_letter_queue, fifo_queue
from infra.runtime import Variables

# Twice what `services.indexing` begins work for: a batch that was begun then still comes to its end.
_TIMEOUT_S = 240
# Not six times the time-out, as for other queues: that is for pollers that are throttled and take messages out in vain.
# Here a message that failed holds up its tenant's next ones, and should come back in minutes.
_MARGIN_S = 60
SCRATCH_MB = 1_024  # twice what `adapters.sqlite` keeps


class Indexing(Construct):
    """Everything between a change of a task and the files of the index.

    A message that is lost is made up for by the tenant's next one, or by the sweeper; lists are right all the same.
    """

    def __init__(self, scope: Construct, *, kit: FunctionKit, data: DataStack, variables: Variables) -> None:
        super().__init__(scope, "Indexing")
        self.dead_letters = dead_letter_queue(self, "DeadLetters", fifo=True)
        self.queue = fifo_queue(
            self,
            "Queue",
            visibility_s=_TIMEOUT_S + _MARGIN_S,
            delay_s=kit.settings.index_delay_s,
            dead_letters=self.dead_letters,
        )
        variables.values[names.ENV_INDEX_QUEUE] = self.queue.queue_url
        self.function = python_function(
            self,
            "index_tasks",
            kit,
            environment=variables.pick(
                names.ENV_TABLE, names.ENV_RESULTS_BUCKET, names.ENV_INDEX_BUCKET, names.ENV_INDEX_QUEUE
            ),
            size=FunctionSize(memory_mb=1_024, timeout_s=_TIMEOUT_S, scratch_mb=SCRATCH_MB),
        )
        grants = Grants.of(self.function).table(data.table).index(data.index, write=True).send(self.queue)
        grants.objects(data.results, names.RESULTS_PREFIX, READ_OBJECT).missing_objects(data.results)
        # One tenant at a time: one that has much to take in delays nobody else.
        self.function.add_event_source(SqsEventSource(self.queue, batch_size=1, report_batch_item_failures=True))
