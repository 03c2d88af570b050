"""functions/on_record and functions/deliver_callback: from the outbox row to the receiver."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from callscribe import names
from callscribe.domain.callbacks import CallbackState
from callscribe.domain.jobs import Job
from callscribe.services import accounts, callbacks
from local.receiver import Receiver, verify_callback
from tests.adapters.cloud import TABLE
from tests.functions.events import sqs_event, stream_record
from tests.functions.stage import Stage, handler_of

NOTHING_FAILED: dict[str, list[object]] = {"batchItemFailures": []}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


def stream_records(stage: Stage) -> list[Any]:
    """What the table's stream says of its outbox rows, the images as the store wrote them."""
    items = stage.client("dynamodb").scan(TableName=TABLE)["Items"]
    rows = [item for item in items if item["kind"] == {"S": names.CALLBACK_KIND}]
    return [stream_record(str(111 * number), row) for number, row in enumerate(rows, 1)]


def message(job: Job, attempt: int = 1) -> dict[str, Any]:
    return {"tenant_id": job.tenant_id, "job_id": job.id, "replay": 0, "attempt": attempt}


def test_a_new_outbox_row_in_the_stream_becomes_a_message_for_the_first_attempt(
    stage: Stage, receiver: Receiver
) -> None:
    job = stage.completed(receiver.url)
    records = stream_records(stage)
    assert len(records) == 1
    assert handler_of("on_record")({"Records": records}, None) == NOTHING_FAILED
    assert stage.messages("callbacks") == [message(job)]


def test_a_stream_record_that_cannot_be_read_is_where_the_stream_goes_on(
    stage: Stage, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        stage.completed(receiver.url)
    good, bad = stream_records(stage)
    del bad["dynamodb"]["NewImage"]["job_id"]
    answer = handler_of("on_record")({"Records": [good, bad]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "222"}]}
    assert [one["job_id"] for one in stage.messages("callbacks")] == [good["dynamodb"]["NewImage"]["job_id"]["S"]]
    assert [one.name for one in caplog.records if one.exc_info] == ["callscribe.on_record"]


def test_a_message_of_the_callback_queue_is_delivered_signed(stage: Stage, receiver: Receiver) -> None:
    job = stage.completed(receiver.url)
    assert handler_of("deliver_callback")(sqs_event(message(job)), None) == NOTHING_FAILED
    received = receiver.wait_for(job.id, 1.0)
    secret = accounts.webhook_secrets(stage.deps, job.tenant_id)[0]
    assert verify_callback(secret, received.headers, received.body)["requestId"] == job.id
    assert received.headers["webhook-id"] == f"msg_{job.id}"
    assert stage.callbacks(job)[0].state is CallbackState.DELIVERED
    assert stage.executions("callback") == {}


def test_the_same_message_again_sends_nothing(stage: Stage, receiver: Receiver) -> None:
    job = stage.completed(receiver.url)
    handler = handler_of("deliver_callback")
    assert handler(sqs_event(message(job)), None) == NOTHING_FAILED
    assert handler(sqs_event(message(job)), None) == NOTHING_FAILED
    assert len(receiver.received) == 1


def test_a_failed_first_attempt_starts_the_execution_that_waits_for_the_second(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer_with(503)
    job = stage.completed(receiver.url)
    assert handler_of("deliver_callback")(sqs_event(message(job)), None) == NOTHING_FAILED
    started = stage.executions("callback")
    wait_s = started[f"cb-{job.id}-0"]["wait_s"]
    assert started == {f"cb-{job.id}-0": {**message(job, attempt=2), "wait_s": wait_s}}
    assert 4 <= wait_s <= 6


def test_the_state_of_an_execution_comes_back_brought_up_to_date_and_small(stage: Stage, receiver: Receiver) -> None:
    receiver.answer_with(503, 503)
    job = stage.completed(receiver.url)
    handler = handler_of("deliver_callback")
    handler(sqs_event(message(job)), None)
    state = {**stage.executions("callback")[f"cb-{job.id}-0"]}
    answer = json.loads(json.dumps(handler(state, None)))
    assert answer == {**message(job, attempt=3), "wait_s": answer["wait_s"], "done": False}
    assert 240 <= answer["wait_s"] <= 360
    again = handler(answer, None)
    assert (again["done"], set(again)) == (True, {"tenant_id", "job_id", "replay", "attempt", "wait_s", "done"})
    log = callbacks.attempts(stage.deps, stage.callbacks(job)[0])
    assert [(one.number, one.status) for one in log] == [(1, 503), (2, 503), (3, 200)]


def test_a_message_without_ids_comes_back_alone_and_one_of_a_deleted_job_ends_quietly(
    stage: Stage, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    job = stage.completed(receiver.url)
    deleted = {**message(job), "job_id": "j-deleted"}
    answer = handler_of("deliver_callback")(sqs_event({"replay": 0}, deleted, message(job)), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert len(receiver.received) == 1
    assert [one.name for one in caplog.records if one.exc_info] == ["callscribe.deliver_callback"]
