"""services/task_lists: what the index knows and what changed since, as one list (T-18, T-L2)."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.adapters.memory import MemoryStore, memory_deps
from callscribe.adapters.memory.faults import Trace, faulty, faulty_deps
from callscribe.adapters.memory.index_files import MemoryIndexFiles
from callscribe.adapters.memory.plain_scan import scan
from callscribe.adapters.memory.task_index import MemoryTaskIndex
from callscribe.adapters.sqlite.index import SqliteTaskIndex
from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.jobs import JobState
from callscribe.domain.task_facts import ChecklistAnswer, TaskFacts
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.tasks import EVERYTHING, Criteria, Found, TaskRow, TaskStatus, TaskType
from callscribe.errors import Conflict, Failure, FailureCode, Unavailable
from callscribe.ports import Deps
from callscribe.services import indexing, task_lists, task_rows
from tests.services.tasks_world import AUDIO, FEBRUARY_MS, JANUARY_MS, TENANT, Tasks
from tests.services.turns import Actor, play

DAY_MS = 86_400_000


@pytest.fixture(params=["memory", "sqlite"])
def tasks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tasks]:
    if request.param == "memory":
        yield Tasks(memory_deps(task_index=MemoryTaskIndex()))
        return
    index = SqliteTaskIndex(MemoryIndexFiles(), tmp_path)
    yield Tasks(memory_deps(task_index=index))
    index.close()


def listed(deps: Deps, criteria: Criteria = EVERYTHING, tenant_id: str = TENANT) -> list[int]:
    found = task_lists.find(deps, tenant_id, criteria, page=1, per_page=100)
    assert found.total == len(found.rows)
    return [row.id for row in found.rows]


def test_T_18_a_change_is_listed_at_once_and_stays_so_when_it_is_taken_in(tasks: Tasks) -> None:
    for number in (1, 2, 3):
        tasks.make(number, words=f"said {number}")
    for _ in range(2):
        assert listed(tasks.deps) == [3, 2, 1]
        assert listed(tasks.deps, Criteria(words="2 said")) == [2]
        indexing.fold_in(tasks.deps, TENANT)
    tasks.operator(1, "Ivanova")
    tasks.remove(3)
    for _ in range(2):
        assert listed(tasks.deps) == [1, 2]
        assert listed(tasks.deps, Criteria(operator="IVAN")) == [1]
        assert listed(tasks.deps, Criteria(words="said", operator="ivan")) == [1]
        indexing.fold_in(tasks.deps, TENANT)
    assert tasks.deps.store.children(DirtyTask, TENANT, TASKS) == []


def test_T_18_the_last_change_comes_first_and_pages_have_the_total_of_all(tasks: Tasks) -> None:
    for number in range(1, 8):
        tasks.make(number, created_at_ms=JANUARY_MS if number % 2 else FEBRUARY_MS)
        if number == 4:
            indexing.fold_in(tasks.deps, TENANT)
    tasks.operator(2, "changed")
    pages = [task_lists.find(tasks.deps, TENANT, EVERYTHING, page=page, per_page=3) for page in (1, 2, 3, 4)]
    assert [[row.id for row in page.rows] for page in pages] == [[2, 7, 6], [5, 4, 3], [1], []]
    assert {page.total for page in pages} == {7}
    assert task_lists.find(tasks.deps, TENANT, EVERYTHING, page=10**30, per_page=100) == Found((), 7)


def test_no_tenant_finds_another_ones_tasks(tasks: Tasks) -> None:
    tasks.make(1, words="ours")
    indexing.fold_in(tasks.deps, TENANT)
    tasks.make(2, words="ours")
    assert listed(tasks.deps, tenant_id="t2") == listed(tasks.deps, Criteria(words="ours"), "t2") == []
    assert task_lists.latest(tasks.deps, "t2", 5) == ()
    assert dict(task_lists.activity(tasks.deps, "t2")) == {}


def test_transcripts_are_read_only_where_words_are_asked_for_and_each_once(tasks: Tasks) -> None:
    for number in (1, 2, 3):
        tasks.make(number, words="said")
    tasks.make(4)
    trace = Trace()
    deps = faulty_deps(tasks.deps, trace)
    listed(deps)
    assert "results" not in {moment.port for moment in trace.moments}
    listed(deps, Criteria(words="said"))
    assert len([moment for moment in trace.moments if moment.port == "results"]) == 2 * 3  # before and after each


def test_a_transcript_that_is_gone_has_no_words_and_its_task_is_listed(tasks: Tasks) -> None:
    job = tasks.make(1, words="said")
    tasks.deps.results.erase(job.transcript_key)
    assert listed(tasks.deps, Criteria(words="said")) == []
    assert listed(tasks.deps) == [1]


@pytest.mark.parametrize("body", [b"no JSON", b'{"schema":2}', b'{"schema":1,"segments":[]}', b"\xff", b"[]"])
def test_a_transcript_that_cannot_be_read_costs_its_own_words_alone(
    body: bytes, tasks: Tasks, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever asks for words, whoever takes changes in, and whoever makes the index anew."""
    jobs = [tasks.make(number, words=f"said {number}") for number in (1, 2, 3)]
    tasks.deps.results.erase(jobs[1].transcript_key)
    tasks.deps.results.put_if_absent(jobs[1].transcript_key, body, content_type="application/json")
    assert listed(tasks.deps, Criteria(words="said")) == [3, 1]
    for take_in in (indexing.fold_in, indexing.rebuild):
        take_in(tasks.deps, TENANT)
        assert tasks.deps.store.children(DirtyTask, TENANT, TASKS) == []
        assert (listed(tasks.deps), listed(tasks.deps, Criteria(words="said"))) == ([3, 2, 1], [3, 1])
    assert {one.message for one in caplog.records if one.exc_info} == {
        f"job {jobs[1].id}: what was said cannot be read, and is not searched"
    }


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"messages":[{}]}'])
def test_a_chat_that_cannot_be_read_costs_its_own_words_alone(body: bytes, tasks: Tasks) -> None:
    tasks.make(1, words="said 1")
    chat = tasks.make(2, words="said 2", task=TaskFacts(TaskType.CHAT))
    tasks.deps.results.put_if_absent(chat.chat_key, body, content_type="application/json")
    for _ in range(2):
        assert listed(tasks.deps, Criteria(words="said")) == [1]
        indexing.fold_in(tasks.deps, TENANT)
    assert listed(tasks.deps) == [2, 1]


def test_T_10_the_latest_tasks_are_those_that_were_made_last_whatever_changed_since(tasks: Tasks) -> None:
    for number in range(1, 8):
        tasks.make(number)
    indexing.fold_in(tasks.deps, TENANT)
    tasks.operator(1, "changed")
    assert [row.id for row in task_lists.latest(tasks.deps, TENANT, 5)] == [7, 6, 5, 4, 3]


def test_calls_are_counted_by_year_month_and_day_wherever_they_stand(tasks: Tasks) -> None:
    tasks.make(1)
    tasks.make(2, task=TaskFacts(TaskType.CALL, call_at_ms=JANUARY_MS + 9 * DAY_MS))
    tasks.make(3, task=TaskFacts(TaskType.CHAT))
    indexing.fold_in(tasks.deps, TENANT)
    tasks.make(4, created_at_ms=FEBRUARY_MS)
    tasks.make(5)
    tasks.remove(5)
    tasks.operator(1, "changed")
    assert task_lists.activity(tasks.deps, TENANT) == {"2026": {"01": {"01": 1, "10": 1}, "02": {"01": 1}}}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (JobState.AWAITING_UPLOAD, TaskStatus.PENDING),
        (JobState.QUEUED, TaskStatus.PENDING),
        (JobState.TRANSCRIBING, TaskStatus.PROCESSING),
        (JobState.COMPLETED, TaskStatus.COMPLETED),
        (JobState.FAILED, TaskStatus.ERROR),
        (JobState.CANCELLED, TaskStatus.ERROR),
    ],
)
def test_a_tasks_status_follows_from_its_jobs_state(state: JobState, status: TaskStatus) -> None:
    job = replace(Tasks(memory_deps()).make(1), state=state)
    assert task_rows.row_of(job).status is status


@pytest.mark.parametrize(
    ("kind", "length_min"), [(TaskType.CALL, 16.6), (TaskType.AUDIO, 16.6), (TaskType.CHAT, 0), (TaskType.EMAIL, 0)]
)
def test_T_A21_a_length_is_in_minutes_with_two_decimals_and_none_for_what_is_written(
    kind: TaskType, length_min: float
) -> None:
    job = Tasks(memory_deps()).make(1, audio=replace(AUDIO, duration_s=996.2), task=TaskFacts(kind))
    assert task_rows.row_of(job).length_min == length_min
    assert task_rows.row_of(replace(job, audio=None)).length_min == 0


def test_T_18_a_row_says_all_that_a_list_shows() -> None:
    facts = TaskFacts(
        TaskType.CALL,
        file_name="a.wav",
        operator_name="Ivanov",
        call_date="2026-01-02",
        call_at_ms=JANUARY_MS,
        directory_id=7,
        report_type="standard",
        answers=(ChecklistAnswer(3, "Yes"),),
    )
    failure = Failure(FailureCode.AUDIO_EMPTY, "there is nothing in it")
    inbound = CallFacts(direction=Direction.INBOUND)
    job = Tasks(memory_deps()).make(1, task=facts, state=JobState.FAILED, failure=failure, call=inbound)
    assert task_rows.row_of(job, "words") == TaskRow(
        id=1,
        code=job.id,
        type=TaskType.CALL,
        status=TaskStatus.ERROR,
        created_at_ms=JANUARY_MS,
        updated_at_ms=job.changed_at_ms,
        version=0,
        file_name="a.wav",
        operator_name="Ivanov",
        call_at_ms=JANUARY_MS,
        call_type="inbound",
        call_date="2026-01-02",
        error_message="there is nothing in it",
        directory_id=7,
        length_min=1.5,
        report_type="standard",
        answers=((3, "Yes"),),
        words="words",
    )
    assert task_rows.row_of(replace(job, state=JobState.CANCELLED)).error_message == "cancelled"
    with pytest.raises(ValueError, match="no task"):
        task_rows.row_of(replace(job, task=None))


READER, WRITER, INDEXER, ANOTHER = range(4)
# Tasks 1, 3 and 5 stand in one file, 2 and 4 in another.
CHANGES = st.lists(
    st.tuples(st.sampled_from(["make", "operator", "remove"]), st.integers(1, 5), st.sampled_from(["Ivan", "Petra"])),
    min_size=1,
    max_size=4,
)
QUESTIONS = st.sampled_from([EVERYTHING, EVERYTHING, Criteria(operator="ivan"), Criteria(words="said"), Criteria(id=2)])
# Who goes on, and how many steps: trouble takes one who stands still while another does much.
RUNS = st.lists(st.tuples(st.integers(READER, ANOTHER), st.integers(1, 6)), max_size=10)


@given(before=CHANGES, changes=CHANGES, question=QUESTIONS, runs=RUNS)
@settings(max_examples=100)
def test_T_L2_a_list_is_that_of_one_moment_while_tasks_change_and_are_taken_in(
    before: list[Any], changes: list[Any], question: Criteria, runs: list[tuple[int, int]]
) -> None:
    """However the steps of a reader, a writer and two indexers fall: none lost, none double, none older than asked."""
    _play(before, changes, question, [actor for actor, steps in runs for _ in range(steps)])


@pytest.mark.parametrize(
    "who",
    [
        (READER, WRITER, INDEXER),
        (READER, INDEXER, WRITER),
        (INDEXER, READER, WRITER),
        (INDEXER, WRITER, ANOTHER),
    ],
)
def test_T_L2_no_two_interruptions_make_a_list_that_never_was(who: tuple[int, int, int]) -> None:
    """All of them: the first one stops after any of its steps, the second too, the third comes to its end."""
    first, second, third = who
    before = [("operator", 1, "Petra"), ("operator", 3, "Petra")]
    changes = [("operator", 2, "Petra"), ("operator", 1, "Olga"), ("remove", 3, ""), ("make", 4, "Olga")]
    for steps, others in itertools.product(range(8), range(8)):
        order = [*[first] * steps, *[second] * others, *[third] * 50, *[first] * 50]
        _play(before, changes, EVERYTHING, order)


def _play(before: list[Any], changes: list[Any], question: Criteria, order: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, _World(Path(folder)) as world:
        world.write([("make", number, "Ivan") for number in (1, 2, 3)])
        indexing.fold_in(world.with_index("first"), TENANT)
        world.write(before)
        reader = world.actor("reader", lambda deps: world.read(deps, question))
        writer = world.actor("writer", lambda deps: world.write(changes, deps))
        indexers = [world.actor(name, world.fold) for name in ("indexer", "another")]
        play([reader, writer, *indexers], order, after_each=world.remember)
        expected = [_page(truth, question) for truth in world.truths[world.began : world.ended + 1]]
        assert world.found in expected
        indexing.fold_in(world.with_index("last"), TENANT)
        assert world.tasks.deps.store.children(DirtyTask, TENANT, TASKS) == []
        last = task_lists.find(world.with_index("fresh"), TENANT, question, page=1, per_page=3)
        assert last == _page(world.tasks.truth(), question)


def _page(truth: list[TaskRow], question: Criteria) -> Found:
    rows = scan(truth, question)
    return Found(tuple(rows[:3]), len(rows))


@pytest.mark.parametrize("criteria", [EVERYTHING, Criteria(words="said")])
def test_an_index_that_is_far_behind_is_said_to_be_and_no_list_leaves_anything_out(
    tasks: Tasks, criteria: Criteria, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(task_lists, "MOST_CHANGES", 3)
    monkeypatch.setattr(task_lists, "MOST_CHANGES_BY_WORDS", 3)
    for number in range(1, 4):
        tasks.make(number, words=f"said {number}")
    assert listed(tasks.deps, criteria) == [3, 2, 1]
    tasks.make(4, words="said 4")
    with pytest.raises(Unavailable, match=r"more than 3 changes .* try again"):
        listed(tasks.deps, criteria)
    assert "more than 3 changes of tasks are not in the index yet" in caplog.text
    indexing.fold_in(tasks.deps, TENANT)
    assert listed(tasks.deps, criteria) == [4, 3, 2, 1]


def test_words_that_are_judged_while_somebody_waits_have_a_bound(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are read no further than that."""
    monkeypatch.setattr(task_lists, "MOST_WORDS_BYTES", 10_000)
    for number in range(1, 41):
        tasks.make(number, words="said " * 1_000)
    trace = Trace()
    with pytest.raises(Unavailable, match="more than 10000 bytes of words"):
        listed(faulty_deps(tasks.deps, trace), Criteria(words="said"))
    assert sum(moment.port == "results" for moment in trace.moments) <= 2 * 8
    assert len(listed(tasks.deps)) == 40
    indexing.fold_in(tasks.deps, TENANT)
    assert len(listed(tasks.deps, Criteria(words="said"))) == 40


@dataclass
class _World:
    """A store and files that several processes share, each with an index of its own over them."""

    folder: Path
    files: MemoryIndexFiles = field(default_factory=MemoryIndexFiles)
    tasks: Tasks = field(default_factory=lambda: Tasks(memory_deps(store=MemoryStore())))
    truths: list[list[TaskRow]] = field(default_factory=list)
    found: Found | None = None
    began: int = 0
    ended: int = 0
    _indexes: list[SqliteTaskIndex] = field(default_factory=list)
    _made: set[int] = field(default_factory=set)  # a number is never given twice
    _last_ms: int = FEBRUARY_MS

    def __post_init__(self) -> None:
        self.remember()

    def with_index(self, name: str, files: Any = None) -> Deps:
        (self.folder / name).mkdir()
        index = SqliteTaskIndex(files or self.files, self.folder / name)
        self._indexes.append(index)
        return replace(self.tasks.deps, task_index=index)

    def actor(self, name: str, work: Callable[[Deps], object]) -> Actor:
        """Somebody who stops before each call of the store and of the files."""

        def plan(moment: Any) -> None:
            acting.pause(moment)

        deps = self.with_index(name, faulty(self.files, plan, name="files"))
        deps = replace(deps, store=faulty(deps.store, plan, name="store"))
        acting = Actor(lambda: work(deps), frozenset({"children", "commit", "etags", "fetch", "replace"}))
        return acting

    def read(self, deps: Deps, question: Criteria) -> None:
        self.began = len(self.truths) - 1
        self.found = task_lists.find(deps, TENANT, question, page=1, per_page=3)
        self.ended = len(self.truths)  # the moment that is remembered next is still its own

    def write(self, changes: list[Any], deps: Deps | None = None) -> None:
        tasks = Tasks(deps or self.tasks.deps, clock_ms=self._last_ms)
        for what, number, name in changes:
            known = {row.id for row in self.tasks.truth()}
            if what == "make" and number not in self._made:
                self._made.add(number)
                month_ms = JANUARY_MS if number % 2 else FEBRUARY_MS
                tasks.make(number, created_at_ms=month_ms, words=f"said by {name}")
            elif what == "operator" and number in known:
                tasks.operator(number, name)
            elif what == "remove" and number in known:
                tasks.remove(number)
        self._last_ms = tasks.clock_ms

    def fold(self, deps: Deps) -> None:
        with suppress(Conflict):  # the other one was first: SQS would bring the message again
            indexing.fold_in(deps, TENANT)

    def remember(self) -> None:
        self.truths.append(self.tasks.truth())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for index in self._indexes:
            index.close()
