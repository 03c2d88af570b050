"""Tasks: how they are found, and changed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from callscribe.domain.task_facts import ChecklistAnswer, TaskType
from callscribe.domain.task_marks import DirtyTask
from callscribe.errors import (
    NotFound,
)
from callscribe.services import jobs, tasks
from callscribe.services.creation import NewJob
from callscribe.services.tasks import NewTask
from tests.services.office import CHAT, Office


@pytest.fixture
def office() -> Office:
    return Office()


class TestFinding:
    def test_T_A14_a_task_is_found_by_its_code_its_id_and_its_short_code(self, office: Office) -> None:
        for _ in range(46):
            job = tasks.add_chat(office.deps, office.user, NewTask(TaskType.CHAT), CHAT)
        assert job.number == 46
        for given in (job.id, job.id.upper(), "46", "046", "1a", "1A", "01a"):
            assert tasks.find(office.deps, office.tenant_id, given) == job, given
        first = tasks.find(office.deps, office.tenant_id, "10")  # digits alone are an id, though 36 is "10" as well
        assert first.number == 10

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "0",
            "2",
            "1z",
            "zzzzzzzzz",
            "zzzzzzzzzz",
            "9" * 15,
            "9" * 16,
            "²",
            "1 ",
            "-1",
            "a-b",
            "../1",
            "x" * 9_000,
        ],
    )
    def test_what_names_no_task_finds_none(self, office: Office, given: str) -> None:
        office.add()
        with pytest.raises(NotFound):
            tasks.find(office.deps, office.tenant_id, given)

    def test_another_tenants_task_is_not_found_by_any_name(self, office: Office) -> None:
        job = office.add()
        for given in (job.id, "1"):
            with pytest.raises(NotFound):
                tasks.find(office.deps, "t-other", given)

    def test_a_job_that_is_no_task_is_not_found(self) -> None:
        office = Office(tariff=None)
        job = jobs.create(office.deps, office.user, NewJob("presign"))
        for given in (job.id, "1"):
            with pytest.raises(NotFound):
                tasks.find(office.deps, office.tenant_id, given)


class TestChanging:
    def test_a_change_is_seen_by_lists_and_later_than_the_one_before(self, office: Office) -> None:
        job = office.add()
        for number in (1, 2):
            now = tasks.changed(office.deps, office.tenant_id, job.id, answered(number))
            assert now == office.job(job)
        assert now.task is not None
        assert now.task.answers == (ChecklistAnswer(1, "yes"), ChecklistAnswer(2, "yes"))
        rows = office.store.children(DirtyTask, office.tenant_id, "tasks")
        shown_ms = [row.job.changed_at_ms for row in rows if row.job is not None]
        assert [row.of_version for row in rows] == [0, 1, 2]
        assert shown_ms == sorted(set(shown_ms))
        assert rows[-1].job == now

    def test_what_changes_nothing_writes_nothing(self, office: Office) -> None:
        job = office.add()
        assert tasks.changed(office.deps, office.tenant_id, job.id, lambda facts: facts) == job
        assert len(office.store.all(DirtyTask)) == 1

    def test_changes_at_the_same_time_are_all_kept(self, office: Office) -> None:
        job = office.add()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: tasks.changed(office.deps, office.tenant_id, job.id, answered(n)), range(1, 17)))
        task = office.job(job).task
        assert task is not None
        assert {one.checklist_id for one in task.answers} == set(range(1, 17))
        assert len(office.store.all(DirtyTask)) == 17

    def test_there_is_nothing_to_change_of_what_is_no_task_or_not_there(self) -> None:
        office = Office(tariff=None)
        job = jobs.create(office.deps, office.user, NewJob("presign"))
        for job_id in (job.id, "other"):
            with pytest.raises(NotFound):
                tasks.changed(office.deps, office.tenant_id, job_id, answered(1))


def answered(number: int) -> Any:
    return lambda facts: replace(facts, answers=(*facts.answers, ChecklistAnswer(number, "yes")))
