"""Exchanges: who joins, who leaves, and that whoever dies in between leaves nothing behind for long."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier

import pytest

from callscribe.adapters.aws import items
from callscribe.adapters.memory import (
    Crash,
    ManualClock,
    MemoryObjects,
    MemoryQueue,
    MemoryStore,
    Moment,
    RaiseAt,
    Trace,
    When,
    faulty_deps,
    memory_deps,
)
from callscribe.domain.accounts import Tenant
from callscribe.domain.exchanges import Exchange, ExchangeState, request_digest
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.keyring import KeyRing
from callscribe.domain.prices import Account, Plan
from callscribe.domain.records import update
from callscribe.domain.transcripts import Transcript, to_json
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import CallscribeError, InsufficientCredits, Unavailable
from callscribe.ports import Deps, Transcribed, WorkMessage
from callscribe.services import accounts, erasure, exchanges, jobs, ledger, preparing, work
from callscribe.services.accounts import Principal
from callscribe.services.callbacks import BodySigner, Result
from callscribe.services.exchanges import Asked, Pace, Seat
from callscribe.services.jobs import NewJob, Source
from callscribe.services.sweep import sweep

AUDIO = b"the audio itself"
NOTHING_SAID = Transcript((), "en", None, "engine", "model", 10.0, 0.0)
ASKED = Asked(("audio/wav", "audio_data"), NewJob(dialect="aivoco", media_type="audio/wav", kept=False), AUDIO)
BY_URL = Asked(
    ("audio/wav", "https://a.example/x"), NewJob(dialect="aivoco", kept=False, source=Source(url="https://a.example/x"))
)


def no_callback(_result: Result, _sign: BodySigner) -> None:
    return None


@dataclass
class Stage:
    """A stage in memory with one tenant and one credential."""

    plan: Plan | None = None

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.uploads = MemoryObjects(self.clock, bucket="uploads")
        self.results = MemoryObjects(self.clock, bucket="results")
        self.deps: Deps = memory_deps(store=self.store, uploads=self.uploads, results=self.results, now_ms=self.clock)
        tenant = accounts.create_tenant(self.deps, name="a tenant")
        self.tenant: Tenant = accounts.change_tenant(self.deps, tenant.id, plan=self.plan)
        self.principal: Principal = accounts.principal_of(
            accounts.create_key(self.deps, tenant_id=tenant.id, name="k")[0]
        )

    def enter(self, asked: Asked = ASKED, *, deps: Deps | None = None, stay_s: float = 25) -> Seat:
        seat = exchanges.enter(deps or self.deps, self.principal, asked, stay_s=stay_s)
        exchanges.bring(deps or self.deps, seat, asked)
        return seat

    def leave(self, seat: Seat, *, answered: bool) -> None:
        exchanges.leave(self.deps, seat, answered=answered)

    def complete(self, seat: Seat) -> None:
        """Everything that the pipeline does."""
        self.prepare(seat)
        self.finish(seat)

    def prepare(self, seat: Seat) -> None:
        job = exchanges.find_job(self.deps, seat)
        info = self.uploads.head(job.audio_key)
        assert info is not None
        assert jobs.uploaded(self.deps, tenant_id=job.tenant_id, job_id=job.id, version_id=info.version_id)
        preparing.prepare(self.deps, tenant_id=job.tenant_id, job_id=job.id)

    def finish(self, seat: Seat) -> None:
        job = exchanges.find_job(self.deps, seat)
        self.results.put_if_absent(job.transcript_key, to_json(NOTHING_SAID), content_type="application/json")
        jobs.finish(self.deps, tenant_id=job.tenant_id, job_id=job.id, render=no_callback)

    def fail(self, seat: Seat) -> None:
        jobs.fail(self.deps, tenant_id=seat.tenant_id, job_id=seat.job_id, render=no_callback)

    def sweep(self) -> dict[str, int]:
        return sweep(self.deps, renderer_of=lambda _: no_callback)

    def exchange(self) -> Exchange:
        (only,) = self.store.all(Exchange)
        return only

    def contents(self) -> list[str]:
        return [*self.uploads.keys(), *self.results.keys()]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_equal_requests_share_one_job(stage: Stage) -> None:
    first, second = stage.enter(), stage.enter()
    assert first.job_id == second.job_id
    assert first.waiter_id != second.waiter_id
    assert len(stage.store.all(Job)) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, audio=b"other audio"),
        replace(ASKED, parts=("audio/mp3", "audio_data")),
        replace(ASKED, parts=("audio/wavaudio_data",)),
        BY_URL,
    ],
)
def test_requests_that_differ_in_anything_do_not(stage: Stage, other: Asked) -> None:
    assert stage.enter().job_id != stage.enter(other).job_id


def test_requests_of_another_credential_do_not(stage: Stage) -> None:
    mine = stage.enter()
    stage.principal = accounts.principal_of(accounts.create_key(stage.deps, tenant_id=stage.tenant.id, name="k2")[0])
    assert stage.enter().job_id != mine.job_id


def test_a_digest_says_nothing_without_the_stages_key() -> None:
    how = {"credential_id": "k", "parts": ("a", "b"), "audio": AUDIO}
    assert request_digest(b"1" * 32, **how) != request_digest(b"2" * 32, **how)  # type: ignore[arg-type]  # one dict of several types


def test_a_rotation_of_the_root_key_does_not_split_an_exchange(stage: Stage) -> None:
    first = stage.enter()
    rotated = KeyRing("2", {"1": stage.deps.keyring.roots["1"], "2": b"another root key of thirty two b"})
    assert stage.enter(deps=replace(stage.deps, keyring=rotated)).job_id == first.job_id


def test_the_last_to_leave_with_an_answer_erases_everything(stage: Stage) -> None:
    seats = [stage.enter() for _ in range(3)]
    stage.complete(seats[0])
    for seat in seats[:2]:
        stage.leave(seat, answered=True)
        assert stage.contents() != []
    stage.leave(seats[2], answered=True)
    assert stage.contents() == []
    assert stage.exchange().state is ExchangeState.ENDED
    assert stage.store.all(Job)[0].state is JobState.COMPLETED


def test_who_leaves_without_an_answer_can_come_back_for_it(stage: Stage) -> None:
    first = stage.enter()
    stage.leave(first, answered=False)
    stage.complete(first)
    again = stage.enter()
    assert again.job_id == first.job_id
    assert exchanges.find_job(stage.deps, again).finished
    stage.leave(again, answered=True)
    assert stage.contents() == []


def test_after_the_answer_the_same_request_is_a_new_one(stage: Stage) -> None:
    first = stage.enter()
    stage.complete(first)
    stage.leave(first, answered=True)
    second = stage.enter()
    assert second.job_id != first.job_id
    assert stage.exchange().state is ExchangeState.OPEN
    stage.complete(second)
    stage.leave(second, answered=True)
    assert stage.contents() == []


def test_a_waiter_that_died_holds_nothing_back_once_its_time_is_over(stage: Stage) -> None:
    stage.enter(stay_s=25)  # and is never heard of again
    stage.clock.advance(85)
    seat = stage.enter()
    stage.complete(seat)
    stage.leave(seat, answered=True)
    assert stage.contents() == []


def test_while_another_may_still_be_reading_nothing_is_erased(stage: Stage) -> None:
    stage.enter(stay_s=25)
    stage.clock.advance(84)
    seat = stage.enter()
    stage.complete(seat)
    stage.leave(seat, answered=True)
    assert stage.contents() != []


def test_an_answered_call_is_looked_at_once_more_at_its_deadline(stage: Stage) -> None:
    seat = stage.enter()
    stage.complete(seat)
    stage.leave(seat, answered=True)
    (job,) = stage.store.all(Job)
    assert job.due_at_ms == job.deadline_at_ms
    stage.clock.advance((job.deadline_at_ms - stage.clock()) / 1000)
    assert stage.sweep() == {"cleared_up": 1}
    assert stage.store.all(Job)[0].due_at_ms is None


def test_an_unfetched_result_is_erased_within_fifteen_minutes(stage: Stage) -> None:
    seat = stage.enter()
    stage.clock.advance(1_234)
    stage.complete(seat)
    ended_ms = stage.clock()
    while stage.contents():
        stage.clock.advance(300)  # the sweeper's period
        stage.sweep()
    assert stage.clock() - ended_ms <= 15 * 60_000
    assert stage.exchange().state is ExchangeState.ENDED


def test_a_failed_job_that_nobody_asks_after_leaves_nothing(stage: Stage) -> None:
    seat = stage.enter()
    stage.fail(seat)
    for _ in range(3):
        stage.clock.advance(300)
        stage.sweep()
    assert stage.contents() == []
    assert stage.exchange().state is ExchangeState.ENDED


def test_a_job_under_way_is_not_swept_however_long_it_takes(stage: Stage) -> None:
    seat = stage.enter()
    for _ in range(4):
        stage.clock.advance(300)
        stage.sweep()
    assert stage.exchange().state is ExchangeState.OPEN
    stage.complete(seat)
    stage.clock.advance(300)
    stage.sweep()
    assert stage.contents() != []


def test_the_exchange_of_a_job_that_was_deleted_or_cancelled_elsewhere_is_not_joined(stage: Stage) -> None:
    first = stage.enter()
    jobs.cancel(stage.deps, tenant_id=first.tenant_id, job_id=first.job_id)
    second = stage.enter()
    assert second.job_id != first.job_id
    stage.leave(second, answered=False)
    stage.leave(first, answered=True)  # of the round before: it ends nothing
    assert stage.exchange().state is ExchangeState.OPEN


def test_an_ending_that_broke_off_is_completed_by_the_next_request(stage: Stage) -> None:
    first = stage.enter()
    stage.complete(first)
    stage.store.commit(update(stage.exchange(), state=ExchangeState.ENDING, waiters=()))
    second = stage.enter()
    assert second.job_id != first.job_id
    assert not any(first.job_id in key for key in stage.contents())


def test_an_ending_that_broke_off_is_completed_by_the_sweeper(stage: Stage) -> None:
    seat = stage.enter()
    stage.complete(seat)
    stage.store.commit(update(stage.exchange(), state=ExchangeState.ENDING, waiters=(), due_at_ms=stage.clock()))
    assert stage.sweep()["exchange_erased"] == 1
    assert stage.contents() == []


def test_audio_that_never_came_is_brought_by_an_equal_request(stage: Stage) -> None:
    died_early = exchanges.enter(stage.deps, stage.principal, ASKED, stay_s=25)
    assert stage.contents() == []
    seat = stage.enter()
    assert seat.job_id == died_early.job_id
    assert len(stage.uploads.keys()) == 1


@pytest.mark.parametrize("dies_before", [("uploads", "put_if_absent"), ("fetch_queue", "send")])
@pytest.mark.parametrize("how", [Crash(), Unavailable("down")])
def test_audio_that_nobody_asked_for_is_asked_for_by_an_equal_request(
    dies_before: tuple[str, str], how: BaseException
) -> None:
    stage, queue = Stage(), MemoryQueue(ManualClock())
    deps = replace(stage.deps, fetch_queue=queue)

    def plan(moment: Moment) -> None:
        if moment == Moment(*dies_before, When.BEFORE):
            raise how

    with pytest.raises(type(how)):
        stage.enter(BY_URL, deps=faulty_deps(deps, plan))
    assert queue.take() == []
    if dies_before[0] == "fetch_queue" and isinstance(how, Crash):
        stage.clock.advance(deps.settings.fetch_s)  # nobody can tell that it was not asked for
    seats = [stage.enter(BY_URL, deps=deps) for _ in range(3)]
    assert {seat.job_id for seat in seats} == {stage.exchange().job_id}
    assert queue.take() == [{"tenant_id": seats[0].tenant_id, "job_id": seats[0].job_id}]


def test_audio_by_url_is_asked_for_once_while_that_is_under_way(stage: Stage) -> None:
    queue = MemoryQueue(ManualClock())
    deps = replace(stage.deps, fetch_queue=queue)
    for _ in range(3):
        stage.enter(BY_URL, deps=deps)
        stage.clock.advance(100)
    assert len(queue.take()) == 1


def test_audio_is_brought_once(stage: Stage) -> None:
    seats = [stage.enter() for _ in range(3)]
    job = exchanges.find_job(stage.deps, seats[0])
    info = stage.uploads.head(job.audio_key)
    assert info is not None
    assert info.version_id == "v1"


def test_audio_that_comes_after_its_jobs_end_does_not_stay(stage: Stage) -> None:
    late = exchanges.enter(stage.deps, stage.principal, ASKED, stay_s=25)
    put = stage.uploads.put_if_absent

    def put_late(key: str, body: bytes, *, content_type: str) -> bool:
        stage.fail(late)
        return put(key, body, content_type=content_type)

    stage.uploads.put_if_absent = put_late  # type: ignore[method-assign]  # the job ends at the worst moment
    exchanges.bring(stage.deps, late, ASKED)
    assert stage.contents() == []


def test_audio_that_comes_after_its_job_was_deleted_does_not_stay(stage: Stage) -> None:
    late = exchanges.enter(stage.deps, stage.principal, ASKED, stay_s=25)
    put = stage.uploads.put_if_absent

    def put_late(key: str, body: bytes, *, content_type: str) -> bool:
        erasure.erase_job(stage.deps, tenant_id=late.tenant_id, job_id=late.job_id)
        return put(key, body, content_type=content_type)

    stage.uploads.put_if_absent = put_late  # type: ignore[method-assign]  # the job is deleted at the worst moment
    exchanges.bring(stage.deps, late, ASKED)
    assert stage.contents() == []


def test_an_upload_event_that_comes_after_the_jobs_end_removes_the_audio() -> None:
    stage = Stage()
    seat = stage.enter()
    stage.fail(seat)
    job = exchanges.find_job(stage.deps, seat)
    version_id = stage.uploads.put(job.audio_key, AUDIO)
    assert not jobs.uploaded(stage.deps, tenant_id=job.tenant_id, job_id=job.id, version_id=version_id)
    assert stage.contents() == []


def test_a_new_job_needs_funds_and_joining_one_does_not() -> None:
    stage = Stage(Plan(credits_m_per_s=10))
    with pytest.raises(InsufficientCredits):
        stage.enter()
    assert stage.store.all(Exchange) == []
    ledger.top_up(stage.deps, tenant_id=stage.tenant.id, account=Account.CREDITS, amount=100, reference="r")
    first = stage.enter()
    stage.complete(first)  # it took all there was
    assert stage.enter().job_id == first.job_id
    assert ledger.balance(stage.deps, tenant_id=stage.tenant.id, account=Account.CREDITS).spent == 100


def test_eight_threads_with_one_request_share_one_job_and_the_last_one_erases(stage: Stage) -> None:
    start, all_in = Barrier(8), Barrier(8)

    def request(number: int) -> str:
        start.wait()
        seat = stage.enter()
        if all_in.wait() == 0:
            stage.complete(seat)
        job = exchanges.wait(stage.deps, seat, until_s=1e9, pace=Pace(sleep=lambda _: None, monotonic_s=lambda: 0))
        assert stage.results.head(job.transcript_key) is not None
        stage.leave(seat, answered=True)
        return seat.job_id

    for _ in range(20):
        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(request, range(8)))) == 1
        assert stage.contents() == []
        assert stage.exchange().state is ExchangeState.ENDED
    assert len(stage.store.all(Job)) == 20


def test_rounds_that_overlap_never_lose_a_result_before_it_was_read(stage: Stage) -> None:
    """Threads come and go as they like; whoever finds its job completed finds its transcript, too."""

    def client(_: int) -> None:
        for _ in range(40):
            seat = stage.enter()
            job = exchanges.find_job(stage.deps, seat)
            try:
                if not job.finished:
                    stage.complete(seat)
            except (CallscribeError, AssertionError):
                pass  # another thread is completing it
            job = exchanges.find_job(stage.deps, seat)
            if job.state is JobState.COMPLETED:
                assert stage.results.head(job.transcript_key) is not None
            stage.leave(seat, answered=job.finished)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(client, range(6)))
    stage.clock.advance(100)
    for _ in range(4):
        stage.clock.advance(300)
        stage.sweep()
    left = [job for job in stage.store.all(Job) if job.finished]
    assert left
    finished = {job.id for job in left}
    assert not [key for key in stage.contents() if key.split("/")[2] in finished]


def run_of(asked: Asked) -> Callable[[Deps, Stage], None]:
    """A whole request, with the pipeline's part done by sound processes in between."""

    def run(deps: Deps, stage: Stage) -> None:
        seat = stage.enter(asked, deps=deps)
        if asked.audio is None:
            stage.uploads.put(exchanges.find_job(stage.deps, seat).audio_key, AUDIO)
        stage.complete(seat)
        exchanges.wait(deps, seat, until_s=1e9, pace=Pace(sleep=lambda _: None, monotonic_s=lambda: 0))
        exchanges.leave(deps, seat, answered=True)

    return run


@pytest.mark.parametrize("asked", [ASKED, BY_URL], ids=["inline", "by URL"])
def test_a_request_killed_at_any_moment_leaves_nothing_for_longer_than_fifteen_minutes_after_the_end(
    asked: Asked,
) -> None:
    trace, sound = Trace(), Stage()
    run_of(asked)(faulty_deps(sound.deps, trace), sound)
    assert len(trace.moments) > 20
    for index in range(len(trace.moments)):
        stage = Stage()
        with pytest.raises(Crash):
            run_of(asked)(faulty_deps(stage.deps, RaiseAt(index, Crash())), stage)
        ended_ms = end_whatever_is_under_way(stage)
        while stage.contents() or any(one.state is not ExchangeState.ENDED for one in stage.store.all(Exchange)):
            stage.clock.advance(300)
            stage.sweep()
            assert stage.clock() - ended_ms <= 15 * 60_000, trace.moments[index]
        assert all(job.finished for job in stage.store.all(Job))


def end_whatever_is_under_way(stage: Stage) -> int:
    for job in stage.store.all(Job):
        jobs.fail(stage.deps, tenant_id=job.tenant_id, job_id=job.id, render=no_callback)
    return stage.clock()


@pytest.mark.parametrize("asked", [ASKED, BY_URL], ids=["inline", "by URL"])
def test_a_request_killed_at_any_moment_can_be_sent_again_and_is_paid_once(asked: Asked) -> None:
    trace, sound = Trace(), Stage()
    run_of(asked)(faulty_deps(sound.deps, trace), sound)
    erased_at = next(at for at, moment in enumerate(trace.moments) if moment.method == "erase")
    for index in range(erased_at - 1):  # before anybody began to leave
        stage = Stage(Plan(credits_m_per_s=1))
        ledger.top_up(stage.deps, tenant_id=stage.tenant.id, account=Account.CREDITS, amount=100, reference="r")
        with pytest.raises(Crash):
            run_of(asked)(faulty_deps(stage.deps, RaiseAt(index, Crash())), stage)
        seat = stage.enter(asked)
        if not exchanges.find_job(stage.deps, seat).finished:
            if asked.audio is None:
                stage.uploads.put(exchanges.find_job(stage.deps, seat).audio_key, AUDIO)
            stage.complete(seat)
        stage.leave(seat, answered=True)
        assert ledger.balance(stage.deps, tenant_id=stage.tenant.id, account=Account.CREDITS).spent == 10, (
            trace.moments[index]
        )


def test_a_wait_grows_its_pauses_and_ends_at_its_time(stage: Stage) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        stage.clock.advance(seconds)

    pace = Pace(sleep=sleep, monotonic_s=lambda: stage.clock() / 1000)
    job = exchanges.wait(stage.deps, stage.enter(), until_s=stage.clock() / 1000 + 10, pace=pace)
    assert not job.finished
    assert pauses[0] == 0.2
    assert sorted(pauses[:-1]) == pauses[:-1]
    assert max(pauses) == 1.0
    assert sum(pauses) == pytest.approx(10, abs=0.01)


def test_a_second_workers_transcript_that_comes_after_the_first_was_fetched_does_not_stay(stage: Stage) -> None:
    seat = stage.enter()
    stage.prepare(seat)
    job = exchanges.find_job(stage.deps, seat)

    def second_worker(*_: object, **__: object) -> Transcribed:
        stage.finish(seat)  # by the first worker, while this one is still at it
        stage.leave(seat, answered=True)
        stage.clock.advance(0.1)
        return Transcribed(NOTHING_SAID, WorkFigures(1.0, 0.0, 0.0))

    work.transcribe(stage.deps, WorkMessage("receipt", job.tenant_id, job.id, "token", 2), second_worker)
    assert stage.contents() == []


def test_an_exchange_comes_back_from_the_table_as_it_was(stage: Stage) -> None:
    stage.enter()
    stage.enter()
    stored = stage.exchange()
    assert len(stored.waiters) == 2
    assert items.from_item(Exchange, items.to_item(stored, write_id="w")) == stored
