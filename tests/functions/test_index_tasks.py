"""functions/on_record and functions/index_tasks: from a changed task to the files that lists are read from."""

import sqlite3
from typing import Any

import pytest

from callscribe import names
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.tasks import EVERYTHING, Criteria
from callscribe.errors import Unavailable
from callscribe.services import accounts, callbacks, indexing, jobs, task_lists
from tests.adapters.cloud import TABLE
from tests.functions.events import sqs_event, stream_record
from tests.functions.stage import Stage, handler_of

NOTHING_FAILED: dict[str, list[object]] = {"batchItemFailures": []}
CALL = TaskFacts(TaskType.CALL, operator_name="Ivanov")


def new_rows(stage: Stage) -> list[Any]:
    """What the table's stream says of its dirty rows, the images as the store wrote them."""
    items = stage.client("dynamodb").scan(TableName=TABLE)["Items"]
    rows = [item for item in items if item["kind"] == {"S": names.DIRTY_TASK_KIND}]
    return [stream_record(str(111 * number), row) for number, row in enumerate(rows, 1)]


def asks(stage: Stage) -> list[str]:
    """The tenants that the messages in the index queue name; they are taken out."""
    return sorted(message["tenant_id"] for message in stage.messages("index.fifo"))


def dirty(stage: Stage) -> list[DirtyTask]:
    return stage.deps.store.children(DirtyTask, stage.principal.tenant_id, TASKS)


def ids(stage: Stage, criteria: Criteria = EVERYTHING) -> list[int]:
    found = task_lists.find(stage.deps, stage.principal.tenant_id, criteria, page=1, per_page=10)
    return [row.id for row in found.rows]


def test_all_changes_of_a_tenant_in_a_batch_and_in_a_turn_are_one_message(stage: Stage) -> None:
    for _ in range(3):
        stage.create(task=CALL)
    other = accounts.create_tenant(stage.deps, name="Other")
    key, _ = accounts.create_key(stage.deps, tenant_id=other.id, name="key")
    principal = accounts.identify(stage.deps, tenant_id=other.id, key_id=key.id)
    jobs.create_upload(stage.deps, principal, jobs.NewJob("presign", media_type="audio/wav", task=CALL))
    records = new_rows(stage)
    assert len(records) == 4
    handler = handler_of("on_record")
    for _ in range(2):
        assert handler({"Records": records}, None) == NOTHING_FAILED
    assert asks(stage) in (
        sorted([stage.principal.tenant_id, other.id]),
        sorted(2 * [stage.principal.tenant_id, other.id]),
    )


def test_a_message_of_the_index_queue_names_its_tenant_as_its_group(stage: Stage) -> None:
    stage.create(task=CALL)
    handler_of("on_record")({"Records": new_rows(stage)}, None)
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName="index.fifo")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["MessageGroupId"] == stage.principal.tenant_id


def test_an_index_that_cannot_be_asked_for_holds_up_no_callback(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows come first, and are many: the callback behind them goes out, and nothing comes again and again."""
    for _ in range(3):
        stage.create(task=CALL)
    job = stage.completed("https://receiver.example/hook")
    items = stage.client("dynamodb").scan(TableName=TABLE)["Items"]
    (callback,) = (item for item in items if item["kind"] == {"S": names.CALLBACK_KIND})
    records = [*new_rows(stage), stream_record("999", callback)]
    handler = handler_of("on_record")

    def fails(*_: object) -> None:
        raise Unavailable("sqs: no answer")

    monkeypatch.setattr(indexing, "ask", fails)
    assert handler({"Records": records}, None) == NOTHING_FAILED
    assert [message["job_id"] for message in stage.messages("callbacks")] == [job.id]
    assert "was not asked for: the sweeper will" in caplog.text


def test_a_callback_that_cannot_be_sent_keeps_no_index_from_being_asked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.create(task=CALL)
    stage.completed("https://receiver.example/hook")
    items = stage.client("dynamodb").scan(TableName=TABLE)["Items"]
    (callback,) = (item for item in items if item["kind"] == {"S": names.CALLBACK_KIND})
    handler = handler_of("on_record")

    def fails(*_: object, **__: object) -> None:
        raise Unavailable("sqs: no answer")

    monkeypatch.setattr(callbacks, "enqueue", fails)
    records = [*new_rows(stage), stream_record("999", callback)]
    assert handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "999"}]}
    assert asks(stage) == [stage.principal.tenant_id]


def test_a_message_has_its_tenants_changes_taken_in(stage: Stage) -> None:
    stage.create(task=CALL)
    done = stage.transcribed(task=CALL)
    jobs.finish(stage.deps, tenant_id=done.tenant_id, job_id=done.id, render=lambda *_: None)
    assert len(dirty(stage)) >= 3
    event = sqs_event({"tenant_id": stage.principal.tenant_id, "turn": 1})
    assert handler_of("index_tasks")(event, None) == NOTHING_FAILED
    assert dirty(stage) == []
    assert ids(stage) == [2, 1]
    assert ids(stage, Criteria(words="hello")) == [2]
    assert handler_of("index_tasks")(event, None) == NOTHING_FAILED


def test_a_message_that_cannot_be_read_comes_back_alone(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    answer = handler_of("index_tasks")(sqs_event({"tenant_id": "t1", "turn": 1}, "no JSON", {"turn": 1}), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}
    assert {one.name for one in caplog.records if one.exc_info} == {"callscribe.index_tasks"}


def test_an_index_that_somebody_else_writes_at_once_brings_the_message_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once cannot be, by the queue's groups; should they be, the second one loses its race and tries again."""
    stage.create(task=CALL)
    monkeypatch.setattr("callscribe.adapters.aws.index_files.S3IndexFiles.replace", lambda *_args, **_options: None)
    event = sqs_event({"tenant_id": stage.principal.tenant_id, "turn": 1})
    assert handler_of("index_tasks")(event, None) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert len(dirty(stage)) == 1


def test_T_L2_the_function_refuses_to_start_where_words_cannot_be_searched(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    class WithoutWords(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if "fts5" in sql:
                raise sqlite3.OperationalError("no such module: fts5")
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda path: connect(path, factory=WithoutWords))
    with pytest.raises(RuntimeError, match="FTS5"):
        handler_of("index_tasks")
