"""functions/audio_uploaded on S3's notifications, as the upload queue carries them."""

import pytest

from callscribe.domain.jobs import JobState
from callscribe.services import jobs
from tests.functions.events import S3_TEST_EVENT, s3_event, sqs_event
from tests.functions.stage import Stage, handler_of

NOTHING_FAILED: dict[str, list[object]] = {"batchItemFailures": []}


def test_an_upload_queues_its_job_and_starts_one_execution_named_after_it(stage: Stage) -> None:
    job = stage.create()
    event = sqs_event(s3_event(job.audio_key, version_id := stage.upload(job)))
    assert handler_of("audio_uploaded")(event, None) == NOTHING_FAILED
    stored = stage.job(job)
    assert (stored.state, stored.audio_version_id) == (JobState.QUEUED, version_id)
    assert stage.executions("transcription") == {job.id: {"tenant_id": job.tenant_id, "job_id": job.id}}


def test_the_key_is_read_as_S3_encodes_it(stage: Stage) -> None:
    job = stage.create()
    notification = s3_event(job.audio_key, stage.upload(job))
    uploaded = notification["Records"][0]["s3"]["object"]
    uploaded["key"] = uploaded["key"].replace("-", "%2D")
    assert handler_of("audio_uploaded")(sqs_event(notification), None) == NOTHING_FAILED
    assert stage.job(job).state is JobState.QUEUED


def test_the_test_event_of_a_new_notification_is_ignored(stage: Stage) -> None:
    assert handler_of("audio_uploaded")(sqs_event(S3_TEST_EVENT), None) == NOTHING_FAILED
    assert stage.executions("transcription") == {}


def test_objects_that_are_no_uploads_of_ours_are_ignored(stage: Stage) -> None:
    keys = ["elsewhere/t1/j1", "audio/j1", "audio/t1/j1/part", "audio//", "audio/of a/stranger", "audio/t1/é+1"]
    bodies = [s3_event(key, "v1") for key in keys]
    assert handler_of("audio_uploaded")(sqs_event(*bodies), None) == NOTHING_FAILED
    assert stage.executions("transcription") == {}


def test_one_bad_message_of_a_batch_comes_back_alone_and_leaves_a_trace_in_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    first, last = stage.create(), stage.create()
    good = [s3_event(job.audio_key, stage.upload(job)) for job in (first, last)]
    answer = handler_of("audio_uploaded")(sqs_event(good[0], "no JSON at all", good[1]), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert set(stage.executions("transcription")) == {first.id, last.id}
    assert [(one.name, one.levelname) for one in caplog.records if one.exc_info] == [
        ("callscribe.audio_uploaded", "WARNING")
    ]


def test_a_batch_of_only_bad_messages_comes_back_whole(stage: Stage) -> None:
    answer = handler_of("audio_uploaded")(sqs_event("{", "[]"), None)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m0", "m1"]


def test_the_same_event_delivered_three_times_starts_one_execution(stage: Stage) -> None:
    job = stage.create()
    notification = s3_event(job.audio_key, stage.upload(job))
    handler = handler_of("audio_uploaded")
    assert handler(sqs_event(notification, notification), None) == NOTHING_FAILED
    assert handler(sqs_event(notification), None) == NOTHING_FAILED
    assert list(stage.executions("transcription")) == [job.id]


def test_a_redelivery_after_a_lost_start_starts_the_execution(stage: Stage) -> None:
    job = stage.queued()
    notification = s3_event(job.audio_key, job.audio_version_id or "")
    assert handler_of("audio_uploaded")(sqs_event(notification), None) == NOTHING_FAILED
    assert list(stage.executions("transcription")) == [job.id]


def test_a_second_upload_to_the_same_url_changes_nothing(stage: Stage) -> None:
    job = stage.queued()
    handler = handler_of("audio_uploaded")
    assert handler(sqs_event(s3_event(job.audio_key, stage.upload(job, b"other"))), None) == NOTHING_FAILED
    assert stage.job(job) == job
    assert stage.executions("transcription") == {}


def test_an_upload_for_a_job_that_was_cancelled_is_erased_in_all_its_versions(stage: Stage) -> None:
    job = stage.create()
    jobs.cancel(stage.deps, tenant_id=job.tenant_id, job_id=job.id)
    for body in (b"one", b"two"):
        version_id = stage.upload(job, body)
    assert handler_of("audio_uploaded")(sqs_event(s3_event(job.audio_key, version_id)), None) == NOTHING_FAILED
    listed = stage.client("s3").list_object_versions(Bucket="audio", Prefix=job.audio_key)
    assert not {"Versions", "DeleteMarkers"} & set(listed)
    assert stage.executions("transcription") == {}
