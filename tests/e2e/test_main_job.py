"""The whole system on the laptop cloud: real gateway, Lambdas, queues, state machines, stream, worker and engine."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callscribe.client import Client, Status
from callscribe.domain.callbacks import Attempt, Callback
from callscribe.domain.jobs import Job, JobState
from callscribe.services import callbacks, jobs
from local.receiver import Received, Receiver, redirect_to, verify_callback
from local.system import LocalSystem

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

WAIT_S = 60.0


def send(client: Client, receiver: Receiver, clip: Path, **fields: Any) -> str:
    upload = client.create_upload("audio/flac", callback_url=receiver.url, **fields)
    client.upload(upload.url, clip, "audio/flac")
    return upload.request_id


def verified(system: LocalSystem, received: Received) -> dict[str, Any]:
    return verify_callback(system.credentials.webhook_secret, received.headers, received.body)


def job_of(system: LocalSystem, request_id: str) -> Job:
    deps = system.deps()
    return jobs.find(deps, tenant_id=system.credentials.tenant_id, job_id=request_id)


def executions_of(system: LocalSystem, request_id: str) -> list[str]:
    states = system.emulator.client("stepfunctions")
    listed = states.list_executions(stateMachineArn=system.outputs["TranscriptionMachine"], maxResults=1000)
    return [one["name"] for one in listed["executions"] if one["name"].startswith(request_id)]


def test_P_06_an_uploaded_recording_comes_back_as_a_verified_callback(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    request_id = send(client, receiver, clip)
    body = verified(system, receiver.wait_for(request_id, WAIT_S))
    assert body["requestId"] == request_id
    assert "young man" in " ".join(segment["text"] for segment in body["transcription"])
    result = client.result(request_id)
    assert result.status is Status.COMPLETED
    assert result.transcript is not None
    assert [one.text for one in result.transcript.segments] == [one["text"] for one in body["transcription"]]


def test_a_successful_job_takes_at_most_six_transitions_and_eight_kilobytes_of_state(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    request_id = send(client, receiver, clip)
    receiver.wait_for(request_id, WAIT_S)
    states = system.emulator.client("stepfunctions")
    arn = system.outputs["TranscriptionMachine"].replace(":stateMachine:", ":execution:") + f":{request_id}"
    events = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    entered = [event for event in events if event["type"].endswith("StateEntered")]
    assert 0 < len(entered) <= 6
    sizes = [len(event["stateEnteredEventDetails"]["input"]) for event in entered]
    assert max(sizes) <= 8_192


def test_a_worker_killed_in_the_middle_costs_nothing_but_time(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    victim = system.workers[0].process
    request_id = send(client, receiver, clip.with_name("jfk.flac"))
    _wait_for_state(system, request_id, JobState.TRANSCRIBING)
    log = system.settings.log_dir / "worker-0.log"
    _wait_for(lambda: request_id in log.read_text(), "the worker to take the job")
    victim.kill()
    _keep_workers_until(system, lambda: system.workers[0].process is not victim)
    received = receiver.wait_for(request_id, WAIT_S)
    assert verified(system, received)["transcription"]
    assert {one.headers["webhook-id"] for one in receiver.requests_for(request_id)} == {f"msg_{request_id}"}
    assert executions_of(system, request_id) == [request_id]


def test_an_upload_event_delivered_three_times_has_one_execution_and_one_callback(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    request_id = send(client, receiver, clip)
    queue_url = _upload_queue(system)
    event = _upload_event(system, request_id)
    for _ in range(2):
        system.emulator.client("sqs").send_message(QueueUrl=queue_url, MessageBody=json.dumps(event))
    receiver.wait_for(request_id, WAIT_S)
    system.emulator.client("sqs").send_message(QueueUrl=queue_url, MessageBody=json.dumps(event))
    time.sleep(2)
    assert len(receiver.requests_for(request_id)) == 1
    assert executions_of(system, request_id) == [request_id]


def test_a_receiver_down_for_three_attempts_gets_the_fourth(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    receiver.answer_with(503, 500, redirect_to("http://127.0.0.1:9/elsewhere"))
    request_id = send(client, receiver, clip)
    receiver.wait_for(request_id, WAIT_S)
    requests = receiver.requests_for(request_id)
    assert [one.answer.status for one in requests] == [503, 500, 302, 200]
    assert {one.headers["webhook-id"] for one in requests} == {f"msg_{request_id}"}
    assert len({one.headers["webhook-timestamp"] for one in requests}) == 4
    assert len({one.body for one in requests}) == 1
    for one in requests:
        verified(system, one)


def test_a_receiver_that_answers_410_is_asked_no_more_and_a_replay_after_enabling_arrives(
    system: LocalSystem, client: Client, clip: Path
) -> None:
    with Receiver() as receiver:
        receiver.answer_with(410)
        request_id = send(client, receiver, clip)
        _wait_for(lambda: bool(receiver.requests_for(request_id)), "the first attempt")
        _wait_for(lambda: _callback_rows(system, request_id)[0].due_at_ms is None, "the callback to be disabled")
        deps = system.deps()
        callbacks.enable(deps, tenant_id=system.credentials.tenant_id, url=receiver.url)
        callbacks.replay(deps, tenant_id=system.credentials.tenant_id, job_id=request_id)
        verified(system, receiver.wait_for(request_id, WAIT_S))
        assert len(receiver.requests_for(request_id)) == 2


def test_P_A7_a_file_that_is_no_audio_fails_with_a_signed_callback_that_says_why(
    system: LocalSystem, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    page = tmp_path / "page.wav"
    page.write_text("<html>no audio here</html>")
    request_id = send(client, receiver, page)
    body = verified(system, receiver.wait_for(request_id, WAIT_S))
    assert (body["transcription"], body["status"], body["error"]["code"]) == ([], "ERROR", "audio_unsupported")
    assert client.result(request_id).status is Status.ERROR


def test_a_language_that_the_engine_does_not_know_fails_with_its_reason(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    request_id = send(client, receiver, clip, language="es")
    body = verified(system, receiver.wait_for(request_id, WAIT_S))
    assert body["error"]["code"] == "language_unsupported"


def test_a_second_upload_to_the_same_url_changes_nothing(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path, tmp_path: Path
) -> None:
    upload = client.create_upload("audio/flac", callback_url=receiver.url)
    client.upload(upload.url, clip, "audio/flac")
    _wait_for(lambda: job_of(system, upload.request_id).state is not JobState.AWAITING_UPLOAD, "the first event")
    other = tmp_path / "other.flac"
    other.write_bytes(b"not audio at all")
    client.upload(upload.url, other, "audio/flac")
    assert verified(system, receiver.wait_for(upload.request_id, WAIT_S))["transcription"]
    assert executions_of(system, upload.request_id) == [upload.request_id]


def test_P_05_an_upload_without_a_content_type_is_taken(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    upload = client.create_upload("audio/flac", callback_url=receiver.url)
    client.upload(upload.url, clip, None)
    assert verified(system, receiver.wait_for(upload.request_id, WAIT_S))["transcription"]


def test_P_A9_a_tampered_upload_url_is_refused_and_loses_nothing(
    system: LocalSystem, client: Client, clip: Path
) -> None:
    upload = client.create_upload("audio/flac")
    request = urllib.request.Request(upload.url[:-4] + "0000", data=clip.read_bytes(), method="PUT")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 403
    assert job_of(system, upload.request_id).state is JobState.AWAITING_UPLOAD
    client.upload(upload.url, clip, "audio/flac")
    assert client.wait(upload.request_id, timeout_s=WAIT_S).status is Status.COMPLETED


def test_the_root_shows_a_page_and_unknown_paths_are_404s_of_ours(system: LocalSystem) -> None:
    with urllib.request.urlopen(system.base_url + "/") as page:
        assert page.headers["content-type"].startswith("text/html")
        assert b"callscribe" in page.read()
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(system.base_url + "/nowhere")
    assert missing.value.code == 404
    assert "message" in json.load(missing.value)


def _callback_rows(system: LocalSystem, request_id: str) -> list[Callback]:
    return system.deps().store.children(Callback, system.credentials.tenant_id, request_id)


def test_every_attempt_stands_in_the_delivery_log(
    system: LocalSystem, client: Client, receiver: Receiver, clip: Path
) -> None:
    receiver.answer_with(500)
    request_id = send(client, receiver, clip)
    receiver.wait_for(request_id, WAIT_S)
    _wait_for(lambda: _callback_rows(system, request_id)[0].due_at_ms is None, "the callback to be settled")
    log: list[Attempt] = callbacks.attempts(system.deps(), _callback_rows(system, request_id)[0])
    assert [(one.number, one.status) for one in log] == [(1, 500), (2, 200)]


def _wait_for_state(system: LocalSystem, request_id: str, state: JobState) -> None:
    _wait_for(lambda: job_of(system, request_id).state is state, f"the state {state}")


def _keep_workers_until(system: LocalSystem, condition: Callable[[], bool]) -> None:
    """Look after the workers as `make serve` does."""
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "no other worker was started"
        system.keep_workers()
        time.sleep(0.2)


def _wait_for(condition: Any, what: str) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError(f"waited in vain for {what}")


def _upload_queue(system: LocalSystem) -> str:
    sqs = system.emulator.client("sqs")
    arn = next(
        value
        for name, value in system.outputs.items()
        if "Uploads" in name and name.startswith("ExportsOutputFnGetAtt") and value.startswith("arn:aws:sqs")
    )
    url: str = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
    return url


def _upload_event(system: LocalSystem, request_id: str) -> dict[str, Any]:
    job = job_of(system, request_id)
    versions = system.emulator.client("s3").list_object_versions(
        Bucket=system.outputs["AudioBucket"], Prefix=job.audio_key
    )
    version_id = versions["Versions"][0]["VersionId"]
    return {
        "Records": [
            {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": job.audio_key, "versionId": version_id}}}
        ]
    }
