"""The state machines: what the templates hold, who may do what, and the definitions run by moto's engine."""

import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

from callscribe.services import callbacks
from infra.machines import callback_definition, transcription_definition
from tests.infra.templates import Stage, arn_of, role_of

Json = dict[str, Any]
PREPARE = "arn:aws:lambda:us-east-1:123456789012:function:prepare"
FINISH = "arn:aws:lambda:us-east-1:123456789012:function:finish"
DELIVER = "arn:aws:lambda:us-east-1:123456789012:function:deliver"
ROLE = "arn:aws:iam::123456789012:role/machine"
IDS = {"tenant_id": "t1", "job_id": "j1"}
TO_HEAR = {"words": False}  # what Prepare answers for a recording
HIGHEST_TRANSITIONS = 6
HIGHEST_STATE_BYTES = 8_192


def definitions(stage: Stage) -> dict[str, Json]:
    machines = stage.resources("AWS::StepFunctions::StateMachine")
    return {reference: json.loads(machine["DefinitionString"]) for reference, machine in machines.items()}


def test_every_task_of_a_machine_is_granted_to_its_role_and_nothing_else_is(stage: Stage) -> None:
    machines = stage.resources("AWS::StepFunctions::StateMachine")
    assert len(machines) == 2
    for reference, definition in definitions(stage).items():
        needed = {_grant(state) for state in definition["States"].values() if state["Type"] == "Task"}
        grants = stage.grants(role_of(machines[reference]["RoleArn"]))
        assert {(action, resource) for action, resource in grants if resource != "*"} == needed


def test_the_templates_hold_the_definitions_that_are_run_below(stage: Stage) -> None:
    functions = {name: arn_of(function["self"]) for name, function in stage.functions.items()}
    transcription = transcription_definition(
        prepare_arn=functions["prepare_audio"],
        finish_arn=functions["finish_job"],
        work_queue_url=stage.output("WorkQueueUrl"),
        deadline_s=86_400,
    )
    callback = callback_definition(deliver_arn=functions["deliver_callback"])
    found = definitions(stage)
    assert found[stage.output("TranscriptionMachine")] == transcription
    assert callback in found.values()
    assert len(found) == 2


def test_the_callback_machine_has_the_name_that_its_function_knows_it_by(stage: Stage) -> None:
    named = [m for m in stage.resources("AWS::StepFunctions::StateMachine").values() if "StateMachineName" in m]
    assert [m["StateMachineName"] for m in named] == ["callscribe-test-callback"]
    arn = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:stateMachine:callscribe-test-callback"
    assert stage.output("CallbackMachine") == arn
    assert ("states:StartExecution", arn) in stage.function_grants("deliver_callback")


def test_both_machines_are_standard_traced_and_log_errors_without_data(stage: Stage) -> None:
    for machine in stage.resources("AWS::StepFunctions::StateMachine").values():
        assert machine.get("StateMachineType", "STANDARD") == "STANDARD"
        assert machine["TracingConfiguration"] == {"Enabled": True}
        assert machine["LoggingConfiguration"]["Level"] == "ERROR"
        assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_a_successful_job_takes_at_most_six_transitions() -> None:
    definition = transcription()
    transitions, name = 1, definition["StartAt"]  # the start counts as one
    while name:
        transitions += 1
        state = definition["States"][name]
        name = state.get("Next", state.get("Default"))
    assert transitions <= HIGHEST_TRANSITIONS


def test_no_step_of_the_transcription_adds_to_its_state_but_one_truth_value_and_an_error() -> None:
    for name, state in transcription()["States"].items():
        if state["Type"] == "Task":
            assert state["ResultPath"] == ("$.prepared" if name == "Prepare" else None), name
            assert {catch["ResultPath"] for catch in state.get("Catch", [])} <= {"$.error"}


def test_waiting_for_a_worker_has_a_deadline_but_no_heartbeat_and_no_retry_of_what_the_worker_says() -> None:
    state = transcription(deadline_s=77)["States"]["Transcribe"]
    assert state["TimeoutSeconds"] == 77
    assert "HeartbeatSeconds" not in state
    (retry,) = state["Retry"]
    assert all(error.startswith("SQS.") for error in retry["ErrorEquals"])
    assert state["Parameters"]["MessageGroupId.$"] == "$.tenant_id"


def patience_s(state: Json, error: str) -> float:
    """How long a state goes on after its first failure, on average, when every try ends in this error."""
    for retrier in state["Retry"]:
        if error in retrier["ErrorEquals"] or retrier["ErrorEquals"] == ["States.ALL"]:
            return sum(_pause_s(retrier, number) for number in range(retrier["MaxAttempts"]))
    return 0


def _pause_s(retrier: Json, number: int) -> float:
    pause_s = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** number
    longest_s = min(pause_s, retrier.get("MaxDelaySeconds", pause_s))
    return float(longest_s / 2 if retrier.get("JitterStrategy") == "FULL" else longest_s)


@pytest.mark.parametrize("error", ["Unavailable", "Lambda.ServiceException", "Lambda.TooManyRequestsException"])
def test_an_outage_of_half_an_hour_costs_no_job_its_work(error: str) -> None:
    states = transcription()["States"] | callback_definition(deliver_arn=DELIVER)["States"]
    for name in ("Prepare", "Finish", "FinishFailed", "Deliver"):
        assert patience_s(states[name], error) >= 1_800, name
    assert patience_s(states["Transcribe"], "SQS.AmazonSQSException") >= 1_800


def test_errors_that_nobody_foresaw_are_retried_for_minutes_too() -> None:
    states = transcription()["States"] | callback_definition(deliver_arn=DELIVER)["States"]
    for name in ("Prepare", "Finish", "FinishFailed", "Deliver"):
        assert patience_s(states[name], "ClientError") >= 180, name


def test_a_failed_job_is_never_retried_and_a_function_that_ran_out_of_time_twice() -> None:
    for name in ("Prepare", "Finish", "FinishFailed"):
        retriers = transcription()["States"][name]["Retry"]
        assert {"ErrorEquals": ["JobFailed"], "MaxAttempts": 0} in retriers[:-1]
        assert [r["MaxAttempts"] for r in retriers if "Sandbox.Timedout" in r["ErrorEquals"]] == [2]


def test_an_attempt_that_another_process_claimed_is_asked_for_until_its_lease_is_over() -> None:
    claimed = callback_definition(deliver_arn=DELIVER)["States"]["Deliver"]["Retry"][0]
    assert claimed == {"ErrorEquals": ["Conflict"], "IntervalSeconds": 30, "MaxAttempts": 5, "BackoffRate": 1.0}
    lease_s = callbacks._LEASE_MS / 1_000
    assert patience_s({"Retry": [claimed]}, "Conflict") >= 2 * lease_s


def test_the_logs_of_both_machines_stand_where_log_delivery_needs_no_policy_of_each(stage: Stage) -> None:
    groups = stage.resources("AWS::Logs::LogGroup")
    names = set()
    for machine in stage.resources("AWS::StepFunctions::StateMachine").values():
        (destination,) = machine["LoggingConfiguration"]["Destinations"]
        arn = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]
        names.add(groups[role_of(arn)]["LogGroupName"])
    prefix = "/aws/vendedlogs/states/callscribe-test-"
    assert names == {prefix + "transcription", prefix + "callback"}


class FakeLambda:
    """Answers invocations by Python functions; an exception becomes what Lambda makes of it."""

    def __init__(self, **handlers: Callable[[Json], Any]) -> None:
        self.handlers = handlers
        self.calls: list[tuple[str, Json]] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Json:  # noqa: N803 - boto3's names
        name, event = FunctionName.rpartition(":")[2], json.loads(Payload)
        self.calls.append((name, event))
        try:
            answer: Any = self.handlers[name](event)
        except Exception as error:  # noqa: BLE001 - stands for the Lambda runtime
            failed = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(failed).encode())}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


class JobFailed(Exception):
    """Has the name of callscribe's error."""


class Cloud:
    """moto's Step Functions engine and queue, with Lambdas of our own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states = boto3.client("stepfunctions", "us-east-1")
        self.sqs = boto3.client("sqs", "us-east-1")
        self.queue_url = self.sqs.create_queue(QueueName="work")["QueueUrl"]
        self._monkeypatch = monkeypatch

    def start(self, definition: Json, state: Json, lambdas: FakeLambda) -> str:
        self._monkeypatch.setattr(lambda_eval_utils, "boto_client_for", lambda **_options: lambdas)
        machine = self.states.create_state_machine(name="m", definition=json.dumps(definition), roleArn=ROLE)
        started = self.states.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(state))
        return str(started["executionArn"])

    def work(self) -> Json:
        """The message that a worker gets."""
        received = self.sqs.receive_message(QueueUrl=self.queue_url, WaitTimeSeconds=20, AttributeNames=["All"])
        (message,) = received["Messages"]
        assert message["Attributes"]["MessageGroupId"] == IDS["tenant_id"]
        body: Json = json.loads(message["Body"])
        return body

    def end(self, execution: str) -> Json:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found: Json = dict(self.states.describe_execution(executionArn=execution))
            if found["status"] != "RUNNING":
                return found
            time.sleep(0.05)
        raise AssertionError("the execution did not end")

    def entered(self, execution: str) -> list[str]:
        events = self.states.get_execution_history(executionArn=execution)["events"]
        return [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield Cloud(monkeypatch)


def transcription(*, work_queue_url: str = "https://queue", deadline_s: int = 60) -> Json:
    return transcription_definition(
        prepare_arn=PREPARE, finish_arn=FINISH, work_queue_url=work_queue_url, deadline_s=deadline_s
    )


def test_a_job_that_a_worker_reports_done_is_finished_once_with_a_small_state(cloud: Cloud) -> None:
    lambdas = FakeLambda(prepare=lambda event: TO_HEAR, finish=lambda event: {"noise": "x" * 1_000})
    execution = cloud.start(transcription(work_queue_url=cloud.queue_url), IDS, lambdas)
    message = cloud.work()
    assert message == IDS | {"task_token": message["task_token"]}
    cloud.states.send_task_success(taskToken=message["task_token"], output="{}")
    ended = cloud.end(execution)
    prepared = IDS | {"prepared": TO_HEAR}
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", prepared)
    assert lambdas.calls == [("prepare", IDS), ("finish", prepared)]
    assert cloud.entered(execution) == ["Prepare", "Words?", "Transcribe", "Finish"]
    assert len(ended["output"]) < HIGHEST_STATE_BYTES


def test_a_job_whose_words_are_there_is_finished_without_a_worker(cloud: Cloud) -> None:
    lambdas = FakeLambda(prepare=lambda event: {"words": True}, finish=lambda event: {})
    execution = cloud.start(transcription(work_queue_url=cloud.queue_url), IDS, lambdas)
    assert cloud.end(execution)["status"] == "SUCCEEDED"
    assert cloud.entered(execution) == ["Prepare", "Words?", "Finish"]
    assert "Messages" not in cloud.sqs.receive_message(QueueUrl=cloud.queue_url)


def test_a_job_that_prepare_calls_hopeless_fails_at_once_and_its_error_is_told(cloud: Cloud) -> None:
    def prepare(event: Json) -> None:
        raise JobFailed("audio_empty: nothing in it")

    lambdas = FakeLambda(prepare=prepare, finish=lambda event: {"state": "FAILED"})
    execution = cloud.start(transcription(work_queue_url=cloud.queue_url), IDS, lambdas)
    ended = cloud.end(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "JobFailed")
    assert lambdas.calls == [("prepare", IDS), ("finish", IDS | {"error": "JobFailed"})]
    assert cloud.entered(execution) == ["Prepare", "FinishFailed", "JobFailed"]


def test_a_failure_that_the_worker_reports_ends_the_job_without_a_second_message(cloud: Cloud) -> None:
    lambdas = FakeLambda(prepare=lambda event: TO_HEAR, finish=lambda event: {})
    execution = cloud.start(transcription(work_queue_url=cloud.queue_url), IDS, lambdas)
    token = cloud.work()["task_token"]
    cloud.states.send_task_failure(taskToken=token, error="JobFailed", cause="language_unsupported")
    assert cloud.end(execution)["status"] == "FAILED"
    assert lambdas.calls[-1] == ("finish", IDS | {"error": "JobFailed"})
    assert "Messages" not in cloud.sqs.receive_message(QueueUrl=cloud.queue_url)


def test_a_job_that_no_worker_takes_ends_at_its_deadline(cloud: Cloud) -> None:
    lambdas = FakeLambda(prepare=lambda event: TO_HEAR, finish=lambda event: {})
    execution = cloud.start(transcription(work_queue_url=cloud.queue_url, deadline_s=1), IDS, lambdas)
    assert cloud.end(execution)["status"] == "FAILED"
    assert lambdas.calls[-1] == ("finish", IDS | {"error": "States.Timeout"})


def test_a_callback_is_tried_until_its_function_says_done(cloud: Cloud) -> None:
    def deliver(event: Json) -> Json:
        attempt = event["attempt"] + 1
        return {**event, "attempt": attempt, "wait_s": 0, "done": attempt == 4}

    lambdas = FakeLambda(deliver=deliver)
    state = {**IDS, "replay": 0, "attempt": 2, "wait_s": 0}
    execution = cloud.start(callback_definition(deliver_arn=DELIVER), state, lambdas)
    assert cloud.end(execution)["status"] == "SUCCEEDED"
    assert [event["attempt"] for _, event in lambdas.calls] == [2, 3]
    assert cloud.entered(execution) == ["Wait", "Deliver", "Done?", "Wait", "Deliver", "Done?", "Delivered"]


def test_the_engine_does_refuse_definitions_that_are_wrong(cloud: Cloud) -> None:
    broken = transcription()
    broken["States"]["Prepare"]["Type"] = "Taskk"
    with pytest.raises(ClientError, match="ASLParserException"):
        cloud.states.create_state_machine(name="m", definition=json.dumps(broken), roleArn=ROLE)


def _grant(state: Json) -> tuple[str, str]:
    """What a Task state needs to be allowed."""
    if state["Resource"] == "arn:aws:states:::sqs:sendMessage.waitForTaskToken":
        return "sqs:SendMessage", arn_of(state["Parameters"]["QueueUrl"])
    return "lambda:InvokeFunction", state["Resource"]
