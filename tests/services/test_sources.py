from pathlib import Path
from typing import Any

import pytest

from callscribe.adapters.memory import MemoryObjects, Moment, When, faulty_deps
from callscribe.domain.accounts import Tenant
from callscribe.domain.audio import AudioLimits
from callscribe.domain.jobs import Job, JobState
from callscribe.errors import FailureCode, Invalid, OutboundFailed, OutboundRefused, Unavailable
from callscribe.services import jobs, sources
from callscribe.services.jobs import NewJob, Source
from tests.reliability.cloud import RECORDING, Cloud, render
from tests.reliability.judge import problems

TENANT = Tenant("t1", "Example", 0, source_uris=("s3://calls/eu/2025", "s3://whole-bucket", "s3://slash/in/"))


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("s3://calls/eu/2025/a.wav", Source(bucket="calls", key="eu/2025/a.wav")),
        ("s3://calls/eu/2025/05/a b+c=d@e:ü.wav", Source(bucket="calls", key="eu/2025/05/a b+c=d@e:ü.wav")),
        ("s3://whole-bucket/anything", Source(bucket="whole-bucket", key="anything")),
        ("s3://whole-bucket/..a/.b/c..", Source(bucket="whole-bucket", key="..a/.b/c..")),
        ("s3://slash/in/a.wav", Source(bucket="slash", key="in/a.wav")),
    ],
)
def test_what_is_below_a_registered_prefix_may_be_read(uri: str, source: Source) -> None:
    assert sources.parse_uri(TENANT, uri) == source


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "calls/eu/2025/a.wav",
        "S3://calls/eu/2025/a.wav",
        " s3://calls/eu/2025/a.wav",
        "s3:/calls/eu/2025/a.wav",
        "s3:///eu/2025/a.wav",
        "s3://calls",
        "s3://calls/",
        "s3://calls/eu/2025",
        "s3://calls/eu/2025/",
        "s3://calls/eu/2025//a.wav",
        "s3://calls/eu/2024/a.wav",
        "s3://calls/eu/20251/a.wav",
        "s3://calls/EU/2025/a.wav",
        "s3://calls//eu/2025/a.wav",
        "s3://calls/eu/2025/../2024/a.wav",
        "s3://calls/eu/2025/..",
        "s3://calls/eu/2025/./a.wav",
        "s3://calls/eu/2025/%2e%2e/2024/a.wav",
        "s3://calls/eu/2025/%2E./a.wav",
        "s3://calls/eu%2F2025/a.wav",
        "s3://calls/eu/2025/a.wav?versionId=abc",
        "s3://calls/eu/2025/a.wav#x",
        "s3://calls/eu/2025/..\\..\\a.wav",
        "s3://calls/eu/2025/a\n.wav",
        "s3://calls/eu/2025/a\x00.wav",
        "s3://calls/eu/2025/a.wav\n",
        "s3://calls/eu/2025/" + "ü" * 600,
        "s3://calls-evil/eu/2025/a.wav",
        "s3://callsevil/eu/2025/a.wav",
        "s3://evil.calls/eu/2025/a.wav",
        "s3://evil/calls/eu/2025/a.wav",
        "s3://user@calls/eu/2025/a.wav",
        "s3://calls:443/eu/2025/a.wav",
        "s3://whole-bucket-2/a.wav",
        "s3://Whole-Bucket/a.wav",
        "s3://slash/in",
        "s3://slash/inner/a.wav",
        "s3://arn:aws:s3:eu-central-1:1:accesspoint/calls/eu/2025/a.wav",
        "https://calls.s3.amazonaws.com/eu/2025/a.wav",
        "file:///etc/passwd",
    ],
)
def test_nothing_else_gets_through(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        sources.parse_uri(TENANT, uri)
    assert refused.value.field == "s3_uri"


@pytest.mark.parametrize("registered", ["", "s3://", "s3:///", "/", "calls", "s3:"])
def test_a_registration_that_names_no_bucket_opens_none(registered: str) -> None:
    tenant = Tenant("t1", "Example", 0, source_uris=(registered,))
    for uri in ("s3://calls/eu/a.wav", "s3://other/a.wav"):
        with pytest.raises(Invalid):
            sources.parse_uri(tenant, uri) if registered != "calls" else sources.parse_uri(tenant, "s3://x/calls/a")


def test_a_tenant_without_registrations_reads_nothing() -> None:
    with pytest.raises(Invalid):
        sources.parse_uri(Tenant("t1", "Example", 0), "s3://calls/eu/2025/a.wav")


def ordered(cloud: Cloud, source: Source, **fields: Any) -> Job:
    return jobs.create(cloud.plain, cloud.principal, NewJob(dialect="presign", source=source, **fields))


def fetch(cloud: Cloud, job: Job) -> None:
    sources.fetch(cloud.plain, tenant_id=job.tenant_id, job_id=job.id, render=render("presign"))


def test_an_object_of_another_bucket_is_copied_and_taken_up_as_an_upload() -> None:
    cloud = Cloud()
    bucket = MemoryObjects(cloud.clock, bucket="calls")
    bucket.put("eu/2025/a.wav", b"words from afar")
    cloud.uploads.other_buckets["calls"] = bucket
    job = ordered(cloud, Source(bucket="calls", key="eu/2025/a.wav"))
    cloud.settle()
    assert jobs.transcript(cloud.plain, cloud.job(job)).text == "words from afar"
    assert problems(cloud, job, paid=True) == []


def test_an_object_that_is_too_large_is_refused_before_it_is_copied() -> None:
    cloud = Cloud()
    cloud.uploads.put("recordings/t1/call", b"six by")
    put: list[str] = []
    cloud.uploads._on_put = lambda key, _: put.append(key)
    job = ordered(cloud, Source(key="recordings/t1/call"), limits=AudioLimits(max_bytes=5))
    fetch(cloud, job)
    failure = cloud.job(job).failure
    assert failure is not None
    assert (failure.code, "5 bytes" in failure.message) == (FailureCode.UPLOAD_TOO_LARGE, True)
    assert job.audio_key not in put


def test_the_version_of_an_object_that_is_named_is_the_one_that_is_fetched() -> None:
    cloud = Cloud()
    version_id = cloud.uploads.put("recordings/t1/call", b"what was said")
    cloud.uploads.put("recordings/t1/call", b"something else")
    job = ordered(cloud, Source(key="recordings/t1/call", version_id=version_id))
    cloud.settle()
    assert jobs.transcript(cloud.plain, cloud.job(job)).text == "what was said"


def test_an_object_that_is_gone_is_a_source_that_cannot_be_reached() -> None:
    cloud = Cloud()
    job = ordered(cloud, Source(key="recordings/t1/gone"))
    cloud.settle()
    failure = cloud.job(job).failure
    assert failure is not None
    assert failure.code is FailureCode.SOURCE_UNREACHABLE
    assert problems(cloud, job, paid=False) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutboundFailed("timeout", "it took too long"), FailureCode.SOURCE_UNREACHABLE),
        (OutboundRefused("address", "not public"), FailureCode.SOURCE_UNREACHABLE),
        (OutboundFailed("too_large", "too large"), FailureCode.UPLOAD_TOO_LARGE),
    ],
)
def test_what_no_other_try_would_help_ends_the_job_and_names_no_url(error: Exception, code: FailureCode) -> None:
    cloud = Cloud()
    cloud.downloads.files[RECORDING] = error
    job = ordered(cloud, Source(url=RECORDING))
    fetch(cloud, job)
    ended = cloud.job(job)
    assert ended.failure is not None
    assert (ended.state, ended.failure.code) == (JobState.FAILED, code)
    assert "recordings.example.com" not in repr(ended)
    assert cloud.uploads.keys() == []


def test_a_jobs_own_size_limit_holds_for_what_is_fetched() -> None:
    cloud = Cloud()
    job = ordered(cloud, Source(url=RECORDING), limits=AudioLimits(max_bytes=5))
    fetch(cloud, job)
    failure = cloud.job(job).failure
    assert failure is not None
    assert failure.code is FailureCode.UPLOAD_TOO_LARGE


def test_fetching_twice_downloads_once() -> None:
    cloud = Cloud()
    job = ordered(cloud, Source(url=RECORDING))
    for _ in range(3):
        fetch(cloud, job)
    assert cloud.downloads.asked == [RECORDING]
    cloud.settle()
    fetch(cloud, job)
    assert cloud.downloads.asked == [RECORDING]


def test_a_service_that_is_down_is_tried_again_and_the_job_goes_on() -> None:
    cloud = Cloud()
    cloud.downloads.files[RECORDING] = Unavailable("no disk")
    job = ordered(cloud, Source(url=RECORDING))
    with pytest.raises(Unavailable):
        fetch(cloud, job)
    assert cloud.job(job).state is JobState.AWAITING_UPLOAD
    cloud.downloads.files[RECORDING] = b"some words"
    cloud.settle()
    assert cloud.job(job).state is JobState.COMPLETED


@pytest.mark.parametrize("end", ["cancel", "erase"])
@pytest.mark.parametrize("lost", [(), ("uploaded",)])
def test_a_fetch_that_comes_too_late_leaves_nothing_even_if_nobody_hears_of_it(end: str, lost: tuple[str, ...]) -> None:
    cloud = Cloud()
    cloud.lost.update(lost)
    job = ordered(cloud, Source(url=RECORDING))
    whole = cloud.downloads.download

    def slow(url: str, path: Path, **limits: Any) -> None:
        getattr(cloud, end)(job)
        whole(url, path, **limits)

    cloud.downloads.download = slow  # type: ignore[method-assign]  # the job ends while it is fetched
    fetch(cloud, job)
    assert cloud.uploads.keys() == []
    cloud.settle()
    assert problems(cloud, job, paid=False) == []
    assert cloud.uploads.keys() == []
    fetch(cloud, job)
    assert cloud.uploads.keys() == []


def test_a_message_that_was_lost_is_sent_again_by_the_sweeper_until_the_window_closes() -> None:
    cloud = Cloud()
    cloud.lost.add("fetch")
    job = ordered(cloud, Source(url=RECORDING))
    cloud._collect()
    cloud.clock.advance(1_380)
    cloud.sweep()
    cloud.lost.clear()
    cloud.clock.advance(1_380)
    cloud.sweep()
    assert [one.kind for one in cloud.pending] == ["fetch"]
    cloud.settle()
    assert cloud.job(job).state is JobState.COMPLETED
    assert problems(cloud, job, paid=True) == []


def test_while_a_message_is_surely_under_way_the_sweeper_sends_no_other() -> None:
    cloud = Cloud()
    job = ordered(cloud, Source(url=RECORDING))
    cloud.fetches.take()
    sent = []
    for _ in range(3_600 // 300 - 1):
        cloud.clock.advance(300)
        cloud._do_sweep()
        sent.append(len(cloud.fetches.take()))
    assert sent == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    cloud.clock.advance(300)
    cloud._do_sweep()
    assert cloud.job(job).state is JobState.FAILED


def test_an_ask_that_failed_is_due_soon() -> None:
    cloud = Cloud()

    def plan(moment: Moment) -> None:
        if moment == Moment("fetch_queue", "send", When.BEFORE):
            raise Unavailable("no queue")

    new = NewJob(dialect="presign", source=Source(url=RECORDING))
    with pytest.raises(Unavailable):
        jobs.create(faulty_deps(cloud.plain, plan), cloud.principal, new)
    cloud.settle()
    (job,) = cloud.store.all(Job)
    assert job.state is JobState.COMPLETED
    assert job.finished_at_ms is not None
    assert job.finished_at_ms - job.created_at_ms < 600_000
