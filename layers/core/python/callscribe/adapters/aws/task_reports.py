"""Reports by Step Functions task token."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from callscribe.adapters.aws.errors import code, translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_NOT_WAITED_FOR = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})


class StepFunctionsTaskReports:
    """`ports.TaskReports`. The results stay in the bucket: the answer of a task is an empty object."""

    def __init__(self, client: "SFNClient") -> None:
        self._client = client

    def succeed(self, task_token: str) -> bool:
        """See `ports.TaskReports.succeed`."""
        try:
            with translated("stepfunctions"):
                self._client.send_task_success(taskToken=task_token, output="{}")
        except ClientError as error:
            return _not_waited_for(error)
        return True

    def fail(self, task_token: str, *, error: str, cause: str) -> bool:
        """See `ports.TaskReports.fail`."""
        try:
            with translated("stepfunctions"):
                self._client.send_task_failure(taskToken=task_token, error=error, cause=cause)
        except ClientError as refusal:
            return _not_waited_for(refusal)
        return True


def _not_waited_for(error: ClientError) -> bool:
    """False, which the port answers for a token that nobody waits for; any other error is raised again."""
    if code(error) in _NOT_WAITED_FOR:
        return False
    raise error
