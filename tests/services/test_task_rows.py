"""services/task_rows: a job as a row that every index can hold."""

from dataclasses import replace

import pytest

from callscribe.adapters.memory import memory_deps
from callscribe.adapters.sqlite.lists import find
from callscribe.adapters.sqlite.month import MonthFile
from callscribe.domain.jobs import JobState
from callscribe.domain.task_facts import ChecklistAnswer, TaskFacts, TaskType
from callscribe.domain.tasks import Criteria, Unwritten
from callscribe.errors import Failure, FailureCode
from callscribe.services.task_rows import row_of
from tests.services.tasks_world import Tasks

HALF = "half \ud83d of a smile"
WHOLE = "half \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} of a smile"


def test_halves_of_characters_and_huge_numbers_are_nothing_that_an_index_stumbles_over() -> None:
    """They come in by JSON, and each of them alone would keep a tenant's changes from ever being taken in."""
    task = TaskFacts(
        TaskType.CALL,
        file_name=HALF,
        operator_name=HALF,
        call_date=HALF,
        call_at_ms=2**63,
        directory_id=-(2**70),
        report_type=HALF,
        answers=(ChecklistAnswer(7, HALF), ChecklistAnswer(2**63, "yes"), ChecklistAnswer(0, "no")),
    )
    job = Tasks(memory_deps()).make(1, task=task, state=JobState.FAILED, failure=Failure(FailureCode.INTERNAL, HALF))
    row = row_of(job, HALF)
    assert (row.file_name, row.operator_name, row.call_date, row.report_type) == (WHOLE, WHOLE, WHOLE, WHOLE)
    assert (row.error_message, row.words) == (WHOLE, WHOLE)
    assert (row.call_at_ms, row.directory_id, row.answers) == (None, None, ((7, WHOLE), (0, "no")))
    with MonthFile() as file:
        file.put([row])
        for wanted in (Criteria(words="smile"), Criteria(operator=HALF), Criteria(checklist_id=7, answers=(HALF,))):
            assert find([file], Unwritten(), wanted, page=1, per_page=1).rows == (replace(row, words=""),)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63 - 1), 0])
def test_the_largest_numbers_that_an_index_can_hold_stay(number: int) -> None:
    job = Tasks(memory_deps()).make(1, task=TaskFacts(TaskType.CALL, directory_id=number))
    with MonthFile() as file:
        file.put([row_of(job)])
        assert file.rows([1])[1].directory_id == number
