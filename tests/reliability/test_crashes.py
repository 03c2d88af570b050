"""safety.md figures 5, 6 and 7: everything may come twice, in any order, and any process may die at any call."""

import json

import pytest

from callscribe.adapters.memory import Crash, RaiseAt, Trace
from callscribe.domain.callbacks import Callback, CallbackState
from callscribe.domain.jobs import Job, JobState
from callscribe.errors import Unavailable
from tests.reliability.cloud import Cloud


def one_job(cloud: Cloud) -> Job:
    job = cloud.create()
    cloud.upload(job)
    cloud.settle()
    return cloud.job(job)


def moments_of_a_good_run() -> int:
    trace = Trace()
    assert one_job(Cloud(plan=trace)).state is JobState.COMPLETED
    return len(trace.moments)


MOMENTS = moments_of_a_good_run()


def assert_ended_once(cloud: Cloud, job: Job, state: JobState) -> None:
    assert job.state is state
    rows = cloud.store.all(Callback)
    assert [(row.job_id, row.replay, row.state) for row in rows] == [(job.id, 0, CallbackState.DELIVERED)]
    assert {post.headers["webhook-id"] for post in cloud.webhooks.posts} == {f"msg_{job.id}"}
    assert len({post.body for post in cloud.webhooks.posts}) == 1
    assert len(cloud.executions.starts) == 1 + job.run


@pytest.mark.parametrize("error", [Crash(), Unavailable("injected")], ids=["killed", "unavailable"])
@pytest.mark.parametrize("index", range(MOMENTS))
def test_a_crash_at_any_call_leaves_one_terminal_state_and_one_webhook_id(index: int, error: BaseException) -> None:
    plan = RaiseAt(index, error)
    cloud = Cloud(plan=plan)
    job = one_job(cloud)
    assert plan.struck is not None
    assert_ended_once(cloud, job, JobState.COMPLETED)


@pytest.mark.parametrize("calls", range(2, 13))
def test_a_service_that_is_down_for_some_calls_ends_the_job_all_the_same_and_says_what_is_so(calls: int) -> None:
    for index in range(MOMENTS):
        struck = 0

        def plan(moment: object, index: int = index) -> None:
            nonlocal struck
            struck += 1
            if index < struck <= index + calls:
                raise Unavailable("down for a while")

        cloud = Cloud(plan=plan)
        job = one_job(cloud)
        assert job.finished
        assert_ended_once(cloud, job, job.state)
        body = json.loads(cloud.webhooks.posts[0].body)
        if job.failure is None:
            assert body["transcription"][0]["text"] == "some words"
        else:
            assert (body["transcription"], body["error"]["code"]) == ([], job.failure.code)


def test_every_event_delivered_one_to_five_times_in_random_order_has_one_effect() -> None:
    cloud = Cloud(seed=11, copies=lambda random: random.randint(1, 5))
    made = [cloud.create() for _ in range(1_000)]
    for job in made:
        cloud.upload(job, f"words of {job.id}".encode())
    cloud.settle()
    ended = [cloud.job(job) for job in made]
    assert {job.state for job in ended} == {JobState.COMPLETED}
    assert len(cloud.executions.starts) == 1_000
    assert len(cloud.webhooks.posts) == 1_000
    assert {post.headers["webhook-id"] for post in cloud.webhooks.posts} == {f"msg_{job.id}" for job in made}
    assert sorted(cloud.results.keys()) == sorted(
        [job.transcript_key for job in ended] + [row.body_key for row in cloud.store.all(Callback)]
    )


def test_no_callback_is_lost_when_the_stream_consumer_is_off_for_48_hours() -> None:
    cloud = Cloud(seed=5)
    cloud.stream_on = False
    made = [cloud.create() for _ in range(500)]
    for job in made:
        cloud.upload(job)
    cloud.settle(days=2)
    rows = cloud.store.all(Callback)
    assert len(rows) == 500
    cloud.settle()
    assert {row.state for row in cloud.store.all(Callback)} == {CallbackState.DELIVERED}
    assert len(cloud.webhooks.posts) == 500


def test_a_lost_upload_event_is_found_by_the_sweeper() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.upload(job, lose_event=True)
    cloud.settle()
    assert_ended_once(cloud, cloud.job(job), JobState.COMPLETED)


def test_a_second_upload_to_the_same_url_changes_nothing() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.upload(job, b"first words")
    cloud._drain()
    cloud.upload(job, b"second words")
    cloud.settle()
    assert_ended_once(cloud, cloud.job(job), JobState.COMPLETED)
    assert b"first words" in cloud.webhooks.posts[0].body
