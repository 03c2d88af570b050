"""Dialect `mor` as an integrator meets it: his requests, the deployed functions, genuine speech, a verified callback."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import httpx
import pysubs2
import pytest
from standardwebhooks import Webhook

from callscribe.client import Client, Status
from callscribe.domain.credits import EntryKind
from callscribe.domain.jobs import JobState
from callscribe.services import recordings
from local.receiver import Received, Receiver
from local.serve import describe
from local.system import LocalSystem
from tests.dialects.mor.samples import CURL_CREATE, CURL_LOGIN, samples, substituted, substitutions
from tests.e2e.books import assert_nets_zero, lines_of, paid
from tests.e2e.integrator import (
    JOBS,
    MOR,
    WAIT_S,
    create,
    ended,
    executions_of,
    job_of,
    mor_client,
    upload,
    uploaded,
    usage,
    wait_for,
    worker_log,
    worker_paused,
)
from tests.functions.media import MediaServer

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

CLIP_S, PRICE_M_PER_S = 3, 500  # of the clip, in started seconds; of the laptop's plan, in millionths
WORDS = "young man"


def formats() -> dict[str, Callable[[bytes], str]]:
    """How somebody else's software reads the text of each download."""
    return {
        "txt": bytes.decode,
        "json": lambda raw: str(json.loads(raw)["text"]),
        "srt": lambda raw: " ".join(line.plaintext for line in pysubs2.SSAFile.from_string(raw.decode(), "srt")),
        "vtt": lambda raw: " ".join(line.plaintext for line in pysubs2.SSAFile.from_string(raw.decode(), "vtt")),
        "docx": lambda raw: " ".join(paragraph.text for paragraph in docx.Document(io.BytesIO(raw)).paragraphs),
    }


def flat(text: str) -> str:
    return " ".join(text.split())


def test_M_02_to_M_12_every_sample_of_the_document_is_answered_with_success(
    system: LocalSystem, mor: httpx.Client, clip: Path
) -> None:
    made = system.credentials
    recordings.add(system.deps(), tenant_id=made.tenant_id, recording_id="sample-recording", file=clip)
    done = ended(mor, uploaded(mor, clip.read_bytes()))
    answers: dict[str, httpx.Response] = {}
    for sample in samples(system.base_url, made.username, made.password, job_id=done["id"]):
        answers[sample.name] = httpx.request(
            sample.method, sample.url, headers=dict(sample.headers), content=sample.body, trust_env=False
        )
    expected = [200] * len(answers)
    for name in ("create by curl", "POST /transcriptions"):
        expected[list(answers).index(name)] = 201
        assert ended(mor, answers[name].json())["status"] == "completed"
    assert [answer.status_code for answer in answers.values()] == expected
    assert answers["login"].json()["expires_in"] == 900
    assert answers["login"].json()["refresh_expires_in"] == 604_800
    assert answers["GET /transcriptions/{id}"].json()["status"] == "completed"
    assert WORDS in answers["POST /transcriptions/{id}/transcript"].json()["text"]
    assert WORDS in flat(answers["POST /transcriptions/{id}/download/{format}"].text)
    assert answers["DELETE /transcriptions/{id}"].json() == {**_ids(done), "status": "deleted"}


def test_M_02_M_08_the_samples_by_curl_itself_print_the_documented_success(
    system: LocalSystem, mor: httpx.Client, clip: Path
) -> None:
    made = system.credentials
    recordings.add(system.deps(), tenant_id=made.tenant_id, recording_id="curl-recording", file=clip)
    table = substitutions(system.base_url, made.username, made.password, **{"sample-recording": "curl-recording"})
    printed = [json.loads(_curl(substituted(sample, table))) for sample in (CURL_LOGIN, CURL_CREATE)]
    assert printed[0]["token_type"] == "Bearer"
    assert printed[1]["status"] == "queued"
    assert ended(mor, printed[1])["status"] == "completed"


def test_M_02_to_M_12_one_whole_life_from_login_to_deletion(system: LocalSystem, clip: Path) -> None:
    with mor_client(system) as mor:
        before = usage(mor)
        made = create(mor)
        assert (made["status"], made["duration"]) == ("queued", None)
        early = mor.post(f"{JOBS}/{made['id']}/transcript")
        assert (early.status_code, early.json()["code"]) == (409, "not_finished")
        upload(made, clip.read_bytes())
        done = ended(mor, made)
        assert (done["status"], round(done["duration"], 1)) == ("completed", 3.0)
        _reads_alike_by_post_and_get(mor, done)
        after = usage(mor)
        assert before["remaining_seconds"] - after["remaining_seconds"] == CLIP_S
        assert after["used_seconds"] - before["used_seconds"] == CLIP_S
        assert paid(system, made["uuid"]) == CLIP_S * PRICE_M_PER_S
        _renews_its_session(system, mor)
        assert mor.delete(f"{JOBS}/{made['id']}").json()["status"] == "deleted"
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/transcript"), ("GET", "/download/txt")):
            gone = mor.request(method, f"{JOBS}/{made['id']}{path}")
            assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
        assert _left_of(system, made["uuid"]) == []
        assert paid(system, made["uuid"]) == CLIP_S * PRICE_M_PER_S  # the ledger keeps its lines
        assert usage(mor) == after


def test_M_A6_audio_is_fetched_from_a_recording_url_and_a_signed_callback_brings_the_transcript(
    system: LocalSystem, mor: httpx.Client, receiver: Receiver, clip: Path
) -> None:
    with MediaServer(clip.read_bytes()) as media:
        made = create(mor, recording_url=media.url(), callback_url=receiver.url)
        assert "upload_url" not in made
        body = _verified(system, _callback_of(receiver, made["uuid"]))
    assert media.asked == 1
    assert (body["id"], body["uuid"], body["status"]) == (made["id"], made["uuid"], "completed")
    assert WORDS in body["text"]
    assert [segment["role"] for segment in body["segments"]] == ["customer"] * len(body["segments"])
    shown = mor.post(f"{JOBS}/{made['id']}/transcript").json()
    assert (shown["text"], shown["duration"]) == (body["text"], body["duration"])


def test_M_A6_a_recording_that_cannot_be_fetched_fails_with_a_signed_callback_and_costs_nothing(
    system: LocalSystem, mor: httpx.Client, receiver: Receiver
) -> None:
    with MediaServer(b"") as media:
        made = create(mor, recording_url=media.url("/gone.wav"), callback_url=receiver.url)
        body = _verified(system, _callback_of(receiver, made["uuid"]))
    assert (body["status"], body["error"]["code"]) == ("failed", "source_unreachable")
    assert lines_of(system, made["uuid"]) == {}


def test_M_A6_a_recording_registered_by_the_command_line_is_transcribed_by_any_of_its_names(
    system: LocalSystem, mor: httpx.Client, clip: Path, tmp_path: Path
) -> None:
    said = _callscribe(system, tmp_path, "recordings", "add", "1767880680.42", "--file", str(clip))
    assert said.strip() == "1767880680.42: stored"
    assert "1767880680.42" in _callscribe(system, tmp_path, "recordings", "list")
    made = create(mor, uniqueid="1767880680.42", agent_channel=0)
    done = ended(mor, made)
    assert done["status"] == "completed"
    again = create(mor, call_id=made["id"])  # a transcription that has audio is a recording, too
    assert ended(mor, again)["duration"] == done["duration"]
    unknown = mor.post(JOBS, json={"recording_id": "1767880680.43"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_M_10_what_is_cancelled_while_it_is_queued_or_processing_is_given_back(
    system: LocalSystem, mor: httpx.Client, clip: Path
) -> None:
    before = usage(mor)
    queued = create(mor)
    with worker_paused(system):
        processing = uploaded(mor, clip.read_bytes())
        wait_for(lambda: _status(mor, processing) == "processing", "the job to be worked on")
        during = usage(mor)
        assert (during["held_seconds"], before["held_seconds"]) == (CLIP_S, 0)
        assert before["remaining_seconds"] - during["remaining_seconds"] == CLIP_S
        for made in (queued, processing):
            assert mor.delete(f"{JOBS}/{made['id']}").json() == {**_ids(made), "status": "cancelled"}
            assert _status(mor, made) == "cancelled"
            refused = mor.post(f"{JOBS}/{made['id']}/transcript")
            assert (refused.status_code, refused.json()["code"]) == (410, "cancelled")
    assert usage(mor) == before
    assert_nets_zero(system, queued["uuid"])
    assert_nets_zero(system, processing["uuid"], EntryKind.HOLD, EntryKind.RELEASE)
    assert httpx.put(queued["upload_url"], content=clip.read_bytes(), trust_env=False).status_code < 500  # too late
    wait_for(lambda: f"{processing['uuid']}: done" in worker_log(system), "the worker to have looked at it")
    wait_for(lambda: _left_of(system, queued["uuid"], processing["uuid"]) == [], "what came too late to be removed")
    assert usage(mor) == before


def test_M_10_the_transcript_of_a_job_that_is_cancelled_under_the_workers_hands_is_discarded(
    system: LocalSystem, mor: httpx.Client, clip: Path
) -> None:
    before = usage(mor)
    made = uploaded(mor, clip.with_name("jfk.flac").read_bytes())
    wait_for(lambda: f"{made['uuid']}: begun" in worker_log(system), "the worker to take it")
    assert mor.delete(f"{JOBS}/{made['id']}").json()["status"] == "cancelled"
    assert f"{made['uuid']}: done" not in worker_log(system)
    wait_for(lambda: f"{made['uuid']}: done" in worker_log(system), "the worker to end it")
    assert _status(mor, made) == "cancelled"
    assert _left_of(system, made["uuid"]) == []
    assert_nets_zero(system, made["uuid"], EntryKind.HOLD, EntryKind.RELEASE)
    assert usage(mor) == before
    assert executions_of(system, made["uuid"]) == [made["uuid"]]


def test_a_job_of_either_dialect_is_seen_in_the_other(
    system: LocalSystem, mor: httpx.Client, client: Client, clip: Path
) -> None:
    ours = client.create_upload("audio/flac")
    client.upload(ours.url, clip, "audio/flac")
    theirs = uploaded(mor, clip.read_bytes())
    in_presign = client.wait(theirs["uuid"], timeout_s=WAIT_S)
    assert in_presign.status is Status.COMPLETED
    assert in_presign.transcript is not None
    in_mor = ended(mor, {"id": ours.request_id})
    assert (in_mor["uuid"], in_mor["status"]) == (ours.request_id, "completed")
    by_number = mor.get(f"{JOBS}/{in_mor['id']}/transcript").json()
    result = client.wait(ours.request_id, timeout_s=WAIT_S)
    assert result.transcript is not None
    assert by_number["text"] == result.transcript.text == in_presign.transcript.text
    assert {job_of(system, one).dialect for one in (ours.request_id, theirs["uuid"])} == {"presign", "mor"}


def test_M_14_the_documentation_stands_where_the_document_says(system: LocalSystem) -> None:
    for path in (f"{MOR}/api-docs", f"{MOR.removesuffix('/ai')}/api-docs"):
        page = httpx.get(system.base_url + path, trust_env=False)
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    openapi = httpx.get(f"{system.base_url}{MOR.removesuffix('/ai')}/openapi.json", trust_env=False).json()
    assert f"{MOR}/transcriptions" in openapi["paths"]


def _reads_alike_by_post_and_get(mor: httpx.Client, done: dict[str, Any]) -> None:
    """M-A2, M-A10: both methods, both kinds of id, and every format."""
    shown = [
        mor.request(method, f"{JOBS}/{given}/transcript").json()
        for method in ("POST", "GET")
        for given in (done["id"], done["uuid"])
    ]
    assert shown == [shown[0]] * 4
    assert WORDS in shown[0]["text"]
    assert [segment["text"] for segment in shown[0]["segments"]]
    for name, read in formats().items():
        by_post, by_get = (mor.request(method, f"{JOBS}/{done['id']}/download/{name}") for method in ("POST", "GET"))
        assert by_post.status_code == by_get.status_code == 200
        assert flat(read(by_post.content)) == flat(read(by_get.content))
        assert WORDS in flat(read(by_get.content)).lower(), name
        assert by_get.headers["content-disposition"] == f'attachment; filename="transcription-{done["id"]}.{name}"'
    refused = mor.post(f"{JOBS}/{done['id']}/download/pdf")
    assert (refused.status_code, refused.json()["error"].count("docx")) == (400, 1)


def _renews_its_session(system: LocalSystem, mor: httpx.Client) -> None:
    """M-03: the refresh token gives a new pair, the new access token is good, and so is the old one until it ends."""
    made = system.credentials
    session = mor.post("/authentication/login", auth=(made.username, made.password)).json()
    renewed = mor.post("/authentication/refresh", json={"refresh_token": session["refresh_token"]})
    assert renewed.status_code == 200
    pair = renewed.json()
    assert pair["refresh_token"] != session["refresh_token"]
    for token in (pair["token"], session["token"]):
        assert mor.get("/usage", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert mor.post("/authentication/refresh", json={"refresh_token": "csr_forged"}).status_code == 401


def _ids(made: dict[str, Any]) -> dict[str, Any]:
    return {name: made[name] for name in ("id", "uuid")}


def _status(mor: httpx.Client, made: dict[str, Any]) -> str:
    return str(mor.get(f"{JOBS}/{made['id']}").json()["status"])


def _left_of(system: LocalSystem, *job_ids: str) -> list[str]:
    """Keys of all object versions and delete markers whose name holds one of the jobs' ids."""
    s3 = system.emulator.client("s3")
    keys: list[str] = []
    for bucket in ("AudioBucket", "ResultsBucket"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=system.outputs[bucket]):
            keys += [one["Key"] for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    return [key for key in keys if any(job_id in key for job_id in job_ids)]


def _callback_of(receiver: Receiver, uuid: str) -> Received:
    def arrived() -> list[Received]:
        return [one for one in receiver.received if one.json().get("uuid") == uuid]

    wait_for(arrived, f"the callback of job {uuid}")
    return arrived()[0]


def _verified(system: LocalSystem, received: Received) -> dict[str, Any]:
    """The body of a callback, verified by the standard's own library."""
    body: dict[str, Any] = Webhook(system.credentials.webhook_secret).verify(received.body, dict(received.headers))
    assert received.headers["webhook-id"] == f"msg_{body['uuid']}"
    assert job_of(system, body["uuid"]).state in (JobState.COMPLETED, JobState.FAILED)
    return body


def _curl(command: str) -> str:
    line = f"{command.strip()} --silent --show-error --noproxy '*'"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=WAIT_S).stdout


def _callscribe(system: LocalSystem, folder: Path, *arguments: str) -> str:
    """What the command line prints, run beside a file that says where this stage is."""
    local_file = folder / ".callscribe" / "local.json"
    local_file.parent.mkdir(exist_ok=True)
    local_file.write_text(json.dumps(describe(system)))
    command = [str(Path(sys.executable).with_name("callscribe")), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout
