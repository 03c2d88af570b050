"""functions/fetch_audio on the messages of the fetch queue: audio by URL, by object, and what cannot be had."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from callscribe.domain.jobs import Job, JobState
from callscribe.errors import FailureCode
from callscribe.services import jobs
from callscribe.services.videos import Order
from tests.functions.events import sqs_event
from tests.functions.media import MediaServer
from tests.functions.stage import Stage, handler_of

NOTHING_FAILED: dict[str, list[object]] = {"batchItemFailures": []}
AUDIO = b"RIFF, or so it says" * 1_000
RECEIVER = "https://receiver.example.com/hook"


@pytest.fixture
def media() -> Iterator[MediaServer]:
    with MediaServer(AUDIO) as serving:
        yield serving


def ask_for(stage: Stage, source: jobs.Source, **fields: Any) -> tuple[Job, dict[str, Any]]:
    """A job whose audio is to be fetched, and the event that its creation leads to."""
    new = jobs.NewJob(**{"dialect": "presign", "source": source, **fields})
    job = jobs.create(stage.deps, stage.principal, new)
    messages = stage.messages("fetches")
    assert messages == [{"tenant_id": job.tenant_id, "job_id": job.id}]
    return job, sqs_event(*messages)


def test_a_tenant_with_many_urls_does_not_hold_up_another_one(stage: Stage) -> None:
    """A standard queue is fair between its groups: each message must say whose it is."""
    job = jobs.create(stage.deps, stage.principal, jobs.NewJob("presign", source=jobs.Source(url="https://a.example")))
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName="fetches")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["MessageGroupId"] == job.tenant_id


def versions_of(stage: Stage, bucket: str, prefix: str) -> list[str]:
    """The keys of all versions and delete markers below a prefix."""
    found = stage.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
    return [one["Key"] for one in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]]


def test_audio_behind_a_url_is_stored_where_uploads_arrive(stage: Stage, media: MediaServer) -> None:
    job, event = ask_for(stage, jobs.Source(url=media.url()))
    assert handler_of("fetch_audio")(event, None) == NOTHING_FAILED
    assert stage.deps.uploads.read(job.audio_key) == AUDIO
    assert stage.job(job).state is JobState.AWAITING_UPLOAD  # S3's event takes it up, as for an upload


def test_the_same_message_again_fetches_nothing_more(stage: Stage, media: MediaServer) -> None:
    job, event = ask_for(stage, jobs.Source(url=media.url()))
    handler = handler_of("fetch_audio")
    for _ in range(2):
        assert handler(event, None) == NOTHING_FAILED
    assert (media.asked, len(versions_of(stage, "audio", job.audio_key))) == (1, 1)


def test_a_registered_recording_and_an_object_of_another_bucket_are_copied(stage: Stage) -> None:
    s3 = stage.client("s3")
    s3.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket="theirs", Key="calls/1.wav", Body=b"theirs")
    s3.put_object(Bucket="audio", Key="recordings/t1/17", Body=b"registered")
    handler = handler_of("fetch_audio")
    for source, body in (
        (jobs.Source(bucket="theirs", key="calls/1.wav"), b"theirs"),
        (jobs.Source(key="recordings/t1/17"), b"registered"),
    ):
        job, event = ask_for(stage, source)
        assert handler(event, None) == NOTHING_FAILED
        assert stage.deps.uploads.read(job.audio_key) == body


def test_T_15_a_video_is_ordered_by_a_url_that_takes_its_sound_and_asking_again_orders_it_again(stage: Stage) -> None:
    """The process that fetches it has nothing but this URL: it is tried here as that process would."""
    job, event = ask_for(stage, jobs.Source(video="https://www.youtube.com/watch?v=dQw4w9WgXcQ"))
    handler = handler_of("fetch_audio")
    assert handler(event, None) == NOTHING_FAILED
    assert handler(event, None) == NOTHING_FAILED
    orders = [Order.of(message) for message in stage.messages("videos")]
    assert [(order.link, order.job_id) for order in orders] == [
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", job.id)
    ] * 2
    assert requests.put(orders[0].put_url, data=AUDIO, timeout=10).status_code == 200
    assert stage.deps.uploads.read(job.audio_key) == AUDIO
    assert handler(event, None) == NOTHING_FAILED
    assert stage.messages("videos") == []  # it is there


@pytest.mark.parametrize("kind", ["url", "object"])
def test_audio_that_cannot_be_had_fails_its_job_with_a_callback_and_leaves_no_source(
    stage: Stage, media: MediaServer, kind: str
) -> None:
    gone = jobs.Source(url=media.url("/gone.wav")) if kind == "url" else jobs.Source(key="recordings/t1/none")
    job, event = ask_for(stage, gone, callback_url=RECEIVER)
    assert handler_of("fetch_audio")(event, None) == NOTHING_FAILED
    failed = stage.job(job)
    assert failed.state is JobState.FAILED
    assert failed.failure is not None
    assert failed.failure.code is FailureCode.SOURCE_UNREACHABLE
    assert [row.url for row in stage.callbacks(job)] == [RECEIVER]
    assert versions_of(stage, "audio", job.source_key) == []


def test_a_job_that_was_cancelled_meanwhile_keeps_nothing(stage: Stage, media: MediaServer) -> None:
    job, event = ask_for(stage, jobs.Source(url=media.url()))
    jobs.cancel(stage.deps, tenant_id=job.tenant_id, job_id=job.id)
    assert handler_of("fetch_audio")(event, None) == NOTHING_FAILED
    assert media.asked == 0
    assert versions_of(stage, "audio", job.audio_key) == versions_of(stage, "audio", job.source_key) == []


def test_a_message_of_a_job_that_is_gone_is_done_and_one_that_cannot_be_read_comes_back_alone(
    stage: Stage, media: MediaServer, caplog: pytest.LogCaptureFixture
) -> None:
    gone = {"tenant_id": stage.principal.tenant_id, "job_id": "00000000-0000-4000-8000-000000000000"}
    answer = handler_of("fetch_audio")(sqs_event(gone, "no JSON", {"tenant_id": "t1"}), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}
    assert {one.name for one in caplog.records if one.exc_info} == {"callscribe.fetch_audio"}


def test_the_url_of_the_audio_is_in_no_log_line(
    stage: Stage, media: MediaServer, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/call.wav?key=canary-of-a-secret", "/gone.wav?key=canary-of-a-secret"):
        _, event = ask_for(stage, jobs.Source(url=media.url(path)))
        handler_of("fetch_audio")(event, None)
    assert "canary-of-a-secret" not in caplog.text
