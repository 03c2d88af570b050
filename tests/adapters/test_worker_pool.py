"""The port WorkerPool, on both families; and what only AWS Batch does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from callscribe.adapters.aws.batch import BatchWorkers
from callscribe.errors import Unavailable
from tests.adapters.cloud import JobQueue, after_calls, before_calls
from tests.adapters.families import Workers

SILENT = EndpointConnectionError(endpoint_url="https://batch.example")
LOST = ReadTimeoutError(endpoint_url="https://batch.example")
THROTTLED = (429, '{"__type": "TooManyRequestsException"}')
DENIED = (403, '{"__type": "AccessDeniedException"}')
FORGOTTEN = (400, '{"__type": "ClientException", "message": "The job does not exist"}')

CALLS: dict[str, tuple[str, Callable[[BatchWorkers], object]]] = {
    "submit": ("SubmitJob", lambda pool: pool.submit("worker-1")),
    "starting": ("ListJobs", lambda pool: pool.starting()),
    "running": ("ListJobs", lambda pool: pool.running()),
    "end": ("TerminateJob", lambda pool: pool.end("job", reason="not needed")),
}


def lists(workers: Workers) -> tuple[set[str], set[str]]:
    return set(workers.port.starting()), set(workers.port.running())


def test_a_worker_is_asked_for_then_runs_then_is_gone(workers: Workers) -> None:
    worker_id = workers.port.submit("callscribe-worker-1")
    assert lists(workers) == ({worker_id}, set())
    workers.run(worker_id)
    assert lists(workers) == (set(), {worker_id})
    workers.leave(worker_id)
    assert lists(workers) == (set(), set())


def test_workers_of_one_name_have_ids_of_their_own(workers: Workers) -> None:
    assert len({workers.port.submit("callscribe-worker-1") for _ in range(3)}) == 3
    assert len(workers.port.starting()) == 3


@pytest.mark.parametrize("name", ["", "-", "a b/c", "ä", "_", "x" * 300])
def test_any_name_will_do(workers: Workers, name: str) -> None:
    assert workers.port.submit(name) in workers.port.starting()


@pytest.mark.parametrize("running", [False, True])
def test_a_worker_that_is_ended_is_in_no_list_and_the_others_stay(workers: Workers, running: bool) -> None:
    first, second = workers.port.submit("one"), workers.port.submit("two")
    if running:
        workers.run(first)
    workers.port.end(first, reason="callscribe: it is not needed")
    workers.port.end(first, reason="callscribe: it is not needed")
    assert lists(workers) == ({second}, set())


def test_ending_a_worker_that_never_was_does_nothing(workers: Workers) -> None:
    worker_id = workers.port.submit("one")
    workers.port.end("no-such-worker", reason="callscribe: it is silent")
    assert workers.port.starting() == {worker_id}


def of(queue: JobQueue) -> BatchWorkers:
    return BatchWorkers(queue.client, queue=queue.arn, definition=queue.definition)


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING"])
def test_a_job_starts_until_it_runs(job_queue: JobQueue, status: str) -> None:
    worker_id = of(job_queue).submit("worker-1")
    job_queue.set_status(worker_id, status)
    assert of(job_queue).starting() == {worker_id}


def test_the_reason_of_an_end_is_kept_with_the_job(job_queue: JobQueue) -> None:
    worker_id = of(job_queue).submit("callscribe-worker-7")
    of(job_queue).end(worker_id, reason="callscribe: it is not needed")
    described = job_queue.described(worker_id)
    assert (described["jobName"], described["status"]) == ("callscribe-worker-7", "FAILED")
    assert described["statusReason"] == "callscribe: it is not needed"


def test_a_list_of_several_pages_is_read_to_its_end(job_queue: JobQueue) -> None:
    pages = [{"jobSummaryList": [{"jobId": f"j{page}", "jobName": "w"}], "nextToken": str(page)} for page in range(2)]
    last = {"jobSummaryList": [{"jobId": "j2", "jobName": "w"}]}
    sent = before_calls(job_queue.client, "ListJobs", *[(200, json.dumps(page)) for page in (*pages, last)])
    assert of(job_queue).running() == {"j0", "j1", "j2"}
    assert [json.loads(body).get("nextToken") for body in sent.bodies] == [None, "0", "1"]


@pytest.mark.parametrize("fault", [SILENT, LOST, THROTTLED, (500, "{}")], ids=["silent", "lost", "throttled", "broken"])
@pytest.mark.parametrize("name", CALLS)
def test_a_service_that_does_not_answer_is_unavailable_and_is_not_asked_again(
    job_queue: JobQueue, name: str, fault: Any
) -> None:
    operation, call = CALLS[name]
    sent = before_calls(job_queue.client, operation, fault)
    with pytest.raises(Unavailable):
        call(of(job_queue))
    assert len(sent.bodies) == 1


def test_a_job_whose_answer_was_lost_is_there_once(job_queue: JobQueue) -> None:
    after_calls(job_queue.client, "SubmitJob", LOST)
    with pytest.raises(Unavailable):
        of(job_queue).submit("worker-1")
    assert len(of(job_queue).starting()) == 1


@pytest.mark.parametrize("name", CALLS)
def test_a_missing_grant_stays_loud(job_queue: JobQueue, name: str) -> None:
    operation, call = CALLS[name]
    before_calls(job_queue.client, operation, DENIED)
    with pytest.raises(ClientError, match="AccessDenied"):
        call(of(job_queue))


def test_a_job_that_batch_has_forgotten_is_ended(job_queue: JobQueue) -> None:
    sent = before_calls(job_queue.client, "TerminateJob", FORGOTTEN)
    of(job_queue).end("job", reason="callscribe: it is silent")
    assert len(sent.bodies) == 1
