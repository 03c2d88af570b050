"""`callscribe tasks`: the index that lists of tasks are read from, made anew."""

import json

from callscribe.domain.tasks import EVERYTHING
from callscribe.services import task_lists
from tests.cli.conftest import Run
from tests.cli.service import Service
from tests.services.tasks_world import FEBRUARY_MS, Tasks


def test_an_index_is_made_anew_and_says_how_much_there_was(run: Run, service: Service) -> None:
    tasks = Tasks(service.deps, service.tenant.id)
    for number in (9_001, 9_002):
        tasks.make(number, words="said")
    tasks.make(9_003, created_at_ms=FEBRUARY_MS)
    done = run("tasks", "rebuild", "--tenant", service.tenant.id, "-o", "json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"tasks": 3, "months": 2})
    assert run("tasks", "rebuild").stdout == "3 tasks of 2 months\n"
    assert task_lists.find(service.deps, service.tenant.id, EVERYTHING, page=1, per_page=1).total == 3
