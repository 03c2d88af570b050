"""Changed tasks find their way into the index: stream, FIFO queue, function and bucket of the laptop cloud."""

import pytest

from callscribe.domain.tasks import EVERYTHING, Criteria
from callscribe.services import accounts, task_lists
from local.system import LocalSystem
from tests.e2e.integrator import wait_for
from tests.e2e.traces import taken_in
from tests.services.tasks_world import Tasks

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]


def test_T_L2_changes_are_taken_into_the_index_by_their_stream_and_lists_stay_right(system: LocalSystem) -> None:
    deps = system.deps()
    tenant_id = accounts.create_tenant(deps, name="With tasks").id
    tasks = Tasks(deps, tenant_id)
    for number in (1, 2, 3):
        tasks.make(number, words=f"said {number}")
    assert task_lists.find(deps, tenant_id, Criteria(words="said"), page=1, per_page=1).total == 3
    wait_for(lambda: taken_in(deps, tenant_id), "the index to be up to date")
    tasks.operator(1, "Ivanova")
    tasks.remove(3)
    wait_for(lambda: taken_in(deps, tenant_id), "the index to be up to date")
    files = system.emulator.client("s3").list_objects_v2(
        Bucket=system.outputs["IndexBucket"], Prefix=f"tasks/{tenant_id}/"
    )
    assert [one["Key"] for one in files["Contents"]] == [f"tasks/{tenant_id}/2026-01.sqlite"]
    found = task_lists.find(deps, tenant_id, EVERYTHING, page=1, per_page=10)
    assert [(row.id, row.operator_name) for row in found.rows] == [(1, "Ivanova"), (2, "op2")]
