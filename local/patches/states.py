"""Step Functions: task tokens and retries."""

# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
# (the emulator lives in an environment of its own and is untyped)

import base64
import binascii
import inspect
import json
import random
from typing import Any

from ministack.core import iam_actions
from ministack.services import stepfunctions

from .registry import Json, expect, expect_source, patch, replace

_TOKEN_PREFIX = "callscribe-"


@patch
def task_tokens_name_their_state_machine() -> None:
    """Each attempt of a waiting task has a token of its own, and the token says which state machine it belongs to.

    Emulator: all attempts share one token, so a late answer to the first completes the second; and with AUTH on,
    `states:SendTaskSuccess`, `SendTaskFailure` and `SendTaskHeartbeat` are checked against the resource `*`, so a
    grant scoped to a state machine is refused. AWS: a token is good for one attempt, and such a grant is honoured.
    """
    expect_source(
        stepfunctions._execute_task,
        "effective = _apply_parameters(state_def, _apply_input_path(state_def, raw_input, ctx), ctx)",
        'resource, effective, ctx["Task"]["Token"], state_def)',
    )
    expect_source(iam_actions.extract_resource_arn, 'if service == "states":', '"stateMachineArn"')

    def make_parameters(original: Any) -> Any:
        def apply(state_def: Json, data: Any, ctx: Json | None = None) -> Any:
            if ctx is not None and ".waitForTaskToken" in str(state_def.get("Resource")):
                ctx["Task"] = {"Token": _make_token(ctx["StateMachine"]["Id"])}
            return original(state_def, data, ctx)

        return apply

    def make_extract(original: Any) -> Any:
        signature = inspect.signature(original)

        def extract(*args: Any, **kwargs: Any) -> str:
            given = signature.bind(*args, **kwargs).arguments
            if given["service"] == "states":
                token = iam_actions._safe_json_field(given["body"], "taskToken")
                if token:
                    return _state_machine_of(token)
            return str(original(*args, **kwargs))

        return extract

    replace(stepfunctions, "_apply_parameters", make_parameters)
    replace(iam_actions, "extract_resource_arn", make_extract)
    expect(_state_machine_of(_make_token("arn:aws:x")) == "arn:aws:x", "a token to name its state machine")


def _make_token(state_machine_arn: str) -> str:
    text = json.dumps([state_machine_arn, stepfunctions.new_uuid()])
    return _TOKEN_PREFIX + base64.urlsafe_b64encode(text.encode()).decode()


def _state_machine_of(token: str) -> str:
    """The ARN of the state machine that a token belongs to; `*` for a token that is not ours."""
    try:
        return str(json.loads(base64.urlsafe_b64decode(token.removeprefix(_TOKEN_PREFIX)))[0])
    except (binascii.Error, ValueError, IndexError, TypeError):
        return "*"


@patch
def retries_honour_their_limit_and_jitter() -> None:
    """`MaxDelaySeconds` bounds the pause between retries, and `JitterStrategy: FULL` draws it from 0 to that.

    Emulator: both are ignored (a pause is at most 60 s). AWS: both are honoured.
    """
    expect_source(stepfunctions._execute_task, 'retrier.get("IntervalSeconds", 1)', 'retrier.get("BackoffRate", 2.0)')

    def make(original: Any) -> Any:
        def find(retriers: Any, error: str, retry_counts: Json) -> Any:
            retrier, index = original(retriers, error, retry_counts)
            if retrier is None:
                return retrier, index
            pause_s = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retry_counts.get(index, 0)
            pause_s = min(pause_s, retrier.get("MaxDelaySeconds", pause_s))
            if retrier.get("JitterStrategy") == "FULL":
                pause_s = random.uniform(0, pause_s)  # noqa: S311 (a pause is no secret)
            return {**retrier, "IntervalSeconds": pause_s, "BackoffRate": 1.0}, index

        return find

    replace(stepfunctions, "_find_matching_retrier", make)
