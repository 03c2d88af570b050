"""Design decision 11: whatever changes what lists show of a task writes its dirty row in the same transaction."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from callscribe.adapters.memory import ManualClock, MemoryStore, memory_deps
from callscribe.domain.credits import Hold, HoldState
from callscribe.domain.jobs import Job, JobState
from callscribe.domain.records import Change, Step
from callscribe.domain.task_facts import TaskType
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.errors import JobFailed, OutboundFailed
from callscribe.ports import Settings
from callscribe.services import accounts, jobs, sources, tariffs, task_rows, tasks
from callscribe.services.creation import NewJob
from callscribe.services.tasks import NewTask
from callscribe.wiring import renderer_of
from tests.reliability.audit import net_of, unbalanced
from tests.services.office import CALL, CHAT, LINK, URL, Office, cancel_in, erase_in
from tests.services.test_tasks import answered


class WatchedStore(MemoryStore):
    """A store that remembers what was written together."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions: list[Sequence[Step]] = []

    def commit(self, *steps: Step) -> None:
        super().commit(*steps)
        self.transactions.append(steps)


def visible(job: Job | None) -> Any:
    """A version is nothing to see; and a length that was noted with a failure is shown with the failure's own change."""
    if job is None or job.task is None:
        return None
    return replace(task_rows.row_of(job), version=0, length_min=0.0)


def unmarked(store: WatchedStore) -> list[Step]:
    """Changes of a job that a list shows, without a row that says so beside them; and rows for no such change."""
    wrong: list[Step] = []
    for steps in store.transactions:
        changes = [step for step in steps if isinstance(step, Change)]
        moved = [one for one in changes if isinstance(one.after or one.before, Job) and _shows(one)]
        rows = [one.after for one in changes if isinstance(one.after, DirtyTask) and one.before is None]
        expected = [(one.before or one.after).number for one in moved]
        if [row.task_id for row in rows] != expected or [row.job for row in rows] != [one.after for one in moved]:
            wrong += steps
    return wrong


def _shows(change: Change) -> bool:
    """Whether a list shows something else after it."""
    before, after = visible(change.before), visible(change.after)
    return bool(before != after)


def completed(office: Office) -> Job:
    job = office.prepare(office.arrive(tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT)))
    tasks.changed(office.deps, job.tenant_id, job.id, answered(1))
    return office.finish(job)


def failed(office: Office) -> Job:
    return office.fail(office.prepare(office.arrive(office.add())))


def cancelled(office: Office) -> Job:
    job = office.arrive(office.add())
    cancel_in(office)(job)
    return job


def erased(office: Office) -> Job:
    job = office.arrive(office.add())
    erase_in(office)(job)
    return job


def erased_once_completed(office: Office) -> Job:
    job = completed(office)
    erase_in(office)(job)
    return job


def expired(office: Office) -> Job:
    job = office.add()
    office.deps.uploads.erase(job.audio_key)
    office.sweep(3_600)
    return job


def past_its_deadline(office: Office) -> Job:
    job = office.prepare(office.arrive(office.add()))
    office.sweep(90_000)
    return job


def found_by_the_sweeper(office: Office) -> Job:
    job = office.add()
    office.sweep(1_000)
    return job


def not_to_be_fetched(office: Office) -> Job:
    office.downloads.files[URL] = OutboundFailed("timeout", "it takes long")
    job = tasks.add_url(office.deps, office.user, CALL, URL, fetch_s=1, within_s=20)
    sources.fetch(office.deps, tenant_id=job.tenant_id, job_id=job.id, render=renderer_of(job.dialect))
    return job


def video_without_funds(office: Office) -> Job:
    job = tasks.add_video(office.deps, office.user, NewTask(TaskType.YOUTUBE), LINK)
    tariffs_end = office.balance(job.price.account)[0] if job.price else 0
    assert job.price is not None
    office.spend(job.price.account, min(tariffs_end, 3))
    office.deps.uploads.put_if_absent(job.audio_key, b"sound", content_type="audio/mp4")
    with pytest.raises(JobFailed):
        office.prepare(office.arrive(job))
    return office.fail(job)


def report(office: Office) -> Job:
    job, _ = tasks.add_report(office.deps, office.user, start="a", end="b", report_type="business")
    with pytest.raises(JobFailed):
        office.prepare(office.arrive(job))
    return office.fail(job)


ENDS: dict[Callable[[Office], Job], JobState | None] = {
    completed: JobState.COMPLETED,
    failed: JobState.FAILED,
    cancelled: JobState.CANCELLED,
    erased: None,
    erased_once_completed: None,
    expired: JobState.FAILED,
    past_its_deadline: JobState.FAILED,
    found_by_the_sweeper: JobState.QUEUED,
    not_to_be_fetched: JobState.FAILED,
    video_without_funds: JobState.FAILED,
    report: JobState.FAILED,
}


@pytest.mark.parametrize("lead", ENDS, ids=lambda lead: lead.__name__)
def test_every_change_that_lists_show_is_marked_with_it_whatever_becomes_of_the_task(
    lead: Callable[[Office], Job],
) -> None:
    store = WatchedStore()
    office = Office(store=store)
    office.store = store
    job = lead(office)
    now = store.get(Job, job.tenant_id, job.id)
    assert (None if now is None else now.state) is ENDS[lead]
    assert unmarked(store) == []
    rows = store.children(DirtyTask, job.tenant_id, TASKS)
    assert rows[-1].job == now
    if now is None:  # and nothing else of it is left
        assert [row.job for row in rows] == [None]
    else:
        assert [row.of_version for row in rows] == sorted({row.of_version for row in rows})
        shown_ms = [row.job.changed_at_ms for row in rows if row.job is not None]
        assert shown_ms == sorted(set(shown_ms))


@pytest.mark.parametrize("lead", ENDS, ids=lambda lead: lead.__name__)
def test_only_a_completed_task_is_paid(lead: Callable[[Office], Job]) -> None:
    office = Office()
    job = lead(office)
    assert unbalanced(office.store) == []
    if ENDS[lead] is JobState.QUEUED:
        assert [hold.state for hold in office.store.all(Hold)] == [HoldState.OPEN]
        return
    paid = lead in (completed, erased_once_completed)
    assert net_of(office.store, job.id) == (-int(paid), 0, int(paid))
    assert {hold.state for hold in office.store.all(Hold)} <= {HoldState.SETTLED if paid else HoldState.RELEASED}


def test_jobs_of_all_dialects_are_tasks_of_a_tenant_with_a_tariff_but_for_what_is_not_kept() -> None:
    deps = memory_deps(store=(store := MemoryStore()), now_ms=ManualClock(), settings=Settings())
    tenant = accounts.create_tenant(deps, name="Example")
    principal = accounts.Principal(tenant.id, "k1", frozenset())
    before = jobs.create(deps, principal, NewJob("presign"))
    tariffs.subscribe(deps, tenant.id, "pro")
    listed = jobs.create(deps, principal, NewJob("presign"))
    jobs.create(deps, principal, NewJob("aivoco", kept=False))
    jobs.cancel(deps, tenant_id=tenant.id, job_id=before.id)
    assert [row.task_id for row in store.all(DirtyTask)] == [listed.number]
    assert listed.task is not None
    assert listed.task.type is TaskType.CALL
