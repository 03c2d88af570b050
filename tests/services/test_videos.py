"""The fetcher of videos on fakes: what is ordered, what is put where the sound was wanted, and what a refusal says."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscribe.adapters.memory import MemoryDownloads, MemoryQueue, memory_deps
from callscribe.domain.accounts import Tenant
from callscribe.domain.audio import AudioLimits
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import insert
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.errors import OutboundFailed, OutboundRefused
from callscribe.ports import Deps
from callscribe.services import creation, sources, sweep, videos
from callscribe.services.accounts import Principal
from callscribe.services.creation import NewJob, Source
from callscribe.services.videos import MAX_REFUSAL_BYTES, Order

LINK = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
ORDER = Order(LINK, "https://bucket.example/put?signature=1", "job-1", 5_000, 60.0)
SOUND = b"\x1aE\xdf\xa3, or so it says"


class Site:
    """A `VideoSite` that has one sound, or raises."""

    def __init__(self, found: bytes | Exception = SOUND) -> None:
        self.found = found
        self.asked: list[tuple[str, int, float]] = []

    def fetch(self, url: str, path: Path, *, max_bytes: int, total_s: float) -> None:
        self.asked.append((url, max_bytes, total_s))
        if isinstance(self.found, Exception):
            raise self.found
        path.write_bytes(self.found)


class Storage:
    """Takes what is put, or refuses it."""

    def __init__(self, error: OutboundFailed | None = None) -> None:
        self.error = error
        self.objects: dict[str, bytes] = {}

    def put(self, url: str, path: Path) -> None:
        if self.error is not None:
            raise self.error
        self.objects[url] = path.read_bytes()


def nothing(_result: object, _sign: object) -> None:
    return None


@pytest.fixture
def deps() -> Deps:
    made = memory_deps()
    made.store.commit(insert(Tenant("t1", "Example", 0)))
    return made


def wanted(deps: Deps, **fields: object) -> Job:
    """A task for a video, as `services.tasks` makes one."""
    new = NewJob(
        "transcripto",
        source=Source(video=LINK),
        task=TaskFacts(TaskType.YOUTUBE, file_name=LINK),
        limits=AudioLimits(max_bytes=5_000),
    )
    principal = Principal("t1", "k1", frozenset())
    return creation.create(deps, principal, new)


def queue_of(sender: object) -> MemoryQueue:
    assert isinstance(sender, MemoryQueue)
    return sender


def fetch_queued(deps: Deps) -> list[Order]:
    """Let fetch_audio work; the orders that come of it."""
    for message in queue_of(deps.fetch_queue).take():
        sources.fetch(deps, tenant_id=str(message["tenant_id"]), job_id=str(message["job_id"]), render=nothing)
    return [Order.of(body) for body in queue_of(deps.video_queue).take()]


def test_T_15_a_video_is_ordered_with_a_url_to_put_its_sound_to_and_nothing_is_downloaded(deps: Deps) -> None:
    job = wanted(deps)
    (order,) = fetch_queued(deps)
    assert (order.link, order.job_id, order.max_bytes, order.total_s) == (LINK, job.id, 5_000, deps.settings.video_s)
    assert job.audio_key in order.put_url
    assert isinstance(deps.downloader, MemoryDownloads)
    assert deps.downloader.asked == []
    assert deps.uploads.head(job.audio_key) is None
    stored = deps.store.get(Job, "t1", job.id)
    assert stored is not None
    assert stored.state is JobState.AWAITING_UPLOAD


def test_an_order_survives_a_queue_whose_every_value_is_text() -> None:
    message = ORDER.message()
    assert all(isinstance(value, str) for value in message.values())
    assert Order.of(message) == ORDER


@pytest.mark.parametrize("missing", sorted(ORDER.message()))
def test_a_message_that_lacks_something_is_no_order(missing: str) -> None:
    with pytest.raises(KeyError):
        Order.of({name: value for name, value in ORDER.message().items() if name != missing})


def test_sound_is_put_where_it_was_ordered_to() -> None:
    site, storage = Site(), Storage()
    assert videos.fetch(site, ORDER, storage.put) is None
    assert storage.objects == {ORDER.put_url: SOUND}
    assert site.asked == [(LINK, 5_000, 60.0)]
    assert videos.read_refusal(SOUND) is None


@pytest.mark.parametrize(
    "error",
    [
        OutboundFailed("status", "the site refused: it answered 403"),
        OutboundFailed("timeout", "the other side took too long"),
        OutboundFailed("too_large", "the sound of the video has more than 5000 bytes"),
        OutboundRefused("video", "the link names a list of videos, not one"),
    ],
)
def test_T_A26_why_there_is_no_sound_is_put_in_its_place(error: OutboundFailed | OutboundRefused) -> None:
    storage = Storage()
    assert videos.fetch(Site(error), ORDER, storage.put) == str(error)
    (body,) = storage.objects.values()
    assert len(body) <= MAX_REFUSAL_BYTES
    assert videos.read_refusal(body) == str(error)


def test_a_storage_that_refuses_is_an_error_of_the_fetcher() -> None:
    with pytest.raises(OutboundFailed):
        videos.fetch(Site(), ORDER, Storage(OutboundFailed("status", "the storage answered 403")).put)


@given(st.text(max_size=2_000))
def test_a_refusal_is_always_short_readable_and_of_one_line(message: str) -> None:
    body = videos.refusal(message)
    assert len(body) <= MAX_REFUSAL_BYTES
    reason = videos.read_refusal(body)
    assert reason is not None
    assert reason.isprintable()


@given(st.text(max_size=400))
def test_what_somebody_else_put_there_is_read_as_short_and_as_clean(message: str) -> None:
    """Whoever holds the URL may put anything."""
    body = json.dumps({"callscribe_video_refusal": message}, ensure_ascii=True).encode()
    reason = videos.read_refusal(body)
    if reason is None:
        assert len(body) > MAX_REFUSAL_BYTES
        return
    assert 0 < len(reason) <= videos.MAX_REASON_CHARACTERS
    assert reason.isprintable()
    assert reason == reason.strip()


def test_a_refusal_without_a_word_to_read_says_so() -> None:
    body = rb'{"callscribe_video_refusal": "\u0000 \ud800\u001b\u202e"}'
    assert videos.read_refusal(body) == "the site gave no reason"
    assert videos.read_refusal(rb'{"callscribe_video_refusal": "a\u0000b\u001b[31m\n\ud800c"}') == "ab[31m c"


@given(st.binary(max_size=3_000))
def test_other_bytes_are_no_refusal(body: bytes) -> None:
    assert videos.read_refusal(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"callscribe_video_refusal": 1}',
        b'{"callscribe_video_refusal": "x", "more": 1}',
        b'{"other": "x"}',
        b"{}",
        b'{"callscribe_video_refusal": "x"} ' + b" " * MAX_REFUSAL_BYTES,
        b"[" * 1_500,
        b'{"a":' * 300,
    ],
)
def test_a_document_that_is_not_quite_one_is_no_refusal(body: bytes) -> None:
    assert videos.read_refusal(body) is None


def test_the_sweeper_asks_again_for_a_video_once_its_time_is_over_and_not_sooner(deps: Deps) -> None:
    job = wanted(deps)
    assert len(fetch_queued(deps)) == 1
    assert job.due_at_ms == job.created_at_ms + 1000 * deps.settings.video_message_s
    assert deps.settings.video_message_s > deps.settings.video_s
    deps.now_ms.advance(deps.settings.video_message_s - 1)  # type: ignore[attr-defined]  # the manual clock
    sweep.sweep(deps, renderer_of=lambda _dialect: nothing)
    assert fetch_queued(deps) == []
    deps.now_ms.advance(2)  # type: ignore[attr-defined]  # the same
    sweep.sweep(deps, renderer_of=lambda _dialect: nothing)
    (order,) = fetch_queued(deps)
    assert order.job_id == job.id


@pytest.mark.parametrize(("asked_after_s", "lives_s"), [(60, 1_260), (3_000, 600)])
def test_the_url_to_put_to_lives_no_longer_than_its_order_is_under_way_or_the_job_waits(
    deps: Deps, asked_after_s: int, lives_s: int
) -> None:
    wanted(deps)
    deps.now_ms.advance(asked_after_s)  # type: ignore[attr-defined]  # the manual clock
    (order,) = fetch_queued(deps)
    assert order.put_url.endswith(str(deps.now_ms() + 1000 * lives_s))
