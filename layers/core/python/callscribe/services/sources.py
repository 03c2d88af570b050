"""Audio that is not uploaded but fetched: from a URL, from an object in S3, or from a site of videos."""

import contextlib
import json
import re

from callscribe.domain.accounts import Tenant
from callscribe.domain.jobs import Job, JobState
from callscribe.errors import FailureCode, Invalid, JobFailed, NotFound, OutboundFailed, OutboundRefused, TooLarge
from callscribe.ports import Deps
from callscribe.services import jobs, leftovers
from callscribe.services.callbacks import Renderer
from callscribe.services.jobs import NoSuchJob, Source
from callscribe.services.scratch import scratch_folder

_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)", re.DOTALL)
# A query or an escape would be read as one by some client on the way; S3's guide to keys advises against the others.
_NOT_IN_KEYS = re.compile(r"[\x00-\x1f\x7f%?#\\]")
_KEY_BYTES = 1_024


def fetch(deps: Deps, *, tenant_id: str, job_id: str, render: Renderer) -> None:
    """Bring a job's audio to where uploads arrive; the rest goes as if a client had uploaded it.

    Safe to run twice: audio that is there already, or a job that waits no longer, is left alone. What cannot be
    fetched ends the job.
    """
    job = deps.store.get(Job, tenant_id, job_id)
    if job is not None and job.finished:
        deps.uploads.erase(job.source_key)  # a repeated request may have stored it once more
    if job is None or job.state is not JobState.AWAITING_UPLOAD or deps.uploads.head(job.audio_key) is not None:
        return
    try:
        _bring(deps, job, _source(deps, job))
    except JobFailed as failed:
        with contextlib.suppress(NoSuchJob):  # deleted meanwhile
            jobs.note_failure(deps, job, failed.failure)
            jobs.fail(deps, tenant_id=tenant_id, job_id=job_id, render=render)
    else:
        leftovers.erase_late_audio(deps, tenant_id, job_id)


def parse_uri(tenant: Tenant, uri: str) -> Source:
    """The object that an `s3://bucket/key` names, where the tenant may read. Raises Invalid.

    Keys are taken literally: S3 knows no `..` and no escapes, and neither do we.
    """
    bucket, key = _bucket_and_key(uri)
    if not any(_below(bucket, key, allowed) for allowed in tenant.source_uris):
        raise Invalid("s3_uri", "must be below a bucket and prefix that is registered for this tenant")
    return Source(bucket=bucket, key=key)


def _bucket_and_key(uri: str) -> tuple[str, str]:
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise Invalid("s3_uri", "must be s3://bucket/key")
    bucket, key = parts.groups()
    if _NOT_IN_KEYS.search(key) or len(key.encode(errors="replace")) > _KEY_BYTES:
        raise Invalid(
            "s3_uri", f"must have a key of at most {_KEY_BYTES} bytes, without % ? # \\ or control characters"
        )
    if {"", ".", ".."} & set(key.split("/")):
        raise Invalid("s3_uri", "must have a key without empty parts, . and ..")
    return bucket, key


def _below(bucket: str, key: str, allowed: str) -> bool:
    """Whether a key is below `s3://bucket/prefix`; a prefix ends where a part of the key ends."""
    allowed_bucket, _, prefix = allowed.removeprefix("s3://").partition("/")
    folder = f"{prefix.removesuffix('/')}/" if prefix else ""
    return bucket == allowed_bucket and key.startswith(folder)


def _source(deps: Deps, job: Job) -> Source:
    try:
        return Source(**json.loads(deps.uploads.read(job.source_key)))
    except NotFound as error:
        raise JobFailed(
            FailureCode.SOURCE_UNREACHABLE, "where the audio was to be fetched from is no longer known"
        ) from error


def _bring(deps: Deps, job: Job, source: Source) -> None:
    """Raises JobFailed for what another try would not help."""
    max_bytes = (job.limits or deps.settings.limits).max_bytes
    if source.url is not None:
        _download(deps, job, source.url, max_bytes)
        return
    if source.video is not None:
        from callscribe.services import videos  # late: few sources are videos, and APIs load this module

        videos.order(deps, job, source.video, max_bytes=max_bytes)  # its sound, or a refusal, comes as an upload does
        return
    try:
        deps.uploads.copy(
            str(source.key), job.audio_key, bucket=source.bucket, version_id=source.version_id, max_bytes=max_bytes
        )
    except TooLarge as error:
        raise _too_large(max_bytes) from error
    except NotFound as error:
        raise JobFailed(
            FailureCode.SOURCE_UNREACHABLE, "the recording is no longer there, or may not be read"
        ) from error


def _download(deps: Deps, job: Job, url: str, max_bytes: int) -> None:
    with scratch_folder() as folder:
        path = folder / "audio"
        try:
            deps.downloader.download(url, path, max_bytes=max_bytes, total_s=deps.settings.fetch_s)
        except (OutboundRefused, OutboundFailed) as error:
            raise _failed(error, max_bytes) from error
        deps.uploads.put_file(job.audio_key, path)


def _failed(error: OutboundRefused | OutboundFailed, max_bytes: int) -> JobFailed:
    if isinstance(error, OutboundFailed) and error.kind == "too_large":
        return _too_large(max_bytes)
    return JobFailed(FailureCode.SOURCE_UNREACHABLE, f"the audio URL could not be fetched: {error}")


def _too_large(max_bytes: int) -> JobFailed:
    message = f"the file has more than the {max_bytes} bytes that are allowed"
    return JobFailed(FailureCode.UPLOAD_TOO_LARGE, message)
