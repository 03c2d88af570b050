"""Tasks of sound: from a file that came with the request, from a URL, or from a link to a video."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from callscribe.domain.audio import AudioFacts
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.known_files import digest_of_content, digest_of_name
from callscribe.domain.prices import Price
from callscribe.domain.task_facts import TaskType
from callscribe.domain.texts import one_line
from callscribe.errors import OutboundFailed, TooSlow, Unavailable
from callscribe.ports import Deps
from callscribe.services import known_files
from callscribe.services.accounts import Principal
from callscribe.services.creation import Idempotency, NewJob, NotAsked, Source, ask_again
from callscribe.services.scratch import scratch_folder
from callscribe.services.task_making import (
    NewTask,
    bringing,
    job_of,
    made_before,
    make,
    require_directory,
    require_funds,
    require_tariff,
)

# What is larger is fetched later: storing it takes time as well, and a request has half a minute for everything.
_QUICK_BYTES: Final = 20_000_000


def add_file(
    deps: Deps, principal: Principal, new: NewTask, content: bytes | Path, *, within_s: float | None = None
) -> Job:
    """Make a task of a file, whose length is measured and held before it is answered; the file goes to `audio_key`.

    Where measuring takes longer than `within_s`, the length is found out, and held, once the task is under way.
    Raises NoTariff, Invalid (`directory_id`), DuplicateFile, JobFailed (audio_*, upload_too_large) and
    InsufficientCredits. A file in `content` stays its owner's.
    """
    with _as_path(content) as path:
        job = made_before(deps, principal, new.idempotency)
        if job is None:
            require_tariff(deps, principal, new.type)
            require_directory(deps, principal, new.directory_id)
            known = _digests(deps, new, path)
            known_files.require_free(deps, principal, known)  # before anybody looks into the file
            job = _make(deps, principal, new, _looked_into(deps, path, within_s), known)
        elif not _lacks_audio(deps, job):
            return job
        _put(deps, job, path, new.idempotency)
        return job


def add_url(deps: Deps, principal: Principal, new: NewTask, url: str, *, fetch_s: float, within_s: float) -> Job:
    """Make a task of what a URL gives. What has come within `fetch_s`, and could be measured before `within_s` have
    passed in all, is judged as `add_file` does; what takes longer (or is large) is fetched later, and costs its length
    once that is known.

    The task is called what the URL's path ends with. Raises what `add_file` raises but DuplicateFile, and
    OutboundRefused and OutboundFailed for a URL that may not be fetched, or cannot.
    """
    until_ms = deps.now_ms() + round(1000 * within_s)
    job = made_before(deps, principal, new.idempotency)
    if job is not None:
        return _url_again(deps, job, url, fetch_s, new.idempotency)
    require_tariff(deps, principal, new.type)
    require_directory(deps, principal, new.directory_id)
    deps.downloader.check(url)
    require_funds(deps, principal, new.account)
    new = replace(new, file_name=name_in(url))
    with scratch_folder() as folder:
        path = folder / "audio"
        is_here = _is_here(deps, url, path, min(fetch_s, within_s))
        audio = _looked_into(deps, path, (until_ms - deps.now_ms()) / 1000) if is_here else None
        if audio is None:
            return _make_asked(deps, principal, job_of(deps, new, source=Source(url=url)))
        job = _make(deps, principal, new, audio)
        _put(deps, job, path, new.idempotency)
        return job


def add_video(deps: Deps, principal: Principal, new: NewTask, link: str) -> Job:
    """Make a task of a video by its canonical link (`domain.video_links`). It costs its length, once that is known.

    Raises NoTariff, Invalid (`directory_id`) and InsufficientCredits where nothing is left.
    """
    source = Source(video=link)
    job = made_before(deps, principal, new.idempotency)
    if job is not None:
        return _asked_again(deps, job, source)
    require_tariff(deps, principal, new.type)
    require_directory(deps, principal, new.directory_id)
    require_funds(deps, principal, new.account)
    named = replace(new, file_name=new.file_name or link)
    return _make_asked(deps, principal, job_of(deps, named, source=source))


def name_in(url: str) -> str:
    """What a URL's path ends with, or the host where there is no path."""
    parts = urlsplit(url)
    ends = [part for part in parts.path.split("/") if part]
    name = unquote(ends[-1]) if ends else parts.hostname or ""
    return one_line(name)


def _looked_into(deps: Deps, path: Path, within_s: float | None) -> AudioFacts | None:
    """What the file holds; None where it takes longer than that to tell. Raises JobFailed."""
    deps.settings.tasks.require_size(path.stat().st_size)
    try:
        return deps.inspector(path, deps.settings.tasks, within_s=within_s)
    except TooSlow:
        return None


def _make(deps: Deps, principal: Principal, new: NewTask, audio: AudioFacts | None, known: tuple[str, ...] = ()) -> Job:
    """A job that holds what its sound costs; one whose sound is not measured yet holds nothing until it is prepared."""
    if audio is None:
        require_funds(deps, principal, new.account)
    return make(
        deps,
        principal,
        replace(job_of(deps, new, known_files=known), audio=audio),
        amount=0 if audio is None else Price(new.account, 1).of(audio.duration_s),
        beside=partial(known_files.claiming, deps),
    )


def _make_asked(deps: Deps, principal: Principal, new: NewJob) -> Job:
    """A job whose sound is fetched later. That nobody could be told so yet is no reason to have it made once more."""
    try:
        return make(deps, principal, new)
    except NotAsked as error:
        return error.job


def _asked_again(deps: Deps, job: Job, source: Source) -> Job:
    with contextlib.suppress(NotAsked):
        ask_again(deps, job, source)
    return job


def _url_again(deps: Deps, job: Job, url: str, fetch_s: float, idempotency: Idempotency | None) -> Job:
    """What an earlier request made of the same URL, and may have left before its file was put."""
    if not _lacks_audio(deps, job):
        return _asked_again(deps, job, Source(url=url))
    with scratch_folder() as folder:
        path = folder / "audio"
        if not _is_here(deps, url, path, fetch_s):
            raise Unavailable("the audio did not come in time")
        _put(deps, job, path, idempotency)
    return job


def _put(deps: Deps, job: Job, path: Path, idempotency: Idempotency | None) -> None:
    with bringing(deps, job, idempotency):
        deps.uploads.put_file(job.audio_key, path)


def _lacks_audio(deps: Deps, job: Job) -> bool:
    """Whether it waits for a file that only its maker can put."""
    return job.state is JobState.AWAITING_UPLOAD and not job.source and deps.uploads.head(job.audio_key) is None


def _is_here(deps: Deps, url: str, path: Path, wait_s: float) -> bool:
    """Whether all of it came in time. Raises OutboundRefused, and OutboundFailed for what waiting would not mend."""
    most_bytes = deps.settings.tasks.max_bytes
    try:
        deps.downloader.download(url, path, max_bytes=min(most_bytes, _QUICK_BYTES), total_s=wait_s)
    except OutboundFailed as error:
        if error.kind == "timeout" or (error.kind == "too_large" and most_bytes > _QUICK_BYTES):
            return False
        raise
    return True


def _digests(deps: Deps, new: NewTask, path: Path) -> tuple[str, ...]:
    """By what the file is to be known (T-A12)."""
    by_name = deps.settings.unique_file_names and new.type is TaskType.CALL and new.file_name
    names = (digest_of_name(new.file_name),) if by_name and new.file_name else ()
    return (*names, digest_of_content(path)) if new.unique_content else names


@contextlib.contextmanager
def _as_path(content: bytes | Path) -> Iterator[Path]:
    if isinstance(content, Path):
        yield content
        return
    with scratch_folder() as folder:
        path = folder / "audio"
        path.write_bytes(content)
        yield path
