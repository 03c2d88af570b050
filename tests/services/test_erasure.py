"""safety.md figure 16: nothing is left of a deleted job but ids, amounts and a digest."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from callscribe.adapters.memory import Crash, MemoryStore, Moment, RaiseAt, Trace, faulty_deps
from callscribe.domain.callbacks import Answer, Attempt, Callback
from callscribe.domain.credits import Entry, Hold
from callscribe.domain.jobs import IdempotencyRecord, Job, JobNumber, ResultLink
from callscribe.domain.keyring import KeyRing
from callscribe.domain.known_files import KnownFile
from callscribe.domain.records import Change, Step, insert
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.errors import Conflict, NotFound
from callscribe.ports import Deps
from callscribe.services import callbacks, erasure, jobs, tasks
from tests.reliability.cloud import PRICE_M, Cloud
from tests.reliability.judge import LASTING, leftovers, paid_m, problems
from tests.services.office import Office

DOWN = Answer(503, 1, "down")


def rich(cloud: Cloud) -> Job:
    """A job with one of everything that can hang on it: versions, attempts, a replay, a link, a number, a key."""
    cloud.webhooks.answer_with(DOWN, DOWN)
    job = cloud.order()
    cloud.upload(job)
    cloud.upload(job, b"a second version")
    cloud.settle()
    callbacks.replay(cloud.plain, tenant_id=job.tenant_id, job_id=job.id)
    cloud.settle()
    return cloud.job(job)


def erase(deps: Deps, job: Job) -> None:
    erasure.erase_job(deps, tenant_id=job.tenant_id, job_id=job.id)


LONG = {"inline_callback_bytes": 100}


def test_figure_16_nothing_is_left_of_a_deleted_job_in_either_bucket_in_any_version_or_in_any_row() -> None:
    cloud = Cloud(settings=LONG)
    job = rich(cloud)
    before = {kind: len(cloud.store.all(kind)) for kind in (Job, JobNumber, Callback, Attempt, ResultLink)}
    assert before == {Job: 1, JobNumber: 1, Callback: 2, Attempt: 4, ResultLink: 1}
    assert {job.audio_key} == set(cloud.uploads.keys())
    assert len(cloud.results.keys()) == 2
    erase(cloud.plain, job)
    assert leftovers(cloud, job) == []
    assert cloud.uploads.keys() == cloud.results.keys() == []
    assert {kind: len(cloud.store.all(kind)) for kind in before} == dict.fromkeys(before, 0)
    lasting = {kind for kind in LASTING for row in cloud.store.all(kind) if job.id in repr(row)}
    assert lasting == {Entry, Hold, IdempotencyRecord}
    assert problems(cloud, job, paid=True) == []


def test_a_link_that_was_made_before_the_root_key_was_rotated_goes_too() -> None:
    cloud = Cloud(settings=LONG)
    job = rich(cloud)
    assert len(cloud.store.all(ResultLink)) == 1
    rotated = KeyRing("2", {**cloud.plain.keyring.roots, "2": b"another root key of thirty two b"})
    erase(replace(cloud.plain, keyring=rotated), job)
    assert cloud.store.all(ResultLink) == []


def test_a_second_deletion_finds_nothing_and_neither_does_anybody_else() -> None:
    cloud = Cloud(settings=LONG)
    job = rich(cloud)
    token, _ = jobs.result_token(cloud.plain, job)
    erase(cloud.plain, job)
    asks: list[Callable[[], object]] = [
        partial(erase, cloud.plain, job),
        partial(jobs.find, cloud.plain, tenant_id=job.tenant_id, job_id=job.id),
        partial(jobs.find_by_any_id, cloud.plain, tenant_id=job.tenant_id, given=str(job.number)),
        partial(jobs.cancel, cloud.plain, tenant_id=job.tenant_id, job_id=job.id),
        partial(jobs.open_result_link, cloud.plain, token),
        partial(callbacks.replay, cloud.plain, tenant_id=job.tenant_id, job_id=job.id),
    ]
    for ask in asks:
        with pytest.raises(NotFound):
            ask()


def test_another_tenant_cannot_delete_it() -> None:
    cloud = Cloud()
    job = rich(cloud)
    with pytest.raises(NotFound):
        erasure.erase_job(cloud.plain, tenant_id="t2", job_id=job.id)
    assert cloud.job(job) == job


def test_other_jobs_of_the_tenant_stay_as_they_are() -> None:
    cloud = Cloud()
    job, other = rich(cloud), rich(cloud)
    erase(cloud.plain, job)
    assert cloud.job(other) == other
    assert jobs.transcript(cloud.plain, other).text
    assert len(cloud.store.all(Callback)) == 2
    assert len(cloud.uploads.keys()) == 1


def test_a_deletion_killed_at_any_call_and_repeated_leaves_the_same() -> None:
    trace = Trace()
    cloud = Cloud(settings=LONG)
    job = rich(cloud)
    erase(faulty_deps(cloud.plain, trace), job)
    assert len(trace.moments) >= 20
    for index in range(len(trace.moments)):
        cloud = Cloud(settings=LONG)
        job = rich(cloud)
        with pytest.raises(Crash):
            erase(faulty_deps(cloud.plain, RaiseAt(index, Crash())), job)
        try:
            erase(cloud.plain, job)
        except NotFound:
            assert index == len(trace.moments) - 1  # all was done, only the answer got lost
        assert leftovers(cloud, job) == []
        assert paid_m(cloud, job) == PRICE_M


def test_a_job_with_hundreds_of_rows_is_deleted_in_several_transactions_its_own_record_last() -> None:
    cloud = Cloud()
    job = rich(cloud)
    for number in range(10, 260):
        cloud.store.commit(insert(Attempt(job.tenant_id, job.id, 0, number, started_at_ms=0)))
    for index in range(60):
        with_faults = faulty_deps(cloud.plain, RaiseAt(index, Crash()))
        try:
            erase(with_faults, job)
        except Crash:
            assert cloud.store.get(Job, job.tenant_id, job.id) or not leftovers(cloud, job)
        except NotFound:
            break
    assert leftovers(cloud, job) == []


def test_a_delivery_that_goes_on_meanwhile_ends_quietly_and_leaves_nothing() -> None:
    cloud = Cloud()
    job = cloud.order()
    cloud.upload(job)

    def delete_it(_post: object) -> Answer:
        erase(cloud.plain, job)
        return Answer(200, 1)

    cloud.webhooks.otherwise = delete_it
    cloud.settle()
    assert leftovers(cloud, job) == []
    assert cloud.dead_letters == []
    assert len(cloud.webhooks.posts) == 1


def test_a_replay_that_comes_while_the_job_is_deleted_adds_no_row() -> None:
    cloud = Cloud()
    job = rich(cloud)

    def delete_at_the_last_moment(moment: Moment) -> None:
        if moment.method == "commit":
            erase(cloud.plain, job)

    with pytest.raises(Conflict):
        callbacks.replay(faulty_deps(cloud.plain, delete_at_the_last_moment), tenant_id=job.tenant_id, job_id=job.id)
    assert leftovers(cloud, job) == []


def rename(deps: Deps, job: Job) -> None:
    """A change that lists show."""
    tasks.changed(deps, job.tenant_id, job.id, lambda facts: replace(facts, operator_name="Olga"))


def in_between(office: Office, job: Job, other: Callable[[Deps, Job], None], index: int) -> tuple[int, list[str]]:
    """Delete the task, with `other` run whole at one moment: how many moments there were, and who found a task."""
    found: list[str] = []
    moments = 0

    def attempt(name: str, act: Callable[[Deps, Job], None], deps: Deps) -> None:
        try:
            act(deps, job)
        except NotFound:
            return
        found.append(name)

    def plan(_moment: Moment) -> None:
        nonlocal moments
        moments += 1
        if moments == index + 1:
            attempt("other", other, office.deps)

    attempt("deletion", erase, faulty_deps(office.deps, plan))
    return moments, found


@pytest.mark.parametrize("other", [erase, rename])
def test_a_task_that_is_deleted_or_changed_at_any_moment_of_its_deletion_is_deleted_once(
    other: Callable[[Deps, Job], None],
) -> None:
    index, moments = 0, 1
    while index < moments:
        office = Office()
        job = office.arrive(office.add())
        moments, found = in_between(office, job, other, index)
        assert found.count("deletion") + found.count("other") * (other is erase) == 1, index
        assert [office.store.all(kind) for kind in (Job, JobNumber, KnownFile)] == [[], [], []]
        newest = office.store.children(DirtyTask, job.tenant_id, TASKS, job.number)[-1]
        assert newest.job is None
        index += 1
    assert moments > 20


class Sized(MemoryStore):
    """Remembers how many characters each transaction held, and dies before the one with this index."""

    def __init__(self, dies_at: int) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.dies_at = dies_at
        self.counts = False

    def commit(self, *steps: Step) -> None:
        if self.counts:
            if len(self.sizes) == self.dies_at:
                raise Crash
            self.sizes.append(sum(len(repr(step.before)) for step in steps if isinstance(step, Change)))
        super().commit(*steps)


def test_states_of_a_task_that_no_list_has_taken_in_go_in_transactions_that_are_not_too_large() -> None:
    dies_at, died = 0, True
    while died:
        store = Sized(dies_at)
        office = Office(store=store)
        job = office.add()
        for number in range(60):
            name = f"{number}" + 100_000 * "x"
            tasks.changed(office.deps, job.tenant_id, job.id, partial(replace, operator_name=name))
        store.counts = True
        died = False
        try:
            erase(office.deps, job)
        except Crash:
            died = True
            assert tasks.find(office.deps, job.tenant_id, str(job.number))  # so that somebody can delete it again
        dies_at += 1
    assert max(store.sizes) < 4_000_000
    assert sum(store.sizes) > 6_000_000
    assert [store.all(kind) for kind in (Job, JobNumber)] == [[], []]
