"""SQS, Step Functions and Secrets Manager only: errors, and the life of the root keys."""

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from callscribe.adapters.aws.clients import config
from callscribe.adapters.aws.executions import StepFunctionsExecutions
from callscribe.adapters.aws.queues import SqsSender, SqsWorkQueue
from callscribe.adapters.aws.secrets import (
    PUBLISHED_BEFORE_MS,
    REFRESH_MS,
    SEEK_AGAIN_MS,
    SecretKeys,
    load_root_keys,
    rotate,
)
from callscribe.adapters.aws.task_reports import StepFunctionsTaskReports
from callscribe.adapters.memory import ManualClock, memory_deps
from callscribe.domain.keyring import KeyRing
from callscribe.errors import Conflict, Unavailable
from callscribe.ports import ExecutionState, WorkMessage
from callscribe.services import accounts, tokens
from tests.adapters.cloud import before_calls

ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:transcription"
SILENT = EndpointConnectionError(endpoint_url="https://aws.example")
DENIED = (400, '{"__type": "AccessDeniedException"}')
MESSAGE = WorkMessage("receipt", "t1", "j1", "token", 1)
FIRST_KEY, SECOND_KEY = "a" * 32, "b" * 32
NOW_MS = 1_767_225_600_000

STEP_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "StartExecution": lambda client: StepFunctionsExecutions(client, ARN).start("j1", {}),
    "DescribeExecution": lambda client: StepFunctionsExecutions(client, ARN).state("j1"),
    "SendTaskSuccess": lambda client: StepFunctionsTaskReports(client).succeed("token"),
    "SendTaskFailure": lambda client: StepFunctionsTaskReports(client).fail("token", error="E", cause=""),
}
SQS: dict[str, Callable[[Any], Any]] = {
    "SendMessage": lambda client: SqsSender(client, "https://q.example/q").send({}),
    "ReceiveMessage": lambda client: SqsWorkQueue(client, "https://q.example/q").receive(max_messages=1, wait_s=0),
    "ChangeMessageVisibility": lambda client: SqsWorkQueue(client, "https://q.example/q").extend(
        MESSAGE, visibility_s=1
    ),
    "DeleteMessage": lambda client: SqsWorkQueue(client, "https://q.example/q").delete(MESSAGE),
}
ALL = [("stepfunctions", *each) for each in STEP_FUNCTIONS.items()] + [("sqs", *each) for each in SQS.items()]


@pytest.mark.parametrize(("service", "operation", "call"), ALL, ids=[operation for _, operation, _ in ALL])
def test_a_silent_service_is_unavailable_and_a_missing_grant_stays_loud(
    aws: Callable[[str], Any], service: str, operation: str, call: Callable[[Any], Any]
) -> None:
    client = aws(service)
    before_calls(client, operation, SILENT, SILENT, SILENT, DENIED)
    with pytest.raises(Unavailable):
        call(client)
    with pytest.raises(ClientError, match="AccessDenied"):
        call(client)


@pytest.mark.parametrize("error", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
@pytest.mark.parametrize("operation", ["SendTaskSuccess", "SendTaskFailure"])
def test_a_report_that_comes_too_late_is_false(aws: Callable[[str], Any], operation: str, error: str) -> None:
    client = aws("stepfunctions")
    before_calls(client, operation, (400, json.dumps({"__type": error})))
    assert STEP_FUNCTIONS[operation](client) is False


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("RUNNING", ExecutionState.RUNNING),
        ("PENDING_REDRIVE", ExecutionState.RUNNING),
        ("SUCCEEDED", ExecutionState.SUCCEEDED),
        ("FAILED", ExecutionState.FAILED),
        ("TIMED_OUT", ExecutionState.FAILED),
        ("ABORTED", ExecutionState.FAILED),
    ],
)
def test_every_status_of_step_functions_has_its_state(
    aws: Callable[[str], Any], status: str, state: ExecutionState
) -> None:
    client = aws("stepfunctions")
    sent = before_calls(client, "DescribeExecution", (200, json.dumps({"status": status})))
    assert StepFunctionsExecutions(client, ARN).state("j1") is state
    arn = "arn:aws:states:eu-central-1:123456789012:execution:transcription:j1"
    assert json.loads(sent.bodies[0]) == {"executionArn": arn}


@pytest.mark.parametrize("operation", ["ChangeMessageVisibility", "DeleteMessage"])
@pytest.mark.parametrize(
    "error",
    [
        {"__type": "com.amazonaws.sqs#ReceiptHandleIsInvalid"},
        {"__type": "com.amazonaws.sqs#MessageNotInflight"},
        {"__type": "InvalidParameterValue", "message": "Value x for parameter ReceiptHandle is invalid. Reason: …"},
    ],
    ids=["invalid", "not in flight", "expired"],
)
def test_a_receipt_that_ran_out_is_no_error(aws: Callable[[str], Any], operation: str, error: dict[str, str]) -> None:
    client = aws("sqs")
    sent = before_calls(client, operation, (400, json.dumps(error)))
    SQS[operation](client)
    assert len(sent.bodies) == 1


def test_an_impossible_visibility_stays_loud(aws: Callable[[str], Any]) -> None:
    client = aws("sqs")
    error = {"__type": "InvalidParameterValue", "message": "Value 50000 for parameter VisibilityTimeout is invalid."}
    before_calls(client, "ChangeMessageVisibility", (400, json.dumps(error)))
    with pytest.raises(ClientError, match="VisibilityTimeout"):
        SQS["ChangeMessageVisibility"](client)


@pytest.mark.parametrize("body", ["no JSON", "[]", "5", '"text"', "null"])
def test_a_message_that_is_no_object_does_not_stop_the_drain(sqs: tuple[Any, str], body: str) -> None:
    client, url = sqs
    client.send_message(QueueUrl=url, MessageBody=body)
    SqsSender(client, url).send({"tenant_id": "t1", "job_id": "j1", "task_token": "token"})
    received = SqsWorkQueue(client, url).receive(max_messages=10, wait_s=0)
    assert [message.job_id for message in received] == ["j1"]


def test_messages_of_one_tenant_are_one_group_on_a_queue_that_is_to_be_fair(sqs: tuple[Any, str]) -> None:
    client, url = sqs
    SqsSender(client, url, group_by="tenant_id").send({"tenant_id": "t1", "job_id": "j1"})
    SqsSender(client, url).send({"tenant_id": "t2", "job_id": "j2"})
    received = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    groups = {json.loads(one["Body"])["tenant_id"]: one["Attributes"].get("MessageGroupId") for one in received}
    assert groups == {"t1": "t1", "t2": None}


def test_a_message_without_the_field_of_its_group_stays_loud(sqs: tuple[Any, str]) -> None:
    with pytest.raises(KeyError):
        SqsSender(*sqs, group_by="tenant_id").send({"job_id": "j1"})


def test_the_longest_poll_ends_before_the_client_gives_up() -> None:
    assert config("sqs").read_timeout > 20  # type: ignore[attr-defined] # botocore sets its options dynamically


def test_only_s3_is_signed_as_s3() -> None:
    assert config("s3").signature_version == "s3v4"  # type: ignore[attr-defined] # as above
    assert config("dynamodb").signature_version is None  # type: ignore[attr-defined] # as above


@pytest.fixture
def secrets(aws: Callable[[str], Any]) -> Any:
    """A client in an account whose secret is as CloudFormation generates it."""
    client = aws("secretsmanager")
    client.create_secret(Name="root", SecretString=json.dumps({"id": "1", "key": FIRST_KEY}))
    return client


def test_a_generated_secret_is_a_keyring(secrets: Any) -> None:
    keys = SecretKeys(secrets, "root", now_ms=ManualClock())
    assert (keys.current, dict(keys.roots), len(keys.roots)) == ("1", {"1": FIRST_KEY.encode()}, 1)
    assert keys.derive("pepper") == KeyRing("1", {"1": FIRST_KEY.encode()}).derive("pepper")


def test_a_new_key_verifies_at_once_and_signs_when_every_process_has_read_it(secrets: Any) -> None:
    before = load_root_keys(secrets, "root").keyring(NOW_MS)
    rotated = rotate(secrets, "root", new_key=SECOND_KEY, now_ms=NOW_MS)
    assert rotated == load_root_keys(secrets, "root")
    assert (rotated.newest, set(rotated.roots)) == ("2", {"1", "2"})
    assert rotated.signs_from_ms == NOW_MS + PUBLISHED_BEFORE_MS > NOW_MS + REFRESH_MS
    assert rotated.keyring(rotated.signs_from_ms - 1).current == "1"
    after = rotated.keyring(rotated.signs_from_ms)
    assert after.current == "2"
    assert after.derive("pepper", root_id="1") == before.derive("pepper") != after.derive("pepper")


def test_a_second_rotation_waits_until_the_first_one_signs(secrets: Any) -> None:
    first = rotate(secrets, "root", new_key=SECOND_KEY, now_ms=NOW_MS)
    with pytest.raises(Conflict, match="a moment ago"):
        rotate(secrets, "root", new_key="c" * 32, now_ms=first.signs_from_ms - 1)
    second = rotate(secrets, "root", new_key="c" * 32, now_ms=first.signs_from_ms)
    assert set(second.roots) == {"1", "2", "3"}
    assert second.keyring(first.signs_from_ms).current == "2"


def test_of_two_rotations_at_once_one_is_refused(secrets: Any) -> None:
    stale = secrets.get_secret_value(SecretId="root")
    rotate(secrets, "root", new_key=SECOND_KEY, now_ms=NOW_MS)
    body = json.dumps({**stale, "CreatedDate": 0, "ResponseMetadata": None})
    before_calls(secrets, "GetSecretValue", (200, body))
    before_calls(secrets, "PutSecretValue", (400, '{"__type": "ResourceExistsException"}'))
    with pytest.raises(Conflict):
        rotate(secrets, "root", new_key="c" * 32, now_ms=NOW_MS)
    assert load_root_keys(secrets, "root").roots["2"] == SECOND_KEY.encode()


def test_both_rotations_of_one_version_carry_the_same_token(secrets: Any) -> None:
    stale = json.dumps({**secrets.get_secret_value(SecretId="root"), "CreatedDate": 0, "ResponseMetadata": None})
    before_calls(secrets, "GetSecretValue", (200, stale), (200, stale))
    sent = before_calls(secrets, "PutSecretValue", (200, "{}"), (200, "{}"))
    rotate(secrets, "root", new_key=SECOND_KEY, now_ms=NOW_MS)
    rotate(secrets, "root", new_key="c" * 32, now_ms=NOW_MS)
    assert len({json.loads(body)["ClientRequestToken"] for body in sent.bodies}) == 1


@pytest.mark.parametrize("document", ["{}", '{"id": "1"}', "[]", '{"id": "1", "key": "short"}', "no JSON"])
def test_a_secret_that_holds_no_good_key_is_refused(aws: Callable[[str], Any], document: str) -> None:
    client = aws("secretsmanager")
    client.create_secret(Name="root", SecretString=document)
    with pytest.raises(ValueError, match=r"root key|Expecting"):
        SecretKeys(client, "root", now_ms=ManualClock())


def test_a_short_key_is_not_rotated_in(secrets: Any) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        rotate(secrets, "root", new_key="short", now_ms=NOW_MS)
    assert load_root_keys(secrets, "root").newest == "1"


def test_a_process_that_started_before_a_rotation_learns_of_it_in_time(secrets: Any) -> None:
    clock = ManualClock()
    running = SecretKeys(secrets, "root", now_ms=clock)
    old_secret = running.webhook_secret("t1", "1.1")
    rotate(secrets, "root", new_key=SECOND_KEY, now_ms=clock())
    clock.advance(PUBLISHED_BEFORE_MS / 1_000)
    assert (running.current, set(running.roots)) == ("2", {"1", "2"})
    assert running.webhook_secret("t1", "1.1") == old_secret != running.webhook_secret("t1", "2.1")


def test_tokens_and_keys_of_either_root_key_are_accepted_by_a_process_that_started_before(secrets: Any) -> None:
    clock = ManualClock()
    running = memory_deps(keyring=SecretKeys(secrets, "root", now_ms=clock), now_ms=clock)
    tenant = accounts.create_tenant(running, name="Example Ltd")
    old_key, old_secret = accounts.create_key(running, tenant_id=tenant.id, name="old")
    old_token = tokens.issue(running, accounts.principal_of(old_key)).token
    old_webhook_secret = accounts.webhook_secrets(running, tenant.id)
    made = rotate(secrets, "root", new_key=SECOND_KEY, now_ms=clock())
    # Another process, whose clock is ahead: it signs by the new key while ours has just read the old ones.
    ahead = ManualClock()
    ahead.advance((made.signs_from_ms - clock()) / 1_000)
    other = memory_deps(
        store=running.store,
        keyring=SecretKeys(secrets, "root", now_ms=ahead),
        now_ms=clock,
        random_bytes=running.random_bytes,
    )
    new_token = tokens.issue(other, accounts.principal_of(old_key)).token
    assert jwt.get_unverified_header(new_token)["kid"] == "2"
    assert tokens.verify(running, new_token).key_id == old_key.id
    new_key, new_secret = accounts.create_key(other, tenant_id=tenant.id, name="new")
    assert accounts.authenticate(running, key_id=new_key.id, secret=new_secret).id == new_key.id
    assert accounts.authenticate(running, key_id=old_key.id, secret=old_secret).id == old_key.id
    assert tokens.verify(other, old_token).key_id == tokens.verify(running, old_token).key_id == old_key.id
    assert accounts.webhook_secrets(other, tenant.id) == old_webhook_secret


def test_forged_root_ids_do_not_hammer_secrets_manager(secrets: Any) -> None:
    clock = ManualClock()
    keys = SecretKeys(secrets, "root", now_ms=clock)
    read = before_calls(secrets, "GetSecretValue")
    assert not [forged for forged in range(2, 1_000) if str(forged) in keys.roots]
    assert len(read.bodies) == 1
    clock.advance(SEEK_AGAIN_MS / 1_000)
    assert "forged" not in keys.roots
    with pytest.raises(Unavailable, match="no root key 9"):
        keys.webhook_secret("t1", "9.1")
    assert len(read.bodies) == 2


def test_a_minute_of_use_reads_the_secret_once(secrets: Any) -> None:
    clock = ManualClock()
    keys = SecretKeys(secrets, "root", now_ms=clock)
    read = before_calls(secrets, "GetSecretValue")
    for _ in range(120):
        clock.advance(1)
        assert keys.current == "1"
        assert keys.derive("pepper")
    assert len(read.bodies) == 2


@pytest.mark.parametrize("fault", [SILENT, (200, json.dumps({"SecretString": "no JSON", "VersionId": "v"}))])
def test_the_keys_that_were_read_stay_in_use_while_the_secret_cannot_be_read(secrets: Any, fault: Any) -> None:
    clock = ManualClock()
    keys = SecretKeys(secrets, "root", now_ms=clock)
    before_calls(secrets, "GetSecretValue", fault, fault, fault)
    clock.advance(REFRESH_MS / 1_000)
    assert keys.derive("pepper") == KeyRing("1", {"1": FIRST_KEY.encode()}).derive("pepper")


def test_a_missing_right_to_read_the_secret_again_stays_loud(secrets: Any) -> None:
    clock = ManualClock()
    keys = SecretKeys(secrets, "root", now_ms=clock)
    before_calls(secrets, "GetSecretValue", DENIED)
    clock.advance(REFRESH_MS / 1_000)
    with pytest.raises(ClientError, match="AccessDenied"):
        keys.derive("pepper")
