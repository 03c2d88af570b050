"""functions/scale_workers: measured work in, jobs of AWS Batch out."""

import json
from collections.abc import Iterator

import pytest

from callscribe import names, wiring
from callscribe.domain.audio import AudioFacts
from callscribe.domain.records import insert
from callscribe.domain.scaling import ScalingSettings
from callscribe.domain.work import POOL, WorkerSeen
from callscribe.media import inspect
from callscribe.services import preparing
from tests.adapters.cloud import JobQueue, idle_jobs
from tests.functions.stage import Stage, handler_of


@pytest.fixture
def batch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobQueue]:
    """The stage's pool of workers; at most two of them, one for each call that waits."""
    with idle_jobs():
        queue = JobQueue(stage.client("batch"), stage.client("iam"))
        where = {"queue": queue.arn, "definition": queue.definition}
        monkeypatch.setenv(names.ENV_WORKER_POOL, json.dumps(where))
        monkeypatch.setenv(names.ENV_SCALING, json.dumps({"max_workers": 2, "idle_s": 0, "expected_rate": 0.8}))
        yield queue


def send_work(stage: Stage, count: int) -> str:
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    for _ in range(count):
        sqs.send_message(QueueUrl=url, MessageBody="{}")
    return str(url)


def workers(batch: JobQueue, status: str) -> list[str]:
    listed = batch.client.list_jobs(jobQueue=batch.arn, jobStatus=status)["jobSummaryList"]
    return sorted(job["jobName"] for job in listed)


def test_nothing_to_do_asks_for_nobody(stage: Stage, batch: JobQueue) -> None:
    assert handler_of("scale_workers")({}, None) == {"workers": 0, "reason": "empty"}
    assert workers(batch, "SUBMITTED") == []


def test_work_gets_its_workers_once_and_no_more_than_allowed(stage: Stage, batch: JobQueue) -> None:
    send_work(stage, 1)
    handler = handler_of("scale_workers")
    assert handler({}, None) == {"workers": 1, "reason": "behind"}
    assert handler({}, None) == {"workers": 1, "reason": "steady"}
    send_work(stage, 3)
    assert handler({}, None) == {"workers": 2, "reason": "behind"}
    assert handler({}, None) == {"workers": 2, "reason": "steady"}
    assert workers(batch, "SUBMITTED") == ["callscribe-worker-1", "callscribe-worker-2"]


def test_a_long_recording_that_was_prepared_asks_for_more_than_a_short_one(
    stage: Stage, batch: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = AudioFacts("wav", "pcm_mulaw", 2, 8_000, 3_600, 0)
    monkeypatch.setattr(inspect, "inspect", lambda *_args, **_how: facts)
    deps = wiring.aws_deps("store", "uploads", "inspector")
    job = stage.queued()
    preparing.prepare(deps, tenant_id=job.tenant_id, job_id=job.id)
    send_work(stage, 1)
    assert handler_of("scale_workers")({}, None) == {"workers": 2, "reason": "behind"}


def test_workers_that_are_not_needed_are_ended_or_told_to_go(stage: Stage, batch: JobQueue) -> None:
    url = send_work(stage, 3)
    handler = handler_of("scale_workers")
    handler({}, None)
    runs, starts = (
        job["jobId"] for job in batch.client.list_jobs(jobQueue=batch.arn, jobStatus="SUBMITTED")["jobSummaryList"]
    )
    batch.set_status(runs, "RUNNING")
    now_ms = stage.deps.now_ms()
    stage.deps.store.commit(insert(WorkerSeen(POOL, runs, started_at_ms=now_ms, seen_at_ms=now_ms)))
    stage.client("sqs").purge_queue(QueueUrl=url)
    assert handler({}, None) == {"workers": 0, "reason": "empty"}
    assert batch.described(starts)["statusReason"] == "callscribe: it is not needed"
    told = stage.deps.store.get(WorkerSeen, POOL, runs)
    assert told is not None
    assert told.leave_by_ms is not None
    assert batch.described(runs)["status"] == "RUNNING"


def test_the_settings_come_from_the_environment() -> None:
    assert wiring.scaling_settings({}) == ScalingSettings()
    given = {names.ENV_SCALING: '{"max_workers": 3, "hold_s": 60.5}'}
    assert wiring.scaling_settings(given) == ScalingSettings(max_workers=3, hold_s=60.5)


@pytest.mark.parametrize("given", ['{"workers": 3}', '{"max_workers": 0}', "no JSON"])
def test_settings_that_make_no_sense_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"unknown settings of the scaling: workers|max_workers|Expecting"):
        wiring.scaling_settings({names.ENV_SCALING: given})
