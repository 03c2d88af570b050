"""services/drain.py on the memory fakes, with a transcriber that does as it is told."""

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from callscribe import names
from callscribe.adapters.memory import Crash, Moment, RaiseAt, faulty, faulty_deps
from callscribe.domain import transcripts
from callscribe.domain.jobs import JobState, move
from callscribe.domain.records import update
from callscribe.domain.transcripts import Segment, Transcript
from callscribe.domain.work import POOL, WorkerSeen
from callscribe.errors import Conflict, FailureCode, JobFailed, Unavailable
from callscribe.ports import WorkMessage
from callscribe.services import drain, jobs, work
from callscribe.services.drain import Drain, WorkerSettings
from callscribe.services.in_hand import LONGEST_HIDDEN_S, InHand
from tests.services.worksite import MAX_RECEIVES, WAIT_S, Hearing, Site

Start = Callable[[Drain], threading.Thread]


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def start(site: Site) -> Iterator[Start]:
    """Runs workers in threads, which must have ended when the test ends."""
    running: list[tuple[Drain, threading.Thread]] = []

    def begin(worker: Drain) -> threading.Thread:
        thread = threading.Thread(target=worker.run)
        thread.start()
        running.append((worker, thread))
        return thread

    yield begin
    for worker, thread in running:
        worker.stop(grace_s=0)
        thread.join(WAIT_S)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.005)


def broken() -> None:
    raise RuntimeError("the engine broke")


def test_a_worker_drains_the_queue_and_reports_every_job_by_its_token(site: Site) -> None:
    sent = [site.send(f"words {number}".encode()) for number in range(3)]
    site.worker().run()
    assert site.queue.bodies == []
    assert sorted(site.reports.succeeded) == sorted(f"token-{job.id}" for job in sent)
    assert [jobs.transcript(site.deps, job).text for job in sent] == ["words 0", "words 1", "words 2"]


def test_as_many_recordings_are_open_at_a_time_as_there_are_slots(site: Site) -> None:
    together = threading.Barrier(3, timeout=WAIT_S)
    site.hearing.hear = together.wait
    for _ in range(6):
        site.send()
    site.worker(slots=3).run()
    assert len(site.reports.succeeded) == 6


def test_no_message_is_received_for_which_there_is_no_slot(site: Site, start: Start) -> None:
    go_on = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(go_on)
    for _ in range(5):
        site.send()
    thread = start(site.worker(slots=2))
    wait_for(lambda: len(site.transcribed) == 2)
    time.sleep(0.1)
    assert (site.queue.depth().waiting, site.queue.depth().in_work) == (3, 2)
    go_on.set()
    thread.join(WAIT_S)
    assert len(site.reports.succeeded) == 5
    assert max(site.queue.asked_for) == 2


def test_many_slots_are_filled_ten_messages_at_a_time(site: Site) -> None:
    for _ in range(25):
        site.send()
    site.worker(slots=64).run()
    assert len(site.reports.succeeded) == 25
    assert max(site.queue.asked_for) == 10


def test_a_message_stays_hidden_for_as_long_as_the_worker_works_on_it(site: Site) -> None:
    seen: list[list[WorkMessage]] = []

    def work_long() -> None:
        for _ in range(4):  # 4 × 0.9 s of the queue's clock, against a visibility of 1 s
            assert site.queue.extended.acquire(timeout=WAIT_S)
            site.clock.advance(0.9)
            seen.append(site.queue.receive(max_messages=1, wait_s=0))

    site.hearing.hear = work_long
    site.send()
    site.worker(visibility_s=1).run()
    assert seen == [[], [], [], []]
    assert len(site.transcribed) == 1


def test_all_messages_in_hand_are_kept_hidden(site: Site, start: Start) -> None:
    go_on = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(go_on)
    for _ in range(3):
        site.send()
    thread = start(site.worker(slots=3, visibility_s=1))
    wait_for(lambda: len(site.transcribed) == 3)
    for _ in range(4):
        for _ in range(6):  # each message once, since the last step of the clock
            assert site.queue.extended.acquire(timeout=WAIT_S)
        site.clock.advance(0.9)
        assert site.queue.depth().waiting == 0
    go_on.set()
    thread.join(WAIT_S)
    assert len(site.transcribed) == 3


def test_a_message_is_no_longer_kept_hidden_once_the_work_is_done(site: Site, start: Start) -> None:
    job = site.send()
    start(site.worker(visibility_s=1, idle_s=None))
    wait_for(lambda: site.reports.succeeded == [f"token-{job.id}"] and not site.queue.bodies)
    wait_for(lambda: f"job {job.id}" not in [thread.name for thread in threading.enumerate()])
    while site.queue.extended.acquire(blocking=False):
        pass
    assert not site.queue.extended.acquire(timeout=1.0)


def test_work_goes_on_when_the_visibility_cannot_be_extended(site: Site) -> None:
    asked = threading.Event()

    def refuse_to_extend(moment: Moment) -> None:
        if moment.method == "extend":
            asked.set()
            raise Unavailable("the queue is down")

    site.hearing.hear = lambda: asked.wait(WAIT_S)
    job = site.send()
    site.worker(faulty(site.queue, refuse_to_extend), visibility_s=1).run()
    assert asked.is_set()
    assert site.reports.succeeded == [f"token-{job.id}"]


def test_a_message_is_not_kept_hidden_for_longer_than_a_queue_lets_anybody(site: Site) -> None:
    site.send()
    hands = InHand(site.queue, visibility_s=300, now_s=lambda: site.clock() / 1000)
    (message,) = site.queue.receive(max_messages=1, wait_s=0)
    hands.take(message)
    for _ in range(LONGEST_HIDDEN_S // 100 + 10):
        site.clock.advance(100)
        hands.keep_hidden()
        if again := site.queue.receive(max_messages=1, wait_s=0):
            break
    assert site.clock() - message_time_ms(site) == 1000 * LONGEST_HIDDEN_S
    assert again[0].received_count == 2
    assert hands.take(again[0]) is None
    site.clock.advance(299)
    hands.keep_hidden()  # by its new receipt, for which the time begins anew
    site.clock.advance(299)
    assert site.queue.depth().waiting == 0


class Slow:
    """A queue of which one answer, to whoever hides a message, takes its time."""

    def __init__(self, site: Site) -> None:
        self.queue = site.queue
        self.asked, self.let_go = threading.Event(), threading.Event()

    def extend(self, message: WorkMessage, *, visibility_s: int) -> None:
        if visibility_s:
            self.asked.set()
            assert self.let_go.wait(WAIT_S)
        self.queue.extend(message, visibility_s=visibility_s)

    def __getattr__(self, name: str) -> object:
        return getattr(self.queue, name)


def test_a_message_that_is_given_back_while_it_is_kept_hidden_is_not_hidden_again(site: Site) -> None:
    site.send()
    slow = Slow(site)
    hands = InHand(slow, visibility_s=300)  # type: ignore[arg-type]  # the rest of a queue is passed on
    (message,) = site.queue.receive(max_messages=1, wait_s=0)
    assert hands.take(message)
    threads = [threading.Thread(target=one) for one in (hands.keep_hidden, hands.give_all_back)]
    threads[0].start()
    assert slow.asked.wait(WAIT_S)
    threads[1].start()
    threads[1].join(0.1)
    slow.let_go.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert site.queue.depth().waiting == 1
    assert len(hands) == 0


@pytest.mark.parametrize("what", ["keep_hidden", "give_all_back"])
def test_what_goes_wrong_with_one_message_is_no_reason_to_forget_the_others(site: Site, what: str) -> None:
    asked: list[str] = []

    def never_extends(moment: Moment) -> None:
        if moment.method == "extend":
            asked.append(str(moment))
            raise RuntimeError("a grant is missing")  # and not an outage, which is tolerated

    hands = InHand(faulty(site.queue, never_extends), visibility_s=300)
    for _ in range(3):
        site.send()
    for message in site.queue.receive(max_messages=10, wait_s=0):
        hands.take(message)
    with pytest.raises(RuntimeError, match="grant"):
        getattr(hands, what)()
    assert len(asked) == 3


def message_time_ms(site: Site) -> int:
    """When the site's clock began."""
    return type(site.clock)()()


def test_a_message_that_comes_again_while_it_is_in_hand_is_not_worked_on_twice(site: Site, start: Start) -> None:
    go_on = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(go_on)
    job = site.send()
    thread = start(site.worker(slots=2))
    wait_for(lambda: site.transcribed)
    site.clock.advance(1000)  # the queue has lost patience
    wait_for(lambda: site.queue.depth().waiting == 0)
    go_on.set()
    thread.join(WAIT_S)
    assert len(site.transcribed) == 1
    assert site.reports.succeeded == [f"token-{job.id}"]
    assert site.queue.bodies == [], "deleted by its newest receipt"


def test_the_message_of_a_jobs_second_execution_waits_for_the_first_and_is_reported_too(
    site: Site, start: Start
) -> None:
    go_on = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(go_on)
    job = site.send()
    site.reports.wait_for("second token")
    site.send_message(job, "second token")
    thread = start(site.worker(slots=4))
    wait_for(lambda: site.queue.depth().in_work == 2)
    time.sleep(0.1)
    assert len(site.transcribed) == 1
    go_on.set()
    thread.join(WAIT_S)
    assert len(site.transcribed) == 1
    assert site.reports.succeeded == [f"token-{job.id}", "second token"]
    assert site.queue.bodies == []


def test_work_that_always_fails_is_given_back_and_in_the_end_lands_with_the_dead_letters(site: Site) -> None:
    site.hearing.hear = broken
    job = site.send()
    waits_s: list[int] = []
    while not site.queue.dead_letters:
        site.worker().run()
        assert len(waits_s) < MAX_RECEIVES + 1
        waits_s.append(site.wait_until_visible())
    assert len(site.transcribed) == MAX_RECEIVES
    assert waits_s[:MAX_RECEIVES] == [10, 20, 30, 40, 50]
    assert (site.reports.succeeded, site.reports.failed) == ([], [])
    (letter,) = site.queue.dead_letters
    work.give_up(site.deps, task_token=str(letter["task_token"]), tries=MAX_RECEIVES)
    assert [(one.task_token, one.error) for one in site.reports.failed] == [(f"token-{job.id}", FailureCode.INTERNAL)]


@pytest.mark.parametrize(
    "error",
    [RuntimeError("the engine broke"), MemoryError(), OSError(28, "No space left on device"), Unavailable("no memory")],
    ids=lambda error: type(error).__name__,
)
def test_work_that_fails_once_succeeds_when_it_comes_back(site: Site, error: Exception) -> None:
    job = site.send()
    errors = iter([error])

    def fail_once() -> None:
        for one in errors:
            raise one

    site.hearing.hear = fail_once
    site.worker().run()
    site.wait_until_visible()
    site.worker().run()
    assert site.reports.succeeded == [f"token-{job.id}"]
    assert site.queue.bodies == []


def test_one_recording_that_fails_disturbs_no_other_that_is_open(site: Site) -> None:
    sent = [site.send(body) for body in (b"good", b"bad", b"good as well")]
    together = threading.Barrier(3, timeout=WAIT_S)

    def fail_one() -> None:
        if together.wait() == 0:
            broken()

    site.hearing.hear = fail_one
    site.worker(slots=3).run()
    assert len(site.reports.succeeded) == 2
    site.hearing.hear = lambda: None
    site.wait_until_visible()
    site.worker(slots=3).run()
    assert sorted(site.reports.succeeded) == sorted(f"token-{job.id}" for job in sent)


def test_audio_that_cannot_be_transcribed_is_reported_by_its_token_and_not_tried_again(site: Site) -> None:
    failure = JobFailed(FailureCode.LANGUAGE_UNSUPPORTED, "the engine knows no Spanish")

    def refuse() -> None:
        raise failure

    site.hearing.hear = refuse
    job = site.send()
    site.worker().run()
    (reported,) = site.reports.failed
    assert (reported.task_token, reported.error) == (f"token-{job.id}", FailureCode.LANGUAGE_UNSUPPORTED)
    assert site.job(job).failure == failure.failure
    assert site.queue.bodies == []


def test_a_token_that_nobody_waits_for_any_more_is_tolerated(site: Site) -> None:
    job = site.send(waited_for=False)
    site.worker().run()
    assert (site.reports.succeeded, site.reports.failed, site.queue.bodies) == ([], [], [])
    assert jobs.transcript(site.deps, job).text == "some words"


def test_a_second_worker_that_finds_the_transcript_only_reports(site: Site) -> None:
    job = site.send()
    stored = Transcript((Segment("the first one's", 0, 1, 0, "0", None),), "en", None, "fake", "fake", 1.0, 1.0)
    site.deps.results.put_if_absent(job.transcript_key, transcripts.to_json(stored), content_type="application/json")
    site.worker().run()
    assert site.transcribed == []
    assert site.reports.succeeded == [f"token-{job.id}"]
    assert jobs.transcript(site.deps, job) == stored


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.FAILED])
def test_a_message_of_a_job_that_has_ended_is_dropped(site: Site, state: JobState) -> None:
    job = site.send()
    site.deps.store.commit(move(job, state, at_ms=site.clock()))
    site.worker().run()
    assert (site.transcribed, site.queue.bodies) == ([], [])


def test_a_job_whose_message_could_not_be_deleted_is_reported_once(site: Site) -> None:
    job = site.send()
    lose_delete = RaiseAt(0, Unavailable("the queue is down"))
    site.worker(faulty(site.queue, lambda moment: lose_delete(moment) if moment.method == "delete" else None)).run()
    site.wait_until_visible()
    site.worker().run()
    assert len(site.transcribed) == 1
    assert site.reports.succeeded == [f"token-{job.id}"]
    assert site.queue.bodies == []


def test_stop_finishes_what_is_in_hand_and_takes_no_other(site: Site, start: Start) -> None:
    go_on = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(go_on)
    first, second = site.send(), site.send()
    worker = site.worker(idle_s=None)
    thread = start(worker)
    wait_for(lambda: site.transcribed)
    worker.stop()
    thread.join(0.1)
    assert thread.is_alive()
    go_on.set()
    thread.join(WAIT_S)
    assert site.reports.succeeded == [f"token-{first.id}"]
    assert [body["job_id"] for body in site.queue.bodies] == [second.id]
    assert not site.hearing.stopped.is_set()


def test_what_is_not_done_within_the_grace_is_given_back_at_once_and_another_worker_does_it(
    site: Site, start: Start
) -> None:
    never = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(never)
    sent = [site.send(f"words {number}".encode()) for number in range(3)]
    worker = site.worker(slots=3, idle_s=None, grace_s=0)
    thread = start(worker)
    wait_for(lambda: len(site.transcribed) == 3)
    worker.stop()
    thread.join(WAIT_S)
    assert site.hearing.stopped.is_set()
    assert site.queue.depth().waiting == 3, "no visibility has to run out first"
    assert (site.reports.succeeded, site.reports.failed) == ([], [])
    assert [site.job(job).failure for job in sent] == [None, None, None]

    another = Hearing()
    site.worker(hearing=another, slots=3).run()
    assert len(another.heard) == 3
    assert sorted(site.reports.succeeded) == sorted(f"token-{job.id}" for job in sent)
    assert [jobs.transcript(site.deps, job).text for job in sent] == ["words 0", "words 1", "words 2"]


def test_a_recording_that_does_not_notice_the_stop_is_given_back_all_the_same_and_reported_once(
    site: Site, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_END_S", 0.05)
    go_on = threading.Event()

    class Deaf(Hearing):
        def stop(self) -> None:
            pass

    deaf = Deaf(lambda: go_on.wait(WAIT_S))
    job = site.send()
    worker = site.worker(hearing=deaf, idle_s=None)
    thread = start(worker)
    wait_for(lambda: deaf.heard)
    worker.stop(grace_s=0)
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert site.queue.depth().waiting == 1
    site.worker().run()
    assert site.reports.succeeded == [f"token-{job.id}"]
    go_on.set()  # and now the first one comes, too late
    wait_for(lambda: f"job {job.id}" not in [one.name for one in threading.enumerate()])
    assert site.reports.succeeded == [f"token-{job.id}"]
    assert site.queue.bodies == []


def test_of_two_stops_the_one_counts_whose_grace_ends_first(site: Site, start: Start) -> None:
    never = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(never)
    site.send()
    worker = site.worker(idle_s=None, grace_s=1_000)
    thread = start(worker)
    wait_for(lambda: site.transcribed)
    worker.stop()
    thread.join(0.1)
    assert thread.is_alive()
    worker.stop(grace_s=0)
    worker.stop()
    thread.join(WAIT_S)
    assert site.queue.depth().waiting == 1


def test_a_message_that_arrives_with_the_stop_is_given_back_unopened(site: Site) -> None:
    job = site.send()

    def stop_first(moment: Moment) -> None:
        if moment.method == "receive":
            worker.stop()

    worker = site.worker(faulty(site.queue, stop_first), idle_s=None)
    worker.run()
    assert site.transcribed == []
    assert [body["job_id"] for body in site.queue.bodies] == [job.id]
    assert site.queue.depth().waiting == 1


def test_a_stop_may_come_in_the_middle_of_anything_that_this_thread_does(site: Site) -> None:
    worker = site.worker(idle_s=None)
    with worker._hands._changed, worker._count:  # as a signal handler finds them
        worker.stop()
    worker.run()


def test_a_worker_that_cannot_go_on_gives_back_what_it_has_in_hand(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(never)
    for _ in range(3):
        site.send()
    start_thread, started = threading.Thread.start, iter(range(100))

    def no_third(thread: threading.Thread) -> None:
        if thread.name.startswith("job ") and next(started) == 2:
            raise RuntimeError("can't start new thread")  # what Python says where the system has no memory for one
        start_thread(thread)

    monkeypatch.setattr(threading.Thread, "start", no_third)
    with pytest.raises(RuntimeError, match="new thread"):
        site.worker(slots=3, idle_s=None).run()
    assert site.queue.depth().waiting == 3
    site.worker(hearing=Hearing()).run()
    assert len(site.reports.succeeded) == 3


def test_a_spot_notice_stops_the_worker_which_gives_back_what_is_not_done(
    site: Site, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_SPOT_LOOK_S", 0.02)
    monkeypatch.setattr(drain, "_SPOT_GRACE_S", 0.2)
    notice, never = threading.Event(), threading.Event()
    site.hearing.hear = lambda: site.hearing.until(never)
    site.send()
    thread = start(site.worker(idle_s=None, grace_s=1_000, interrupted=notice.is_set, spot_notice=True))
    wait_for(lambda: site.transcribed)
    thread.join(0.1)
    assert thread.is_alive()
    notice.set()
    thread.join(WAIT_S)
    assert site.queue.depth().waiting == 1
    site.worker(hearing=Hearing()).run()
    assert len(site.reports.succeeded) == 1


def test_no_machine_is_asked_for_a_notice_where_the_settings_say_no(
    site: Site, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_SPOT_LOOK_S", 0.001)
    asked = threading.Event()

    def interrupted() -> bool:
        asked.set()
        return False

    site.worker(idle_s=0.05, interrupted=interrupted, spot_notice=False).run()
    assert not asked.is_set()
    start(site.worker(idle_s=None, interrupted=interrupted, spot_notice=True))
    assert asked.wait(WAIT_S)


def test_an_idle_worker_leaves_once_its_time_is_over_and_not_while_it_works(site: Site) -> None:
    site.hearing.hear = lambda: time.sleep(0.4)
    site.send()
    started_s = time.monotonic()
    site.worker(slots=2, idle_s=0.3).run()
    assert 0.6 < time.monotonic() - started_s < WAIT_S  # and not 0.3, which it was without new work before that
    assert len(site.reports.succeeded) == 1


def test_a_queue_outage_does_not_end_the_worker(site: Site, start: Start) -> None:
    done = threading.Event()
    site.hearing.hear = done.set
    site.send()
    outage = RaiseAt(0, Unavailable("the queue is down"))
    thread = start(site.worker(faulty(site.queue, outage), idle_s=None))
    assert done.wait(WAIT_S)
    assert outage.struck is not None
    assert thread.is_alive()


def test_a_worker_for_which_job_after_job_fails_leaves_the_rest_to_others(site: Site) -> None:
    site.hearing.hear = broken
    for _ in range(20):
        site.send()
    with pytest.raises(Unavailable, match="8 tries in a row failed"):
        site.worker(idle_s=None).run()
    assert len(site.transcribed) == 8
    assert len(site.queue.bodies) == 20
    assert site.queue.dead_letters == []


def test_of_a_few_jobs_that_fail_on_one_worker_there_are_tries_left_for_another(site: Site) -> None:
    def fail_after_a_while() -> None:
        site.clock.advance(100)  # so that what was given back may be received again
        broken()

    hearing = Hearing(fail_after_a_while)
    sent = [site.send(), site.send()]
    with pytest.raises(Unavailable, match="3 tries in a row failed"):
        site.worker(hearing=hearing).run()
    assert len(hearing.heard) == 3  # the first of them for a second time
    assert site.queue.dead_letters == []
    site.clock.advance(1000)
    site.worker().run()
    assert sorted(site.reports.succeeded) == sorted(f"token-{job.id}" for job in sent)


def test_some_recordings_that_fail_between_others_that_do_not_are_no_reason_to_leave(site: Site) -> None:
    turn = iter(range(100))

    def fail_mostly() -> None:
        if next(turn) % 4:
            broken()

    site.hearing.hear = fail_mostly
    for _ in range(20):
        site.send()
    site.worker().run()
    assert len(site.transcribed) == 20
    assert len(site.reports.succeeded) == 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_takes_no_slot_with_it(site: Site) -> None:
    deaths = iter([Crash(), Crash()])

    def die_twice() -> None:
        for death in deaths:
            raise death

    site.hearing.hear = die_twice
    for _ in range(3):
        site.send()
    site.worker().run()
    assert len(site.reports.succeeded) == 1
    site.clock.advance(1000)
    site.worker().run()
    assert len(site.reports.succeeded) == 3


def seen(site: Site) -> WorkerSeen | None:
    return site.deps.store.get(WorkerSeen, POOL, "w1")


def test_a_worker_is_seen_while_it_lives_and_says_what_it_has_done(
    site: Site, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "WORKER_BEAT_S", 0.02)
    go_on = threading.Event()
    go_on.set()
    site.hearing.hear = lambda: site.hearing.until(go_on)
    began_ms = site.clock()
    worker = site.worker(slots=2, idle_s=None)
    thread = start(worker)
    wait_for(lambda: seen(site))
    for _ in range(3):
        site.send()
    wait_for(lambda: (now := seen(site)) and now.jobs == 3)
    go_on.clear()
    site.clock.advance(60)
    site.send()
    wait_for(lambda: (now := seen(site)) and now.in_hand == 1)
    now = seen(site)
    assert now is not None
    assert (now.audio_s, now.device_s, now.jobs) == (12.0, 1.5, 3)
    assert (now.started_at_ms, now.seen_at_ms) == (began_ms, began_ms + 60_000)
    assert now.forget_at_ms is not None
    assert now.forget_at_ms > now.seen_at_ms
    go_on.set()
    worker.stop()
    thread.join(WAIT_S)
    assert seen(site) is None


@pytest.mark.parametrize(("in_s", "given_back"), [(3_600, 0), (5, 1)])
def test_a_worker_that_is_told_to_leave_does_so_and_gives_back_what_would_take_too_long(
    site: Site, start: Start, monkeypatch: pytest.MonkeyPatch, in_s: int, given_back: int
) -> None:
    monkeypatch.setattr(names, "WORKER_BEAT_S", 0.02)
    go_on = threading.Event()
    site.hearing.hear = lambda: site.hearing.until(go_on)
    site.send()
    worker, told = site.worker(idle_s=None), threading.Event()
    stop = worker.stop

    def note_stop(*, grace_s: float | None = None) -> None:
        stop(grace_s=grace_s)
        told.set()

    monkeypatch.setattr(worker, "stop", note_stop)
    thread = start(worker)
    wait_for(lambda: site.transcribed)
    wait_for(lambda: tell_to_leave(site, in_s))
    assert told.wait(WAIT_S)
    waiting = site.send()
    if given_back == 0:
        thread.join(0.1)
        assert thread.is_alive()
        go_on.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert seen(site) is None
    assert site.queue.depth().waiting == 1 + given_back
    assert waiting.id in [body["job_id"] for body in site.queue.bodies]


def tell_to_leave(site: Site, in_s: int) -> bool:
    known = seen(site)
    if known is None:
        return False
    try:
        site.deps.store.commit(update(known, leave_by_ms=site.clock() + 1000 * in_s))
    except Conflict:
        return False
    return True


def test_a_worker_that_cannot_be_seen_works_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "WORKER_BEAT_S", 0.001)
    refused = threading.Event()

    def nobody_is_seen(moment: Moment) -> None:
        if moment.port == "store" and threading.current_thread().name == "heartbeat":
            refused.set()
            raise Unavailable("the table is down")

    site.hearing.hear = lambda: refused.wait(WAIT_S)
    site.send()
    site.worker(deps=faulty_deps(site.deps, nobody_is_seen)).run()
    assert refused.is_set()
    assert len(site.reports.succeeded) == 1


def test_every_job_leaves_one_line_with_what_it_cost_and_nothing_of_what_was_said(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    job = site.send(b"a secret conversation")
    site.worker().run()
    (line,) = [one.getMessage() for one in caplog.records if ": done" in one.getMessage()]
    figures, _, last = line.rpartition(" worker_s=")
    assert figures == f"job {job.id}: done audio_s=4.000 speech_s=1.500 device_s=0.500 fill=0.750"
    assert last.endswith(" rtfx=8.0")
    assert "secret" not in caplog.text
    assert f"token-{job.id}" not in caplog.text


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"grace_s": -1}, {"idle_s": -0.1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"slot|not negative"):
        WorkerSettings(**wrong)  # type: ignore[arg-type]  # that is the point


def test_a_message_that_came_too_often_is_worked_on_alone_so_that_it_takes_no_other_along(site: Site) -> None:
    """Whatever ended two workers may end the third: then only what is surely not innocent is lost with it."""
    hands = InHand(site.queue, visibility_s=30)
    first, suspect, other = (
        WorkMessage(f"receipt-{number}", "t", f"job-{number}", f"token-{number}", received)
        for number, received in enumerate((1, 3, 4))
    )
    held = hands.take(first)
    assert held is not None
    assert hands.wait_for_room(16, at_most_s=0) == 15
    suspects = [hands.take(suspect), hands.take(other)]
    assert hands.wait_for_room(16, at_most_s=0) == 0
    assert [one.turn.is_set() for one in suspects if one] == [False, False]
    hands.let_go(held)
    assert [one.turn.is_set() for one in suspects if one] == [True, False]
    assert suspects[0] is not None
    hands.let_go(suspects[0])
    assert [one.turn.is_set() for one in suspects[1:] if one] == [True]
    assert suspects[1] is not None
    hands.let_go(suspects[1])
    assert hands.wait_for_room(16, at_most_s=0) == 16
