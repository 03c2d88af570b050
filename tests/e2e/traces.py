"""Everything that the laptop cloud and its processes hold, so that a test can look for what must not be there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.ports import Deps
from local.system import LocalSystem

Place = tuple[str, bytes]
_ASSETS = "cdk-"  # the bucket that holds the deployed code


def found(system: LocalSystem, canaries: Mapping[str, bytes], *, since_s: float) -> list[tuple[str, str]]:
    """Which canaries are found where. Files of the scratch space count that were written after `since_s`."""
    places = everything(system, since_s=since_s)
    return [(place, name) for place, content in places for name, canary in canaries.items() if canary in content]


def everything(system: LocalSystem, *, since_s: float) -> Iterator[Place]:
    """All places, each with what it holds."""
    yield from _records(system)
    yield from _stream(system)
    yield from _objects(system)
    yield from _executions(system)
    yield from _messages(system)
    yield from _logs(system)
    yield from _files(system, since_s)


def log_of(system: LocalSystem, function: str) -> list[str]:
    """Everything that a deployed function has logged; `function` is part of its log group's name."""
    logs = system.emulator.client("logs")
    (group,) = [name for name in _log_groups(logs) if function in name]
    return _lines(logs, group)


def _records(system: LocalSystem) -> Iterator[Place]:
    pages = system.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=system.outputs["TableName"])
    items = [item for page in pages for item in page["Items"]]
    assert items
    for item in items:
        yield f"item {item.get('pk')} {item.get('sk')}", _as_bytes(item)


def _stream(system: LocalSystem) -> Iterator[Place]:
    """Every change of an item in the last 24 hours, with what it was before."""
    streams, table = system.emulator.client("dynamodbstreams"), system.outputs["TableName"]
    for stream in streams.list_streams(TableName=table)["Streams"]:
        arn = stream["StreamArn"]
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            first = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )
            iterator: str | None = first["ShardIterator"]
            while iterator:
                answer = streams.get_records(ShardIterator=iterator)
                for record in answer["Records"]:
                    yield f"stream {record['dynamodb'].get('Keys')}", _as_bytes(record)
                iterator = answer.get("NextShardIterator") if answer["Records"] else None


def _objects(system: LocalSystem) -> Iterator[Place]:
    """Every version of every object, and the key of every delete marker."""
    s3 = system.emulator.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        if name.startswith(_ASSETS):
            continue
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for version in page.get("Versions", []):
                ids = {"Key": version["Key"], "VersionId": version["VersionId"]}
                stored = s3.get_object(Bucket=name, **ids)
                about = _as_bytes([version["Key"], stored["Metadata"], stored["ContentType"]])
                yield f"object {version['Key']}", about + stored["Body"].read()
            for marker in page.get("DeleteMarkers", []):
                yield f"delete marker {marker['Key']}", marker["Key"].encode()


def _executions(system: LocalSystem) -> Iterator[Place]:
    states = system.emulator.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        listing = states.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"])
        for execution in (one for page in listing for one in page["executions"]):
            arn = execution["executionArn"]
            history = states.get_paginator("get_execution_history").paginate(executionArn=arn)
            events = [event for page in history for event in page["events"]]
            yield f"execution {execution['name']}", _as_bytes([states.describe_execution(executionArn=arn), events])


def _messages(system: LocalSystem) -> Iterator[Place]:
    """What can be received, dead letters too; what is in flight is another's, and comes back or is gone soon."""
    sqs = system.emulator.client("sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        seen: set[str] = set()
        while True:
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
            )
            new = [message for message in answer.get("Messages", []) if message["MessageId"] not in seen]
            if not new:
                break
            for message in new:
                seen.add(message["MessageId"])
                yield f"message in {url.rpartition('/')[2]}", _as_bytes(message)


def taken_in(deps: Deps, tenant_id: str) -> bool:
    """Whether the index of a tenant's tasks knows every change."""
    return not deps.store.children(DirtyTask, tenant_id, TASKS, limit=1)


def waiting_messages(system: LocalSystem) -> dict[str, int]:
    """Queues that hold something, in flight or not, dead letters aside."""
    sqs = system.emulator.client("sqs")
    counts = {}
    for url in sqs.list_queues()["QueueUrls"]:
        figures = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        name, count = url.rpartition("/")[2], sum(int(figures[figure]) for figure in _FIGURES)
        if count and "DeadLetters" not in name:
            counts[name] = count
    return counts


_FIGURES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def _logs(system: LocalSystem) -> Iterator[Place]:
    """What the functions have logged, and the log files of the cloud, the workers and the door."""
    logs = system.emulator.client("logs")
    for group in _log_groups(logs):
        for line in _lines(logs, group):
            yield f"log of {group}", line.encode()
    files = list(system.settings.log_dir.glob("*.log"))
    assert {file.name for file in files} >= {"cloud.log", "worker-0.log", "door.log"}
    for file in files:
        yield f"log {file.name}", file.read_bytes()


def _log_groups(logs: Any) -> list[str]:
    pages = logs.get_paginator("describe_log_groups").paginate()
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def _lines(logs: Any, group: str) -> list[str]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def _files(system: LocalSystem, since_s: float) -> Iterator[Place]:
    """Scratch files of the Lambdas, the workers and the door, the deployed code aside."""
    assert system.emulator.temp_dir is not None
    for path in system.emulator.temp_dir.rglob("*"):
        if path.is_file() and path.suffix != ".pyc" and path.stat().st_mtime >= since_s:
            yield f"file {path.name}", path.read_bytes()


def _as_bytes(document: Mapping[str, Any] | Sequence[Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, default=repr).encode()
