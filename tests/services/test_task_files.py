"""Tasks of sound: measured, held and put in the request, or fetched later; and what is refused."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callscribe.adapters.memory import (
    Crash,
    MemoryDownloads,
    Moment,
    RaiseAt,
    When,
    faulty_deps,
)
from callscribe.domain.audio import AudioLimits
from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.credits import Hold
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.known_files import KnownFile
from callscribe.domain.prices import Account, Plan, Price
from callscribe.domain.records import insert
from callscribe.domain.shelves import EVERYBODY, Directory
from callscribe.domain.tariffs import DAY_MS, TARIFFS
from callscribe.domain.task_facts import TaskFacts, TaskType
from callscribe.errors import (
    DuplicateFile,
    FailureCode,
    IdempotencyMismatch,
    InsufficientCredits,
    Invalid,
    JobFailed,
    NoTariff,
    OutboundFailed,
    OutboundRefused,
    Unavailable,
)
from callscribe.ports import Deps, Settings
from callscribe.services import accounts, sources, tasks, videos
from callscribe.services.creation import Idempotency, Source
from callscribe.services.tasks import NewTask
from callscribe.wiring import renderer_of
from tests.reliability.audit import net_of, unbalanced
from tests.services.office import (
    AUDIO,
    CALL,
    CHAT,
    LINK,
    LONG,
    URL,
    Office,
    cancel_in,
    erase_in,
    failing,
    nothing_was_made,
    raised_by,
)


@pytest.fixture
def office() -> Office:
    return Office()


class TestFiles:
    def test_T_12_a_call_is_measured_held_and_on_its_way_when_it_is_answered(self, office: Office) -> None:
        new = replace(
            CALL,
            operator_name="Ivan",
            client_id="C-42",
            direction=Direction.INBOUND,
            call_date="2025-10-20",
            call_at_ms=1_760_943_600_000,
            directory_id=office.directory(),
        )
        office.inspector.facts = LONG
        job = office.add(new)
        assert job.task is not None
        assert replace(job.task, known_files=()) == TaskFacts(
            TaskType.CALL,
            file_name="call.wav",
            operator_name="Ivan",
            client_id="C-42",
            call_date="2025-10-20",
            call_at_ms=1_760_943_600_000,
            processing_type="standard",
            directory_id=7,
        )
        assert job.call == CallFacts(direction=Direction.INBOUND, agent_name="Ivan")
        assert (job.number, job.dialect, job.state) == (1, "transcripto", JobState.AWAITING_UPLOAD)
        assert (job.price, job.limits) == (Price(Account.CALL_SECONDS, 1), office.deps.settings.tasks)
        assert office.balance(Account.CALL_SECONDS) == (300_000 - 997, 997, 0)
        assert office.deps.uploads.read(job.audio_key) == b"sound"
        assert office.arrive(job).state is JobState.QUEUED

    def test_what_was_measured_once_is_not_measured_again_nor_held_twice(self, office: Office) -> None:
        office.inspector.facts = LONG
        job = office.arrive(office.add())
        prepared = office.prepare(job)
        assert (prepared.state, prepared.audio) == (JobState.TRANSCRIBING, job.audio)
        assert job.audio is not None
        assert job.audio.duration_s == LONG.duration_s
        assert office.inspector.inspected == [b"sound"]
        assert [hold.amount for hold in office.store.all(Hold)] == [997]

    def test_an_operator_that_is_not_named_is_global_and_nobodys_name(self, office: Office) -> None:
        job = office.add()
        assert job.task is not None
        assert (job.task.operator_name, job.call.agent_name) == ("global", None)

    def test_a_file_on_disk_stays_its_owners(self, office: Office, tmp_path: Path) -> None:
        path = tmp_path / "call.wav"
        path.write_bytes(b"from disk")
        job = office.add(content=path)
        assert office.deps.uploads.read(job.audio_key) == path.read_bytes() == b"from disk"

    def test_T_14_other_sound_is_paid_from_the_audio_minutes(self, office: Office) -> None:
        job = office.add(replace(AUDIO, language="de"))
        assert job.language == "de"
        assert office.balance(Account.AUDIO_SECONDS) == (300_000 - 10, 10, 0)
        assert office.balance(Account.CALL_SECONDS) == (300_000, 0, 0)

    @pytest.mark.parametrize(
        "code",
        [
            FailureCode.AUDIO_EMPTY,
            FailureCode.AUDIO_UNREADABLE,
            FailureCode.AUDIO_UNSUPPORTED,
            FailureCode.AUDIO_TOO_SHORT,
            FailureCode.AUDIO_TOO_LONG,
        ],
    )
    def test_a_file_that_cannot_be_transcribed_makes_no_task(self, office: Office, code: FailureCode) -> None:
        office.inspector.facts = JobFailed(code, "no")
        with pytest.raises(JobFailed) as error:
            office.add()
        assert error.value.failure.code is code
        assert nothing_was_made(office)

    def test_a_file_that_is_too_large_is_not_looked_into(self) -> None:
        office = Office(settings=Settings(tasks=AudioLimits(max_bytes=4)))
        with pytest.raises(JobFailed) as error:
            office.add(content=b"12345")
        assert error.value.failure.code is FailureCode.UPLOAD_TOO_LARGE
        assert office.inspector.inspected == []
        assert office.add(content=b"1234").audio is not None

    @pytest.mark.parametrize("directory_id", [7, 0, -1, 10**30])
    def test_a_directory_that_the_tenant_does_not_have_is_invalid(self, office: Office, directory_id: int) -> None:
        office.deps.store.commit(insert(Directory("t-other", EVERYBODY, 7, "Theirs", 0)))
        new = replace(CALL, directory_id=directory_id)
        makers: list[Callable[[], object]] = [
            lambda: office.add(new),
            lambda: tasks.add_url(office.deps, office.user, new, URL, fetch_s=1, within_s=20),
            lambda: tasks.add_video(office.deps, office.user, replace(new, type=TaskType.YOUTUBE), LINK),
            lambda: tasks.add_chat(office.deps, office.user, new, CHAT),
        ]
        for make in makers:
            with pytest.raises(Invalid) as error:
                make()
            assert error.value.field == "directory_id"
        assert nothing_was_made(office)

    def test_a_file_that_could_not_be_put_leaves_neither_a_hold_nor_its_name_taken(self, office: Office) -> None:
        deps = faulty_deps(office.deps, failing("put_file"))
        with pytest.raises(Unavailable):
            tasks.add_file(deps, office.user, CALL, b"sound")
        (job,) = office.store.all(Job)
        assert job.state is JobState.CANCELLED
        assert net_of(office.store, job.id) == (0, 0, 0)
        assert office.add().number == 2


class TestTime:
    """What cannot be measured while the request may wait is measured afterwards."""

    def test_T_12_a_file_that_takes_longer_to_measure_is_taken_and_held_once_it_is(self, office: Office) -> None:
        office.inspector.takes_s = 18
        job = tasks.add_file(office.deps, office.user, CALL, b"sound", within_s=17)
        assert (job.audio, job.source, office.store.all(Hold)) == (None, False, [])
        assert office.deps.uploads.read(job.audio_key) == b"sound"
        with pytest.raises(DuplicateFile):
            office.add()
        prepared = office.prepare(office.arrive(job))
        assert prepared.audio is not None
        assert office.balance(Account.CALL_SECONDS) == (300_000 - 10, 10, 0)

    def test_a_file_that_is_measured_in_time_is_held_at_once(self, office: Office) -> None:
        office.inspector.takes_s = 18
        assert tasks.add_file(office.deps, office.user, CALL, b"sound", within_s=18).audio is not None
        assert len(office.store.all(Hold)) == 1

    def test_what_is_not_measured_is_taken_from_nobody_who_has_nothing_left(self, office: Office) -> None:
        office.inspector.takes_s = 18
        office.spend(Account.CALL_SECONDS, 0)
        with pytest.raises(InsufficientCredits):
            tasks.add_file(office.deps, office.user, CALL, b"sound", within_s=17)
        assert nothing_was_made(office)

    @pytest.mark.parametrize(("download_s", "in_time"), [(2, True), (3, False), (11, False)])
    def test_T_13_downloading_and_measuring_share_the_time_there_is(
        self, download_s: float, in_time: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        office = Office()
        office.downloads.files[URL] = b"sound"
        office.inspector.takes_s = 18
        at_once = office.downloads.download

        def download(*args: Any, **how: Any) -> None:
            office.clock.advance(download_s)
            at_once(*args, **how)

        monkeypatch.setattr(office.downloads, "download", download)
        job = tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=12, within_s=20)
        assert (job.source, job.audio is not None) == (not in_time, in_time)
        assert len(office.fetches.take()) == len(office.store.all(Job)) - len(office.store.all(Hold)) == (not in_time)
        if job.source:
            sources.fetch(office.deps, tenant_id=job.tenant_id, job_id=job.id, render=renderer_of(job.dialect))
        assert office.prepare(office.arrive(job)).audio is not None
        assert office.balance(Account.CALL_SECONDS) == (300_000 - 10, 10, 0)


class TestAsking:
    """Whoever hears of a failure asks again, and must not get two tasks for it."""

    @pytest.mark.parametrize("kind", ["call", "video"])
    def test_a_job_that_nobody_could_be_told_to_fetch_is_answered_and_asked_for_soon(
        self, office: Office, kind: str
    ) -> None:
        def mute(moment: Moment) -> None:
            if moment.port == "fetch_queue":
                raise Unavailable("no answer")

        deps = faulty_deps(office.deps, mute)
        office.downloads.files[URL] = OutboundFailed("timeout", "not yet")
        if kind == "call":
            job = tasks.add_url(deps, office.user, CALL, URL, fetch_s=1, within_s=20)
        else:
            job = tasks.add_video(deps, office.user, NewTask(TaskType.YOUTUBE), LINK)
        assert (office.store.all(Job)[0].id, office.fetches.take()) == (job.id, [])
        office.sweep(60)
        assert office.fetches.take() == [{"tenant_id": job.tenant_id, "job_id": job.id}]

    def test_a_source_that_could_not_be_stored_is_told(self, office: Office) -> None:
        deps = faulty_deps(office.deps, failing("put_if_absent"))
        with pytest.raises(Unavailable):
            tasks.add_video(deps, office.user, NewTask(TaskType.YOUTUBE), LINK)


KEY = Idempotency("key-1", "meaning")


class TestKeys:
    """The same Idempotency-Key gives the same task, whatever has changed since it was made."""

    def add(self, deps: Deps, office: Office, kind: str, key: Idempotency = KEY) -> Job:
        who = office.user
        makers: dict[str, Callable[[], Job]] = {
            "file": lambda: tasks.add_file(deps, who, replace(CALL, idempotency=key), b"sound"),
            "url": lambda: tasks.add_url(deps, who, replace(CALL, idempotency=key), URL, fetch_s=12, within_s=20),
            "video": lambda: tasks.add_video(deps, who, NewTask(TaskType.YOUTUBE, idempotency=key), LINK),
            "chat": lambda: tasks.add_chat(deps, who, NewTask(TaskType.CHAT, idempotency=key), CHAT),
            "report": lambda: tasks.add_report(deps, who, start="a", end="b", report_type="business", idempotency=key)[
                0
            ],
        }
        return makers[kind]()

    KINDS = ("file", "url", "video", "chat", "report")

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_same_key_gives_the_same_task_also_when_nothing_is_left_or_the_tariff_has_ended(
        self, kind: str
    ) -> None:
        office = Office(settings=Settings(idempotency_s=31 * 86_400))
        office.downloads.files[URL] = b"sound"
        job = self.add(office.deps, office, kind)
        assert job.price is not None
        office.spend(job.price.account, 0)
        assert self.add(office.deps, office, kind).id == job.id
        office.clock.advance(30 * DAY_MS // 1000)
        assert self.add(office.deps, office, kind).id == job.id
        assert (len(office.store.all(Job)), len(office.store.all(Hold))) == (1, kind != "video")

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_same_key_with_another_meaning_is_refused_and_another_key_is_another_task(self, kind: str) -> None:
        office = Office(settings=Settings(unique_file_names=False))
        office.downloads.files[URL] = b"sound"
        job = self.add(office.deps, office, kind)
        with pytest.raises(IdempotencyMismatch):
            self.add(office.deps, office, kind, replace(KEY, body_sha256="other"))
        assert self.add(office.deps, office, kind, Idempotency("key-2", "meaning")).id != job.id

    def test_T_12_a_file_that_is_known_by_its_name_is_the_same_task_by_its_key(self, office: Office) -> None:
        job = self.add(office.deps, office, "file")
        assert self.add(office.deps, office, "file").id == job.id
        with pytest.raises(DuplicateFile):
            office.add()
        assert office.inspector.inspected == [b"sound"]

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_maker_that_dies_at_any_call_and_asks_again_by_its_key_has_one_task_that_goes_on(self, kind: str) -> None:
        index, died = 0, True
        while died:
            office, died = Office(), False
            office.downloads.files[URL] = b"sound"
            try:
                self.add(faulty_deps(office.deps, RaiseAt(index, Crash())), office, kind)
            except Crash:
                died = True
            office.clock.advance(office.deps.settings.video_message_s)  # so long an ask is surely under way
            job = self.add(office.deps, office, kind)
            assert [one.id for one in office.store.all(Job)] == [job.id], index
            assert office.fetches.take() if job.source else office.deps.uploads.head(job.audio_key), index
            index += 1
        assert index > 5

    @pytest.mark.parametrize(("kind", "method"), [("file", "put_file"), ("url", "put_file"), ("chat", "put_if_absent")])
    def test_what_could_not_be_put_is_put_when_it_is_sent_again(self, office: Office, kind: str, method: str) -> None:
        office.downloads.files[URL] = b"sound"
        with pytest.raises(Unavailable):
            self.add(faulty_deps(office.deps, failing(method)), office, kind)
        job = self.add(office.deps, office, kind)
        assert [one.id for one in office.store.all(Job)] == [job.id]
        assert office.arrive(job).state is JobState.QUEUED

    def test_a_file_that_is_there_already_is_not_put_again(self, office: Office) -> None:
        self.add(office.deps, office, "file")
        job = self.add(faulty_deps(office.deps, failing("put_file")), office, "file")
        office.arrive(job)
        self.add(faulty_deps(office.deps, failing("put_file")), office, "file")

    def test_two_at_once_with_the_last_seconds_and_the_same_key_are_one_task(self, office: Office) -> None:
        office.spend(Account.CALL_SECONDS, 10)
        served: list[Job] = []

        def other_first(moment: Moment) -> None:
            if moment.port == "inspector" and moment.when is When.AFTER:
                served.append(self.add(office.deps, office, "file"))

        job = self.add(faulty_deps(office.deps, other_first), office, "file")
        assert [job.id] == [one.id for one in served] == [one.id for one in office.store.all(Job)]


class TestTariffs:
    def add_all(self, office: Office) -> list[type[Exception] | None]:
        makers = (
            lambda: office.add(),
            lambda: office.add(AUDIO),
            lambda: tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=1, within_s=20),
            lambda: tasks.add_video(office.deps, office.user, NewTask(TaskType.YOUTUBE), LINK),
            lambda: tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT),
            lambda: tasks.add_report(office.deps, office.user, start="a", end="b", report_type="standard"),
        )
        return [raised_by(make) for make in makers]

    def test_without_a_tariff_there_are_no_tasks(self) -> None:
        office = Office(tariff=None)
        assert self.add_all(office) == [NoTariff] * 6
        assert nothing_was_made(office)

    def test_nor_once_it_has_ended(self, office: Office) -> None:
        office.clock.advance(30 * DAY_MS // 1000)
        assert self.add_all(office) == [NoTariff] * 6

    def test_a_tariff_covers_what_it_says(self) -> None:
        no_calls, no_sound = replace(TARIFFS[0], calls=False), replace(TARIFFS[0], transcription=False)
        downloads = MemoryDownloads({URL: b"sound"})
        office = Office(settings=Settings(tariffs=(no_calls,)), downloader=downloads)
        assert self.add_all(office) == [NoTariff, None, NoTariff, None, None, None]
        office = Office(settings=Settings(tariffs=(no_sound,)), downloader=downloads)
        assert self.add_all(office) == [NoTariff, NoTariff, NoTariff, NoTariff, None, None]

    def test_a_tenant_that_also_has_a_plan_pays_a_task_from_its_tariff(self, office: Office) -> None:
        accounts.change_tenant(office.deps, office.tenant_id, plan=Plan(Account.CREDITS, credits_m_per_s=5))
        assert office.add().price == Price(Account.CALL_SECONDS, 1)

    @pytest.mark.parametrize("left", [0, 9])
    def test_what_costs_more_than_is_left_is_refused_and_nothing_is_made(self, office: Office, left: int) -> None:
        office.spend(Account.CALL_SECONDS, left)
        with pytest.raises(InsufficientCredits) as error:
            office.add()
        found = (error.value.account, error.value.available, error.value.required)
        assert found == (Account.CALL_SECONDS, left, 10)
        assert nothing_was_made(office)

    def test_the_last_seconds_may_be_used_up(self, office: Office) -> None:
        office.spend(Account.CALL_SECONDS, 10)
        office.add()
        assert office.balance(Account.CALL_SECONDS) == (0, 10, 0)

    def test_of_many_who_want_the_last_seconds_at_once_as_many_get_them_as_there_are(self) -> None:
        office = Office(settings=Settings(unique_file_names=False))
        office.spend(Account.CALL_SECONDS, 55)
        start = threading.Barrier(10)

        def add(_number: int) -> bool:
            start.wait()
            return raised_by(lambda: office.add()) is None

        with ThreadPoolExecutor(10) as pool:
            made = sum(pool.map(add, range(10)))
        assert made == 5
        assert office.balance(Account.CALL_SECONDS) == (5, 50, 0)
        assert unbalanced(office.store) == []


class TestKnownFiles:
    def test_T_A12_a_calls_file_name_comes_once_per_user_whatever_is_in_it(self, office: Office) -> None:
        office.add()
        with pytest.raises(DuplicateFile):
            office.add(content=b"other sound")
        office.add(by=office.colleague)
        office.add(replace(CALL, file_name="Call.wav"))
        assert len(office.store.all(Job)) == 3

    def test_T_A12_other_sound_may_come_under_any_name_again_and_again(self, office: Office) -> None:
        office.add()
        for _ in range(2):
            office.add(replace(AUDIO, file_name="call.wav"))

    def test_T_A12_an_operator_may_switch_that_off(self) -> None:
        office = Office(settings=Settings(unique_file_names=False))
        office.add()
        office.add()
        assert office.store.all(KnownFile) == []

    def test_T_A12_the_same_content_is_refused_where_that_is_asked_for(self, office: Office) -> None:
        for new in (CALL, AUDIO):
            once = replace(new, unique_content=True)
            office.add(once, content=f"{new.type}".encode())
            with pytest.raises(DuplicateFile):
                office.add(replace(once, file_name="other.wav"), content=f"{new.type}".encode())
            office.add(replace(once, file_name="another.wav"), content=f"more {new.type}".encode())

    @pytest.mark.parametrize("end", ["failed", "cancelled", "deleted"])
    def test_a_name_is_free_again_once_its_task_came_to_nothing(self, office: Office, end: str) -> None:
        job = office.arrive(office.add())
        {"failed": office.fail, "cancelled": cancel_in(office), "deleted": erase_in(office)}[end](job)
        again = office.add()
        assert again.number == 2
        with pytest.raises(DuplicateFile):
            office.add()
        (known,) = office.store.all(KnownFile)
        assert known.job_id == again.id

    def test_a_deleted_task_takes_its_claim_along_but_not_another_ones(self, office: Office) -> None:
        first = office.add()
        office.fail(first)
        second = office.add()
        erase_in(office)(first)
        assert [known.job_id for known in office.store.all(KnownFile)] == [second.id]
        erase_in(office)(second)
        assert office.store.all(KnownFile) == []

    def test_of_many_requests_with_one_name_at_once_one_makes_a_task(self, office: Office) -> None:
        start = threading.Barrier(8)

        def add(_number: int) -> type[Exception] | None:
            start.wait()
            return raised_by(lambda: office.add())

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(add, range(8)))
        assert sorted(map(str, outcomes)) == sorted(map(str, [None, *[DuplicateFile] * 7]))
        assert len(office.store.all(Job)) == len(office.store.all(Hold)) == 1

    def test_a_maker_that_died_before_it_put_the_file_is_in_nobodys_way_after_a_minute(self, office: Office) -> None:
        job = office.add()
        office.deps.uploads.erase(job.audio_key)
        with pytest.raises(DuplicateFile):
            office.add()
        office.clock.advance(60)
        again = office.add()
        assert office.job(job).state is JobState.CANCELLED
        assert office.balance(Account.CALL_SECONDS) == (300_000 - 10, 10, 0)
        office.clock.advance(60)
        office.arrive(again)
        with pytest.raises(DuplicateFile):
            office.add()

    def test_if_nobody_asks_again_the_sweeper_ends_it_and_the_name_is_free(self, office: Office) -> None:
        job = office.add()
        office.deps.uploads.erase(job.audio_key)
        office.sweep(1_000)
        assert office.job(job).state is JobState.AWAITING_UPLOAD
        office.sweep(2_600)
        ended = office.job(job)
        assert ended.failure is not None
        assert (ended.state, ended.failure.code) == (JobState.FAILED, FailureCode.UPLOAD_EXPIRED)
        assert net_of(office.store, job.id) == (0, 0, 0)
        office.add()


class TestUrls:
    def test_T_13_audio_that_comes_in_time_is_judged_in_the_request(self, office: Office) -> None:
        office.downloads.files[URL] = b"sound"
        job = tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=12, within_s=20)
        assert job.task is not None
        assert (job.task.file_name, job.source, job.audio is not None) == ("rec 001.wav", False, True)
        assert office.deps.uploads.read(job.audio_key) == b"sound"
        assert office.balance(Account.CALL_SECONDS) == (300_000 - 10, 10, 0)

    def test_T_13_the_same_url_may_come_again(self, office: Office) -> None:
        office.downloads.files[URL] = b"sound"
        for _ in range(2):
            tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=12, within_s=20)
        office.add(replace(CALL, file_name="rec 001.wav"))
        assert len(office.store.all(Job)) == 3

    @pytest.mark.parametrize("kind", ["timeout", "too_large"])
    def test_T_13_audio_that_takes_longer_is_fetched_later_and_held_then(self, office: Office, kind: str) -> None:
        office.downloads.files[URL] = OutboundFailed(kind, "not yet")
        job = tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=12, within_s=20)
        assert (job.source, job.audio) == (True, None)
        assert office.fetches.take() == [{"tenant_id": job.tenant_id, "job_id": job.id}]
        assert office.store.all(Hold) == []
        office.downloads.files[URL] = b"sound"
        sources.fetch(office.deps, tenant_id=job.tenant_id, job_id=job.id, render=renderer_of(job.dialect))
        prepared = office.prepare(office.arrive(job))
        assert (prepared.state, prepared.limits) == (JobState.TRANSCRIBING, office.deps.settings.tasks)
        assert office.balance(Account.CALL_SECONDS) == (300_000 - 10, 10, 0)

    @pytest.mark.parametrize("kind", ["connect", "tls", "protocol", "status"])
    def test_T_13_audio_that_cannot_be_had_makes_no_task(self, office: Office, kind: str) -> None:
        office.downloads.files[URL] = OutboundFailed(kind, "no")
        with pytest.raises(OutboundFailed):
            tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=12, within_s=20)
        assert nothing_was_made(office)

    def test_T_13_audio_that_is_larger_than_any_may_be_makes_no_task(self) -> None:
        office = Office(settings=Settings(tasks=AudioLimits(max_bytes=4)))
        office.downloads.files[URL] = b"12345"
        with pytest.raises(OutboundFailed):
            tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=12, within_s=20)

    def test_T_13_an_address_that_may_not_be_asked_is_not(self, office: Office) -> None:
        office.downloads.refuse[URL] = "address"
        with pytest.raises(OutboundRefused):
            tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=12, within_s=20)
        assert (office.downloads.asked, nothing_was_made(office)) == ([], True)

    def test_nothing_is_fetched_for_somebody_who_has_nothing_left(self, office: Office) -> None:
        office.spend(Account.CALL_SECONDS, 0)
        with pytest.raises(InsufficientCredits):
            tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=12, within_s=20)
        assert office.downloads.asked == []

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("https://example.com/a/b.wav", "b.wav"),
            ("https://example.com/a/b/?q=c.wav", "b"),
            ("https://example.com/%D0%B0.mp3#x", "а.mp3"),
            ("https://example.com", "example.com"),
            ("https://example.com/a%0D%0Ab%00.wav", "a  b .wav"),
        ],
    )
    def test_a_task_is_called_what_its_urls_path_ends_with(self, office: Office, url: str, name: str) -> None:
        office.downloads.files[url] = b"sound"
        job = tasks.add_url(office.deps, office.user, CALL, url, fetch_s=1, within_s=20)
        assert job.task is not None
        assert job.task.file_name == name


class TestVideos:
    def test_T_15_a_video_is_fetched_later_and_costs_what_it_then_lasts(self, office: Office) -> None:
        job = tasks.add_video(office.deps, office.user, NewTask(TaskType.YOUTUBE, language="de"), LINK)
        assert job.task is not None
        assert (job.task.file_name, job.language, job.source) == (LINK, "de", True)
        assert Source(video=LINK) == sources._source(office.deps, job)
        office.deps.uploads.put_if_absent(job.audio_key, b"sound", content_type="audio/mp4")
        assert office.prepare(office.arrive(job)).state is JobState.TRANSCRIBING
        assert office.balance(Account.VIDEO_SECONDS) == (60_000 - 10, 10, 0)

    def test_a_site_that_refuses_is_an_honest_failure_and_costs_nothing(self, office: Office) -> None:
        job = tasks.add_video(office.deps, office.user, NewTask(TaskType.YOUTUBE), LINK)
        body = videos.refusal("the video is private")
        office.deps.uploads.put_if_absent(job.audio_key, body, content_type="application/json")
        with pytest.raises(JobFailed):
            office.prepare(office.arrive(job))
        failure = office.fail(job).failure
        assert failure is not None
        assert (failure.code, failure.message) == (FailureCode.SOURCE_UNREACHABLE, "the video is private")
        assert office.inspector.inspected == []
        assert office.balance(Account.VIDEO_SECONDS) == (60_000, 0, 0)

    def test_what_only_looks_like_a_refusal_is_a_recording_everywhere_else(self, office: Office) -> None:
        office.downloads.files[URL] = OutboundFailed("timeout", "not yet")
        job = tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=1, within_s=20)
        body = videos.refusal("the video is private")
        office.deps.uploads.put_if_absent(job.audio_key, body, content_type="audio/wav")
        assert office.prepare(office.arrive(job)).state is JobState.TRANSCRIBING
        assert office.inspector.inspected == [body]

    def test_nobody_asks_a_site_for_somebody_who_has_nothing_left(self, office: Office) -> None:
        office.spend(Account.VIDEO_SECONDS, 0)
        with pytest.raises(InsufficientCredits):
            tasks.add_video(office.deps, office.user, NewTask(TaskType.YOUTUBE), LINK)
        assert nothing_was_made(office)

    def test_a_video_that_lasts_longer_than_what_is_left_fails_and_costs_nothing(self, office: Office) -> None:
        office.spend(Account.VIDEO_SECONDS, 9)
        job = tasks.add_video(office.deps, office.user, NewTask(TaskType.YOUTUBE), LINK)
        office.deps.uploads.put_if_absent(job.audio_key, b"sound", content_type="audio/mp4")
        with pytest.raises(JobFailed):
            office.prepare(office.arrive(job))
        failure = office.fail(job).failure
        assert failure is not None
        assert failure.code is FailureCode.INSUFFICIENT_CREDITS
        assert office.balance(Account.VIDEO_SECONDS) == (9, 0, 0)
