"""Each patch of the emulator, by what it changes; TEST_WITHOUT_PATCHES=<name> shows which tests need which."""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import CLOUD_PYTHON, ROOT
from tests.local.conftest import Cloud, start_cloud

pytestmark = pytest.mark.emulator

OUTSIDE_THE_STANDARD_LIBRARY = ["boto3", "botocore", "yaml", "h11", "hypercorn", "ministack", "pip"]


class Execution:
    """An execution of the sample's state machine, and the work messages it sends."""

    def __init__(self, cloud: Cloud, name: str, **data: Any) -> None:
        self.cloud, self.name = cloud, name
        self.states = cloud.client("stepfunctions")
        started = self.states.start_execution(
            stateMachineArn=cloud.outputs["Machine"],
            name=name,
            input=json.dumps({"tenant": "tenant-1", "name": name, **data}),
        )
        self.arn = started["executionArn"]

    def work(self) -> dict[str, Any]:
        """The next work message of this execution."""
        for message in self.cloud.receive("WorkUrl", timeout_s=20):
            body: dict[str, Any] = json.loads(message["Body"])
            if body["name"] == self.name:
                return body | {"group": message["Attributes"].get("MessageGroupId")}
        raise AssertionError("no work came")

    def end(self) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            execution: dict[str, Any] = self.states.describe_execution(executionArn=self.arn)
            if execution["status"] != "RUNNING":
                return execution
            time.sleep(0.02)
        raise AssertionError("the execution did not end")


def test_every_patch_refuses_an_emulator_it_does_not_know() -> None:
    script = """
import inspect, sys
sys.path.insert(0, sys.argv[1])
import patches
inspect.getsource = lambda function: "changed"
for name, patch in patches.PATCHES.items():
    try:
        patch()
    except patches.PatchDoesNotFit:
        print(name)
try:
    patches.apply_all()
except patches.PatchDoesNotFit as error:
    print(error)
print(len(patches.PATCHES))
"""
    ran = subprocess.run([CLOUD_PYTHON, "-c", script, ROOT / "local"], capture_output=True, text=True, check=True)
    *names, message, count = ran.stdout.splitlines()
    assert len(names) == int(count)
    assert names[0] in message


def test_a_handlers_exception_keeps_its_name_and_the_process_lives_on(cloud: Cloud) -> None:
    before = cloud.invoke("StepName", {"name": "lives"})
    error = cloud.invoke("StepName", {"name": "raises", "fail_times": 1})
    after = cloud.invoke("StepName", {"name": "lives"})
    assert (error["errorType"], error["errorMessage"]) == ("TryAgain", "not yet")
    assert after["pid"] == before["pid"]
    assert after["calls"] == before["calls"] + 2


def test_a_retry_by_exception_name_fires_and_heeds_its_longest_delay(cloud: Cloud) -> None:
    started = time.monotonic()
    execution = Execution(cloud, "retried", fail_times=3)
    work = execution.work()
    # Unbounded, the second pause alone would be 50 s.
    assert time.monotonic() - started < 20
    cloud.client("stepfunctions").send_task_success(taskToken=work["token"], output='{"ignored": true}')
    assert "error" not in json.loads(execution.end()["output"])


def test_a_catch_gets_the_exception_after_the_last_retry(cloud: Cloud) -> None:
    ended = Execution(cloud, "given-up", fail_times=4).end()
    assert json.loads(ended["output"])["error"]["Error"] == "TryAgain"


def test_work_carries_token_and_tenant_and_leaves_the_state_as_it_was(cloud: Cloud) -> None:
    execution = Execution(cloud, "answered")
    work = execution.work()
    assert work["group"] == "tenant-1"
    assert work["execution"] == "answered"
    cloud.client("stepfunctions").send_task_success(taskToken=work["token"], output='{"text": "not kept"}')
    output = json.loads(execution.end()["output"])
    assert set(output) == {"tenant", "name", "finish"}


def test_work_that_nobody_answers_times_out(cloud: Cloud) -> None:
    execution = Execution(cloud, "unanswered")
    token = execution.work()["token"]
    assert json.loads(execution.end()["output"])["error"]["Error"] == "States.Timeout"
    states = cloud.client("stepfunctions")
    with pytest.raises(states.exceptions.TaskDoesNotExist):
        states.send_task_success(taskToken=token, output="{}")


def test_each_attempt_has_a_token_of_its_own(cloud: Cloud) -> None:
    states = cloud.client("stepfunctions")
    execution = Execution(cloud, "lost-once")
    first = execution.work()["token"]
    states.send_task_failure(taskToken=first, error="Lost", cause="the worker died")
    second = execution.work()["token"]
    assert first != second
    states.send_task_success(taskToken=second, output="{}")
    assert execution.end()["status"] == "SUCCEEDED"


def test_calls_above_the_concurrency_wait_and_none_is_lost(cloud: Cloud) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda number: cloud.invoke("SlowName", {"sleep_s": 0.2, "n": number}), range(12)))
    assert all("pid" in answer for answer in answers), answers
    assert len({answer["pid"] for answer in answers}) <= 4


def test_asynchronous_calls_above_the_concurrency_are_all_made(cloud: Cloud) -> None:
    for number in range(100, 116):
        cloud.invoke("SlowName", {"sleep_s": 0.2, "n": number}, InvocationType="Event")
    seen: set[int] = set()

    def is_last(note: dict[str, Any]) -> bool:
        seen.add(note.get("n", 0))
        return len(seen & set(range(100, 116))) == 16

    cloud.note(is_last, timeout_s=60)


def test_the_number_of_lambda_processes_is_bounded(tmp_path: Path) -> None:
    small = start_cloud(tmp_path, lambda_concurrency=2, lambda_processes=2)
    try:
        for name in ("StepName", "SlowName", "ImportsName", "SecretReaderName"):
            small.invoke(name, {"names": [], "sleep_s": 0})
        deadline = time.monotonic() + 5
        while (count := len(_lambda_processes(small))) > 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert count == 2
    finally:
        small.emulator.stop()


def test_code_is_unpacked_once_for_all_processes(cloud: Cloud) -> None:
    temp_dir = cloud.emulator.temp_dir
    assert temp_dir
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: cloud.invoke("SlowName", {"sleep_s": 0.3}), range(3)))
    copies = {path.resolve() for path in temp_dir.glob("ministack-lambda-*/layer_0/python/layered.py")}
    links = list(temp_dir.glob("ministack-lambda-*/layer_0"))
    assert len(copies) == 1 < len(links)
    assert not list(temp_dir.glob("ministack-lambda-*/*.zip"))


def test_a_lambda_sees_boto3_and_nothing_else_of_the_emulators_packages(cloud: Cloud) -> None:
    found = cloud.invoke("ImportsName", {"names": OUTSIDE_THE_STANDARD_LIBRARY})
    assert [name for name, is_there in found.items() if is_there] == ["boto3", "botocore"]


def test_the_gateway_hides_a_handlers_error(cloud: Cloud) -> None:
    status, body = _get(cloud, "/v1/raise")
    assert (status, body) == (500, {"message": "Internal Server Error"})


def test_the_address_seen_by_the_front_is_the_source_address(cloud: Cloud) -> None:
    _, event = _get(cloud, "/v1/echo", {"X-Callscribe-Client-Address": "203.0.113.7"})
    assert event["requestContext"]["http"]["sourceIp"] == "203.0.113.7"
    assert "x-callscribe-client-address" not in event["headers"]


def test_a_path_that_ends_in_a_slash_goes_to_the_route_of_the_path(cloud: Cloud) -> None:
    for path, route in (
        ("/v1/", "ANY /v1/{proxy+}"),
        ("/v1/echo/", "ANY /v1/{proxy+}"),
        ("/v1", "$default"),
        ("/v2/", "$default"),
    ):
        _, event = _get(cloud, path)
        assert (event["rawPath"], event["routeKey"]) == (path, route)


def test_only_matching_stream_records_reach_the_function(cloud: Cloud) -> None:
    cloud.put_item("job#filtered-out")
    cloud.put_item("outbox#seen")
    assert cloud.note(lambda note: note["kind"] == "record" and "outbox#seen" in note["keys"])["keys"] == [
        "outbox#seen"
    ]


def test_a_bad_stream_record_is_set_aside_and_the_others_get_through(cloud: Cloud) -> None:
    for key in ("outbox#slow-first", "outbox#poison", "outbox#after-1", "outbox#after-2"):
        cloud.put_item(key)
    cloud.note(lambda note: note["kind"] == "record" and note["keys"][-1] == "outbox#after-2" and len(note["keys"]) < 3)
    failure = json.loads(next(iter(cloud.receive("StreamFailuresUrl")))["Body"])
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_slow_stream_function_does_not_hold_up_queues(cloud: Cloud) -> None:
    cloud.client("sqs").send_message(QueueUrl=cloud.outputs["UploadsUrl"], MessageBody="warm up")
    cloud.note(lambda note: note["kind"] == "uploaded")
    cloud.put_item("outbox#slow")
    cloud.note(lambda note: note["kind"] == "record" and note["keys"] == ["outbox#slow"])
    started = time.time()
    cloud.client("sqs").send_message(QueueUrl=cloud.outputs["UploadsUrl"], MessageBody="quick")
    assert cloud.note(lambda note: note["kind"] == "uploaded")["at"] - started < 2


def test_ref_of_a_secret_is_its_arn(cloud: Cloud) -> None:
    described = cloud.client("secretsmanager").describe_secret(SecretId=cloud.outputs["SecretRef"])
    assert described["ARN"] == cloud.outputs["SecretRef"]


def test_a_secret_is_generated_without_options(cloud: Cloud) -> None:
    assert len(cloud.invoke("SecretReaderName")) == 32


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud that was used, stopped in an orderly way, and started again on another port."""
    folder = tmp_path_factory.mktemp("restarted")
    before = start_cloud(folder, state_dir=folder / "state")
    for number in range(5):
        before.put_item(f"outbox#before-{number}")
    before.note(lambda note: note["kind"] == "record" and "outbox#before-4" in note["keys"])
    before.emulator.stop()
    again = start_cloud(folder, state_dir=folder / "state")
    assert again.emulator.port != before.emulator.port
    yield again
    again.emulator.stop()


def test_a_version_of_an_object_is_read_in_parts_and_by_the_headers_of_its_url(cloud: Cloud, tmp_path: Path) -> None:
    s3, bucket = cloud.client("s3"), "of-versions"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = b"".join(number.to_bytes(4, "big") for number in range(5_000_000))  # in three parts
    version = s3.put_object(Bucket=bucket, Key="key", Body=first)["VersionId"]
    s3.put_object(Bucket=bucket, Key="key", Body=b"second")
    named = {"Bucket": bucket, "Key": "key", "VersionId": version}

    s3.download_file(bucket, "key", str(tmp_path / "first"), ExtraArgs={"VersionId": version})
    assert (tmp_path / "first").read_bytes() == first

    part = s3.get_object(**named, Range="bytes=4-11", ResponseContentDisposition="attachment")
    assert (part["ContentRange"], part["ContentDisposition"]) == ("bytes 4-11/20000000", "attachment")
    assert part["Body"].read() == first[4:12]
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(**named, Range="bytes=20000000-")


def test_queue_urls_do_not_name_the_port(restarted: Cloud) -> None:
    restarted.client("s3").put_object(Bucket=restarted.outputs["Bucket"], Key="audio/again.wav", Body=b"RIFF")
    note = restarted.note(lambda note: note["kind"] == "uploaded" and "audio/again.wav" in note["records"][0]["body"])
    assert note["records"][0]["eventSource"] == "aws:sqs"


def test_stream_positions_do_not_outlive_the_stream(restarted: Cloud) -> None:
    restarted.put_item("outbox#after")
    assert restarted.note(lambda note: note["kind"] == "record")["keys"] == ["outbox#after"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud that enforces roles."""
    running = start_cloud(tmp_path_factory.mktemp("guarded"), auth=True)
    yield running
    running.emulator.stop()


def test_a_grant_for_one_state_machine_lets_a_worker_answer_its_tasks_only(guarded: Cloud) -> None:
    worker = guarded.client("stepfunctions", **_credentials_of(guarded, "WorkerRole"))
    execution = Execution(guarded, "guarded")
    token = execution.work()["token"]  # it is good for some seconds
    worker.send_task_heartbeat(taskToken=token)
    worker.send_task_success(taskToken=token, output="{}")
    assert execution.end()["status"] == "SUCCEEDED"
    with pytest.raises(worker.exceptions.ClientError, match="AccessDenied"):
        worker.send_task_success(taskToken="of another machine", output="{}")
    with pytest.raises(worker.exceptions.ClientError, match="AccessDenied"):
        worker.list_state_machines()


def test_a_queue_that_demands_tls_takes_what_a_bucket_sends(guarded: Cloud) -> None:
    guarded.client("s3").put_object(Bucket=guarded.outputs["Bucket"], Key="audio/a.wav", Body=b"RIFF")
    note = guarded.note(lambda note: note["kind"] == "uploaded" and "audio/a.wav" in note["records"][0]["body"])
    assert json.loads(note["records"][0]["body"])["Records"][0]["s3"]["object"]["versionId"]


def test_a_role_may_read_the_secret_it_names_by_ref(guarded: Cloud) -> None:
    assert isinstance(guarded.invoke("SecretReaderName"), str)


def test_a_role_may_not_do_what_it_is_not_granted(guarded: Cloud) -> None:
    states = guarded.client("sqs", **_credentials_of(guarded, "WorkerRole"))
    with pytest.raises(states.exceptions.ClientError, match="AccessDenied"):
        states.receive_message(QueueUrl=guarded.outputs["WorkUrl"])


def _get(cloud: Cloud, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.emulator.port, timeout=30)
    connection.request("GET", f"/_aws/execute-api/{cloud.outputs['ApiId']}/$default{path}", headers=headers or {})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def _credentials_of(cloud: Cloud, role: str) -> dict[str, str]:
    assumed = cloud.client("sts").assume_role(RoleArn=cloud.outputs[role], RoleSessionName="worker")["Credentials"]
    return {
        "aws_access_key_id": assumed["AccessKeyId"],
        "aws_secret_access_key": assumed["SecretAccessKey"],
        "aws_session_token": assumed["SessionToken"],
    }


def _lambda_processes(cloud: Cloud) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (
                str(cloud.emulator.temp_dir) in (entry / "cmdline").read_text()
                and "_worker.py" in (entry / "cmdline").read_text()
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
