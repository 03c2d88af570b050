"""The port Store, on both families."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from callscribe.domain.accounts import ApiKey, ApiKeyDigest, Scope
from callscribe.domain.audio import AudioFacts
from callscribe.domain.callbacks import Attempt, Callback
from callscribe.domain.counters import Counter
from callscribe.domain.credits import Balance
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.known_files import KnownFile
from callscribe.domain.pool import Counted, PoolState, PoolWorker
from callscribe.domain.prices import Account
from callscribe.domain.records import Adjustment, Change, Step, delete, insert, update
from callscribe.domain.reports import PublicReport
from callscribe.domain.shelves import EVERYBODY, Category, CheckScript, Directory, Question, SavedFilter, Shelf
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.domain.work import POOL, WorkerSeen
from callscribe.domain.work_figures import WorkFigures
from callscribe.errors import Conflict, Exhausted, Failure, FailureCode
from callscribe.ports import Store
from tests.adapters.records import (
    NOW_MS,
    a_balance,
    a_callback,
    a_digest,
    a_dirty_task,
    a_job,
    a_known_file,
    a_task,
    an_attempt,
)


def test_a_record_comes_back_as_it_was_written(store: Store) -> None:
    facts = AudioFacts("wav", "pcm_s16le", 2, 8_000, 0.1 + 0.2, 2**40, dual_mono=True)
    failure = Failure(FailureCode.AUDIO_TOO_LONG, "longer than 12 h")
    job = a_job(
        audio=facts,
        failure=failure,
        options=("a", "b"),
        work=WorkFigures(2.5, 1 / 3, 0.1, None, 1e-7),
        vocabulary=("Ümit", "b"),
        language="de",
        due_at_ms=5,
    )
    key = ApiKey("t1", "k1", "name", "digest", "wxyz", frozenset(Scope), NOW_MS)
    store.commit(insert(job), insert(key))
    assert store.get(Job, "t1", "j1") == job
    assert store.get(ApiKey, "t1", "k1") == key


def test_what_is_kept_of_the_pool_of_workers_comes_back_as_it_was_written(store: Store) -> None:
    seen = WorkerSeen(POOL, "w#1", NOW_MS, NOW_MS + 1, 0.1 + 0.2, 1e-7, 3, 2, leave_by_ms=NOW_MS, forget_at_ms=NOW_MS)
    place = PoolWorker(number=2, starting_at_ms=NOW_MS, listed_at_ms=NOW_MS)
    known = replace(place, number=1, id="w#1", heard_at_ms=NOW_MS, going=True, counted=Counted(1 / 3, 0.0, NOW_MS))
    state = PoolState(workers=(known, place), asked=2, work_since_ms=NOW_MS, recording_s=480.5, measured_s=1 / 7)
    store.commit(insert(seen), insert(state))
    assert store.get(WorkerSeen, POOL, "w#1") == seen
    assert store.get(PoolState, POOL) == state
    store.commit(update(state, workers=(), left_waiting=True))
    assert store.get(PoolState, POOL) == replace(state, workers=(), left_waiting=True, version=1)


def test_what_was_never_written_is_none(store: Store) -> None:
    assert store.get(Job, "t1", "j1") is None


def test_a_record_with_a_single_key_value_is_found(store: Store) -> None:
    store.commit(insert(a_digest("d1")), insert(a_digest("d2")))
    assert store.get(ApiKeyDigest, "d2") == a_digest("d2")


def test_a_key_of_the_wrong_length_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="Job"):
        store.get(Job, "t1")


def test_an_insert_over_a_stored_record_conflicts(store: Store) -> None:
    store.commit(insert(a_job()))
    with pytest.raises(Conflict):
        store.commit(insert(a_job(language="en")))
    assert store.get(Job, "t1", "j1") == a_job()


def test_an_update_of_an_outdated_record_conflicts(store: Store) -> None:
    job = a_job()
    store.commit(insert(job))
    store.commit(update(job, language="en"))
    with pytest.raises(Conflict):
        store.commit(update(job, language="de"))
    stored = store.get(Job, "t1", "j1")
    assert stored is not None
    assert (stored.language, stored.version) == ("en", 1)


def test_an_update_of_a_missing_record_conflicts(store: Store) -> None:
    with pytest.raises(Conflict):
        store.commit(update(a_job(), language="en"))
    assert store.get(Job, "t1", "j1") is None


def test_a_deleted_record_is_gone_and_cannot_be_deleted_again(store: Store) -> None:
    store.commit(insert(a_job()))
    store.commit(delete(a_job()))
    assert store.get(Job, "t1", "j1") is None
    with pytest.raises(Conflict):
        store.commit(delete(a_job()))


def test_a_deletion_of_an_outdated_record_conflicts(store: Store) -> None:
    job = a_job()
    store.commit(insert(job))
    store.commit(update(job, language="en"))
    with pytest.raises(Conflict):
        store.commit(delete(job))


def test_one_conflict_leaves_the_whole_transaction_unwritten(store: Store) -> None:
    store.commit(insert(a_job()))
    with pytest.raises(Conflict):
        store.commit(insert(a_digest()), insert(a_callback()), update(a_job(version=3), language="en"))
    assert store.get(ApiKeyDigest, "d1") is None
    assert store.get(Callback, "t1", "j1", 0) is None
    assert store.get(Job, "t1", "j1") == a_job()


def test_a_transaction_inserts_updates_and_deletes_at_once(store: Store) -> None:
    store.commit(insert(a_job()), insert(a_digest()))
    store.commit(insert(a_callback()), update(a_job(), state=JobState.FAILED), delete(a_digest()))
    assert store.get(Callback, "t1", "j1", 0) == a_callback()
    assert store.get(Job, "t1", "j1") == a_job(state=JobState.FAILED, version=1)
    assert store.get(ApiKeyDigest, "d1") is None


def test_a_commit_of_nothing_does_nothing(store: Store) -> None:
    store.commit()


@pytest.mark.parametrize(
    "changes",
    [
        [Change(None, None)],
        [insert(a_job()), insert(a_job())],
        [update(a_job()), delete(a_job())],
        [Change(a_job(), a_job(id="j2"))],
        [insert(a_job(id=f"j{n}")) for n in range(101)],
        [Adjustment(a_balance(), {"available": 1}), Adjustment(a_balance(), {"held": 1})],
        [insert(a_balance()), Adjustment(a_balance(), {"available": 1})],
    ],
    ids=[
        *("nothing", "twice", "update and delete", "another key", "101 changes"),
        *("adjusted twice", "inserted and adjusted"),
    ],
)
def test_what_no_transaction_can_hold_is_refused(store: Store, changes: list[Step]) -> None:
    with pytest.raises(ValueError, match=r"transaction|change"):
        store.commit(*changes)


def test_a_hundred_changes_fit_into_one_transaction(store: Store) -> None:
    store.commit(*[insert(a_job(id=f"j{n}")) for n in range(100)])
    assert store.get(Job, "t1", "j99") == a_job(id="j99")


def test_children_come_by_key_and_numbers_sort_as_numbers(store: Store) -> None:
    attempts = [an_attempt(number=number) for number in (10, 2, 1)]
    others = [an_attempt(replay=1), an_attempt(job_id="j10"), an_attempt(tenant_id="t2")]
    store.commit(*[insert(record) for record in attempts + others])
    assert [a.number for a in store.children(Attempt, "t1", "j1", 0)] == [1, 2, 10]
    assert [(a.replay, a.number) for a in store.children(Attempt, "t1", "j1")] == [(0, 1), (0, 2), (0, 10), (1, 1)]
    assert store.children(Attempt, "t1", "j1", 0, 2) == [an_attempt(number=2)]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_of_many_children_the_first_are_read_where_no_more_are_wanted(store: Store, limit: int) -> None:
    store.commit(*[insert(an_attempt(number=number)) for number in (10, 2, 1)], insert(an_attempt(replay=1)))
    assert [a.number for a in store.children(Attempt, "t1", "j1", 0, limit=limit)] == [1, 2, 10][:limit]


def test_children_need_two_key_values_and_take_no_more_than_there_are(store: Store) -> None:
    for prefix in (["t1"], ["t1", "j1", 0, 1, 1]):
        with pytest.raises(ValueError, match="Attempt"):
            store.children(Attempt, *prefix)


def test_a_list_is_newest_first_within_its_time_and_tenant(store: Store) -> None:
    times = [10, 999, 1_000, 20_000]
    store.commit(*[insert(a_job(id=f"j{ms}", created_at_ms=ms)) for ms in times])
    store.commit(insert(a_job(tenant_id="t2", created_at_ms=999)), insert(a_callback(created_at_ms=999)))
    assert [job.created_at_ms for job in store.listed(Job, "t1")] == [20_000, 1_000, 999, 10]
    assert [job.created_at_ms for job in store.listed(Job, "t1", since_ms=999, until_ms=20_000)] == [1_000, 999]
    assert list(store.listed(Job, "t1", since_ms=1_000, until_ms=1_000)) == []


def test_a_kind_that_is_not_listed_has_no_list(store: Store) -> None:
    with pytest.raises(ValueError, match="Attempt"):
        store.listed(Attempt, "t1")


def test_a_list_holds_the_records_as_they_are_now(store: Store) -> None:
    job = a_job()
    store.commit(insert(job), insert(a_job(id="j2", created_at_ms=1)))
    store.commit(update(job, language="en"))
    store.commit(delete(a_job(id="j2", created_at_ms=1)))
    assert list(store.listed(Job, "t1")) == [replace(job, language="en", version=1)]


def test_due_records_come_earliest_first_up_to_the_limit(store: Store) -> None:
    store.commit(*[insert(a_job(id=f"j{ms:03d}", tenant_id=f"t{ms % 3}", due_at_ms=ms)) for ms in range(30, 0, -1)])
    store.commit(insert(a_job(id="never")), insert(a_callback(due_at_ms=1)))
    assert [job.due_at_ms for job in store.due(Job, now_ms=20, limit=50)] == list(range(1, 21))
    assert [job.due_at_ms for job in store.due(Job, now_ms=20, limit=3)] == [1, 2, 3]


def test_a_record_whose_due_time_was_cleared_is_no_longer_due(store: Store) -> None:
    job = a_job(due_at_ms=1)
    store.commit(insert(job))
    store.commit(update(job, due_at_ms=None))
    assert store.due(Job, now_ms=NOW_MS, limit=10) == []
    assert store.get(Job, "t1", "j1") == replace(job, due_at_ms=None, version=1)


HOSTILE = ["t1", "t1#Job", "Job#t1", "t1%23Job", "#", "Job", "t1\x00", ""]


def test_no_key_value_can_reach_another_tenants_record(store: Store) -> None:
    jobs = [a_job(tenant_id=tenant, id=own) for tenant in HOSTILE for own in HOSTILE]
    for job in jobs:
        store.commit(insert(job))
    for job in jobs:
        assert store.get(Job, job.tenant_id, job.id) == job
    for tenant in HOSTILE:
        assert {job.id for job in store.listed(Job, tenant)} == set(HOSTILE)


def test_no_key_value_can_reach_another_kinds_record(store: Store) -> None:
    store.commit(*[insert(a_digest(value)) for value in HOSTILE])
    assert all(store.get(ApiKeyDigest, value) == a_digest(value) for value in HOSTILE)
    assert all(store.get(Job, one, other) is None for one in HOSTILE for other in HOSTILE)


def test_eight_threads_that_compare_and_swap_lose_no_increment(store: Store) -> None:
    store.commit(insert(a_job(run=0)))
    all_have_read = Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        conflicts = sum(pool.map(lambda _: _increment(store, 10, all_have_read), range(8)))
    stored = store.get(Job, "t1", "j1")
    assert stored is not None
    assert (stored.run, stored.version) == (80, 80)
    assert conflicts >= 7


def _increment(store: Store, times: int, all_have_read: Barrier) -> int:
    conflicts = 0
    job = store.get(Job, "t1", "j1")
    all_have_read.wait(timeout=30)
    while times:
        assert job is not None
        try:
            store.commit(update(job, run=job.run + 1))
            times -= 1
        except Conflict:
            conflicts += 1
        job = store.get(Job, "t1", "j1")
    return conflicts


def test_an_adjustment_adds_to_what_is_stored_without_having_read_it(store: Store) -> None:
    store.commit(insert(a_balance(available=5, held=1)))
    store.commit(Adjustment(a_balance(version=99), {"available": -5, "held": 2}))
    store.commit(Adjustment(a_balance(), {"spent": 3}))
    assert store.get(Balance, "t1", Account.CREDITS) == a_balance(available=0, held=3, spent=3, version=2)


def test_an_adjustment_leaves_other_records_alone(store: Store) -> None:
    others = [a_balance(tenant_id="t2", available=9), a_balance(account=Account.SECONDS, available=9)]
    store.commit(insert(a_balance(available=5)), *map(insert, others))
    store.commit(Adjustment(a_balance(), {"available": -1}))
    assert [store.get(Balance, other.tenant_id, other.account) for other in others] == others


@pytest.mark.parametrize("available", [1, 0])
def test_a_count_never_falls_below_zero_and_nothing_of_the_transaction_is_written(store: Store, available: int) -> None:
    store.commit(insert(a_balance(available=available)), insert(a_job()))
    with pytest.raises(Exhausted):
        store.commit(
            insert(a_digest()),
            Adjustment(a_balance(), {"available": -available - 1, "held": available + 1}),
            update(a_job(), language="en"),
        )
    assert store.get(Balance, "t1", Account.CREDITS) == a_balance(available=available)
    assert store.get(ApiKeyDigest, "d1") is None
    assert store.get(Job, "t1", "j1") == a_job()


def test_one_count_that_is_too_low_refuses_the_others_too(store: Store) -> None:
    store.commit(insert(a_balance(available=5, held=0)))
    with pytest.raises(Exhausted):
        store.commit(Adjustment(a_balance(), {"available": -1, "held": -1}))
    assert store.get(Balance, "t1", Account.CREDITS) == a_balance(available=5)


@pytest.mark.parametrize("by", [1, -1])
def test_a_record_that_is_missing_cannot_be_adjusted(store: Store, by: int) -> None:
    with pytest.raises(Conflict):
        store.commit(Adjustment(a_balance(), {"available": by}))
    assert store.get(Balance, "t1", Account.CREDITS) is None


TOO_MUCH = Adjustment(a_balance(), {"available": -6})


@pytest.mark.parametrize(
    "step",
    [
        insert(a_job()),
        update(a_job(version=7), language="en"),
        delete(a_job(version=7)),
        Adjustment(a_balance(tenant_id="t2"), {"available": -1}),
    ],
    ids=["insert", "update", "delete", "missing record"],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_conflict_outweighs_a_count_that_is_too_low(store: Store, step: Step, first: bool) -> None:
    store.commit(insert(a_balance(available=5)), insert(a_job()))
    with pytest.raises(Conflict):
        store.commit(*((step, TOO_MUCH) if first else (TOO_MUCH, step)))
    assert store.get(Balance, "t1", Account.CREDITS) == a_balance(available=5)
    assert store.get(Job, "t1", "j1") == a_job()


def test_eight_threads_that_adjust_one_record_meet_no_conflict_and_spend_what_there_is(store: Store) -> None:
    store.commit(insert(a_balance(available=50)))
    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(lambda _: _take(store), range(80)))
    assert taken == 50
    assert store.get(Balance, "t1", Account.CREDITS) == a_balance(available=0, held=50, version=50)


def _take(store: Store) -> bool:
    try:
        store.commit(Adjustment(a_balance(), {"available": -1, "held": 1}))
    except Exhausted:
        return False
    return True


def test_a_counter_starts_at_one_and_each_has_its_own_numbers(store: Store) -> None:
    counters = [("t1", "jobs"), ("t1", "jobs#2"), ("t1#Counter", "jobs"), ("t2", "jobs")]
    assert [store.count(*counter) for counter in counters] == [1, 1, 1, 1]
    assert [store.count(*counter) for counter in counters] == [2, 2, 2, 2]


def test_a_counter_can_be_read(store: Store) -> None:
    assert store.get(Counter, "t1", "jobs") is None
    store.count("t1", "jobs")
    store.count("t1", "jobs")
    assert store.get(Counter, "t1", "jobs") == Counter("t1", "jobs", value=2, version=2)


def test_a_counter_adds_up_and_its_version_says_how_often(store: Store) -> None:
    assert [store.count("arrivals", "1", by=by) for by in (5, 1, 2**40)] == [5, 6, 2**40 + 6]
    assert store.get(Counter, "arrivals", "1") == Counter("arrivals", "1", value=2**40 + 6, version=3)


def test_the_first_moment_at_which_a_counter_may_be_forgotten_stays(store: Store) -> None:
    store.count("t1", "minute")
    for forget_at_ms in (NOW_MS, NOW_MS + 1, None):
        store.count("t1", "minute", forget_at_ms=forget_at_ms)
    assert store.get(Counter, "t1", "minute") == Counter("t1", "minute", value=4, forget_at_ms=NOW_MS, version=4)


def test_eight_threads_that_count_get_every_number_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: store.count("t1", "jobs"), range(200)))
    assert sorted(numbers) == list(range(1, 201))


def test_a_dirty_row_holds_the_whole_task_or_says_that_it_went(store: Store) -> None:
    first, later, gone = (a_dirty_task(of_version=version) for version in (0, 9, 10))
    other, gone = a_dirty_task(task_id=99, job=a_job(number=99)), replace(gone, job=None)
    store.commit(insert(a_task()), *map(insert, (first, later, gone, other)))
    assert store.children(DirtyTask, "t1", TASKS) == [other, first, later, gone]
    assert store.children(DirtyTask, "t1", TASKS, 101) == [first, later, gone]
    assert store.get(Job, "t1", "j1") == first.job == a_task()
    assert store.children(DirtyTask, "t2", TASKS) == []


def test_what_people_keep_comes_back_from_its_shelf_in_order_of_its_ids(store: Store) -> None:
    kept: list[Any] = [
        Directory("t1", EVERYBODY, 2, "Größe", NOW_MS),
        Question("t1", "user-1", 3, "Did he say hello?", NOW_MS, is_active=False, is_answered=True),
        Category("t1", "user-1", 4, "Sales", None, None, NOW_MS, NOW_MS),
        SavedFilter("t1", "user-1", 5, "mine", '{"tags_any": ["a"]}', NOW_MS),
        CheckScript("t1", "user-1", 6, "greeting", "Greeting", "Say hello", NOW_MS, NOW_MS, None, version_number=3),
    ]
    later = [replace(one, id=10) for one in kept]
    shelves = [Shelf(one.tenant_id, one.owner, type(one).__name__) for one in kept]
    store.commit(*map(insert, [*later, *kept, *shelves]))
    for one, ten, shelf in zip(kept, later, shelves, strict=True):
        kind: type[Any] = type(one)
        assert store.children(kind, "t1", one.owner) == [one, ten]
        assert store.children(kind, "t1", "user-2") == []
        assert store.get(Shelf, "t1", one.owner, shelf.name) == shelf


def test_a_shelf_that_changed_meanwhile_lets_nothing_be_put_on_it(store: Store) -> None:
    shelf = Shelf("t1", EVERYBODY, "Directory")
    store.commit(insert(shelf))
    store.commit(update(shelf))
    with pytest.raises(Conflict):
        store.commit(update(shelf), insert(Directory("t1", EVERYBODY, 1, "late", NOW_MS)))
    assert store.get(Directory, "t1", EVERYBODY, 1) is None


def test_a_known_file_belongs_to_one_user_and_passes_to_another_task_once(store: Store) -> None:
    known = a_known_file()
    store.commit(insert(known), insert(a_known_file(owner="user-2")))
    store.commit(update(known, job_id="j2"))
    with pytest.raises(Conflict):
        store.commit(update(known, job_id="j3"))
    found = store.get(KnownFile, "t1", "user-1", "name-1")
    assert found is not None
    assert (found.job_id, found.version) == ("j2", 1)


def test_a_public_report_is_found_by_its_code_alone(store: Store) -> None:
    report = PublicReport("code-1", "t1", "j1")
    store.commit(insert(report))
    assert store.get(PublicReport, "code-1") == report
    store.commit(delete(report))
    assert store.get(PublicReport, "code-1") is None
