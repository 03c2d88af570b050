"""Both families of every port: a test that asks for `store` runs on the fake and on DynamoDB as moto mocks it."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from callscribe.adapters.aws.batch import BatchWorkers
from callscribe.adapters.aws.clients import client
from callscribe.adapters.aws.executions import StepFunctionsExecutions
from callscribe.adapters.aws.index_files import S3IndexFiles
from callscribe.adapters.aws.objects import S3Objects
from callscribe.adapters.aws.queues import SqsGauge, SqsSender, SqsWorkQueue
from callscribe.adapters.aws.table import DynamoStore
from callscribe.adapters.aws.task_reports import StepFunctionsTaskReports
from callscribe.adapters.memory import (
    ManualClock,
    MemoryExecutions,
    MemoryObjects,
    MemoryQueue,
    MemoryStore,
    MemoryTaskReports,
    MemoryWorkerPool,
)
from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.memory.task_index import MemoryTaskIndex
from callscribe.adapters.sqlite.index import SqliteTaskIndex
from callscribe.ports import Store, TaskIndex
from tests.adapters.cloud import REGION, TABLE, JobQueue, StateMachine, create_table, honour_tokens, idle_jobs, locked
from tests.adapters.families import Bucket, Machine, Queue, Waiting, Workers

FAMILIES = ["memory", "aws"]
BUCKET = "recordings"
ELSEWHERE = "of-a-client"
VISIBILITY_S = 30


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes clients of a mocked, empty AWS."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    # botocore tries as often as configured, but without its waits of up to seconds.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}, "batch": {"use_docker": False}}):
        yield lambda service: locked(client(service))


@pytest.fixture
def dynamodb(aws: Callable[[str], Any]) -> Any:
    """A client in an account that has the table."""
    made = aws("dynamodb")
    create_table(made)
    honour_tokens(made)
    return made


@pytest.fixture(params=FAMILIES)
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    return DynamoStore(request.getfixturevalue("dynamodb"), TABLE, sleep=lambda _: None)


@pytest.fixture
def s3(aws: Callable[[str], Any]) -> Any:
    """A client in an account that has the versioned bucket, and another one."""
    made = _with_buckets(aws("s3"))
    made.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return made


@pytest.fixture
def unversioned_s3(aws: Callable[[str], Any]) -> Any:
    """The same, where no bucket is versioned."""
    return _with_buckets(aws("s3"))


def _with_buckets(made: Any) -> Any:
    for name in (BUCKET, ELSEWHERE):
        made.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return made


@pytest.fixture(params=["memory", "memory unversioned", "aws", "aws unversioned"])
def any_bucket(request: pytest.FixtureRequest) -> Bucket:
    """A bucket with or without versions."""
    versioned = not request.param.endswith("unversioned")
    return _memory_bucket(versioned) if request.param.startswith("memory") else _aws_bucket(request, versioned)


@pytest.fixture(params=FAMILIES)
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """A versioned bucket, and how its clients put objects into it."""
    return _memory_bucket() if request.param == "memory" else _aws_bucket(request)


def _memory_bucket(versioned: bool = True) -> Bucket:
    clock = ManualClock()
    fake = MemoryObjects(clock, versioned=versioned)
    fake.other_buckets[ELSEWHERE] = MemoryObjects(clock, bucket=ELSEWHERE)
    return Bucket(
        fake,
        lambda key, body: str(fake.put(key, body)),
        lambda name, key, body: str(fake.other_buckets[name].put(key, body)),
        fake.keys,
    )


def _aws_bucket(request: pytest.FixtureRequest, versioned: bool = True) -> Bucket:
    s3 = request.getfixturevalue("s3" if versioned else "unversioned_s3")

    def put(name: str, key: str, body: bytes) -> str:
        """The version's id."""
        return str(s3.put_object(Bucket=name, Key=key, Body=body).get("VersionId"))

    def versions() -> list[str]:
        found = s3.list_object_versions(Bucket=BUCKET)
        return [entry["Key"] for name in ("Versions", "DeleteMarkers") for entry in found.get(name, [])]

    return Bucket(S3Objects(s3, BUCKET, sleep=lambda _: None), partial(put, BUCKET), put, versions)


@pytest.fixture
def sqs(aws: Callable[[str], Any]) -> tuple[Any, str]:
    """A client and the URL of a queue."""
    made = aws("sqs")
    attributes = {"VisibilityTimeout": str(VISIBILITY_S)}
    return made, made.create_queue(QueueName="work", Attributes=attributes)["QueueUrl"]


@pytest.fixture(params=FAMILIES)
def queue(request: pytest.FixtureRequest) -> Queue:
    """Both ends of one queue."""
    if request.param == "memory":
        fake = MemoryQueue(ManualClock(), visibility_s=VISIBILITY_S)
        return Queue(fake, fake, fake)
    made, url = request.getfixturevalue("sqs")
    return Queue(SqsSender(made, url), SqsWorkQueue(made, url), SqsGauge(made, url))


@pytest.fixture
def state_machine(aws: Callable[[str], Any]) -> StateMachine:
    """A real machine in moto's engine: one state that sends its token to a queue and waits for the report."""
    return StateMachine(aws("stepfunctions"), aws("sqs"), aws("iam"))


@pytest.fixture(params=FAMILIES)
def machine(request: pytest.FixtureRequest) -> Machine:
    if request.param == "memory":
        fake = MemoryExecutions()
        return Machine(fake, fake.set_state)
    real: StateMachine = request.getfixturevalue("state_machine")
    return Machine(StepFunctionsExecutions(real.client, real.arn), real.end)


@pytest.fixture(params=["memory", "sqlite", "sqlite on aws"])
def task_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TaskIndex]:
    """The real index on both kinds of files, and the fake."""
    if request.param == "memory":
        yield MemoryTaskIndex()
        return
    in_memory = request.param == "sqlite"
    files = MemoryIndexFiles() if in_memory else S3IndexFiles(request.getfixturevalue("unversioned_s3"), BUCKET)
    made = SqliteTaskIndex(files, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=FAMILIES)
def waiting(request: pytest.FixtureRequest) -> Waiting:
    if request.param == "memory":
        return Waiting(MemoryTaskReports("token"), "token", lambda: None)
    real: StateMachine = request.getfixturevalue("state_machine")
    real.client.start_execution(stateMachineArn=real.arn, name="waits", input="{}")
    return Waiting(StepFunctionsTaskReports(real.client), real.token(), lambda: real.wait_for_end("waits"))


@pytest.fixture
def job_queue(aws: Callable[[str], Any]) -> Iterator[JobQueue]:
    """A queue of AWS Batch whose jobs wait."""
    with idle_jobs():
        yield JobQueue(aws("batch"), aws("iam"))


@pytest.fixture(params=FAMILIES)
def workers(request: pytest.FixtureRequest) -> Workers:
    if request.param == "memory":
        fake = MemoryWorkerPool()
        return Workers(fake, fake.run, fake.leave)
    real: JobQueue = request.getfixturevalue("job_queue")
    port = BatchWorkers(real.client, queue=real.arn, definition=real.definition)
    return Workers(port, lambda one: real.set_status(one, "RUNNING"), lambda one: real.set_status(one, "SUCCEEDED"))
