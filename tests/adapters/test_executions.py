"""The ports Executions and TaskReports, on both families."""

import pytest

from callscribe.ports import ExecutionState
from tests.adapters.families import Machine, Waiting

PAYLOAD = {"tenant_id": "t1", "job_id": "j1"}


def test_a_name_that_never_started_has_no_state(machine: Machine) -> None:
    assert machine.port.state("j1") is None


def test_a_started_execution_runs(machine: Machine) -> None:
    assert machine.port.start("j1", PAYLOAD)
    assert machine.port.state("j1") is ExecutionState.RUNNING
    assert machine.port.state("j") is None


def test_a_running_name_with_another_payload_is_taken(machine: Machine) -> None:
    machine.port.start("j1", PAYLOAD)
    assert not machine.port.start("j1", {**PAYLOAD, "job_id": "j2"})


@pytest.mark.parametrize("state", [ExecutionState.SUCCEEDED, ExecutionState.FAILED])
def test_an_ended_name_is_taken_and_tells_how_it_ended(machine: Machine, state: ExecutionState) -> None:
    machine.port.start("j1", PAYLOAD)
    machine.end("j1", state)
    assert machine.port.state("j1") is state
    assert not machine.port.start("j1", PAYLOAD)
    assert machine.port.state("j1") is state


def test_a_task_that_is_waited_for_succeeds_once(waiting: Waiting) -> None:
    assert waiting.port.succeed(waiting.token)
    waiting.heard()
    assert not waiting.port.succeed(waiting.token)


def test_a_task_that_has_failed_can_no_longer_succeed(waiting: Waiting) -> None:
    assert waiting.port.fail(waiting.token, error="JobFailed", cause="no audio")
    waiting.heard()
    assert not waiting.port.succeed(waiting.token)


def test_a_token_that_nobody_waits_for_is_no_error(waiting: Waiting) -> None:
    assert not waiting.port.succeed("unknown")
    assert not waiting.port.fail("unknown", error="E", cause="")
