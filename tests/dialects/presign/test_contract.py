"""One test or more for every row of the contract's list; the row's id is in the name."""

import base64
import hashlib
import hmac
import json

import pytest
import rfc8785

from callscribe import names
from callscribe.domain.accounts import Scope
from callscribe.domain.jobs import Job
from callscribe.errors import FailureCode, NotFound
from callscribe.services import accounts, jobs
from callscribe.services.callbacks import Result
from tests.dialects.conftest import Client, http_event
from tests.dialects.presign.world import CALLBACK_URL, TOKEN, TRANSCRIPT, TRANSCRIPTION, UPLOAD, World, basic, parsed

LISTED = ["audio/x-wav", "audio/wav", "audio/mp3", "audio/m4a", "audio/flac", "audio/ogg", "audio/webm"]


def test_P_01_a_mime_type_gives_a_presigned_url_and_a_request_id(world: World, client: Client) -> None:
    answer = client.send("POST", UPLOAD, fields={"mimeType": "audio/wav"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"presignedUrl", "requestId"}
    job = world.job(answer.json["requestId"])
    assert (job.dialect, job.media_type, job.callback_url) == ("presign", "audio/wav", None)
    assert job.audio_key in answer.json["presignedUrl"]


def test_P_01_the_callback_url_is_kept_with_the_request(world: World, client: Client) -> None:
    assert world.job(world.request(client, callbackUrl=CALLBACK_URL)).callback_url == CALLBACK_URL


def test_P_02_a_token_lives_two_hours_and_can_be_used_again_and_again(world: World, client: Client) -> None:
    for _ in range(3):
        assert client.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).status == 200
    world.clock.advance(7_199)
    assert client.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).status == 200
    world.clock.advance(1)
    assert client.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).status == 401


@pytest.mark.parametrize("path", [UPLOAD, TRANSCRIPTION])
def test_P_03_a_key_without_the_permission_is_forbidden(world: World, path: str) -> None:
    answer = world.client(scopes=frozenset()).send("POST", path, fields={})
    assert answer.status == 403
    assert "BATCH-TRANSCRIBE" in answer.json["message"]


def test_P_03_a_key_with_the_one_permission_is_let_in(world: World) -> None:
    client = world.client(scopes=frozenset({Scope.TRANSCRIBE}))
    assert client.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).status == 200


@pytest.mark.parametrize("mime_type", LISTED)
def test_P_04_every_listed_type_is_taken_as_it_is(world: World, client: Client, mime_type: str) -> None:
    answer = client.send("POST", UPLOAD, fields={"mimeType": mime_type})
    assert answer.status == 200
    assert "x-callscribe-leniency" not in answer.headers
    assert world.job(answer.json["requestId"]).media_type == mime_type


def test_P_05_what_is_put_to_the_url_is_the_recording(world: World, client: Client) -> None:
    answer = client.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).json
    version_id = world.uploads.upload(answer["presignedUrl"], b"RIFF and so on")
    job = world.job(answer["requestId"])
    assert world.uploads.read(job.audio_key, version_id=version_id) == b"RIFF and so on"
    assert jobs.uploaded(world.deps, tenant_id=job.tenant_id, job_id=job.id, version_id=version_id)


def test_P_06_the_callback_has_the_documented_body_and_nothing_else(world: World, client: Client) -> None:
    request_id = world.request(client, callbackUrl=CALLBACK_URL)
    job = world.complete(request_id)
    body = parsed(world.callback_body(request_id))
    assert list(body) == ["requestId", "transcription", "signature", "createdAt"]
    assert body["requestId"] == request_id
    assert body["createdAt"] == job.finished_at_ms
    assert body["transcription"] == [
        {"text": "mock transcription text", "start": 0.05, "end": 2.26, "speaker": "0"},
        {"text": "and an answer", "start": 2.4, "end": 3.0, "speaker": "1"},
        {"text": "somebody else", "start": 3.5, "end": 4.0},
    ]


@pytest.mark.parametrize(
    ("fields", "error_type"),
    [({}, "invalidRequestBody"), ({"mimeType": "audio/aac"}, "inconsistentInput")],
)
def test_P_07_a_bad_request_has_the_documented_shape(client: Client, fields: dict[str, str], error_type: str) -> None:
    answer = client.send("POST", UPLOAD, fields=fields)
    assert answer.status == 400
    assert set(answer.json) == {"messsage", "message", "errorType"}
    assert answer.json["errorType"] == error_type
    assert answer.json["message"].startswith("mimeType: ")


def test_P_08_a_missing_token_has_the_documented_shape(world: World) -> None:
    answer = world.anonymous.send("POST", UPLOAD, fields={"mimeType": "audio/wav"})
    assert answer.status == 401
    assert set(answer.json) == {"messsage", "message"}
    assert answer.headers["www-authenticate"] == "Bearer"


def test_P_09_a_forbidden_request_has_the_documented_shape(world: World) -> None:
    answer = world.client(scopes=frozenset()).send("POST", UPLOAD, fields={"mimeType": "audio/wav"})
    assert answer.status == 403
    assert set(answer.json) == {"messsage", "message", "errorType"}


def test_P_10_app_id_and_api_key_give_a_token_in_both_spellings(world: World) -> None:
    key, secret = world.key()
    answer = world.anonymous.send("POST", TOKEN, headers=basic(key.id, secret))
    assert answer.status == 200
    assert answer.json["accessToken"] == answer.json["access_token"]
    assert answer.json["expiresIn"] == answer.json["expires_in"] == 7_200
    assert answer.json["tokenType"] == answer.json["token_type"] == "Bearer"
    assert world.request(world.anonymous.with_token(answer.json["accessToken"]))


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_P_10_the_credential_may_stand_in_the_body(world: World, kind: str) -> None:
    key, secret = world.key()
    fields = {"client_id": key.id, "client_secret": secret}
    form = "&".join(f"{name}={value}" for name, value in {"grant_type": "client_credentials", **fields}.items())
    body = json.dumps(fields) if kind.endswith("json") else form
    answer = world.anonymous.send("POST", TOKEN, headers={"content-type": kind}, body=body.encode())
    assert answer.status == 200


def test_P_10_several_credentials_of_one_tenant_each_have_their_own_permissions(world: World) -> None:
    tenant = accounts.create_tenant(world.deps, name="one tenant")
    may, may_not = world.client(tenant_id=tenant.id), world.client(tenant_id=tenant.id, scopes=frozenset())
    assert may.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).status == 200
    assert may_not.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).status == 403


def test_P_11_a_request_is_pending_until_it_is_completed(world: World, client: Client) -> None:
    request_id = world.request(client)
    pending = world.poll(client, request_id)
    assert (pending.status, pending.json["processingStatus"], pending.json["transcription"]) == (200, "PENDING", [])
    world.complete(request_id)
    completed = world.poll(client, request_id).json
    assert completed["processingStatus"] == "COMPLETED"
    assert completed["transcription"][0] == {
        "text": "mock transcription text",
        "start": 0.05,
        "end": 2.26,
        "speaker": "0",
    }
    assert "speaker" not in completed["transcription"][2]
    assert completed["vttTranscription"].startswith("WEBVTT")
    assert "mock transcription text" in completed["vttTranscription"]
    assert completed["engine"] == "pocketsphinx"


def test_P_11_a_failed_request_says_why(world: World, client: Client) -> None:
    request_id = world.request(client)
    world.fail(request_id, FailureCode.DEADLINE_EXCEEDED)
    failed = world.poll(client, request_id).json
    assert (failed["processingStatus"], failed["transcription"]) == ("ERROR", [])
    assert failed["errorMessage"].startswith("deadline_exceeded: ")
    assert failed["error"]["code"] == "deadline_exceeded"


def test_P_11_an_unknown_request_is_not_found(world: World, client: Client) -> None:
    answer = world.poll(client, "00000000-0000-4000-8000-000000000000")
    assert answer.status == 404
    assert answer.json["message"] == answer.json["messsage"] == "requestId: unknown"


def test_P_11_a_request_id_is_known_in_either_case_and_said_so(world: World, client: Client) -> None:
    request_id = world.request(client)
    assert request_id != request_id.upper()
    answer = world.poll(client, request_id.upper())
    assert (answer.status, answer.json["requestId"]) == (200, request_id)
    assert answer.headers["x-callscribe-leniency"] == "requestId lower-cased"
    assert "x-callscribe-leniency" not in world.poll(client, request_id).headers
    assert client.send("POST", TRANSCRIPTION, fields={"requestId": 1}).status == 400


@pytest.mark.parametrize("version", ["2025-10-01", "2025-11-01", "2026-03-01", "1999-12-31"])
def test_P_12_the_version_header_is_accepted_and_sent_back(world: World, client: Client, version: str) -> None:
    answer = client.send(
        "POST", UPLOAD, fields={"mimeType": "audio/wav"}, headers={"X-Invox-Medical-Api-Version": version}
    )
    assert (answer.status, answer.headers["x-invox-medical-api-version"]) == (200, version)


@pytest.mark.parametrize("version", ["", "2025-11-01\r\nSet-Cookie: a=b", "<script>", "9" * 33])
def test_P_12_a_version_that_is_no_version_is_not_sent_back(world: World, client: Client, version: str) -> None:
    answer = client.send(
        "POST", UPLOAD, fields={"mimeType": "audio/wav"}, headers={"X-Invox-Medical-Api-Version": version}
    )
    assert answer.status == 200
    assert "x-invox-medical-api-version" not in answer.headers


def test_P_13_callbacks_carry_the_vendors_user_agent(world: World) -> None:
    assert world.dialect.user_agent == "Invox-Medical-Webhook/1.0"


def test_P_A1_the_sample_with_its_leading_space_is_taken_and_said_so(world: World, client: Client) -> None:
    answer = client.send("POST", UPLOAD, fields={"mimeType": " audio/mpeg"})
    assert answer.status == 200
    assert answer.headers["x-callscribe-leniency"] == "mimeType trimmed, mimeType audio/mpeg taken as audio/mp3"
    assert world.job(answer.json["requestId"]).media_type == "audio/mp3"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("audio/mpeg", "audio/mp3"),
        ("audio/mp4", "audio/m4a"),
        ("audio/x-m4a", "audio/m4a"),
        ("video/webm", "audio/webm"),
        ("audio/webm;codecs=opus", "audio/webm"),
        ("AUDIO/WAV", "audio/wav"),
    ],
)
def test_P_A1_aliases_are_understood(world: World, client: Client, given: str, taken: str) -> None:
    answer = client.send("POST", UPLOAD, fields={"mimeType": given})
    assert answer.status == 200
    assert answer.headers["x-callscribe-leniency"].startswith("mimeType ")
    assert world.job(answer.json["requestId"]).media_type == taken


def test_P_A2_every_refusal_has_both_spellings_of_the_message(world: World, client: Client) -> None:
    refusals = [
        client.send("POST", UPLOAD, fields={}),
        world.anonymous.send("POST", UPLOAD, fields={}),
        world.client(scopes=frozenset()).send("POST", UPLOAD, fields={}),
        world.poll(client, "unknown"),
        client.send("GET", UPLOAD),
        client.send("GET", "/api/v1/nothing"),
    ]
    assert [refusal.status for refusal in refusals] == [400, 401, 403, 404, 405, 404]
    for refusal in refusals:
        assert refusal.json["messsage"] == refusal.json["message"] != ""


@pytest.mark.parametrize(("options", "kind"), [((), int), (("created-at-string",), str)])
def test_P_A3_created_at_is_a_number_or_by_option_a_string(world: World, options: tuple[str, ...], kind: type) -> None:
    request_id = world.request(world.client(options=options), callbackUrl=CALLBACK_URL)
    job = world.complete(request_id)
    body = parsed(world.callback_body(request_id))
    assert type(body["createdAt"]) is kind
    assert str(body["createdAt"]) == str(job.finished_at_ms)


@pytest.mark.parametrize("options", [(), ("created-at-string",)])
def test_P_A4_the_signature_is_over_the_canonical_body_without_it(world: World, options: tuple[str, ...]) -> None:
    request_id = world.request(world.client(options=options), callbackUrl=CALLBACK_URL)
    job = world.complete(request_id)
    body = parsed(world.callback_body(request_id))
    signature = body.pop("signature")
    secret = accounts.webhook_secrets(world.deps, job.tenant_id)[0].removeprefix("whsec_")
    expected = hmac.new(base64.b64decode(secret), rfc8785.dumps(body), hashlib.sha256).digest()
    assert signature == base64.b64encode(expected).decode()


@pytest.mark.parametrize("body", [b"", b"mimeType=audio/wav", b"[]", b"null", b'"audio/wav"', b"{}", b'{"mimeType": 3}', b'{"mimeType": null}', b'{"mimeType": ["audio/wav"]}', b'{"mimeType": "audio/wav", "callbackUrl": 7}'])  # fmt: skip
def test_P_A5_what_is_no_such_body_is_an_invalid_request_body(client: Client, body: bytes) -> None:
    answer = client.send("POST", UPLOAD, headers={"content-type": "application/json"}, body=body)
    assert (answer.status, answer.json["errorType"]) == (400, "invalidRequestBody")


@pytest.mark.parametrize(
    "mime_type", ["", "audio/aac", "text/plain", "audio", "audio/wav audio/wav", "audio/wav\x00", "*/*"]
)
def test_P_A5_an_unsupported_type_is_inconsistent_input(client: Client, mime_type: str) -> None:
    answer = client.send("POST", UPLOAD, fields={"mimeType": mime_type})
    assert (answer.status, answer.json["errorType"]) == (400, "inconsistentInput")
    assert answer.json["message"].startswith("mimeType: must be one of audio/x-wav, ")


def test_P_A5_an_unusable_callback_url_is_inconsistent_input(world: World, client: Client) -> None:
    world.webhooks.refuse["http://10.0.0.1/"] = "scheme"
    answer = client.send("POST", UPLOAD, fields={"mimeType": "audio/wav", "callbackUrl": "http://10.0.0.1/"})
    assert (answer.status, answer.json["errorType"]) == (400, "inconsistentInput")
    assert answer.json["message"].startswith("callbackUrl: ")
    assert "scheme" in answer.json["message"]
    assert world.store.all(Job) == []


def test_P_A6_the_answers_are_json_without_the_documents_slips(world: World, client: Client) -> None:
    request_id = world.request(client, callbackUrl=CALLBACK_URL)
    world.complete(request_id)
    assert json.loads(world.callback_body(request_id))["transcription"][0]["speaker"] == "0"


def test_P_A7_a_failure_is_called_back_with_its_code(world: World, client: Client) -> None:
    request_id = world.request(client, callbackUrl=CALLBACK_URL)
    world.fail(request_id, FailureCode.UPLOAD_EXPIRED)
    body = parsed(world.callback_body(request_id))
    assert (body["requestId"], body["transcription"], body["status"]) == (request_id, [], "ERROR")
    assert body["error"]["code"] == "upload_expired"
    assert body["error"]["message"]
    assert {"signature", "createdAt"} <= set(body)


def test_P_A7_a_strict_client_can_have_no_failure_callback(world: World) -> None:
    client = world.client(options=("no-failure-callback",))
    failed, completed = world.request(client, callbackUrl=CALLBACK_URL), world.request(client, callbackUrl=CALLBACK_URL)
    world.fail(failed, FailureCode.UPLOAD_EXPIRED)
    world.complete(completed)
    with pytest.raises(NotFound):
        world.callback_body(failed)
    assert parsed(world.callback_body(completed))["transcription"]


@pytest.mark.parametrize("end", ["pending", "completed", "failed"])
def test_P_A8_the_status_is_there_under_both_names(world: World, client: Client, end: str) -> None:
    request_id = world.request(client)
    if end == "completed":
        world.complete(request_id)
    if end == "failed":
        world.fail(request_id, FailureCode.INTERNAL)
    answer = world.poll(client, request_id).json
    assert answer["processingStatus"] == answer["transcriptionStatus"]


def test_P_A9_the_url_expires_after_fifteen_minutes(world: World, client: Client) -> None:
    url = client.send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).json["presignedUrl"]
    world.clock.advance(899)
    assert world.uploads.upload(url, b"RIFF")
    world.clock.advance(1)
    with pytest.raises(Exception, match="no longer"):
        world.uploads.upload(url, b"RIFF")


def test_P_A9_a_recording_that_never_came_is_an_error(world: World, client: Client) -> None:
    request_id = world.request(client)
    world.fail(request_id, FailureCode.UPLOAD_EXPIRED)
    answer = world.poll(client, request_id).json
    assert (answer["processingStatus"], answer["error"]["code"]) == ("ERROR", "upload_expired")


def test_P_A10_the_guard_judges_the_callback_url_before_a_request_exists(world: World, client: Client) -> None:
    world.webhooks.refuse["https://localhost/"] = "special_use"
    assert (
        client.send("POST", UPLOAD, fields={"mimeType": "audio/wav", "callbackUrl": "https://localhost/"}).status == 400
    )
    assert world.store.all(Job) == []
    assert world.webhooks.posts == []


def test_P_A11_any_host_and_any_stage_will_do(world: World, client: Client) -> None:
    assert names.DIALECTS["presign"] == "/api/v1"
    event = http_event("POST", UPLOAD, headers={"host": "speech.customer.example", "authorization": f"Bearer {client.token}"}, body=b'{"mimeType": "audio/wav"}', stage="prod")  # fmt: skip
    assert client.handler(event, None)["statusCode"] == 200


def test_a_result_is_rendered_to_the_same_bytes_every_time(world: World, client: Client) -> None:
    job = world.complete(world.request(client, callbackUrl=CALLBACK_URL))
    result = Result(job, TRANSCRIPT, created_at_ms=1)
    render = world.dialect.renderer()
    assert render(result, lambda _: "s") == render(result, lambda _: "s")
