"""functions/work_failed and functions/sweep: what takes care of work that got stuck."""

import time

import pytest

from callscribe.domain.jobs import JobState
from callscribe.errors import FailureCode
from callscribe.services import jobs
from tests.functions.events import sqs_event
from tests.functions.stage import Stage, handler_of

NOTHING_FAILED: dict[str, list[object]] = {"batchItemFailures": []}
RECEIVER = "https://receiver.example.com/hook"


def waiting_token(stage: Stage) -> str:
    """The token of a new execution that waits for its worker."""
    stage.machine.client.start_execution(stateMachineArn=stage.machine.arn, name="waits", input="{}")
    return stage.machine.token()


def test_a_dead_letter_of_the_work_queue_fails_its_execution(stage: Stage) -> None:
    body = {"tenant_id": "t1", "job_id": "j1", "task_token": waiting_token(stage)}
    assert handler_of("work_failed")(sqs_event(body, receive_count=6), None) == NOTHING_FAILED
    stage.machine.wait_for_end("waits")
    described = stage.machine.client.describe_execution(
        executionArn=f"{stage.machine.arn.replace(':stateMachine:', ':execution:')}:waits"
    )
    assert (described["status"], described["error"]) == ("FAILED", FailureCode.INTERNAL)


def test_dead_letters_that_cannot_be_read_come_back_alone_and_a_token_of_the_past_is_fine(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    token = waiting_token(stage)
    bodies = ({"task_token": token}, "no JSON", {"job_id": "j1"}, {"task_token": token})
    answer = handler_of("work_failed")(sqs_event(*bodies), None)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m1", "m2"]
    assert [one.name for one in caplog.records if one.exc_info] == ["callscribe.work_failed"] * 2
    assert token not in caplog.text


def test_the_sweeper_takes_up_lost_uploads_and_ends_those_that_never_came(stage: Stage) -> None:
    lost, never = stage.create(age_s=2_000), stage.create(age_s=7_200, callback_url=RECEIVER)
    version_id = stage.upload(lost)
    assert handler_of("sweep")({}, None) == {"upload_found": 1, "failed_upload_expired": 1}
    assert (stage.job(lost).state, stage.job(lost).audio_version_id) == (JobState.QUEUED, version_id)
    assert list(stage.executions("transcription")) == [lost.id]
    assert stage.job(never).state is JobState.FAILED
    assert len(stage.callbacks(never)) == 1


def test_the_sweeper_asks_again_for_audio_that_nobody_fetched(stage: Stage) -> None:
    source = jobs.Source(url="https://media.example.com/call.wav")
    job = stage.create(age_s=2_000, source=source)
    assert stage.messages("fetches") == [{"tenant_id": job.tenant_id, "job_id": job.id}]  # of its creation, lost here
    assert handler_of("sweep")({}, None) == {"fetch_enqueued": 1}
    assert stage.messages("fetches") == [{"tenant_id": job.tenant_id, "job_id": job.id}]


def test_the_sweeper_puts_a_callback_whose_attempt_did_not_come_into_the_queue(stage: Stage) -> None:
    job = stage.completed(RECEIVER)
    row = stage.callbacks(job)[0]
    _make_due(stage)
    assert handler_of("sweep")({}, None) == {"callback_enqueued": 1}
    expected = {"tenant_id": row.tenant_id, "job_id": row.job_id, "replay": 0, "attempt": 1}
    assert stage.messages("callbacks") == [expected]


def test_the_sweeper_restarts_an_execution_that_ended_without_its_job(stage: Stage) -> None:
    job = stage.queued(age_s=2_000)
    stage.deps.transcriptions.start(job.execution_name, {"tenant_id": job.tenant_id, "job_id": job.id})
    stage.machine.client.send_task_failure(taskToken=stage.machine.token(), error="E", cause="c")
    stage.machine.wait_for_end(job.id)
    assert handler_of("sweep")({}, None) == {"restarted": 1}
    assert set(stage.executions("transcription")) == {job.id, f"{job.id}-1"}


def test_with_nothing_due_the_sweeper_does_nothing(stage: Stage) -> None:
    stage.create()
    assert handler_of("sweep")({}, None) == {}


def _make_due(stage: Stage) -> None:
    """Let every callback row be due, by the table itself."""
    table = stage.client("dynamodb")
    for item in table.scan(TableName="records")["Items"]:
        if item["kind"]["S"] == "Callback":
            item["due_at_ms"] = {"N": str(round(1000 * time.time()) - 1)}
            table.put_item(TableName="records", Item=item)
