"""One engine for many recordings, with an engine that remembers what it was asked."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from callscribe.engines import desk
from callscribe.engines.base import Chunk, LanguageGuess
from callscribe.engines.batches import Batches
from callscribe.engines.pieces import Piece
from callscribe.engines.pipeline import recognise
from callscribe.engines.pool import ChunkPool, Feed
from callscribe.errors import FailureCode, JobFailed, Stopped, Unavailable
from tests.engines.fakes import INFO, Samples
from tests.engines.pools import Listener, answers, chunk, hand_in, mark_of, pieces, pool_of, with_hints

SOON_S = 20.0  # what is waited for comes much earlier; a busy machine may take its time


def started(*threads: threading.Thread) -> list[threading.Thread]:
    for thread in threads:
        thread.start()
    return list(threads)


def joined(threads: Sequence[threading.Thread]) -> bool:
    """Whether all of them end."""
    for thread in threads:
        thread.join(SOON_S)
    return not any(thread.is_alive() for thread in threads)


# Batches.


@dataclass
class Slow(Listener):
    """Works on a batch until it is let go."""

    at_work: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def transcribe(self, chunks, *, language, hints):  # type: ignore[no-untyped-def]  # as its base has it
        self.at_work.set()
        assert self.let_go.wait(SOON_S)
        return super().transcribe(chunks, language=language, hints=hints)


def test_a_batch_is_filled_from_many_recordings_and_each_gets_its_own_in_order() -> None:
    engine = Listener()
    pool = pool_of(engine, chunks=6)
    feeds = [pool.open() for _ in range(3)]
    tasks = [hand_in(feed, [chunk(10 * at), chunk(10 * at + 1)]) for at, feed in enumerate(feeds)]
    assert [answers(feed, mine) for feed, mine in zip(feeds, tasks, strict=True)] == [
        ["0", "1"],
        ["10", "11"],
        ["20", "21"],
    ]
    assert engine.marks == [(0, 1, 10, 11, 20, 21)]


def test_answers_come_in_the_order_of_the_recording_although_the_longest_goes_first() -> None:
    engine = Listener()
    with pool_of(engine, chunks=2).open() as feed:
        heard = list(recognise(feed, pieces(range(8), lambda mark: 1.0 + mark * 5 % 8), None))
    assert [recognised.text for _, recognised in heard] == [str(mark) for mark in range(8)]
    assert [mark_of(Chunk(piece.samples)) for piece, _ in heard] == list(range(8))
    assert engine.marks != [(0, 1), (2, 3), (4, 5), (6, 7)]


def test_chunks_of_about_the_same_length_go_together() -> None:
    engine = Slow()
    pool = pool_of(engine, chunks=3)
    first, second = pool.open(), pool.open()
    before = [first.submit(chunk(0), None) for _ in range(3)]
    assert engine.at_work.wait(SOON_S)
    tasks = hand_in(first, [chunk(1, 9.0), chunk(2, 1.0)])
    others = hand_in(second, [chunk(3, 1.5), chunk(4, 8.0)])
    engine.let_go.set()
    assert answers(first, [*before, *tasks]) + answers(second, others) == ["0", "0", "0", "1", "2", "3", "4"]
    assert engine.marks == [(0, 0, 0), (1, 4, 3), (2,)]


def test_a_batch_is_of_one_language_and_one_set_of_hints() -> None:
    engine = Listener()
    pool = pool_of(engine)
    plain, named = pool.open(), pool.open(hints=with_hints("Ada"))
    tasks = [plain.submit(chunk(1), "en"), plain.submit(chunk(2), "fr"), plain.submit(chunk(3), "en")]
    others = hand_in(named, [chunk(4), chunk(5)], "en")
    plain.finish()
    assert answers(plain, tasks) + answers(named, others) == ["1", "2", "3", "4", "5"]
    assert {(one.marks, one.language, one.hints.vocabulary) for one in engine.asked} == {
        ((1, 3), "en", ()),
        ((2,), "fr", ()),
        ((4, 5), "en", ("Ada",)),
    }


def test_a_full_batch_goes_at_once_although_more_may_come() -> None:
    engine = Listener()
    pool = pool_of(engine, chunks=2)
    with pool.open() as feed, pool.open():
        tasks = [feed.submit(chunk(mark), None) for mark in (1, 2)]
        assert answers(feed, tasks) == ["1", "2"]


def test_nobody_waits_for_a_recording_that_waits_itself() -> None:
    engine = Listener()
    with pool_of(engine).open() as feed:
        assert feed.take(feed.submit(chunk(1), None)).text == "1"
        assert feed.take(feed.submit(chunk(2), None)).text == "2"
    assert engine.marks == [(1,), (2,)]


def test_a_batch_that_is_not_full_waits_a_little_for_whoever_reads() -> None:
    engine = Listener()
    pool = pool_of(engine, linger_s=0.2)
    with pool.open() as reader, pool.open() as feed:
        first, *_ = hand_in(feed, [chunk(1)])
        reader.submit(chunk(2), None)
        assert feed.take(first).text == "1"
    assert engine.marks == [(1, 2)]


def test_an_engine_says_which_batches_suit_it() -> None:
    engine = Listener(info=replace(INFO, batch_chunks=4, batch_padded_s=30.0))
    with ChunkPool(engine).open() as feed:
        answers(feed, hand_in(feed, [chunk(mark, 10.0) for mark in range(3)] + [chunk(mark) for mark in range(3, 11)]))
    assert max(engine.sizes) == 4
    assert all(len(marks) <= 3 for marks in engine.marks if set(marks) & {0, 1, 2})


# Languages.


@dataclass
class Polyglot(Listener):
    """Takes odd marks for French; `asked_about` are the questions."""

    asked_about: list[tuple[int, ...]] = field(default_factory=list)

    def detect_language(self, chunks: Sequence[Chunk]) -> LanguageGuess | None:
        marks = tuple(map(mark_of, chunks))
        self.asked_about.append(marks)
        self.trouble(marks)
        self.now_s += 1
        return LanguageGuess("fr" if marks[0] % 2 else "de", 0.9)


def test_each_recording_is_recognised_in_the_language_that_was_detected_for_it() -> None:
    engine = Polyglot()
    pool = pool_of(engine)
    heard: dict[int, set[str | None]] = {}

    def listen(mark: int) -> None:
        with pool.open() as feed:
            heard[mark] = {recognised.language for _, recognised in recognise(feed, pieces([mark] * 3), None)}
            assert feed.device_s >= 1

    assert joined(started(*(threading.Thread(target=listen, args=(mark,)) for mark in (1, 2, 3, 4))))
    assert heard == {1: {"fr"}, 2: {"de"}, 3: {"fr"}, 4: {"de"}}
    assert sorted(engine.asked_about) == [(mark,) * 3 for mark in (1, 2, 3, 4)]
    assert {(one.language, mark % 2) for one in engine.asked for mark in one.marks} == {("fr", 1), ("de", 0)}


def test_what_goes_wrong_in_a_question_is_one_recordings_own() -> None:
    engine = Polyglot(trouble=poisoned_by(1))
    pool = pool_of(engine)
    with pool.open() as feed, pytest.raises(RuntimeError, match="poison"):
        list(recognise(feed, pieces([1]), None))
    with pool.open() as feed:
        assert [recognised.text for _, recognised in recognise(feed, pieces([2]), None)] == ["2"]


# Errors.


def poisoned_by(*poison: int):  # type: ignore[no-untyped-def]  # as `Listener.trouble`
    def trouble(marks: Sequence[int]) -> None:
        if set(marks) & set(poison):
            raise RuntimeError("poison")

    return trouble


def test_one_recordings_poison_fails_only_that_recording() -> None:
    engine = Listener(trouble=poisoned_by(11))
    pool = pool_of(engine, chunks=6)
    feeds = [pool.open() for _ in range(3)]
    tasks = [hand_in(feed, [chunk(10 * at), chunk(10 * at + 1)]) for at, feed in enumerate(feeds)]
    assert answers(feeds[0], tasks[0]) == ["0", "1"]
    assert answers(feeds[2], tasks[2]) == ["20", "21"]
    for task in tasks[1]:
        with pytest.raises(RuntimeError, match="poison"):
            feeds[1].take(task)
    with pytest.raises(RuntimeError, match="poison"):
        feeds[1].submit(chunk(12), None)
    assert engine.marks == [(0, 1, 10, 11, 20, 21), (0, 1), (10, 11), (20, 21)]


def test_nothing_more_of_a_poisoned_recording_is_tried() -> None:
    engine = Listener(trouble=poisoned_by(0))
    with pool_of(engine, chunks=2).open() as feed:
        tasks = hand_in(feed, [chunk(mark) for mark in range(6)])
        with pytest.raises(RuntimeError, match="poison"):
            feed.take(tasks[5])
    assert engine.marks == [(0, 1)]


def test_what_the_engine_says_of_a_recording_reaches_it_as_it_was() -> None:
    def refuse(_: Sequence[int]) -> None:
        raise JobFailed(FailureCode.LANGUAGE_UNSUPPORTED, "no Klingon")

    with pool_of(Listener(trouble=refuse)).open() as feed:
        (task,) = hand_in(feed, [chunk(1)], "tlh")
        with pytest.raises(JobFailed, match="no Klingon"):
            feed.take(task)


def test_an_engine_that_loses_a_chunk_is_found_out() -> None:
    class Forgetful(Listener):
        def transcribe(self, chunks, *, language, hints):  # type: ignore[no-untyped-def]  # as its base has it
            return list(super().transcribe(chunks, language=language, hints=hints))[1:]

    with pool_of(Forgetful()).open() as feed:
        tasks = hand_in(feed, [chunk(1), chunk(2)])
        with pytest.raises(ValueError, match="1 results for 2 chunks"):
            feed.take(tasks[0])


def room_for(chunks: int):  # type: ignore[no-untyped-def]  # as `Listener.trouble`
    def trouble(marks: Sequence[int]) -> None:
        if len(marks) > chunks:
            raise RuntimeError("CUDA failed with error out of memory")

    return trouble


def test_out_of_memory_makes_the_batch_smaller_and_later_ones_of_other_recordings_too() -> None:
    engine = Listener(trouble=room_for(3))
    pool = pool_of(engine, chunks=8)
    for _ in range(2):
        with pool.open() as feed:
            assert answers(feed, hand_in(feed, map(chunk, range(8)))) == [str(mark) for mark in range(8)]
    assert engine.sizes == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]


def test_one_chunk_that_the_memory_does_not_hold_is_for_another_time_and_the_others_are_done() -> None:
    def trouble(marks: Sequence[int]) -> None:
        if 10 in marks:
            raise MemoryError

    pool = pool_of(Listener(trouble=trouble))
    feeds = [pool.open() for _ in range(2)]
    tasks = [hand_in(feed, [chunk(10 * at), chunk(10 * at + 1)]) for at, feed in enumerate(feeds)]
    assert answers(feeds[0], tasks[0]) == ["0", "1"]
    with pytest.raises(Unavailable, match="memory"):
        feeds[1].take(tasks[1][0])


def test_an_engine_that_has_found_its_size_gets_batches_of_it() -> None:
    class Sized(Listener):
        batches = Batches(8)

    engine = Sized()
    engine.batches.size = 3
    with pool_of(engine, chunks=8).open() as feed:
        answers(feed, hand_in(feed, map(chunk, range(6))))
    assert engine.sizes == [3, 3]


def test_an_engine_that_dies_leaves_nobody_waiting() -> None:
    def die(_: Sequence[int]) -> None:
        raise SystemExit(3)

    engine = Listener(trouble=die)
    pool = pool_of(engine)
    feeds = [pool.open() for _ in range(3)]
    tasks = [hand_in(feed, [chunk(1), chunk(2)]) for feed in feeds]
    for feed, mine in zip(feeds, tasks, strict=True):
        with pytest.raises(Unavailable, match="engine has ended"):
            feed.take(mine[-1])
    with pytest.raises(Unavailable, match="engine has ended"):
        pool.open()
    assert len(engine.asked) == 1


def test_an_engine_that_hangs_is_given_up_and_one_that_is_only_slow_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Slow()
    pool = pool_of(engine, chunks=2)
    monkeypatch.setattr(desk, "STUCK_S", 0.2)
    with pool.open() as feed:
        engine.let_go.set()
        for _ in range(4):  # in all longer than one batch may take
            assert feed.take(feed.submit(chunk(1), None)).text == "1"
            time.sleep(0.1)
        engine.let_go.clear()
        with pytest.raises(Unavailable, match="does not answer"):
            feed.take(feed.submit(chunk(2), None))
    with pytest.raises(Unavailable, match="does not answer"):
        pool.open()
    engine.let_go.set()
    pool.close()


# The end.


def test_a_recording_that_is_given_up_leaves_nothing_behind() -> None:
    engine = Slow()
    pool = pool_of(engine, chunks=2)
    kept = pool.open()
    with pool.open() as feed:
        hand_in(feed, [chunk(1), chunk(2), chunk(3), chunk(4)])
        assert engine.at_work.wait(SOON_S)
    engine.let_go.set()
    assert answers(kept, hand_in(kept, [chunk(5)])) == ["5"]
    assert engine.marks == [(1, 2), (5,)]


def test_a_stop_reaches_all_who_wait_even_while_the_engine_works() -> None:
    engine = Slow()
    pool = pool_of(engine, chunks=2)
    ends: list[type[Exception]] = []

    def listen(blocks: Iterator[Samples]) -> None:
        try:
            with pool.open() as feed:
                for _ in feed.paced(blocks):
                    feed.take(feed.submit(chunk(1), None))
        except Stopped as error:
            ends.append(type(error))

    threads = started(*(threading.Thread(target=listen, args=(forever(),)) for _ in range(6)))
    assert engine.at_work.wait(SOON_S)
    pool.stop()
    assert joined(threads)
    assert ends == [Stopped] * 6
    with pytest.raises(Stopped):
        pool.open()
    engine.let_go.set()
    pool.close()
    assert engine.closed
    assert len(engine.asked) == 1


def test_a_stop_reaches_a_recording_in_which_nobody_speaks() -> None:
    pool = pool_of(Listener())
    feed = pool.open()
    blocks = feed.paced(forever())
    next(blocks)
    pool.stop()
    with pytest.raises(Stopped):
        next(blocks)


def test_closing_lets_what_is_open_end_and_takes_nothing_new() -> None:
    engine = Slow()
    pool = pool_of(engine, chunks=1)
    heard: list[str] = []

    def listen() -> None:
        with pool.open() as feed:
            heard.extend(recognised.text for _, recognised in recognise(feed, pieces([1, 2, 3]), None))

    listening = started(threading.Thread(target=listen))
    assert engine.at_work.wait(SOON_S)
    closing = started(threading.Thread(target=pool.close))
    wait_until(lambda: refuses(pool))
    assert not engine.closed
    engine.let_go.set()
    assert joined([*listening, *closing])
    assert (heard, engine.closed) == (["1", "2", "3"], True)


def refuses(pool: ChunkPool) -> bool:
    try:
        pool.open().__exit__()
    except Stopped:
        return True
    return False


def wait_until(holds) -> None:  # type: ignore[no-untyped-def]  # a function without arguments
    until_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.001)


def test_a_pool_whose_thread_could_not_be_started_once_closes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Listener()
    pool = pool_of(engine, linger_s=0.05)

    def no_memory(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_memory)
        with pytest.raises(RuntimeError, match="new thread"):
            pool.open()
    with pool.open() as feed:
        assert answers(feed, hand_in(feed, [chunk(1)])) == ["1"]
    assert joined(started(threading.Thread(target=pool.close, daemon=True)))
    assert engine.closed


def test_a_pool_that_nobody_ever_used_closes_too() -> None:
    engine = Listener()
    pool_of(engine).close()
    assert engine.closed


def test_a_pool_that_is_let_go_ends_its_thread_and_leaves_the_engine_alone() -> None:
    engine = Listener()
    before = set(threading.enumerate())
    pool = pool_of(engine)
    with pool.open() as feed:
        answers(feed, hand_in(feed, [chunk(1)]))
    (thread,) = set(threading.enumerate()) - before
    gone = weakref.ref(pool)
    del pool, feed
    gc.collect()
    assert gone() is None
    assert joined([thread])
    assert not engine.closed


def forever() -> Iterator[Samples]:
    while True:
        yield np.zeros((1, 160), np.float32)


# Room.


def test_twelve_hours_pass_through_with_no_more_than_the_room_allows_in_memory() -> None:
    alive, most = 0, 0

    def forget() -> None:
        nonlocal alive
        alive -= 1

    def twelve_hours() -> Iterator[Piece]:
        nonlocal alive, most
        for piece in pieces(range(2_160), lambda mark: 20.0):
            alive += 1
            most = max(most, alive)
            weakref.finalize(piece.samples, forget)
            yield piece

    engine = Listener(info=replace(INFO, batch_chunks=8))
    with ChunkPool(engine).open() as feed:
        heard = [recognised.text for _, recognised in recognise(feed, twelve_hours(), "en")]
    assert heard == [str(mark) for mark in range(2_160)]
    in_the_pool = 8 * 8 / 2  # eight full batches, half of it one recording's
    with_the_engine = 8  # of which it may still hold the last batch
    assert in_the_pool / 2 < most <= in_the_pool + with_the_engine + 3  # the last read, and the last put together


def test_a_recording_may_hand_in_one_chunk_however_little_room_there_is() -> None:
    engine = Listener()
    pool = pool_of(engine, room_s=0.5)
    feeds = [pool.open() for _ in range(3)]
    tasks = []
    for feed in feeds:
        assert feed.has_room(chunk(1))
        tasks.append(feed.submit(chunk(1), None))
        assert not feed.has_room(chunk(1))
        feed.finish()
    assert [feed.take(task).text for feed, task in zip(feeds, tasks, strict=True)] == ["1", "1", "1"]
    assert feeds[0].has_room(chunk(1))


def test_a_newcomers_part_of_the_room_is_its_own_however_full_the_pool_is() -> None:
    pool = pool_of(Listener(), room_s=12)
    first, second = pool.open(tenant_id="a"), pool.open(tenant_id="a")
    for feed in (first, second):
        while feed.has_room(chunk(1)):
            feed.submit(chunk(1), None)
    with pool.open(tenant_id="b") as newcomer:
        taken = 0
        while newcomer.has_room(chunk(1)):
            newcomer.submit(chunk(1), None)
            taken += 1
    assert taken == 6
    pool.stop()


def test_at_most_so_many_recordings_are_read_at_a_time_and_those_that_wait_do_not_count() -> None:
    engine = Slow()
    pool = pool_of(engine, chunks=4, readers=2)
    reading, most, count = 0, 0, threading.Lock()

    def blocks() -> Iterator[Samples]:
        nonlocal reading, most
        for _ in range(5):
            with count:
                reading += 1
                most = max(most, reading)
            time.sleep(0.001)
            with count:
                reading -= 1
            yield np.zeros((1, 160), np.float32)

    def listen(feed: Feed) -> None:
        with feed:
            for _ in feed.paced(blocks()):
                feed.take(feed.submit(chunk(1), None))
            feed.finish()

    feeds = [pool.open() for _ in range(4)]
    threads = started(*(threading.Thread(target=listen, args=(feed,)) for feed in feeds))
    assert engine.at_work.wait(SOON_S)  # all four have read, for a batch of four is filled
    engine.let_go.set()
    assert joined(threads)
    assert most == 2
    assert set(engine.sizes) == {4}


# Tenants and figures.


def test_a_tenant_with_one_recording_gets_its_part_of_the_engine_beside_one_with_many() -> None:
    engine = Listener()
    pool = pool_of(engine, chunks=4, room_s=80, linger_s=0.05)
    ended = threading.Event()
    figures: dict[str, float] = {}
    begun = threading.Barrier(9)

    def listen(tenant_id: str, count: int) -> None:
        with pool.open(tenant_id=tenant_id) as feed:
            begun.wait(SOON_S)
            for at, _ in enumerate(recognise(feed, pieces(range(count), lambda mark: 1 + mark % 3), tenant_id)):
                if tenant_id == "many" and ended.is_set():
                    return
                if tenant_id == "one" and at == count - 1:
                    figures["one"], figures["all"] = feed.device_s, engine.busy_s
        if tenant_id == "one":
            ended.set()

    crowd = [threading.Thread(target=listen, args=("many", 10_000)) for _ in range(8)]
    assert joined(started(threading.Thread(target=listen, args=("one", 300)), *crowd))
    # Half, less the turns that pass while its thread waits for a processor. By recordings it would be a ninth.
    assert 1 / 5 <= figures["one"] / figures["all"] <= 2 / 3


def test_the_recordings_shares_add_up_to_the_time_that_the_engine_worked() -> None:
    engine = Listener()
    pool = pool_of(engine, chunks=3)
    feeds = [pool.open(tenant_id=str(at % 2)) for at in range(4)]
    tasks = [
        hand_in(feed, [chunk(at, 1.0 + at), chunk(at, 2.0), chunk(at, 0.5 + 3 * at)]) for at, feed in enumerate(feeds)
    ]
    for feed, mine in zip(feeds, tasks, strict=True):
        answers(feed, mine)
    assert sum(feed.device_s for feed in feeds) == pytest.approx(engine.busy_s)
    fills = [feed.batch_fill for feed in feeds]
    speech_s = sum(task.chunk.duration_s for mine in tasks for task in mine)
    filled_s = sum((feed.batch_fill or 0) * feed.device_s for feed in feeds)
    assert all(fill is not None and 0 < fill <= 1 for fill in fills)
    assert filled_s == pytest.approx(speech_s / 10)  # a batch takes a tenth of its padded length


def test_a_recording_without_speech_has_asked_for_nothing() -> None:
    with pool_of(Listener()).open() as feed:
        assert list(recognise(feed, [], None)) == []
    assert (feed.device_s, feed.batch_fill) == (0.0, None)


# All at once.


class Spoiled(Exception):
    """A recording could not be read on."""


@dataclass(frozen=True)
class Plan:
    """A recording: its chunks, and the one at which reading it breaks off."""

    marks: tuple[int, ...]
    tenant_id: str
    language: str
    breaks_at: int | None

    def read(self) -> Iterator[Piece]:
        for piece in pieces(self.marks, lambda mark: 0.1 + mark % 17 / 10):
            if mark_of(Chunk(piece.samples)) == self.breaks_at:
                raise Spoiled
            yield piece

    def transcribe(self, pool: ChunkPool) -> list[str] | type[Exception]:
        try:
            with pool.open(tenant_id=self.tenant_id) as feed:
                return [heard.text for _, heard in recognise(feed, self.read(), self.language)]
        except (RuntimeError, Spoiled) as error:
            return type(error)

    def expected(self, poison: set[int]) -> list[list[str] | type[Exception]]:
        """What may come of it."""
        ends: list[list[str] | type[Exception]] = []
        if self.breaks_at in self.marks:
            ends.append(Spoiled)
        if poison & set(self.marks):
            ends.append(RuntimeError)
        return ends or [[str(mark) for mark in self.marks]]


def random_plans(random: np.random.Generator, count: int) -> list[Plan]:
    return [
        Plan(
            marks=tuple(1_000 * at + step for step in range(int(random.integers(0, 60)))),
            tenant_id=str(random.integers(0, 5)),
            language=str(random.choice(["en", "fr"])),
            breaks_at=1_000 * at + int(random.integers(0, 60)) if random.random() < 0.2 else None,
        )
        for at in range(count)
    ]


def test_nothing_hangs_is_lost_or_is_doubled_under_random_load_and_random_failures() -> None:
    random = np.random.default_rng(20_260_729)
    plans = random_plans(random, 320)
    poison = {int(random.choice(plan.marks)) for plan in plans if plan.marks and random.random() < 0.1}

    def trouble(marks: Sequence[int]) -> None:
        if set(marks) & poison:
            raise RuntimeError("poison")
        if len(marks) > 2 and random.random() < 0.05:
            raise RuntimeError("out of memory")

    pool = pool_of(Listener(trouble=trouble), chunks=16, room_s=60, linger_s=0.002, readers=3)
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda plan: plan.transcribe(pool), plans, timeout=60))
    assert all(outcome in plan.expected(poison) for plan, outcome in zip(plans, found, strict=True))
    assert min(found.count(RuntimeError), found.count(Spoiled)) > 10
    assert sum(isinstance(outcome, list) and len(outcome) > 10 for outcome in found) > 100
    desk = pool.desk
    assert (desk._recordings, desk._tasks, dict(desk._held_s)) == (set(), [], {})
