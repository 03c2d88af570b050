"""What the AWS halves of the suites stand on: moto made atomic, the table as deployed, and faults on the wire."""

import itertools
import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.batch.models import Job, batch_backends
from moto.batch_simple.models import BatchSimpleBackend
from moto.dynamodb.models.dynamo_type import Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.moto_api import state_manager

from callscribe import names
from callscribe.ports import ExecutionState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

C = TypeVar("C")

REGION = "eu-central-1"
TABLE = "records"
_LOCK = threading.RLock()

Fault = Exception | tuple[int, str]  # what a request meets: an exception, or an HTTP status and a JSON body


def locked(client: C) -> C:
    """The client with one call at a time: real services are atomic per call, moto under threads is not."""
    call: Callable[..., Any] = client._make_api_call  # type: ignore[attr-defined] # botocore's one door for every call

    def one_at_a_time(*args: Any, **kwargs: Any) -> Any:
        with _LOCK:
            return call(*args, **kwargs)

    client._make_api_call = one_at_a_time  # type: ignore[attr-defined] # the same door
    return client


def create_table(client: "DynamoDBClient") -> None:
    """The one table, with its keys and both indexes as the infrastructure makes them."""
    keys = {
        names.PARTITION_KEY: "S",
        names.SORT_KEY: "S",
        names.LIST_PARTITION_KEY: "S",
        names.LIST_SORT_KEY: "S",
        names.DUE_PARTITION_KEY: "S",
        names.DUE_SORT_KEY: "N",
    }
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()],  # type: ignore[typeddict-item] # S and N
        KeySchema=_schema(names.PARTITION_KEY, names.SORT_KEY),
        GlobalSecondaryIndexes=[
            _index(names.LIST_INDEX, names.LIST_PARTITION_KEY, names.LIST_SORT_KEY),
            _index(names.DUE_INDEX, names.DUE_PARTITION_KEY, names.DUE_SORT_KEY),
        ],
    )


def before_calls(client: Any, operation: str, *faults: Fault) -> "Wire":
    """The next calls of an operation meet these faults and never reach the service."""
    return Wire(client, operation, faults, reached=False)


def after_calls(client: Any, operation: str, *faults: Fault) -> "Wire":
    """The next calls of an operation take effect, and then their answer is lost to these faults."""
    return Wire(client, operation, faults, reached=True)


def every_nth_call(client: Any, operation: str, nth: int, *faults: Fault) -> "Nth":
    """Every n-th call of an operation meets the next of these faults, in turn, and never reaches the service."""
    return Nth(client, operation, nth, faults)


class Nth:
    """Stands where `Wire` does, for as long as the client lives; `met` is how many calls met a fault."""

    def __init__(self, client: Any, operation: str, nth: int, faults: tuple[Fault, ...]) -> None:
        self._numbers = itertools.count(1)
        self._nth = nth
        self._faults = itertools.cycle(faults)
        self.met = 0
        _intercept(client, operation, self._send)

    def _send(self, send: Callable[[], Any], request: Any) -> Any:
        if next(self._numbers) % self._nth:
            return send()
        self.met += 1
        return _meet(next(self._faults), request)


class Wire:
    """Stands where botocore sends a request, inside its retries; `bodies` are what was sent, one per attempt."""

    def __init__(self, client: Any, operation: str, faults: tuple[Fault, ...], *, reached: bool) -> None:
        self._faults = list(faults)
        self._reached = reached
        self.bodies: list[bytes] = []
        _intercept(client, operation, self._send)

    def _send(self, send: Callable[[], Any], request: Any) -> Any:
        self.bodies.append(request.body)
        if not self._faults:
            return send()
        fault = self._faults.pop(0)
        if self._reached:
            send()
        return _meet(fault, request)


def _meet(fault: Fault, request: Any) -> list[tuple[None, AWSResponse]]:
    if isinstance(fault, Exception):
        raise fault
    status, body = fault
    return [(None, AWSResponse(request.url, status, HTTPHeaders(), _Raw(body.encode())))]


def quick_backups() -> AbstractContextManager[Any]:
    """Let moto's transactions, each of which copies the whole table first, share the values with that copy.

    Sound while only whole attributes are ever set, as our expressions do.
    """

    def backed_up(table: Table, _memo: dict[int, Any]) -> Table:
        twin = copy(table)
        twin.items = defaultdict(dict)
        for key, items in table.items.items():
            twin.items[key] = {sort_key: _twin(item) for sort_key, item in items.items()}
        return twin

    return mock.patch.object(Table, "__deepcopy__", backed_up, create=True)


def _twin(item: Item) -> Item:
    made = object.__new__(Item)  # past moto's list of all that was ever made
    made.hash_key, made.range_key, made.attrs = item.hash_key, item.range_key, LimitedSizeDict()
    dict.update(made.attrs, item.attrs)  # past its own check of the item's size
    return made


def honour_tokens(client: Any) -> None:
    """Make TransactWriteItems idempotent by its ClientRequestToken, as the service is and moto is not."""
    answers: dict[str, Any] = {}

    def send_once(send: Callable[[], Any], request: Any) -> Any:
        token = json.loads(request.body)["ClientRequestToken"]
        if token not in answers:
            answer = send()
            if answer[0][1].status_code != 200:
                return answer
            answers[token] = answer
        return answers[token]

    _intercept(client, "TransactWriteItems", send_once)


def _intercept(client: Any, operation: str, around: Callable[[Callable[[], Any], Any], Any]) -> None:
    """Put `around(send, request)` round the event by which botocore hands a request to moto."""
    event = f"before-send.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    emit = client.meta.events.emit

    def emit_around(event_name: str, **kwargs: Any) -> Any:
        if event_name != event:
            return emit(event_name, **kwargs)
        return around(lambda: _answered(emit(event_name, **kwargs)), kwargs["request"])

    client.meta.events.emit = emit_around


def _answered(responses: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    return [response for response in responses if response[1] is not None]


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        return [self._body]

    def read(self) -> bytes:
        return self._body


class StateMachine:
    """One state that sends its task token to a queue and waits until somebody reports."""

    def __init__(self, client: Any, sqs: Any, iam: Any) -> None:
        self.client = client
        self._sqs = sqs
        # A name of its own: an execution that an earlier test has started may send its token only now.
        self._queue_url = sqs.create_queue(QueueName=f"tokens-{uuid.uuid4()}")["QueueUrl"]
        role = iam.create_role(RoleName="machine", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        waits = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": self._queue_url, "MessageBody.$": "$$.Task.Token"},
            "End": True,
        }
        definition = json.dumps({"StartAt": "Wait", "States": {"Wait": waits}})
        made = client.create_state_machine(name="transcription", definition=definition, roleArn=role)
        self.arn: str = made["stateMachineArn"]

    def token(self) -> str:
        """The token of the execution that waits."""
        for _ in range(1_500):
            for message in self._sqs.receive_message(QueueUrl=self._queue_url).get("Messages", ()):
                return str(message["Body"])
            time.sleep(0.02)
        raise AssertionError("no execution waits")

    def end(self, name: str, state: ExecutionState) -> None:
        """Let the waiting execution of this name succeed or fail."""
        if state is ExecutionState.SUCCEEDED:
            self.client.send_task_success(taskToken=self.token(), output="{}")
        else:
            self.client.send_task_failure(taskToken=self.token(), error="E", cause="c")
        self.wait_for_end(name)

    def wait_for_end(self, name: str) -> None:
        """Return once the execution of this name has ended."""
        arn = f"{self.arn.replace(':stateMachine:', ':execution:')}:{name}"
        for _ in range(1_500):
            if self.client.describe_execution(executionArn=arn)["status"] != "RUNNING":
                return
            time.sleep(0.02)
        raise AssertionError("the execution did not end")


class JobQueue:
    """A queue of AWS Batch whose jobs do nothing by themselves. Needs moto's Batch without Docker, and `idle_jobs`."""

    def __init__(self, client: Any, iam: Any) -> None:
        self.client = client
        role = iam.create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        made = client.create_compute_environment(
            computeEnvironmentName="machines", type="UNMANAGED", state="ENABLED", serviceRole=role
        )
        order = [{"order": 1, "computeEnvironment": made["computeEnvironmentArn"]}]
        queue = client.create_job_queue(
            jobQueueName="workers", state="ENABLED", priority=1, computeEnvironmentOrder=order
        )
        container = {"image": "worker", "vcpus": 1, "memory": 128}
        definition = client.register_job_definition(
            jobDefinitionName="worker", type="container", containerProperties=container
        )
        self.arn: str = queue["jobQueueArn"]
        self.definition: str = definition["jobDefinitionArn"]

    def set_status(self, job_id: str, status: str) -> None:
        """Let a job have come so far."""
        self._job(job_id).status = status

    def described(self, job_id: str) -> Any:
        """The job as the service tells of it."""
        (found,) = self.client.describe_jobs(jobs=[job_id])["jobs"]
        return found

    def _job(self, job_id: str) -> Job:
        backends = [regions[REGION] for regions in batch_backends.values()]
        return next(backend._jobs[job_id] for backend in backends if job_id in backend._jobs)


@contextmanager
def idle_jobs() -> Iterator[None]:
    """Let moto's jobs stay as they are, where they would succeed at once, until they are terminated."""

    def keep(backend: BatchSimpleBackend, include_start_attempt: bool, job: Job) -> None:
        backend.backend._jobs[job.job_id] = job

    def terminate(job: Job, reason: str) -> None:
        job.job_stopped_reason = reason
        job._mark_stopped(success=False)

    state_manager.set_transition("batch::job", {"progression": "manual", "times": 10**9})
    try:
        with (
            mock.patch.object(BatchSimpleBackend, "_mark_job_as_finished", keep),
            mock.patch.object(Job, "terminate", terminate),
        ):
            yield
    finally:
        state_manager.unset_transition("batch::job")


def _schema(partition_key: str, sort_key: str) -> Any:
    return [{"AttributeName": partition_key, "KeyType": "HASH"}, {"AttributeName": sort_key, "KeyType": "RANGE"}]


def _index(name: str, partition_key: str, sort_key: str) -> Any:
    return {"IndexName": name, "KeySchema": _schema(partition_key, sort_key), "Projection": {"ProjectionType": "ALL"}}
