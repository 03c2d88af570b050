"""The ways of tasks, whose cost is held in the transaction that makes them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from callscribe.domain import chats
from callscribe.domain.chats import Chat, Message
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.task_facts import TaskType
from callscribe.errors import DuplicateFile, FailureCode, OutboundFailed, Unavailable
from callscribe.ports import Deps
from callscribe.services import tariffs, tasks, videos
from callscribe.services.accounts import Principal
from callscribe.services.tasks import NewTask
from tests.reliability.cloud import RECORDING, Cloud
from tests.reliability.way import GONE, Way, at, to_its_end

CALL = NewTask(TaskType.CALL, file_name="call.wav", operator_name="Ivan")
SOUND = b"some words"
LINK = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
SECONDS = 10  # of what the fake inspector hears
CHAT = Chat((Message("Operator: hello\nCustomer: hi"), Message("x" * chats.PIECE_BYTES)))
PIECES = 2


def subscribed(cloud: Cloud) -> Principal:
    """The cloud's client, whose tenant has a tariff."""
    tariffs.subscribe(cloud.plain, cloud.principal.tenant_id, "pro")
    return cloud.principal


def by_file(cloud: Cloud, new: NewTask = CALL) -> Job:
    principal = subscribed(cloud)

    def ask(deps: Deps) -> Job:
        try:
            return tasks.add_file(deps, principal, new, SOUND)
        except DuplicateFile:  # by ourselves, whose answer was lost, or who died half-way
            known = [job for job in cloud.store.all(Job) if job.state is not JobState.CANCELLED]
            if cloud.uploads.head(known[-1].audio_key) is not None:
                return known[-1]
            cloud.clock.advance(60)
            raise Unavailable("again, in a minute") from None

    return cloud.client(ask)


def by_url(cloud: Cloud, *, slow: bool = False) -> Job:
    principal, sound = subscribed(cloud), cloud.downloads.files[RECORDING]
    if slow:
        cloud.downloads.files[RECORDING] = OutboundFailed("timeout", "it takes long")
    job = cloud.client(
        lambda deps: tasks.add_url(deps, principal, replace(CALL, file_name=None), RECORDING, fetch_s=1, within_s=20)
    )
    cloud.downloads.files[RECORDING] = sound
    return job


def by_video(cloud: Cloud, brought: bytes) -> Job:
    """The process that fetches videos brings this."""
    principal = subscribed(cloud)
    new = NewTask(TaskType.YOUTUBE)
    job = cloud.client(lambda deps: tasks.add_video(deps, principal, new, LINK))
    cloud.uploads.put(job.audio_key, brought)
    return job


def by_chat(cloud: Cloud) -> Job:
    principal = subscribed(cloud)
    return cloud.client(lambda deps: tasks.add_chat(deps, principal, NewTask(TaskType.CHAT), CHAT))


def by_report(cloud: Cloud, report_type: str) -> Job:
    principal = subscribed(cloud)

    def ask(deps: Deps) -> Job:
        return tasks.add_report(deps, principal, start="2026-01-01", end="2026-01-31", report_type=report_type)[0]

    return cloud.client(ask)


def without_its_file(cloud: Cloud) -> Job:
    """The process that takes the file dies for good before it has put it."""
    cloud.lost.add("uploaded")
    job = by_file(cloud)
    cloud.uploads.erase(job.audio_key)
    return job


def cancel(cloud: Cloud, job: Job) -> None:
    cloud.cancel(job)


def erase(cloud: Cloud, job: Job) -> None:
    cloud.erase(job)


_DONE, _FAILED, _CANCELLED = JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED
_AUDIO: Callable[[Cloud], Job] = partial(by_file, new=NewTask(TaskType.AUDIO, file_name="a.mp3", language="de"))
_REFUSED = partial(by_video, brought=videos.refusal("the video is private"))

TASK_WAYS: dict[str, Way] = {
    "call by file, completed": Way(to_its_end(by_file), _DONE, paid=True, price_m=SECONDS),
    "audio by file, completed": Way(to_its_end(_AUDIO), _DONE, paid=True, price_m=SECONDS),
    "call by URL, completed": Way(to_its_end(by_url), _DONE, paid=True, price_m=SECONDS),
    "call by slow URL, completed": Way(to_its_end(partial(by_url, slow=True)), _DONE, paid=True, price_m=SECONDS),
    "video, completed": Way(to_its_end(partial(by_video, brought=SOUND)), _DONE, paid=True, price_m=SECONDS),
    "chat, completed": Way(to_its_end(by_chat), _DONE, paid=True, price_m=PIECES),
    "video refused": Way(to_its_end(_REFUSED), _FAILED, FailureCode.SOURCE_UNREACHABLE, price_m=SECONDS),
    "business report": Way(
        to_its_end(partial(by_report, report_type="business")), _FAILED, FailureCode.REPORT_FAILED, price_m=1
    ),
    "standard report": Way(
        to_its_end(partial(by_report, report_type="standard")), _FAILED, FailureCode.REPORT_FAILED, price_m=0
    ),
    "call without its file": Way(to_its_end(without_its_file), _FAILED, FailureCode.UPLOAD_EXPIRED, price_m=SECONDS),
    "call by file, cancelled when QUEUED": Way(at(JobState.QUEUED, cancel, by_file), _CANCELLED, price_m=SECONDS),
    "chat cancelled when QUEUED": Way(at(JobState.QUEUED, cancel, by_chat), _CANCELLED, price_m=PIECES),
    "chat deleted when TRANSCRIBING": Way(at(JobState.TRANSCRIBING, erase, by_chat), GONE, price_m=PIECES),
    "call by file, deleted once completed": Way(at(_DONE, erase, by_file), GONE, paid=True, price_m=SECONDS),
    "business report deleted": Way(
        at(JobState.QUEUED, erase, partial(by_report, report_type="business")), GONE, price_m=1
    ),
}
