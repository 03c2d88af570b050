"""safety.md figures 5, 6 and 7: everything may come twice, in any order, and any process may die at any call."""

import json
from collections.abc import Callable

import pytest

from callscribe.adapters.memory import Crash, RaiseAt, Trace
from callscribe.domain.callbacks import Callback, CallbackState
from callscribe.domain.credits import Balance
from callscribe.domain.jobs import Job, JobState
from callscribe.errors import Unavailable
from callscribe.services import erasure, jobs
from callscribe.services.sweep import sweep
from tests.reliability.audit import unbalanced
from tests.reliability.chaos import wreak
from tests.reliability.cloud import PRICE_M, Cloud, render
from tests.reliability.crashes import chosen, intrude, moments, strike
from tests.reliability.judge import paid_m, problems
from tests.reliability.paths import WAYS


def one_job(cloud: Cloud) -> Job:
    job = cloud.order()
    cloud.upload(job)
    cloud.settle()
    return cloud.job(job)


def one_fetched_job(cloud: Cloud) -> Job:
    job = cloud.order_by_source()
    cloud.settle()
    return cloud.job(job)


def moments_of_a_good_run(run: Callable[[Cloud], Job]) -> int:
    trace = Trace()
    assert run(Cloud(plan=trace)).state is JobState.COMPLETED
    return len(trace.moments)


def assert_ended_once(cloud: Cloud, job: Job, state: JobState) -> None:
    assert job.state is state
    rows = cloud.store.all(Callback)
    assert [(row.job_id, row.replay, row.state) for row in rows] == [(job.id, 0, CallbackState.DELIVERED)]
    assert {post.headers["webhook-id"] for post in cloud.webhooks.posts} == {f"msg_{job.id}"}
    assert len({post.body for post in cloud.webhooks.posts}) == 1
    assert len(cloud.executions.starts) <= 1 + job.run
    assert problems(cloud, job) == []


@pytest.mark.parametrize("error", [Crash(), Unavailable("injected")], ids=["killed", "unavailable"])
@pytest.mark.parametrize("run", [one_job, one_fetched_job], ids=["upload", "source"])
def test_a_crash_at_any_call_leaves_one_terminal_state_one_payment_and_one_webhook_id(
    run: Callable[[Cloud], Job], error: BaseException
) -> None:
    for index in range(moments_of_a_good_run(run)):
        plan = RaiseAt(index, error)
        cloud = Cloud(plan=plan)
        job = run(cloud)
        assert plan.struck is not None
        assert_ended_once(cloud, job, JobState.COMPLETED)
        assert paid_m(cloud, job) == PRICE_M


@pytest.mark.parametrize("name", WAYS)
def test_a_crash_at_any_call_of_any_way_leaves_the_ledger_balanced_and_nothing_behind(name: str) -> None:
    tried = [strike(name, index, Crash) for index in chosen(moments(WAYS[name]))]
    assert len(tried) > 20
    assert [one for one in tried if one.problems] == []


def cancel(cloud: Cloud, job: Job) -> None:
    jobs.cancel(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)


def erase(cloud: Cloud, job: Job) -> None:
    erasure.erase_job(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)


def upload_again(cloud: Cloud, job: Job) -> None:
    cloud.uploads.put(job.audio_key, b"other words")


def sweep_after(seconds: int) -> Callable[[Cloud, Job], None]:
    def act(cloud: Cloud, _job: Job) -> None:
        cloud.clock.advance(seconds)
        sweep(cloud.plain, renderer_of=render)

    return act


INTRUDERS: dict[str, Callable[[Cloud, Job], None]] = {
    "cancels": cancel,
    "deletes": erase,
    "uploads again": upload_again,
    "sweeps": sweep_after(900),
    "sweeps after the deadline": sweep_after(90_001),
}


@pytest.mark.parametrize("does", INTRUDERS)
@pytest.mark.parametrize(
    "name",
    [
        "upload, completed",
        "source not kept, completed",
        "long transcript by link, completed",
        "bad media from a source",
        "deleted while its callback is sent",
        "call by file, completed",
        "call by slow URL, completed",
    ],
)
def test_somebody_else_who_acts_between_any_two_calls_does_no_harm(name: str, does: str) -> None:
    tried = [intrude(name, index, INTRUDERS[does]) for index in chosen(moments(WAYS[name]))]
    assert [one for one in tried if one.problems] == []


def test_in_a_hundred_stretches_of_bad_luck_nothing_is_lost_paid_twice_or_left_behind() -> None:
    ends = [wreak(seed) for seed in range(100)]
    assert [problem for found, _ in ends for problem in found] == []
    assert sum(struck for _, struck in ends) > 3_000


@pytest.mark.parametrize("calls", range(2, 13))
@pytest.mark.parametrize("run", [one_job, one_fetched_job], ids=["upload", "source"])
def test_a_service_that_is_down_for_some_calls_ends_the_job_all_the_same_and_says_what_is_so(
    run: Callable[[Cloud], Job], calls: int
) -> None:
    for index in range(moments_of_a_good_run(run)):
        struck = 0

        def plan(moment: object, index: int = index) -> None:
            nonlocal struck
            struck += 1
            if index < struck <= index + calls:
                raise Unavailable("down for a while")

        cloud = Cloud(plan=plan)
        job = run(cloud)
        assert job.finished
        assert_ended_once(cloud, job, job.state)
        body = json.loads(cloud.webhooks.posts[0].body)
        if job.failure is None:
            assert body["transcription"][0]["text"] == "some words"
        else:
            assert (body["transcription"], body["error"]["code"]) == ([], job.failure.code)


def test_every_event_delivered_one_to_five_times_in_random_order_has_one_effect() -> None:
    cloud = Cloud(seed=11, copies=lambda random: random.randint(1, 5))
    made = [cloud.create() for _ in range(500)] + [cloud.order_by_source() for _ in range(500)]
    for job in made[:500]:
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
    assert unbalanced(cloud.store) == []
    assert [row.spent for row in cloud.store.all(Balance)] == [1_000 * PRICE_M]


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
