"""One test or more for every row of the contract's list but the log-in's; the row's id is in the name."""

import base64
import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import pytest

from callscribe.dialects.front import Room
from callscribe.dialects.mor import mapping
from callscribe.domain.accounts import Scope
from callscribe.domain.call_facts import CallFacts, Direction
from callscribe.domain.jobs import Job
from callscribe.domain.prices import MICRO, Account, Plan
from callscribe.domain.transcripts import Word
from callscribe.errors import FailureCode, OutboundFailed
from callscribe.ports import Settings
from callscribe.services import accounts, erasure, jobs, recordings
from tests.dialects.conftest import Answer, Client, http_event
from tests.dialects.mor.world import (
    AI,
    API_DOCS,
    AUDIO_URL,
    CALLBACK_URL,
    JOBS,
    PLAIN,
    USAGE,
    World,
    long_transcript,
    status,
)
from tests.dialects.pipeline import TRANSCRIPT

CREDITS = Plan(Account.CREDITS, credits_m_per_s=10_000)  # a credit buys 100 seconds
FORMATS = ("txt", "json", "srt", "vtt", "docx")


def transcript(client: Client, given: object, method: str = "POST") -> Answer:
    return client.send(method, f"{JOBS}/{given}/transcript")


def download(client: Client, given: object, name: str, method: str = "POST") -> Answer:
    return client.send(method, f"{JOBS}/{given}/download/{name}")


def registered(world: World, client: Client, recording_id: str, **how: Any) -> None:
    recordings.add(world.deps, tenant_id=world.tenant_of(client), recording_id=recording_id, **how)


# Base


@pytest.mark.parametrize("base", [AI, PLAIN])
@pytest.mark.parametrize("slash", ["", "/"])
def test_M_01_every_endpoint_answers_below_both_prefixes_with_or_without_a_slash(
    world: World, base: str, slash: str
) -> None:
    user = world.user()
    client = world.client(tenant_id=user.tenant_id)
    session = client.send("POST", f"{base}/authentication/login{slash}", headers=user.header)
    fields = {"refresh_token": session.json["refresh_token"]}
    renewed = client.send("POST", f"{base}/authentication/refresh{slash}", fields=fields)
    created = client.send("POST", f"{base}/transcriptions{slash}", fields={})
    job = world.complete(created.json["uuid"])
    others = [
        client.send("GET", f"{base}/usage{slash}"),
        client.send("GET", f"{base}/transcriptions/{job.number}{slash}"),
        client.send("POST", f"{base}/transcriptions/{job.number}/transcript{slash}"),
        client.send("POST", f"{base}/transcriptions/{job.number}/download/txt{slash}"),
        client.send("GET", f"{base}/api-docs{slash}"),
        client.send("DELETE", f"{base}/transcriptions/{job.number}{slash}"),
    ]
    answers = [session, renewed, created, *others]
    assert [answer.status for answer in answers] == [200, 200, 201, *[200] * len(others)]
    assert all(("x-callscribe-leniency" in answer.headers) == bool(slash) for answer in answers)


def test_M_01_only_one_slash_is_forgiven(client: Client) -> None:
    assert client.send("GET", f"{USAGE}//").status == 404


def test_M_01_the_new_jobs_address_is_below_the_prefix_that_was_used(client: Client) -> None:
    for base in (AI, PLAIN):
        answer = client.send("POST", f"{base}/transcriptions", fields={})
        assert answer.headers["location"] == f"https://callscribe.example{base}/transcriptions/{answer.json['id']}"
        path = answer.headers["location"].removeprefix("https://callscribe.example")
        assert client.send("GET", path).json["uuid"] == answer.json["uuid"]


# Usage


def test_M_07_a_tenant_without_a_plan_has_no_limit(client: Client) -> None:
    usage = client.send("GET", USAGE)
    assert usage.status == 200
    assert usage.json == {
        "unlimited": True,
        **{f"{what}_{unit}": None for what in ("remaining", "used", "held") for unit in ("seconds", "minutes")},
        "account": None,
        "price_per_second": None,
        "balance": None,
    }


def test_M_07_credits_are_shown_with_the_seconds_that_they_buy(world: World) -> None:
    client = world.client(tenant_id=world.tenant(plan=CREDITS, funds=2 * MICRO + 500_000))
    world.completed(client)  # 10 s
    world.prepare(world.create(client)["uuid"])
    assert client.send("GET", USAGE).json == {
        "unlimited": False,
        "remaining_seconds": 230,
        "remaining_minutes": 3.83,
        "used_seconds": 10,
        "used_minutes": 0.16,
        "held_seconds": 10,
        "held_minutes": 0.16,
        "account": "credits",
        "price_per_second": "0.01",
        "balance": {"remaining": "2.3", "used": "0.1", "held": "0.1"},
    }


def test_M_07_prepaid_seconds_are_shown_as_they_are(world: World) -> None:
    client = world.client(tenant_id=world.tenant(plan=Plan(Account.SECONDS), funds=5_400))
    world.completed(client)
    usage = client.send("GET", USAGE).json
    assert (usage["remaining_seconds"], usage["remaining_minutes"]) == (5_390, 89.83)
    assert (usage["used_seconds"], usage["held_seconds"]) == (10, 0)
    assert usage["balance"] == {"remaining": "5390", "used": "10", "held": "0"}


def test_M_07_what_is_left_is_never_overstated(world: World) -> None:
    client = world.client(tenant_id=world.tenant(plan=CREDITS, funds=19_999))
    assert client.send("GET", USAGE).json["remaining_seconds"] == 1


def test_M_07_a_plan_that_charges_nothing_has_no_limit(world: World) -> None:
    client = world.client(tenant_id=world.tenant(plan=Plan(Account.CREDITS), funds=7))
    usage = client.send("GET", USAGE).json
    assert (usage["unlimited"], usage["remaining_seconds"]) == (True, None)
    assert usage["balance"]["remaining"] == "0.000007"


def test_M_07_a_key_that_pays_from_elsewhere_sees_that_account(world: World) -> None:
    tenant_id = world.tenant(plan=Plan(Account.CREDITS, credits_m_per_s=1, units_m_per_s=MICRO // 2), funds=9)
    world.top_up(tenant_id, Account.UNITS, 3 * MICRO)
    usage = world.client(tenant_id=tenant_id, pays_from=Account.UNITS).send("GET", USAGE).json
    assert (usage["account"], usage["remaining_seconds"]) == ("units", 6)


# A new job


@pytest.mark.parametrize("field", ["recording_id", "call_id", "uniqueid"])
@pytest.mark.parametrize("recording_id", ["1767880680.42", 1767880680, "a call / 7?"])
def test_M_08_M_A6_a_registered_recording_is_transcribed(
    world: World, client: Client, field: str, recording_id: str | int
) -> None:
    world.downloads.files[AUDIO_URL] = b"RIFF of the call"
    registered(world, client, str(recording_id), url=AUDIO_URL, call=CallFacts(agent_channel=1))
    answer = client.send("POST", JOBS, fields={field: recording_id, "language": "en", "diarize": False})
    assert answer.status == 201
    assert set(answer.json) == {"id", "uuid", "status", "created_at", "finished_at", "duration", "language"}
    assert (answer.json["status"], answer.json["language"]) == ("queued", "en")
    job = world.job(answer.json["uuid"])
    assert (job.dialect, job.source, job.diarize, job.call) == ("mor", True, False, CallFacts(agent_channel=1))
    assert (job.limits, world.settings.limits.max_duration_s, world.settings.limits.max_bytes) == (None, 43_200, 2**31)
    world.fetch()
    assert world.uploads.read(job.audio_key) == b"RIFF of the call"


def test_M_08_M_A6_a_url_is_fetched(world: World, client: Client) -> None:
    world.downloads.files[AUDIO_URL] = b"RIFF by URL"
    made = world.create(client, recording_url=AUDIO_URL)
    assert "upload_url" not in made
    world.fetch()
    assert world.uploads.read(world.job(made["uuid"]).audio_key) == b"RIFF by URL"


def test_M_08_M_A6_a_url_that_does_not_answer_fails_the_job_and_says_so(world: World, client: Client) -> None:
    world.downloads.files[AUDIO_URL] = OutboundFailed("timeout", "it took too long")
    made = world.create(client, recording_url=AUDIO_URL)
    world.fetch()
    answer = status(client, made["id"]).json
    assert (answer["status"], answer["error"]["code"]) == ("failed", "source_unreachable")


def test_M_08_M_A6_an_object_below_a_registered_prefix_is_copied(world: World, client: Client) -> None:
    bucket = type(world.uploads)(world.clock, bucket="calls")
    bucket.put("2026/1.wav", b"RIFF in S3")
    world.uploads.other_buckets["calls"] = bucket
    accounts.change_tenant(world.deps, world.tenant_of(client), source_uris=("s3://calls/2026",))
    made = world.create(client, s3_uri="s3://calls/2026/1.wav")
    world.fetch()
    assert world.uploads.read(world.job(made["uuid"]).audio_key) == b"RIFF in S3"
    for foreign in ("s3://calls/2025/1.wav", "s3://calls/20261.wav", "s3://other/2026/1.wav", "calls/2026/1.wav", " "):
        answer = client.send("POST", JOBS, fields={"s3_uri": foreign})
        assert (answer.status, answer.json["code"]) == (400, "invalid_value")
        assert answer.json["error"].startswith("s3_uri: must be ")


@pytest.mark.parametrize(
    "body", [{}, {"recording_id": None}, *({name: ""} for name in mapping.SOURCES), dict.fromkeys(mapping.SOURCES, "")]
)
def test_M_08_M_A6_without_a_recording_there_is_a_url_to_put_it_to(
    world: World, client: Client, body: dict[str, Any]
) -> None:
    answer = client.send("POST", JOBS, fields=body)
    assert (answer.status, answer.json["upload_expires_in"]) == (201, 900)
    assert world.uploads.upload(answer.json["upload_url"], b"RIFF")
    assert world.uploads.read(world.job(answer.json["uuid"]).audio_key) == b"RIFF"


@pytest.mark.parametrize("missing", [None, ""])
def test_M_08_M_A6_what_is_missing_beside_a_recording_counts_for_nothing(
    world: World, client: Client, missing: str | None
) -> None:
    registered(world, client, "7", url=AUDIO_URL)
    headers = {"Idempotency-Key": "order-7"}
    first = client.send("POST", JOBS, fields={"uniqueid": "7"}, headers=headers)
    again = client.send("POST", JOBS, fields={"recording_id": missing, "uniqueid": "7"}, headers=headers)
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert "upload_url" not in first.json


def test_M_08_fields_that_are_not_known_are_named_in_the_answer(world: World, client: Client) -> None:
    def leniencies(**fields: Any) -> str:
        answer = client.send("POST", JOBS, fields=fields)
        assert answer.status == 201, answer.text
        return answer.headers.get("x-callscribe-leniency", "none")

    registered(world, client, "7", url=AUDIO_URL)
    assert leniencies(recording_id="7", language="en") == "none"
    assert leniencies(recording_id="7", recording="4711") == "recording ignored"
    assert leniencies(lang="en", unknown=1, call={}) == "call ignored, lang ignored, unknown ignored"
    assert leniencies(**dict.fromkeys("gfedcba", 1)) == (
        "a ignored, b ignored, c ignored, d ignored, e ignored, unnamed fields ignored: 2"
    )
    hostile = ("", "x" * 33, "a, b", "é", "\r\nSet-Cookie: a=b", "a b", "\u202eevil", "\u212aind")
    assert leniencies(**dict.fromkeys(hostile, "x")) == f"unnamed fields ignored: {len(hostile)}"


def test_M_08_fields_that_are_not_known_do_not_make_it_another_request(client: Client) -> None:
    headers = {"Idempotency-Key": "order-8"}
    first, again = (client.send("POST", JOBS, fields={"note": note}, headers=headers) for note in ("a", "b"))
    assert (first.status, again.status, first.json["uuid"]) == (201, 201, again.json["uuid"])


def test_M_08_no_body_at_all_is_a_request_for_an_upload(client: Client) -> None:
    answer = client.send("POST", JOBS)
    assert (answer.status, "upload_url" in answer.json) == (201, True)
    assert "x-callscribe-leniency" not in answer.headers


@pytest.mark.parametrize("named", ["uuid", "id"])
def test_M_08_M_A6_a_job_that_has_audio_can_be_transcribed_again(world: World, client: Client, named: str) -> None:
    made = world.completed(client, direction="inbound")
    again = world.create(client, recording_id=made[named], language="de")
    assert again["uuid"] != made["uuid"]
    assert world.job(again["uuid"]).call.direction is Direction.INBOUND
    world.fetch()
    assert world.uploads.read(world.job(again["uuid"]).audio_key) == b"RIFF"


@pytest.mark.parametrize("second", ["call_id", "uniqueid", "recording_url", "s3_uri"])
def test_M_08_more_than_one_recording_is_refused(world: World, client: Client, second: str) -> None:
    answer = client.send("POST", JOBS, fields={"recording_id": "a", second: "b"})
    assert (answer.status, answer.json["code"]) == (400, "invalid_value")
    assert answer.json["error"].startswith(f"{second}: must not be given together with recording_id")
    assert world.store.all(Job) == []


def test_M_08_an_unknown_recording_is_not_found_and_one_without_audio_has_none(world: World, client: Client) -> None:
    registered(world, client, "silent")
    awaiting = world.create(client)
    answers = [client.send("POST", JOBS, fields={"call_id": given}) for given in ("nobody", "silent", awaiting["id"])]
    assert [(answer.status, answer.json["code"]) for answer in answers] == [
        (404, "not_found"),
        (422, "no_audio"),
        (422, "no_audio"),
    ]


def test_M_08_what_is_known_of_the_call_is_kept_and_the_request_knows_best(world: World, client: Client) -> None:
    registered(world, client, "call", url=AUDIO_URL, call=CallFacts(agent_channel=0, agent_name="Anna"))
    made = world.create(client, recording_id="call", agent_channel=1, direction="outbound", company_name="Example Ltd")
    assert world.job(made["uuid"]).call == CallFacts(1, Direction.OUTBOUND, "Anna", "Example Ltd")


def test_M_08_a_tenant_with_nothing_left_has_to_pay_first(world: World) -> None:
    tenant_id = world.tenant(plan=CREDITS)
    client = world.client(tenant_id=tenant_id)
    answer = client.send("POST", JOBS, fields={})
    assert (answer.status, answer.json["code"]) == (402, "insufficient_credits")
    assert answer.json["error"] == "insufficient credits: 0 available"
    assert world.store.all(Job) == []
    world.top_up(tenant_id, Account.CREDITS, 1)
    assert client.send("POST", JOBS, fields={}).status == 201


def test_M_08_a_recording_that_costs_more_than_is_left_fails_and_costs_nothing(world: World) -> None:
    client = world.client(tenant_id=world.tenant(plan=CREDITS, funds=99_999))  # 10 s cost 100,000
    made = world.create(client)
    with pytest.raises(Exception, match="insufficient_credits"):
        world.prepare(made["uuid"])
    world.fail(made["uuid"])
    assert status(client, made["id"]).json["error"]["code"] == "insufficient_credits"
    assert client.send("GET", USAGE).json["balance"] == {"remaining": "0.099999", "used": "0", "held": "0"}


@pytest.mark.parametrize(("field", "refuser"), [("recording_url", "downloads"), ("callback_url", "webhooks")])
def test_M_08_a_url_that_breaks_a_rule_is_refused_with_the_rules_name(
    world: World, client: Client, field: str, refuser: str
) -> None:
    getattr(world, refuser).refuse["http://10.0.0.1/"] = "address"
    answer = client.send("POST", JOBS, fields={field: "http://10.0.0.1/"})
    assert (answer.status, answer.json["code"]) == (400, "invalid_value")
    assert answer.json["error"].startswith(f"{field}: ")
    assert "(rule: address)" in answer.json["error"]
    assert (world.store.all(Job), world.downloads.asked, world.webhooks.posts) == ([], [], [])


@pytest.mark.parametrize("field", ["recording_id", "call_id", "uniqueid"])
def test_M_06_a_credential_that_may_not_read_gets_no_jobs_audio_transcribed_again(world: World, field: str) -> None:
    tenant_id = world.tenant()
    writer = world.client(tenant_id=tenant_id, scopes=frozenset({Scope.TRANSCRIBE}))
    made = world.completed(world.client(tenant_id=tenant_id))
    for given in (made["id"], made["uuid"]):
        answer = writer.send("POST", JOBS, fields={field: given, "callback_url": CALLBACK_URL})
        assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert len(world.store.all(Job)) == 1
    registered(world, writer, "call-7", url=AUDIO_URL)
    assert writer.send("POST", JOBS, fields={field: "call-7"}).status == 201


def test_M_08_an_idempotency_key_gives_the_same_job_once(world: World, client: Client) -> None:
    registered(world, client, "7", url=AUDIO_URL)
    headers = {"Idempotency-Key": "order-7"}
    first = client.send("POST", JOBS, fields={"recording_id": "7", "language": "auto"}, headers=headers)
    again = client.send("POST", JOBS, fields={"language": None, "recording_id": 7}, headers=headers)
    other = client.send("POST", JOBS, fields={"recording_id": 7, "language": "de"}, headers=headers)
    assert (first.status, again.status, first.json) == (201, 201, again.json)
    assert len(world.store.all(Job)) == 1
    assert (other.status, other.json["code"]) == (409, "idempotency_mismatch")


def test_M_08_a_repeated_request_is_answered_even_if_its_own_job_holds_all_that_there_was(world: World) -> None:
    client = world.client(tenant_id=world.tenant(plan=CREDITS, funds=100_000))  # 10 s cost as much
    headers = {"Idempotency-Key": "order-9"}
    first = client.send("POST", JOBS, fields={}, headers=headers).json
    world.prepare(first["uuid"])
    again = client.send("POST", JOBS, fields={}, headers=headers)
    assert (again.status, again.json["uuid"], again.json["status"]) == (201, first["uuid"], "processing")
    assert client.send("POST", JOBS, fields={"language": "de"}, headers=headers).status == 409
    assert client.send("POST", JOBS, fields={}).status == 402


def test_M_08_a_repeated_request_gets_a_fresh_upload_url_until_the_audio_is_there(world: World, client: Client) -> None:
    headers = {"Idempotency-Key": "order-8"}
    first = client.send("POST", JOBS, fields={}, headers=headers).json
    world.clock.advance(60)
    again = client.send("POST", JOBS, fields={}, headers=headers).json
    assert first["upload_url"] != again["upload_url"]
    world.complete(first["uuid"])
    done = client.send("POST", JOBS, fields={}, headers=headers).json
    assert (done["status"], "upload_url" in done) == ("completed", False)


# Status


def test_M_09_M_A7_a_job_is_queued_then_processing_then_completed(world: World, client: Client) -> None:
    made = world.create(client)
    assert status(client, made["id"]).json["status"] == "queued"
    job = world.job(made["uuid"])
    version_id = world.uploads.put(job.audio_key, b"RIFF")
    jobs.uploaded(world.deps, tenant_id=job.tenant_id, job_id=job.id, version_id=version_id)
    assert status(client, made["id"]).json["status"] == "queued"
    world.prepare(made["uuid"])
    assert status(client, made["id"]).json["status"] == "processing"
    world.clock.advance(90)
    world.complete(made["uuid"])
    assert status(client, made["id"]).json == {
        "id": made["id"],
        "uuid": made["uuid"],
        "status": "completed",
        "created_at": "2026-01-01T00:00:00.000Z",
        "finished_at": "2026-01-01T00:01:30.000Z",
        "duration": 10.0,
        "language": None,
    }


def test_M_09_M_A7_a_failed_job_says_why(world: World, client: Client) -> None:
    made = world.create(client)
    world.fail(made["uuid"], FailureCode.UPLOAD_EXPIRED)
    answer = status(client, made["id"]).json
    assert answer["status"] == "failed"
    assert set(answer["error"]) == {"code", "message"}
    assert answer["error"]["code"] == "upload_expired"


# Cancel and delete


def test_M_10_a_queued_job_is_cancelled(world: World, client: Client) -> None:
    made = world.create(client)
    answer = client.send("DELETE", f"{JOBS}/{made['id']}")
    assert (answer.status, answer.json) == (200, {"id": made["id"], "uuid": made["uuid"], "status": "cancelled"})
    assert status(client, made["id"]).json["status"] == "cancelled"
    world.uploads.upload(made["upload_url"], b"RIFF, too late")
    job = world.job(made["uuid"])
    version = world.uploads.head(job.audio_key)
    assert version is not None
    assert not jobs.uploaded(world.deps, tenant_id=job.tenant_id, job_id=job.id, version_id=version.version_id)
    assert world.remains(made["uuid"]) == []


def test_M_10_the_results_of_a_job_that_was_processing_are_discarded_and_nothing_is_paid(world: World) -> None:
    client = world.client(tenant_id=world.tenant(plan=CREDITS, funds=MICRO))
    made = world.create(client, callback_url=CALLBACK_URL)
    world.prepare(made["uuid"])
    assert client.send("GET", USAGE).json["balance"]["held"] == "0.1"
    assert client.send("DELETE", f"{JOBS}/{made['id']}").json["status"] == "cancelled"
    job = world.job(made["uuid"])
    world.results.put(job.transcript_key, b"late")
    ended = jobs.finish(world.deps, tenant_id=job.tenant_id, job_id=job.id, render=world.dialect.renderer())
    assert ended.state == "CANCELLED"
    assert world.remains(made["uuid"]) == []
    assert client.send("GET", USAGE).json["balance"] == {"remaining": "1", "used": "0", "held": "0"}
    assert world.callback(made["uuid"]) is None


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_M_10_M_A8_a_finished_job_is_deleted_and_a_second_delete_finds_nothing(
    world: World, client: Client, end: str
) -> None:
    made = world.create(client, callback_url=CALLBACK_URL)
    world.complete(made["uuid"]) if end == "completed" else world.fail(made["uuid"])
    assert world.remains(made["uuid"])
    first = client.send("DELETE", f"{JOBS}/{made['id']}")
    assert (first.status, first.json) == (200, {"id": made["id"], "uuid": made["uuid"], "status": "deleted"})
    assert world.remains(made["uuid"]) == []
    assert world.store.all(Job) == []
    second = client.send("DELETE", f"{JOBS}/{made['uuid']}")
    assert (second.status, second.json["code"]) == (404, "not_found")
    assert second == client.send("DELETE", f"{JOBS}/4711")
    assert status(client, made["id"]).status == 404


def test_M_10_M_A8_a_cancelled_job_is_finished_too_so_deleting_it_again_removes_it(
    world: World, client: Client
) -> None:
    made = world.create(client)
    said = [client.send("DELETE", f"{JOBS}/{made['id']}") for _ in range(3)]
    assert [(answer.status, answer.json.get("status")) for answer in said] == [
        (200, "cancelled"),
        (200, "deleted"),
        (404, None),
    ]
    assert world.store.all(Job) == []


# Transcript


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_M_11_M_A2_text_and_segments(world: World, client: Client, method: str) -> None:
    made = world.completed(client, agent_channel=0, language="en")
    answer = transcript(client, made["id"], method)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    body = answer.json
    assert body["text"] == "good morning I need help of course"
    assert {name: body[name] for name in ("id", "uuid", "status", "duration", "language", "engine")} == {
        "id": made["id"],
        "uuid": made["uuid"],
        "status": "completed",
        "duration": 4.2,
        "language": "en",
        "engine": "pocketsphinx",
    }
    assert (body["role_source"], 0.5 < body["role_confidence"] <= 1) == ("channel", True)
    first, second, third = body["segments"]
    assert first == {
        "start": 0.05,
        "end": 2.26,
        "speaker": "0",
        "role": "agent",
        "text": "good morning",
        "confidence": 0.9,
        "words": [
            {"text": "good", "start": 0.05, "end": 0.4, "confidence": 0.95},
            {"text": "morning", "start": 0.4, "end": 2.26, "confidence": 0.85},
        ],
    }
    assert (second["role"], second["start"], second["words"]) == ("customer", 2.4, [])
    assert (third["role"], third["confidence"]) == ("agent", None)


def test_M_11_the_roles_follow_a_swap(world: World, client: Client) -> None:
    made = world.completed(client, agent_channel=0)
    jobs.swap_roles(world.deps, tenant_id=world.job(made["uuid"]).tenant_id, job_id=made["uuid"])
    assert [one["role"] for one in transcript(client, made["id"]).json["segments"]] == ["customer", "agent", "customer"]


def test_M_11_M_12_where_one_side_of_two_says_nothing_the_channel_map_names_the_other(
    world: World, client: Client
) -> None:
    alone = replace(TRANSCRIPT, segments=TRANSCRIPT.segments[:1])
    made = world.completed(client, alone, agent_channel=0)
    body = transcript(client, made["id"]).json
    assert (body["segments"][0]["role"], body["role_source"]) == ("agent", "channel")
    assert "Agent: good morning" in download(client, made["id"], "txt").text


@pytest.mark.parametrize("path", ["transcript", "download/txt"])
def test_M_11_M_12_a_job_that_has_no_transcript_says_why(world: World, client: Client, path: str) -> None:
    queued, failed, cancelled, expired = (world.create(client) for _ in range(4))
    world.fail(failed["uuid"], FailureCode.AUDIO_UNREADABLE)
    client.send("DELETE", f"{JOBS}/{cancelled['id']}")
    world.complete(expired["uuid"])
    world.results.erase(world.job(expired["uuid"]).transcript_key)
    answers = [client.send("POST", f"{JOBS}/{made['id']}/{path}") for made in (queued, failed, cancelled, expired)]
    assert [(answer.status, answer.json["code"]) for answer in answers] == [
        (409, "not_finished"),
        (409, "transcription_failed"),
        (410, "cancelled"),
        (404, "not_found"),
    ]
    assert "audio_unreadable: " in answers[1].json["error"]
    assert answers[3].json["error"] == "this transcript is no longer kept"


# Download


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("name", "media_type", "holds"),
    [
        ("txt", "text/plain", "good morning"),
        ("json", "application/json", '"good morning"'),
        ("srt", "application/x-subrip", "00:00:00,050 -->"),
        ("vtt", "text/vtt", "WEBVTT"),
    ],
)
def test_M_12_M_A2_M_A9_a_transcript_is_downloaded_as_text(
    world: World, client: Client, method: str, name: str, media_type: str, holds: str
) -> None:
    made = world.completed(client)
    answer = download(client, made["id"], name, method)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, media_type)
    assert answer.headers["content-disposition"] == f'attachment; filename="transcription-{made["id"]}.{name}"'
    assert holds in answer.text
    assert "good morning" in answer.text


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_M_12_M_A9_a_docx_comes_in_base64_for_the_gateway(world: World, client: Client, method: str) -> None:
    made = world.completed(client)
    headers = {"authorization": f"Bearer {client.token}"}
    answer = client.handler(http_event(method, f"{JOBS}/{made['id']}/download/docx", headers=headers), None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert answer["headers"]["Content-Type"].endswith("wordprocessingml.document")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(answer["body"]))) as archive:
        assert "good morning" in archive.read("word/document.xml").decode()


@pytest.mark.parametrize("name", ["pdf", "TXT", "docx.exe", "..", "x" * 2_000])
def test_M_12_M_A9_another_format_is_refused_with_the_list_of_formats(world: World, client: Client, name: str) -> None:
    made = world.completed(client)
    answer = download(client, made["id"], name)
    assert (answer.status, answer.json["error"]) == (400, "format: must be one of txt, json, srt, vtt, docx")


@pytest.mark.parametrize("path", ["transcript", *(f"download/{name}" for name in FORMATS)])
def test_M_11_M_12_what_is_too_large_for_the_way_stands_behind_a_redirect(
    world: World, client: Client, path: str
) -> None:
    made = world.completed(client, long_transcript(60, "ünïcödé 🎧 and more"))
    small = Client(_squeezed(world, 500), client.token)
    answer = small.send("POST", f"{JOBS}/{made['id']}/{path}")
    assert (answer.status, answer.text) == (302, "")
    stored = world.results.fetch(answer.headers["location"])
    whole = client.handler(http_event("POST", f"{JOBS}/{made['id']}/{path}", headers={"authorization": f"Bearer {client.token}"}), None)  # fmt: skip
    assert whole["statusCode"] == 200
    text = whole["body"]
    assert stored == (base64.b64decode(text) if whole.get("isBase64Encoded") else text.encode())
    name = path.rpartition("/")[2]
    assert f"/transcription-{made['id']}.{'json' if name == 'transcript' else name}?" in answer.headers["location"]
    keys = world.results.keys()
    assert small.send("GET", f"{JOBS}/{made['id']}/{path}").status == 302
    assert world.results.keys() == keys
    client.send("DELETE", f"{JOBS}/{made['id']}")
    assert world.remains(made["uuid"]) == []


def test_M_11_M_12_twelve_hours_of_speech_fit_a_lambdas_answer_or_are_redirected(world: World, client: Client) -> None:
    words = tuple(Word("word", n / 2, n / 2 + 0.4, 0.9) for n in range(15))
    plain = long_transcript(7_200, "word " * 15)
    segments = tuple(replace(segment, words=words) for segment in plain.segments)
    made = world.completed(client, replace(plain, segments=segments))
    headers = {"authorization": f"Bearer {client.token}"}
    statuses = {}
    for path in ("transcript", "download/json", "download/txt", "download/srt"):
        answer = client.handler(http_event("POST", f"{JOBS}/{made['id']}/{path}", headers=headers), None)
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < 6_000_000
        statuses[path] = answer["statusCode"]
    assert statuses == {"transcript": 302, "download/json": 302, "download/txt": 200, "download/srt": 200}


def test_M_12_an_answer_that_a_lambda_could_not_hand_out_passes_a_wider_way_whole(world: World, client: Client) -> None:
    class Door:
        room = Room(max_body_bytes=80_000_000, max_wait_s=600)

    made = world.completed(client, long_transcript(60, "some words"))
    handler = _squeezed(world, 500)
    event = http_event("POST", f"{JOBS}/{made['id']}/transcript", headers={"authorization": f"Bearer {client.token}"})
    assert (handler(event, None)["statusCode"], handler(event, Door())["statusCode"]) == (302, 200)


def test_M_12_a_rendering_that_is_stored_while_its_job_is_deleted_does_not_stay(world: World, client: Client) -> None:
    made = world.completed(client, long_transcript(60, "some words"))
    small = Client(_squeezed(world, 500, Deleting(world, made["uuid"])), client.token)
    answer = small.send("POST", f"{JOBS}/{made['id']}/download/txt")
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert world.remains(made["uuid"]) == []


class Deleting:
    """The results of a stage in which a job is deleted just before something of it is stored."""

    def __init__(self, world: World, uuid: str) -> None:
        self._world, self._job = world, world.job(uuid)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.results, name)

    def put_if_absent(self, key: str, body: bytes, *, content_type: str) -> bool:
        erasure.erase_job(self._world.deps, tenant_id=self._job.tenant_id, job_id=self._job.id)
        return self._world.results.put_if_absent(key, body, content_type=content_type)


def _squeezed(world: World, inline_body_bytes: int, results: Any = None) -> Any:
    """The handler of the same stage on a way that carries next to nothing."""
    settings = replace(world.settings, inline_body_bytes=inline_body_bytes)
    return world.dialect.build(replace(world.deps, settings=settings, results=results or world.results))


# Shapes, documentation, tenancy


def test_M_13_bodies_are_json_in_and_out(world: World, client: Client) -> None:
    made = world.completed(client)
    answers = [
        client.send("GET", USAGE),
        client.send("POST", JOBS, fields={}),
        status(client, made["id"]),
        transcript(client, made["id"]),
        client.send("GET", f"{JOBS}/0"),
        client.send("DELETE", f"{JOBS}/{made['id']}"),
    ]
    assert [answer.headers["content-type"] for answer in answers] == ["application/json"] * len(answers)
    assert all(isinstance(answer.json, dict) for answer in answers)


def test_M_14_the_documentation_is_where_the_document_says(world: World) -> None:
    page = world.anonymous.send("GET", API_DOCS)
    assert (page.status, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    link, _, kind = page.headers["link"].partition(";")
    assert 'rel="service-desc"' in kind
    document = world.anonymous.send("GET", link.strip("<>").removeprefix("https://callscribe.example"))
    assert document.json["openapi"].startswith("3.1")
    assert set(document.json["components"]["securitySchemes"]) == {"basic", "bearer"}


def test_M_A1_the_documentation_says_which_api_the_document_means(world: World) -> None:
    document = world.anonymous.send("GET", f"{PLAIN}/openapi.json").json
    assert "Drop Active Calls" in document["info"]["description"]


def test_M_15_usage_and_jobs_are_each_tenants_own(world: World) -> None:
    a = world.client(tenant_id=world.tenant(plan=CREDITS, funds=MICRO))
    b = world.client(tenant_id=world.tenant(plan=CREDITS, funds=5 * MICRO))
    made = world.completed(a)
    assert a.send("GET", USAGE).json["balance"]["used"] == "0.1"
    assert b.send("GET", USAGE).json["balance"] == {"remaining": "5", "used": "0", "held": "0"}
    assert status(b, made["uuid"]) == status(b, "00000000-0000-4000-8000-000000000000")
    assert world.create(b)["id"] == 1  # numbers are counted for each tenant


def test_M_15_two_users_of_a_tenant_share_its_jobs_and_its_usage(world: World) -> None:
    tenant_id = world.tenant(plan=CREDITS, funds=MICRO)
    one, other = world.user(tenant_id=tenant_id), world.user(tenant_id=tenant_id)
    made = world.anonymous.send("POST", JOBS, fields={}, headers=one.header).json
    world.complete(made["uuid"])
    assert world.anonymous.send("GET", f"{JOBS}/{made['id']}", headers=other.header).json["status"] == "completed"
    assert world.anonymous.send("GET", USAGE, headers=other.header).json["used_seconds"] == 10


def test_M_16_every_refusal_has_one_shape(world: World, client: Client) -> None:
    made = world.create(client)
    reader = world.client(scopes=frozenset({Scope.READ}))
    refusals = {
        (400, "invalid_body"): client.send("POST", JOBS, fields=[]),
        (400, "invalid_value"): client.send("POST", JOBS, fields={"language": "?"}),
        (401, "unauthenticated"): world.anonymous.send("GET", USAGE),
        (403, "forbidden"): reader.send("POST", JOBS, fields={}),
        (404, "not_found"): status(client, "none"),
        (404, "unknown_path"): client.send("GET", f"{AI}/nothing"),
        (405, "method_not_allowed"): client.send("PATCH", f"{JOBS}/{made['id']}"),
        (409, "not_finished"): transcript(client, made["id"]),
        (413, "body_too_long"): client.send("POST", JOBS, fields={"agent_name": "x" * 70_000}),
    }
    for (code, word), refusal in refusals.items():
        assert (refusal.status, set(refusal.json), refusal.json["code"]) == (code, {"error", "code"}, word)
        assert refusal.json["error"] != ""
    assert refusals[(405, "method_not_allowed")].headers["allow"] == "DELETE, GET, HEAD"
    assert refusals[(403, "forbidden")].json["error"] == "this credential must not create or delete transcriptions"


def test_M_A10_a_job_is_known_by_its_integer_and_by_its_uuid_in_either_case(world: World, client: Client) -> None:
    made = world.completed(client)
    assert isinstance(made["id"], int)
    for given in (made["id"], made["uuid"], made["uuid"].upper()):
        assert status(client, given).json["uuid"] == made["uuid"]
        assert transcript(client, given).status == download(client, given, "txt").status == 200
    assert status(client, 1_000_000).status == 404


# Callbacks


def test_a_completed_job_is_called_back_with_text_and_roles(world: World, client: Client) -> None:
    made = world.completed(client, callback_url=CALLBACK_URL, agent_channel=1)
    body = world.callback(made["uuid"])
    assert body is not None
    assert (body["id"], body["uuid"], body["status"]) == (made["id"], made["uuid"], "completed")
    assert body["text"] == TRANSCRIPT.text
    assert [(one["role"], one["text"]) for one in body["segments"]] == [
        ("customer", "good morning"),
        ("agent", "I need help"),
        ("customer", "of course"),
    ]
    assert "error" not in body


def test_a_failed_job_is_called_back_with_its_reason(world: World, client: Client) -> None:
    made = world.create(client, callback_url=CALLBACK_URL)
    world.fail(made["uuid"])
    body = world.callback(made["uuid"])
    assert body is not None
    assert (body["status"], body["error"]["code"]) == ("failed", "audio_unreadable")
    assert "text" not in body


def test_a_job_without_a_callback_url_is_not_called_back(world: World, client: Client) -> None:
    assert world.callback(world.completed(client)["uuid"]) is None


def test_a_callback_too_large_to_send_carries_a_link() -> None:
    world = World(settings=Settings(public_base_url="https://callscribe.example", inline_callback_bytes=2_000))
    made = world.create(world.client(), callback_url=CALLBACK_URL)
    world.complete(made["uuid"], long_transcript(40, "some words"))
    body = world.callback(made["uuid"])
    assert body is not None
    assert {"text", "segments"} & set(body) == set()
    assert body["transcription_url"].startswith("https://callscribe.example/")
    assert body["role_source"]
