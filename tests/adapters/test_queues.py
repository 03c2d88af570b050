"""The ports Sender, WorkQueue and QueueGauge, on both families."""

import logging

import pytest

from callscribe.ports import QueueDepth
from tests.adapters.families import Queue

WORK = {"tenant_id": "t1", "job_id": "j1", "task_token": "token"}


def test_work_arrives_as_it_was_sent_and_counts_its_deliveries(queue: Queue) -> None:
    queue.sender.send(WORK)
    (message,) = queue.work.receive(max_messages=10, wait_s=0)
    assert (message.tenant_id, message.job_id, message.task_token) == ("t1", "j1", "token")
    assert message.received_count == 1


def test_received_work_is_hidden_until_it_is_handed_back(queue: Queue) -> None:
    queue.sender.send(WORK)
    (message,) = queue.work.receive(max_messages=10, wait_s=0)
    assert queue.work.receive(max_messages=10, wait_s=0) == []
    queue.work.extend(message, visibility_s=0)
    (again,) = queue.work.receive(max_messages=10, wait_s=0)
    assert again.received_count == 2
    assert again.receipt != message.receipt


def test_deleted_work_never_comes_back(queue: Queue) -> None:
    queue.sender.send(WORK)
    (message,) = queue.work.receive(max_messages=10, wait_s=0)
    queue.work.delete(message)
    queue.work.delete(message)
    queue.work.extend(message, visibility_s=0)
    assert queue.work.receive(max_messages=10, wait_s=0) == []


def test_no_more_messages_come_than_were_asked_for(queue: Queue) -> None:
    for number in range(5):
        queue.sender.send({**WORK, "job_id": f"j{number}"})
    first = queue.work.receive(max_messages=3, wait_s=0)
    second = queue.work.receive(max_messages=3, wait_s=0)
    assert (len(first), len(second)) == (3, 2)
    assert {message.job_id for message in first + second} == {f"j{number}" for number in range(5)}


@pytest.mark.parametrize("body", [{}, {**WORK, "job_id": 5}, {"tenant_id": "t1", "task_token": "canary-token"}])
def test_a_message_that_is_no_work_is_logged_and_stays(
    queue: Queue, body: dict[str, str | int | float], caplog: pytest.LogCaptureFixture
) -> None:
    queue.sender.send(body)
    queue.sender.send(WORK)
    with caplog.at_level(logging.ERROR):
        received = queue.work.receive(max_messages=10, wait_s=0)
    assert [message.job_id for message in received] == ["j1"]
    assert "is no work" in caplog.text
    assert "canary-token" not in caplog.text


def test_a_gauge_tells_what_waits_from_what_is_in_work(queue: Queue) -> None:
    assert queue.gauge.depth() == QueueDepth(waiting=0, in_work=0)
    for number in range(3):
        queue.sender.send({**WORK, "job_id": f"j{number}"})
    (message,) = queue.work.receive(max_messages=1, wait_s=0)
    assert queue.gauge.depth() == QueueDepth(waiting=2, in_work=1)
    queue.work.delete(message)
    assert queue.gauge.depth() == QueueDepth(waiting=2, in_work=0)
