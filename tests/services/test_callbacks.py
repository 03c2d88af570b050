import pytest

from callscribe import names
from callscribe.adapters.memory.webhooks import Post
from callscribe.domain.callbacks import SCHEDULE_S, Answer, Attempt, Callback, CallbackState, Endpoint, Outcome
from callscribe.domain.jobs import Job
from callscribe.domain.records import insert, update
from callscribe.errors import Conflict, Invalid, NotFound, OutboundFailed, OutboundRefused
from callscribe.services import accounts, callbacks, jobs
from tests.reliability.cloud import Cloud

URL = "https://receiver.example.com/hook"
DOWN = Answer(503, 1, "down")


def completed(cloud: Cloud) -> Job:
    """A job whose callback has not been tried yet."""
    cloud.stream_on = False
    job = cloud.create()
    cloud.upload(job)
    cloud._drain()
    return cloud.job(job)


def deliver(cloud: Cloud, job: Job, attempt: int = 1, replay: int = 0) -> callbacks.Step:
    return callbacks.deliver(
        cloud.plain, tenant_id=job.tenant_id, job_id=job.id, replay=replay, attempt=attempt, user_agent="agent/1"
    )


def row(cloud: Cloud, job: Job, replay: int = 0) -> Callback:
    found = cloud.store.get(Callback, job.tenant_id, job.id, replay)
    assert found is not None
    return found


def test_a_delivered_callback_carries_the_stored_bytes_and_the_three_headers() -> None:
    cloud = Cloud()
    job = completed(cloud)
    assert deliver(cloud, job).done
    (post,) = cloud.webhooks.posts
    assert post.body == cloud.plain.results.read(row(cloud, job).body_key)
    assert post.headers["webhook-id"] == f"msg_{job.id}"
    assert {"webhook-timestamp", "webhook-signature", "user-agent", "content-type"} <= set(post.headers)
    assert row(cloud, job).state is CallbackState.DELIVERED


def test_a_receiver_that_is_down_three_times_gets_the_fourth_with_the_same_id_and_a_fresh_timestamp() -> None:
    cloud = Cloud()
    cloud.webhooks.answer_with(DOWN, DOWN, DOWN)
    job = cloud.create()
    cloud.upload(job)
    cloud.settle()
    posts = cloud.webhooks.posts
    assert len(posts) == 4
    assert {post.headers["webhook-id"] for post in posts} == {f"msg_{job.id}"}
    assert len({post.headers["webhook-timestamp"] for post in posts}) == 4
    assert len({post.body for post in posts}) == 1
    assert row(cloud, cloud.job(job)).state is CallbackState.DELIVERED


def test_ten_failures_use_the_schedule_up_within_the_jitter() -> None:
    cloud = Cloud()
    cloud.webhooks.otherwise = DOWN
    job = completed(cloud)
    waits = []
    for attempt in range(1, 11):
        step = deliver(cloud, job, attempt)
        waits.append(step.wait_s)
    assert step.done
    assert row(cloud, job).state is CallbackState.FAILED
    assert deliver(cloud, job, 11).done
    assert len(cloud.webhooks.posts) == 10
    for wait_s, planned_s in zip(waits[:-1], SCHEDULE_S[1:], strict=True):
        assert 0.8 * planned_s - 1 <= wait_s <= 1.2 * planned_s + 1


def test_410_disables_the_endpoint_for_later_callbacks_until_it_is_enabled() -> None:
    cloud = Cloud()
    cloud.webhooks.answer_with(Answer(410, 1))
    first, second = completed(cloud), completed(cloud)
    assert deliver(cloud, first).done
    assert deliver(cloud, second).done
    assert row(cloud, first).state is row(cloud, second).state is CallbackState.DISABLED
    assert len(cloud.webhooks.posts) == 1
    callbacks.enable(cloud.plain, tenant_id=first.tenant_id, url=URL)
    callbacks.replay(cloud.plain, tenant_id=first.tenant_id, job_id=second.id)
    assert deliver(cloud, second, replay=1).done
    assert row(cloud, second, replay=1).state is CallbackState.DELIVERED


def test_an_endpoint_that_only_failed_for_five_days_is_disabled() -> None:
    cloud = Cloud()
    cloud.webhooks.otherwise = DOWN
    deliver(cloud, completed(cloud))
    cloud.clock.advance(5 * 86_400)
    late = completed(cloud)
    deliver(cloud, late)
    (endpoint,) = cloud.store.all(Endpoint)
    assert endpoint.disabled_because == "it only failed for five days"


def test_one_success_forgets_earlier_failures() -> None:
    cloud = Cloud()
    cloud.webhooks.answer_with(DOWN)
    job = completed(cloud)
    deliver(cloud, job)
    deliver(cloud, job, 2)
    assert [endpoint.failing_since_ms for endpoint in cloud.store.all(Endpoint)] == [None]


def test_429_waits_a_minute_and_retry_after_is_honoured_up_to_twice_the_delay() -> None:
    cloud = Cloud()
    cloud.webhooks.answer_with(Answer(429, 1), Answer(503, 1, retry_after_s=100_000))
    job = completed(cloud)
    assert 48 <= deliver(cloud, job).wait_s <= 72
    assert deliver(cloud, job, 2).wait_s == 600


@pytest.mark.parametrize(
    "trouble", [OutboundFailed("timeout", "x"), OutboundFailed("connect", "x"), OutboundRefused("address", "x")]
)
def test_a_receiver_that_cannot_be_reached_is_tried_again_and_logged(trouble: Exception) -> None:
    cloud = Cloud()
    cloud.webhooks.answer_with(trouble)
    job = completed(cloud)
    assert not deliver(cloud, job).done
    (attempt,) = callbacks.attempts(cloud.plain, row(cloud, job))
    assert attempt.error in ("timeout", "connect", "refused: address")


@pytest.mark.parametrize("trouble", [OutboundFailed("timeout", "x"), OutboundRefused("address", "x")])
def test_an_attempt_without_an_answer_notes_how_long_it_took(trouble: Exception) -> None:
    cloud = Cloud()
    job = completed(cloud)

    def late(_: Post) -> Exception:
        cloud.clock.advance(15)
        return trouble

    cloud.webhooks.otherwise = late
    deliver(cloud, job)
    (attempt,) = callbacks.attempts(cloud.plain, row(cloud, job))
    assert attempt.duration_ms == 15_000


def test_a_replay_to_a_disabled_receiver_is_refused_with_the_reason() -> None:
    cloud = Cloud()
    cloud.webhooks.answer_with(Answer(410, 1))
    job = completed(cloud)
    deliver(cloud, job)
    with pytest.raises(callbacks.EndpointDisabled, match="is disabled, because it answered 410") as raised:
        callbacks.replay(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)
    assert raised.value.url == URL


def test_an_attempt_in_progress_is_not_made_twice_and_an_abandoned_one_is_taken_over() -> None:
    cloud = Cloud()
    job = completed(cloud)
    claimed = Attempt(job.tenant_id, job.id, 0, 1, started_at_ms=cloud.clock())
    cloud.store.commit(insert(claimed))
    with pytest.raises(Conflict):
        deliver(cloud, job)
    cloud.clock.advance(61)
    assert deliver(cloud, job).done
    assert len(cloud.webhooks.posts) == 1


def test_a_finished_attempt_is_not_sent_again() -> None:
    cloud = Cloud()
    cloud.webhooks.answer_with(DOWN)
    job = completed(cloud)
    first, again = deliver(cloud, job), deliver(cloud, job)
    assert (first.done, again.done, again.attempt) == (False, False, 2)
    assert len(cloud.webhooks.posts) == 1


def test_a_replay_has_the_same_body_and_id_and_its_own_log() -> None:
    cloud = Cloud()
    job = completed(cloud)
    deliver(cloud, job)
    again = callbacks.replay(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)
    deliver(cloud, job, replay=again.replay)
    first, second = cloud.webhooks.posts
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert [
        len(callbacks.attempts(cloud.plain, one)) for one in callbacks.list_callbacks(cloud.plain, job.tenant_id)
    ] == [1, 1]


def test_a_callback_on_its_way_cannot_be_replayed_nor_one_that_never_was() -> None:
    cloud = Cloud()
    job = completed(cloud)
    with pytest.raises(Invalid, match="still being delivered"):
        callbacks.replay(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)
    with pytest.raises(NotFound):
        callbacks.replay(cloud.plain, tenant_id="another", job_id=job.id)


def test_a_callback_whose_body_is_no_longer_kept_ends_and_cannot_be_replayed() -> None:
    cloud = Cloud()
    job = completed(cloud)
    cloud.store.commit(update(row(cloud, job), body_key="results/gone"))
    assert deliver(cloud, job).done
    assert (row(cloud, job).state, row(cloud, job).last_error) == (CallbackState.FAILED, "its body is no longer kept")
    assert cloud.webhooks.posts == []
    with pytest.raises(Invalid, match="no longer kept"):
        callbacks.replay(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)


def test_a_crash_after_410_was_logged_still_disables_the_endpoint() -> None:
    cloud = Cloud()
    job = completed(cloud)
    gone = Attempt(job.tenant_id, job.id, 0, 1, started_at_ms=cloud.clock(), outcome=Outcome.GONE, status=410)
    cloud.store.commit(insert(gone))
    assert deliver(cloud, job).done
    assert [endpoint.disabled_because for endpoint in cloud.store.all(Endpoint)] == ["it answered 410"]
    assert cloud.webhooks.posts == []


def test_a_disabled_endpoint_is_logged_in_the_words_of_the_alarm(caplog: pytest.LogCaptureFixture) -> None:
    cloud = Cloud()
    cloud.webhooks.answer_with(Answer(410, 1))
    deliver(cloud, completed(cloud))
    assert any(names.ENDPOINT_DISABLED_LOG in record.getMessage() for record in caplog.records)


def test_two_secrets_sign_during_a_rotation() -> None:
    cloud = Cloud()
    job = completed(cloud)
    accounts.rotate_webhook_secret(cloud.plain, job.tenant_id)
    deliver(cloud, job)
    assert len(cloud.webhooks.posts[0].headers["webhook-signature"].split()) == 2


def test_a_ping_is_signed_and_logged_nowhere() -> None:
    cloud = Cloud()
    answer = callbacks.ping(cloud.plain, tenant_id=cloud.principal.tenant_id, url=URL, user_agent="agent/1")
    assert answer.status == 200
    assert cloud.webhooks.posts[0].headers["webhook-id"].startswith("msg_ping_")
    assert cloud.store.all(Callback) == []


def test_a_job_without_a_callback_url_sends_nothing() -> None:
    cloud = Cloud()
    job = cloud.create(callback_url=None)
    cloud.upload(job)
    cloud.settle()
    assert cloud.webhooks.posts == []
    assert jobs.transcript(cloud.plain, cloud.job(job)).text == "some words"
