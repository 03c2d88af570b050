"""Every way a job can go, as functions that lead a fresh cloud along it. What is paid depends on one thing only:
whether there is a transcript in the end.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from callscribe.adapters.memory import Crash, Post
from callscribe.domain.audio import AudioFacts
from callscribe.domain.callbacks import Answer
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.prices import Plan
from callscribe.errors import FailureCode, JobFailed, OutboundRefused, Unavailable
from callscribe.ports import DEFAULT_OPTIONS, Transcribed, TranscriptionOptions
from callscribe.services import accounts
from tests.reliability.cloud import RECORDING, Cloud, some_transcript
from tests.reliability.task_paths import TASK_WAYS
from tests.reliability.way import GONE, Lead, Way, at, to_its_end


def by_upload(cloud: Cloud, **fields: Any) -> Job:
    job = cloud.order(**fields)
    cloud.upload(job)
    return job


def by_source(cloud: Cloud, url: str = RECORDING, **fields: Any) -> Job:
    return cloud.order_by_source(url, **fields)


def for_nothing(cloud: Cloud) -> Job:
    """By a tenant whose plan costs nothing."""
    accounts.change_tenant(cloud.plain, cloud.principal.tenant_id, plan=Plan())
    return by_upload(cloud)


def without_events(kind: str, order: Lead = by_upload) -> Lead:
    """Events of this kind never arrive."""

    def lead(cloud: Cloud) -> Job:
        cloud.lost.add(kind)
        return to_its_end(order)(cloud)

    return lead


def of_bad_media(code: FailureCode, order: Lead = by_upload) -> Lead:
    def lead(cloud: Cloud) -> Job:
        cloud.inspector.facts = JobFailed(code, "the inspector says no")
        return to_its_end(order)(cloud)

    return lead


def of_a_bad_source(answer: bytes | Exception) -> Lead:
    def lead(cloud: Cloud) -> Job:
        cloud.downloads.files[RECORDING] = answer
        return to_its_end(by_source)(cloud)

    return lead


def of_a_worker_that(does: Callable[[], None], *, times: int = 99, order: Lead = by_upload) -> Lead:
    """Every worker does this instead of its work, so many times."""

    def lead(cloud: Cloud) -> Job:
        left = times

        def hear(path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
            nonlocal left
            left -= 1
            if left >= 0:
                does()
            return some_transcript(path, facts, options)

        cloud.transcriber = hear
        return to_its_end(order)(cloud)

    return lead


def of_a_worker_meanwhile(act: Callable[[Cloud, Job], object], order: Lead = by_upload) -> Lead:
    """While the worker hears the audio, something is done to its job."""

    def lead(cloud: Cloud) -> Job:
        made: list[Job] = []

        def hear(path: Path, facts: AudioFacts, options: TranscriptionOptions = DEFAULT_OPTIONS) -> Transcribed:
            act(cloud, made[0])
            return some_transcript(path, facts, options)

        cloud.transcriber = hear
        made.append(order(cloud))
        cloud.settle()
        return made[0]

    return lead


def then_upload_late(act: Callable[[Cloud, Job], object]) -> Lead:
    """Before anything is uploaded something is done to the job; its URL still works."""

    def lead(cloud: Cloud) -> Job:
        job = cloud.order()
        act(cloud, job)
        cloud.upload(job)
        cloud.settle()
        return job

    return lead


def then_upload_again(act: Callable[[Cloud, Job], object]) -> Lead:
    """At its end something is done to the job, and then its audio is uploaded a second time."""

    def lead(cloud: Cloud) -> Job:
        job = to_its_end(by_upload)(cloud)
        act(cloud, job)
        cloud.upload(job, b"other words")
        cloud.settle()
        return job

    return lead


def of_a_receiver_that_is_down(cloud: Cloud) -> Job:
    cloud.webhooks.otherwise = Answer(503, 1, "down")
    return to_its_end(by_upload)(cloud)


def of_a_receiver_meanwhile(act: Callable[[Cloud, Job], object]) -> Lead:
    """While the callback is with its receiver, something is done to the job."""

    def lead(cloud: Cloud) -> Job:
        job = by_upload(cloud)

        def answer(_post: Post) -> Answer:
            act(cloud, job)
            return Answer(503, 1, "down")

        cloud.webhooks.otherwise = answer
        cloud.settle()
        return job

    return lead


def timed_out(cloud: Cloud) -> Job:
    cloud.lost.add("work")
    job = by_upload(cloud)
    cloud.run_until(job, JobState.TRANSCRIBING)
    cloud.reports.time_out(job.id)
    cloud.settle()
    return job


def killed() -> None:
    raise Crash


def out_of_order() -> None:
    raise Unavailable("the engine does not answer")


def cannot_hear() -> None:
    raise JobFailed(FailureCode.LANGUAGE_UNSUPPORTED, "no engine hears this language")


def cancel(cloud: Cloud, job: Job) -> None:
    cloud.cancel(job)


def erase(cloud: Cloud, job: Job) -> None:
    cloud.erase(job)


DONE, FAILED, CANCELLED = JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED
REFUSED = OutboundRefused("address", "the address is not public")
_BAD_MEDIA = (
    FailureCode.AUDIO_EMPTY,
    FailureCode.AUDIO_UNREADABLE,
    FailureCode.AUDIO_UNSUPPORTED,
    FailureCode.AUDIO_TOO_SHORT,
    FailureCode.AUDIO_TOO_LONG,
)
_UNDER_WAY = (JobState.AWAITING_UPLOAD, JobState.QUEUED, JobState.TRANSCRIBING)

WAYS: dict[str, Way] = {
    "upload, completed": Way(to_its_end(by_upload), DONE, paid=True),
    "source, completed": Way(to_its_end(by_source), DONE, paid=True),
    "not kept, completed": Way(to_its_end(partial(by_upload, kept=False, callback_url=None)), DONE, paid=True),
    "source not kept, completed": Way(to_its_end(partial(by_source, kept=False, callback_url=None)), DONE, paid=True),
    "long transcript by link, completed": Way(
        to_its_end(by_upload), DONE, paid=True, settings={"inline_callback_bytes": 100}
    ),
    "free of charge, completed": Way(to_its_end(for_nothing), DONE, paid=True, price_m=0),
    "upload event lost, completed": Way(without_events("uploaded"), DONE, paid=True),
    "worker killed once, completed": Way(of_a_worker_that(killed, times=1), DONE, paid=True),
    "engine out of order four times, completed": Way(of_a_worker_that(out_of_order, times=4), DONE, paid=True),
    "callback fails for ever": Way(of_a_receiver_that_is_down, DONE, paid=True),
    **{f"bad media: {code}": Way(of_bad_media(code), FAILED, code) for code in _BAD_MEDIA},
    "bad media from a source": Way(of_bad_media(FailureCode.AUDIO_EMPTY, by_source), FAILED, FailureCode.AUDIO_EMPTY),
    "nothing uploaded": Way(to_its_end(Cloud.order), FAILED, FailureCode.UPLOAD_EXPIRED),
    "source unreachable": Way(
        to_its_end(partial(by_source, url="https://nowhere.example.com/")), FAILED, FailureCode.SOURCE_UNREACHABLE
    ),
    "source refused by the guard": Way(of_a_bad_source(REFUSED), FAILED, FailureCode.SOURCE_UNREACHABLE),
    "source out of order": Way(of_a_bad_source(Unavailable("no disk")), FAILED, FailureCode.SOURCE_UNREACHABLE),
    "fetch messages lost": Way(without_events("fetch", by_source), FAILED, FailureCode.SOURCE_UNREACHABLE),
    "insufficient credits": Way(to_its_end(by_upload), FAILED, FailureCode.INSUFFICIENT_CREDITS, funds_m=199_999),
    "timed out": Way(timed_out, FAILED, FailureCode.DEADLINE_EXCEEDED),
    "past its deadline": Way(without_events("work"), FAILED, FailureCode.DEADLINE_EXCEEDED),
    "worker killed every time": Way(of_a_worker_that(killed), FAILED, FailureCode.INTERNAL),
    "worker out of order every time": Way(of_a_worker_that(out_of_order), FAILED, FailureCode.INTERNAL),
    "worker cannot do it": Way(of_a_worker_that(cannot_hear), FAILED, FailureCode.LANGUAGE_UNSUPPORTED),
    **{f"cancelled when {state}": Way(at(state, cancel, by_upload), CANCELLED) for state in _UNDER_WAY},
    "source cancelled before it is fetched": Way(at(_UNDER_WAY[0], cancel, by_source), CANCELLED),
    "cancelled, uploaded later": Way(then_upload_late(cancel), CANCELLED),
    "cancelled while a worker hears it": Way(of_a_worker_meanwhile(cancel), CANCELLED),
    "cancelled once completed": Way(at(DONE, cancel, by_upload), DONE, paid=True),
    **{f"deleted when {state}": Way(at(state, erase, by_upload), GONE) for state in _UNDER_WAY},
    "source deleted before it is fetched": Way(at(_UNDER_WAY[0], erase, by_source), GONE),
    "deleted, uploaded later": Way(then_upload_late(erase), GONE),
    "deleted while a worker hears it": Way(of_a_worker_meanwhile(erase), GONE),
    "deleted once completed": Way(at(DONE, erase, by_upload), GONE, paid=True),
    "deleted once delivered, uploaded again": Way(then_upload_again(erase), GONE, paid=True),
    "deleted while its callback is sent": Way(of_a_receiver_meanwhile(erase), GONE, paid=True),
    "deleted once failed": Way(at(FAILED, erase, partial(by_source, url="https://nowhere.example.com/")), GONE),
    **TASK_WAYS,
}
