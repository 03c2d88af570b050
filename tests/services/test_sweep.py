from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from callscribe.adapters.memory import MemoryQueue, MemoryStore
from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.domain.callbacks import Callback, CallbackState
from callscribe.domain.credits import Hold
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import update
from callscribe.domain.task_marks import DirtyTask
from callscribe.errors import FailureCode
from callscribe.ports import ExecutionState
from callscribe.services import indexing, jobs, preparing
from callscribe.services.sweep import sweep
from tests.reliability.cloud import Cloud, render
from tests.reliability.judge import problems
from tests.services.tasks_world import Tasks


def swept(cloud: Cloud) -> dict[str, int]:
    return sweep(cloud.plain, renderer_of=render)


def test_a_fresh_job_is_left_alone() -> None:
    cloud = Cloud()
    cloud.create()
    assert swept(cloud) == {}


def test_an_upload_that_never_comes_ends_the_job_after_an_hour_and_says_so() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.clock.advance(960)
    assert swept(cloud) == {"upload_awaited": 1}
    cloud.clock.advance(3_600 - 960)
    assert swept(cloud) == {"failed_upload_expired": 1}
    ended = cloud.job(job)
    assert (ended.state, ended.failure and ended.failure.code) == (JobState.FAILED, FailureCode.UPLOAD_EXPIRED)
    cloud.settle()
    assert b'"upload_expired"' in cloud.webhooks.posts[0].body


def test_what_is_due_beyond_the_first_look_is_looked_at_while_there_is_time() -> None:
    cloud = Cloud()
    for _ in range(5):
        cloud.create()
    cloud.clock.advance(960)
    assert sweep(cloud.plain, renderer_of=render, limit=2) == {"upload_awaited": 2}
    assert sweep(cloud.plain, renderer_of=render, limit=2, longest_s=60) == {"upload_awaited": 3}
    assert sweep(cloud.plain, renderer_of=render, limit=2, longest_s=60) == {}


def test_an_execution_that_was_never_started_is_started() -> None:
    cloud = Cloud()
    job = cloud.create()
    version_id = cloud.uploads.put(job.audio_key, b"words")
    starts = cloud.executions.start
    cloud.executions.start = lambda *_: False  # type: ignore[method-assign]  # the call got lost
    jobs.uploaded(cloud.plain, tenant_id=job.tenant_id, job_id=job.id, version_id=version_id)
    cloud.executions.start = starts  # type: ignore[method-assign]  # and works again
    cloud.clock.advance(300)
    assert swept(cloud) == {"started": 1}
    assert [start.name for start in cloud.executions.starts] == [job.id]


def test_an_execution_that_died_is_replaced_under_a_derived_name_three_times_at_most() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.upload(job)
    jobs.uploaded(cloud.plain, **cloud.pending.pop().arguments)
    done = []
    for _ in range(3):
        cloud.executions.set_state(cloud.executions.starts[-1].name, ExecutionState.FAILED)
        cloud.clock.advance(300)
        done.append(swept(cloud))
    assert done == [{"restarted": 1}, {"restarted": 1}, {"failed_internal": 1}]
    assert [start.name for start in cloud.executions.starts] == [job.id, f"{job.id}-1", f"{job.id}-2"]


def test_a_running_execution_is_left_alone() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.upload(job)
    jobs.uploaded(cloud.plain, **cloud.pending.pop().arguments)
    cloud.clock.advance(300)
    assert swept(cloud) == {"running": 1}
    assert swept(cloud) == {}


def test_a_job_past_its_deadline_fails_whatever_its_execution_does() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.upload(job)
    jobs.uploaded(cloud.plain, **cloud.pending.pop().arguments)
    cloud.clock.advance(3_600 + 86_400)
    assert swept(cloud) == {"failed_deadline_exceeded": 1}


def test_a_look_of_the_sweeper_during_a_long_inspection_costs_nothing() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.upload(job)
    jobs.uploaded(cloud.plain, **cloud.pending.pop().arguments)
    inspected = []

    def slow(path: Path, limits: AudioLimits, *, within_s: float | None = None) -> AudioFacts:
        inspected.append(path)
        cloud.clock.advance(400)
        assert swept(cloud) == {"running": 1}
        return AudioFacts("wav", "pcm_s16le", 1, 16_000, 10.0, 1)

    deps = replace(cloud.plain, inspector=slow)
    assert preparing.prepare(deps, tenant_id=job.tenant_id, job_id=job.id).state is JobState.TRANSCRIBING
    assert len(inspected) == 1


def test_a_callback_past_its_deadline_is_given_up() -> None:
    cloud = Cloud()
    cloud.stream_on = False
    job = cloud.create()
    cloud.upload(job)
    cloud._drain()
    cloud.clock.advance(8 * 86_400)
    assert swept(cloud) == {"callback_expired": 1}
    (row,) = cloud.store.all(Callback)
    assert (row.state, row.due_at_ms, row.last_error) == (CallbackState.FAILED, None, "it was not delivered in time")


def test_one_record_that_cannot_be_moved_does_not_keep_the_sweeper_from_the_others() -> None:
    cloud = Cloud()
    strange, good = cloud.create(), cloud.create()
    cloud.store.commit(update(cloud.job(strange), dialect="unheard-of"))
    cloud.clock.advance(960)
    assert swept(cloud) == {"error": 1, "upload_awaited": 1}
    assert swept(cloud) == {}
    assert cloud.job(good).due_at_ms is not None


def test_a_callback_that_was_lost_is_put_into_the_queue_again() -> None:
    cloud = Cloud()
    cloud.stream_on = False
    job = cloud.create()
    cloud.upload(job)
    cloud._drain()
    assert cloud.store.all(Callback)[0].state is CallbackState.PENDING
    cloud.clock.advance(300)
    assert swept(cloud) == {"callback_enqueued": 1}
    cloud.settle()
    assert cloud.store.all(Callback)[0].state is CallbackState.DELIVERED


def test_a_hold_that_outlived_its_time_waits_for_its_job_and_is_not_in_the_way_of_others() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.upload(job)
    cloud.run_until(job, JobState.TRANSCRIBING)
    (hold,) = cloud.store.all(Hold)
    cloud.store.commit(update(hold, due_at_ms=cloud.clock()))
    assert swept(cloud) == {"hold_awaits_its_job": 1}
    assert swept(cloud) == {}
    cloud.settle()
    assert problems(cloud, job, paid=True) == []


def test_a_cancelled_job_is_looked_at_soon_and_once_more_at_its_deadline() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.cancel(job)
    cloud.upload(job, lose_event=True)
    cloud.clock.advance(300)
    assert swept(cloud) == {"cleared_up": 1}
    assert cloud.uploads.keys() == []
    assert swept(cloud) == {}
    cloud.upload(job, lose_event=True)
    cloud.clock.advance(3_600 + 86_400 - 300)
    assert swept(cloud) == {"cleared_up": 1}
    assert cloud.uploads.keys() == []
    assert cloud.job(job).due_at_ms is None
    assert swept(cloud) == {}


def test_a_job_whose_audio_is_kept_is_not_looked_at_again() -> None:
    cloud = Cloud()
    job = cloud.create()
    cloud.upload(job)
    cloud.settle()
    assert cloud.job(job).due_at_ms is None
    assert cloud.uploads.keys() == [job.audio_key]


def test_exchanges_whose_end_was_promised_to_be_soon_are_looked_at_first() -> None:
    cloud = Cloud()
    asked: list[str] = []

    class Telling(MemoryStore):
        def due(self, kind: type[Any], *, now_ms: int, limit: int) -> list[Any]:
            asked.append(kind.__name__)
            return []

    assert sweep(replace(cloud.plain, store=Telling()), renderer_of=render) == {}
    assert asked[:4] == ["Exchange", "Job", "Callback", "Hold"]


def test_a_kind_that_cannot_be_read_keeps_the_sweeper_from_no_other_and_is_told_of() -> None:
    cloud = Cloud()
    cloud.stream_on = False
    job = cloud.create()
    cloud.upload(job)
    cloud._drain()
    found = cloud.store.due

    def due(kind: type[Any], *, now_ms: int, limit: int) -> list[Any]:
        if kind is Job:
            raise ValueError("an item that nobody can read")
        return found(kind, now_ms=now_ms, limit=limit)

    cloud.store.due = due  # type: ignore[method-assign]  # one item is broken
    cloud.clock.advance(300)
    with pytest.raises(ValueError, match="nobody can read"):
        swept(cloud)
    cloud._collect()
    cloud._drain()
    assert cloud.store.all(Callback)[0].state is CallbackState.DELIVERED


def test_records_of_a_kind_are_looked_at_side_by_side() -> None:
    cloud = Cloud()
    for _ in range(8):
        cloud.create()
    cloud.clock.advance(960)
    all_at_once = Barrier(8, timeout=30)  # breaks, and so fails the test, unless eight come to it
    heads = cloud.uploads.head

    def head(key: str, **how: Any) -> Any:
        all_at_once.wait()
        return heads(key, **how)

    cloud.uploads.head = head  # type: ignore[method-assign]  # each record waits for the others
    assert sweep(cloud.plain, renderer_of=render, threads=8) == {"upload_awaited": 8}


def test_changes_that_the_index_forgot_have_it_asked_for_once_per_tenant_and_ever_later() -> None:
    cloud = Cloud()
    queue = MemoryQueue(cloud.clock, equal_once=True)
    deps = replace(cloud.plain, index_queue=queue)
    for tenant_id, numbers in (("t1", range(1, 6)), ("t2", range(1, 3))):
        for number in numbers:
            Tasks(deps, tenant_id, cloud.clock()).make(number, created_at_ms=cloud.clock())
    assert sweep(deps, renderer_of=render, limit=3) == {}
    cloud.clock.advance(1_801)
    assert sweep(deps, renderer_of=render, limit=3, longest_s=60) == {"index_asked": 7}
    assert sorted(str(body["tenant_id"]) for body in queue.take()) == ["t1", "t2"]
    assert sweep(deps, renderer_of=render, limit=3, longest_s=60) == {}
    waits_s = {row.due_at_ms - cloud.clock() for row in cloud.store.all(DirtyTask) if row.due_at_ms is not None}
    assert waits_s == {1_801_000}
    assert indexing.fold_in(deps, "t1") == 5
    cloud.clock.advance(1_801)
    assert sweep(deps, renderer_of=render) == {"index_asked": 2}
    assert [body["tenant_id"] for body in queue.take()] == ["t2"]


def test_a_tenant_with_very_many_forgotten_changes_hides_no_other_ones() -> None:
    cloud = Cloud()
    queue = MemoryQueue(cloud.clock, equal_once=True)
    deps = replace(cloud.plain, index_queue=queue)
    for number in range(1, 21):
        Tasks(deps, "t1", cloud.clock()).make(number, created_at_ms=cloud.clock())
    cloud.clock.advance(1)
    Tasks(deps, "t2", cloud.clock()).make(1, created_at_ms=cloud.clock())
    cloud.clock.advance(1_801)
    for _ in range(3):
        sweep(deps, renderer_of=render, limit=10)
    assert {body["tenant_id"] for body in queue.take()} == {"t1", "t2"}


def test_a_removed_task_that_the_index_forgot_has_it_asked_for_at_the_next_look() -> None:
    cloud = Cloud()
    tasks = Tasks(cloud.plain, "t1", cloud.clock())
    tasks.make(1, created_at_ms=cloud.clock())
    indexing.fold_in(cloud.plain, "t1")
    cloud.clock.advance(86_400)
    tasks.remove(1)
    assert swept(cloud) == {"index_asked": 1}
    assert swept(cloud) == {}
