"""Executions of one Step Functions state machine (Standard)."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from callscribe.adapters.aws.errors import translated
from callscribe.ports import ExecutionState

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_STATES = {
    "RUNNING": ExecutionState.RUNNING,
    "PENDING_REDRIVE": ExecutionState.RUNNING,
    "SUCCEEDED": ExecutionState.SUCCEEDED,
    "FAILED": ExecutionState.FAILED,
    "TIMED_OUT": ExecutionState.FAILED,
    "ABORTED": ExecutionState.FAILED,
}


class StepFunctionsExecutions:
    """`ports.Executions` by the state machine's ARN; an execution's ARN follows from its name."""

    def __init__(self, client: "SFNClient", state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, name: str, payload: Mapping[str, str | int | float]) -> bool:
        """See `ports.Executions.start`. A closed execution's name is refused for 90 days."""
        document = json.dumps(dict(payload), sort_keys=True)  # the same payload must be the same bytes
        try:
            with translated("stepfunctions"):
                self._client.start_execution(stateMachineArn=self._state_machine_arn, name=name, input=document)
        except self._client.exceptions.ExecutionAlreadyExists:
            return False
        return True

    def state(self, name: str) -> ExecutionState | None:
        """See `ports.Executions.state`."""
        arn = f"{self._state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
        try:
            with translated("stepfunctions"):
                answer = self._client.describe_execution(executionArn=arn)
        except self._client.exceptions.ExecutionDoesNotExist:
            return None
        return _STATES[answer["status"]]
