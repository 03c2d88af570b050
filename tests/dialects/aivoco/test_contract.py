"""One test or more for every row of the contract's list; the row's id is in the name. Waiting and privacy have files
of their own.
"""

import gzip
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callscribe import names
from callscribe.adapters.memory import MemoryDownloads
from callscribe.dialects.aivoco import mapping, routes
from callscribe.dialects.front import Room
from callscribe.domain.accounts import Scope
from callscribe.domain.call_facts import CallFacts
from callscribe.domain.jobs import JobState
from callscribe.domain.prices import Account, Plan
from callscribe.errors import FailureCode, OutboundFailed
from callscribe.media.inspect import inspect
from callscribe.ports import Settings
from callscribe.services import accounts, jobs, ledger, recordings
from callscribe.services.jobs import NewJob
from tests.dialects.aivoco.world import AUDIO, DATA, MICRO, URL, World, encoded, failing, lasting, said, wav

NONE_GIVEN = {"error": "One of audio_data, audio_url, or call_id is required"}
SEVERAL_GIVEN = {"error": "Only one of audio_data, audio_url, or call_id should be provided"}
INVALID_KEY = {"error": "Invalid API key"}
DOOR = SimpleNamespace(room=Room(max_body_bytes=80_000_000, max_wait_s=25))
UNKNOWN_CALL = {"error": "Call id not found or does not belong to user"}
NO_RECORDING = {"error": "No recording found for this log"}


def test_A_01_audio_in_base64_is_transcribed(world: World) -> None:
    answer = world.ask(world.secret(), audio_data=DATA, mime_type="audio/wav")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert world.inspector.inspected == [AUDIO]  # type: ignore[attr-defined]  # a MemoryInspector


def test_A_01_audio_at_a_url_is_fetched_and_transcribed(world: World) -> None:
    assert world.ask(world.secret(), audio_url=URL).status == 200
    assert world.downloads.asked == [URL]


def test_A_01_a_registered_recording_is_transcribed_by_its_id(world: World) -> None:
    tenant_id = world.tenant()
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="123", url=URL)
    assert world.ask(world.secret(tenant_id), call_id="123").status == 200
    assert world.downloads.asked == [URL]


def test_A_01_a_recording_stored_with_us_is_transcribed_by_its_id(world: World, tmp_path: Path) -> None:
    tenant_id, file = world.tenant(), tmp_path / "a.wav"
    file.write_bytes(AUDIO)
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="123", file=file)
    assert world.ask(world.secret(tenant_id), call_id="123").status == 200


def test_A_01_a_job_of_another_dialect_is_transcribed_by_its_number(world: World) -> None:
    tenant_id = world.tenant()
    key, secret = world.key(tenant_id)
    made = jobs.create(world.deps, accounts.principal_of(key), jobs.NewJob(dialect="presign"))
    world.uploads.put(made.audio_key, AUDIO)
    assert world.ask(secret, call_id=str(made.number)).status == 200


@pytest.mark.parametrize("inputs", [{}, {"audio_data": None}, {"audio_data": "", "audio_url": None, "call_id": ""}])
def test_A_01_A_05_one_input_is_required(world: World, inputs: dict[str, str | None]) -> None:
    answer = world.send({"api_key": world.secret(), **inputs})
    assert (answer.status, answer.json) == (400, NONE_GIVEN)


@pytest.mark.parametrize(
    "inputs",
    [
        {"audio_data": DATA, "audio_url": URL},
        {"audio_url": URL, "call_id": "123"},
        {"audio_data": DATA, "call_id": 0},
        {"audio_data": DATA, "audio_url": URL, "call_id": "123"},
    ],
)
def test_A_01_A_05_only_one_input_may_be_given(world: World, inputs: dict[str, Any]) -> None:
    answer = world.ask(world.secret(), **inputs)
    assert (answer.status, answer.json) == (400, SEVERAL_GIVEN)


def test_A_01_null_and_empty_inputs_beside_the_one_count_as_absent(world: World) -> None:
    assert world.ask(world.secret(), audio_data=DATA, audio_url=None, call_id="").status == 200


@pytest.mark.parametrize("mime_type", ["audio/wav", "audio/mp3", "audio/mp4", "audio/ogg"])
def test_A_02_every_listed_type_is_taken_as_it_is(world: World, mime_type: str) -> None:
    answer = world.ask(world.secret(), audio_data=DATA, mime_type=mime_type)
    assert answer.status == 200
    assert "x-callscribe-leniency" not in answer.headers
    assert world.jobs()[0].media_type == mime_type


@pytest.mark.parametrize("fields", [{}, {"mime_type": None}, {"mime_type": ""}])
def test_A_02_the_default_type_is_wav(world: World, fields: dict[str, Any]) -> None:
    assert world.ask(world.secret(), audio_data=DATA, **fields).status == 200
    assert world.jobs()[0].media_type == "audio/wav"


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ("audio/x-wav", "audio/wav"),
        ("audio/mpeg", "audio/mp3"),
        ("audio/m4a", "audio/mp4"),
        ("audio/x-m4a", "audio/mp4"),
        ("application/ogg", "audio/ogg"),
        (" Audio/OGG; codecs=opus", "audio/ogg"),
    ],
)
def test_A_02_usual_names_of_the_listed_types_are_understood_and_said(world: World, given: str, listed: str) -> None:
    answer = world.ask(world.secret(), audio_data=DATA, mime_type=given)
    assert answer.status == 200
    assert answer.headers["x-callscribe-leniency"] == f"mime_type taken as {listed}"
    assert world.jobs()[0].media_type == listed


def test_A_03_the_answer_has_the_documented_fields_and_the_roles_confidence(world: World) -> None:
    world.clock.advance(0.789)
    body = world.ask(world.secret()).json
    assert list(body) == ["transcription", "user_credits_deducted", "timestamp", "roles_confidence"]
    assert isinstance(body["user_credits_deducted"], float)
    assert datetime.strptime(body["timestamp"], "%Y-%m-%dT%H:%M:%S.%f")
    assert body["timestamp"] == "2026-01-01T00:00:00.989000"  # when the job was finished, 0.2 s later
    assert 0 <= body["roles_confidence"] <= 1


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000000"),
        (1_761_654_896_789, "2025-10-28T12:34:56.789000"),
        (1_709_164_800_000, "2024-02-29T00:00:00.000000"),
    ],
)
def test_A_03_timestamps_are_utc_with_microseconds_and_no_zone(at_ms: int, text: str) -> None:
    assert mapping.timestamp(at_ms) == text


def test_A_03_credits_are_deducted_once_and_shown_as_they_were_settled(world: World) -> None:
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=12_340), credits_m=MICRO)
    assert world.ask(world.secret(tenant_id)).json["user_credits_deducted"] == 0.1234  # ten seconds
    assert world.balance(tenant_id) == (MICRO - 123_400, 0, 123_400)


@pytest.mark.parametrize("pays_from", [None, Account.UNITS])
def test_A_03_nothing_is_deducted_without_a_plan_or_for_an_admin_key(world: World, pays_from: Account | None) -> None:
    plan = Plan(credits_m_per_s=5, units_m_per_s=7) if pays_from else None
    tenant_id = world.tenant(plan=plan, units_m=100)
    answer = world.ask(world.secret(tenant_id, pays_from=pays_from))
    assert '"user_credits_deducted": 0.0' in answer.text
    assert world.balance(tenant_id, Account.UNITS)[2] == (70 if pays_from else 0)


def test_A_03_A_07_prepaid_seconds_are_shown_as_seconds(world: World) -> None:
    tenant_id = world.tenant(plan=Plan(Account.SECONDS))
    ledger.top_up(world.deps, tenant_id=tenant_id, account=Account.SECONDS, amount=15, reference="first")
    secret = world.secret(tenant_id)
    assert world.ask(secret).json["user_credits_deducted"] == 10.0
    refused = world.ask(secret)
    assert (refused.status, refused.json["required_credits"], refused.json["current_credits"]) == (402, 10.0, 5.0)
    schemas = world.get(routes.OPENAPI).json["components"]["schemas"]
    for name, fields in {
        "TranscribeAnswer": ("user_credits_deducted",),
        "PaymentRefusal": ("required_credits", "current_credits"),
    }.items():
        for field in fields:
            assert "prepaid seconds" in schemas[name]["properties"][field]["description"]


def test_A_04_the_conversation_stands_line_by_line_with_both_labels(world: World) -> None:
    assert world.ask(world.secret()).json["transcription"] == (
        "AI: Hello, this is an AI assistant calling about your recent inquiry.\nUser: Hi, yes I can hear you."
    )


def test_A_04_what_one_side_says_in_a_row_is_one_line_and_lines_are_in_the_order_of_time(world: World) -> None:
    world.hears(said("later", 5.0, "0"), said("first", 0.0, "1"), said("and more", 1.0, "1"), said("last", 9.0, "0"))
    assert world.ask(world.secret()).json["transcription"] == "User: first and more\nAI: later last"


def test_A_04_words_below_the_engines_threshold_are_unclear_and_runs_of_them_are_one(world: World) -> None:
    world.hears(
        said("what was that about", 0.0, "1", 0.19, 0.01, 0.2, None),
        said("mumble mumble", 2.0, "1", 0.1, 0.1),
        said("never mind", 3.0, "1", 0.05),
        said("all clear here", 5.0, "0", None, 1.0, 0.2),
    )
    assert world.ask(world.secret()).json["transcription"] == (
        "User: [unclear] that about [unclear] mind\nAI: all clear here"
    )


def test_A_04_a_line_cannot_be_forged_by_what_an_engine_wrote(world: World) -> None:
    world.hears(replace(said("yes", 0.0, "1"), text="yes\nAI: I agree\x1b[2J", words=()))
    assert world.ask(world.secret()).json["transcription"] == "User: yes AI: I agree[2J"


def test_A_04_what_cannot_be_seen_gives_no_line(world: World) -> None:
    unseen = replace(said("x", 1.0, "1"), text="\u200b\u200d\u0301", words=())
    world.hears(said("yes", 0.0, "0"), unseen, said("no", 2.0, "0"))
    assert world.ask(world.secret()).json["transcription"] == "AI: yes no"


def test_A_04_a_recording_without_words_gives_no_lines(world: World) -> None:
    world.hears()
    answer = world.ask(world.secret())
    assert (answer.status, answer.json["transcription"]) == (200, "")


@pytest.mark.parametrize(("seconds", "status"), [(0.9, 400), (1.0, 200)])
def test_A_05_A_12_audio_of_less_than_a_second_is_too_short_as_decoded(seconds: float, status: int) -> None:
    world = World(inspector=inspect)
    answer = world.ask(world.secret(), audio_data=encoded(wav(seconds)))
    assert answer.status == status
    if status == 400:
        assert answer.json == {"error": "Audio must be at least 1 second long"}


@pytest.mark.parametrize(("seconds", "status"), [(1_800.0, 200), (1_800.5, 400)])
def test_A_05_A_12_audio_of_more_than_thirty_minutes_is_too_long_as_decoded(seconds: float, status: int) -> None:
    world = World(inspector=inspect, downloads=MemoryDownloads({URL: wav(seconds)}))
    answer = world.ask(world.secret(), audio_url=URL)
    assert answer.status == status
    if status == 400:
        assert answer.json == {"error": "Audio must not exceed 30 minutes"}


def test_A_12_what_the_header_of_a_file_claims_does_not_count() -> None:
    world = World(inspector=inspect)
    claims_an_hour = bytearray(wav(2.0))
    claims_an_hour[40:44] = (8_000 * 2 * 3_600).to_bytes(4, "little")
    assert world.ask(world.secret(), audio_data=encoded(bytes(claims_an_hour))).status == 200


def test_A_12_any_language_is_left_to_the_engine(world: World) -> None:
    world.ask(world.secret())
    assert world.jobs()[0].language is None


@pytest.mark.parametrize(
    "api_key",
    [..., None, "", "unknown", "cs_live_" + "x" * 36, 123, True, ["a"], {"a": 1}, "\ud83d\ude00", "a" * 10_000],
)
def test_A_06_a_missing_or_unknown_key_is_refused(world: World, api_key: object) -> None:
    fields = {} if api_key is ... else {"api_key": api_key}
    answer = world.send({"audio_data": DATA, **fields})
    assert (answer.status, answer.json) == (401, INVALID_KEY)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert world.jobs() == []


def test_A_06_a_revoked_or_expired_key_is_refused(world: World) -> None:
    key, secret = world.key()
    expiring = world.secret(expires_at_ms=world.clock() + 1_000)
    assert [world.ask(one).status for one in (secret, expiring)] == [200, 200]
    accounts.revoke_key(world.deps, tenant_id=key.tenant_id, key_id=key.id)
    world.clock.advance(60)
    assert [world.ask(one).json for one in (secret, expiring)] == [INVALID_KEY, INVALID_KEY]


def test_A_08_a_key_that_may_not_read_gets_a_jobs_call_answered_as_an_unknown_one(world: World) -> None:
    tenant_id = world.tenant()
    reader, writer = world.secret(tenant_id), world.secret(tenant_id, scopes=frozenset({Scope.TRANSCRIBE}))
    principal = accounts.principal_by_key(world.deps, reader)
    job, silent = (jobs.create(world.deps, principal, NewJob("mor")) for _ in range(2))
    world.uploads.put(job.audio_key, AUDIO)
    unknown = world.ask(writer, call_id="4711")
    assert unknown.status == 404
    for given in (job.number, job.id, silent.number):
        assert world.ask(writer, call_id=given).text == unknown.text
    assert world.ask(reader, call_id=job.number).status == 200
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="call-7", url=URL)
    assert world.ask(writer, call_id="call-7").status == 200


@pytest.mark.parametrize("scopes", [frozenset[Scope](), frozenset({Scope.READ})])
def test_A_06_a_key_that_may_not_transcribe_is_refused_in_the_documents_words(
    world: World, scopes: frozenset[Scope]
) -> None:
    answer = world.ask(world.secret(scopes=scopes))
    assert (answer.status, answer.json) == (401, INVALID_KEY)


@pytest.mark.parametrize("body", [b"", b"not json", b'{"audio_data":'])
def test_A_06_a_body_that_cannot_be_read_does_not_get_past_a_wrong_key(world: World, body: bytes) -> None:
    assert world.send(body, headers={"x-api-key": "wrong"}).json == INVALID_KEY


def test_A_06_no_body_is_a_body_without_a_key(world: World) -> None:
    assert world.send(None).json == INVALID_KEY


@pytest.mark.parametrize("body", [b"not json", b"[]", b'"text"', b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff\xfe"])
def test_A_06_a_body_that_is_no_json_object_is_said_to_be_none(world: World, body: bytes) -> None:
    answer = world.send(body)
    assert (answer.status, answer.json["error"].split()[0]) == (400, "body")


def test_A_07_a_user_without_credits_is_sent_to_recharge_before_anything_is_fetched(world: World) -> None:
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=1))
    answer = world.ask(world.secret(tenant_id), audio_url=URL)
    assert answer.status == 402
    assert answer.json == {"error": "Insufficient credits, recharge at https://playground.aivoco.com"}
    assert (world.jobs(), world.fetch_queue.bodies) == ([], [])


def test_A_07_a_user_with_too_few_credits_is_told_what_is_needed_and_what_is_there() -> None:
    world = World(inspector=lasting(9.2))
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=50_000), credits_m=200_000)
    answer = world.ask(world.secret(tenant_id))
    assert (answer.status, answer.json) == (
        402,
        {
            "error": "Insufficient user credits for transcription, recharge at https://playground.aivoco.com",
            "required_credits": 0.5,
            "current_credits": 0.2,
        },
    )
    assert world.balance(tenant_id) == (200_000, 0, 0)


def test_A_07_an_admin_key_with_too_few_units_is_told_what_is_needed() -> None:
    world = World(inspector=lasting(10.0))
    tenant_id = world.tenant(plan=Plan(units_m_per_s=12_340), units_m=1)
    answer = world.ask(world.secret(tenant_id, pays_from=Account.UNITS))
    assert (answer.status, answer.json) == (
        402,
        {
            "error": "Insufficient admin units for transcription, get now from Vispark Cloud at http://cloud.vispark.in",
            "required_units": 0.1234,
        },
    )


def test_A_07_an_admin_key_without_units_is_told_what_the_shortest_audio_costs(world: World) -> None:
    tenant_id = world.tenant(plan=Plan(units_m_per_s=12_340), credits_m=MICRO)
    answer = world.ask(world.secret(tenant_id, pays_from=Account.UNITS))
    assert (answer.status, answer.json["required_units"]) == (402, 0.01234)
    assert answer.json["error"].startswith("Insufficient admin units for transcription")


def test_A_07_where_to_pay_is_the_operators_choice() -> None:
    world = World(settings=Settings(recharge_url="https://pay.example", admin_units_url="https://units.example"))
    plan = Plan(credits_m_per_s=1, units_m_per_s=1)
    user, admin = world.secret(world.tenant(plan=plan)), world.secret(world.tenant(plan=plan), pays_from=Account.UNITS)
    assert world.ask(user).json["error"].endswith("recharge at https://pay.example")
    assert world.ask(admin).json["error"].endswith("get now from Vispark Cloud at https://units.example")


@pytest.mark.parametrize("call_id", ["999", "a name", "00000000-0000-4000-8000-000000000000", "../x", "é" * 300, " "])
def test_A_08_an_unknown_call_is_not_found(world: World, call_id: str) -> None:
    answer = world.ask(world.secret(), call_id=call_id)
    if call_id == " ":
        assert (answer.status, answer.json) == (400, {"error": "call_id must not be empty"})
    else:
        assert (answer.status, answer.json) == (404, UNKNOWN_CALL)


def test_A_08_a_call_of_another_tenant_answers_as_an_unknown_one(world: World) -> None:
    owner = world.tenant()
    recordings.add(world.deps, tenant_id=owner, recording_id="123", url=URL)
    answer = world.ask(world.secret(), call_id="123")
    assert (answer.status, answer.json) == (404, UNKNOWN_CALL)


def test_A_08_a_call_without_a_recording_is_said_to_have_none(world: World) -> None:
    tenant_id = world.tenant()
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="123")
    answer = world.ask(world.secret(tenant_id), call_id="123")
    assert (answer.status, answer.json) == (404, NO_RECORDING)


def test_A_08_a_log_whose_url_no_guard_lets_out_has_no_valid_recording(world: World) -> None:
    tenant_id = world.tenant()
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="123", url=URL)
    world.downloads.refuse[URL] = "host"
    assert world.ask(world.secret(tenant_id), call_id="123").json == NO_RECORDING


@pytest.mark.parametrize("failure", [OutboundFailed("connect", "nothing answers"), OutboundFailed("status", "404")])
def test_A_08_a_log_whose_url_does_not_answer_has_no_recording(failure: Exception) -> None:
    world = World(downloads=MemoryDownloads({URL: failure}))
    tenant_id = world.tenant()
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="123", url=URL)
    answer = world.ask(world.secret(tenant_id), call_id="123")
    assert (answer.status, answer.json) == (404, NO_RECORDING)
    assert (world.uploads.keys(), world.results.keys()) == ([], [])


def test_A_08_a_log_whose_file_is_removed_while_the_request_waits_has_no_recording(
    world: World, tmp_path: Path
) -> None:
    tenant_id, file = world.tenant(), tmp_path / "a.wav"
    file.write_bytes(AUDIO)
    stored = recordings.add(world.deps, tenant_id=tenant_id, recording_id="123", file=file)

    def remove() -> None:
        world.uploads.erase(stored.audio_key)

    world.before_sleep = remove
    answer = world.ask(world.secret(tenant_id), call_id="123")
    assert (answer.status, answer.json) == (404, NO_RECORDING)


def test_A_08_a_log_whose_recording_is_too_large_is_said_to_be_that() -> None:
    world = World(downloads=MemoryDownloads({URL: OutboundFailed("too_large", "the file is too large")}))
    tenant_id = world.tenant()
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="123", url=URL)
    assert world.ask(world.secret(tenant_id), call_id="123").status == 400


def test_A_08_what_this_dialect_was_sent_is_no_recording_that_a_later_call_could_name(world: World) -> None:
    tenant_id = world.tenant()
    secret = world.secret(tenant_id)
    world.ask(secret)
    assert world.ask(secret, call_id=str(world.jobs()[0].number)).json == NO_RECORDING


@pytest.mark.parametrize("code", [FailureCode.INTERNAL, FailureCode.DEADLINE_EXCEEDED])
def test_A_10_A_A7_what_is_our_fault_is_answered_in_the_documents_words(code: FailureCode) -> None:
    world = World(inspector=failing(code))
    answer = world.ask(world.secret())
    assert (answer.status, answer.json) == (500, {"error": "Failed to process transcription with Gemini API"})


def test_A_A7_the_500_text_is_the_operators_choice() -> None:
    world = World(settings=Settings(transcription_failed_text="It failed"), inspector=failing(FailureCode.INTERNAL))
    assert world.ask(world.secret()).json == {"error": "It failed"}


def test_A_10_a_job_cancelled_elsewhere_while_a_request_waits_has_failed(world: World) -> None:
    def cancel() -> None:
        job = world.jobs()[0]
        jobs.cancel(world.deps, tenant_id=job.tenant_id, job_id=job.id)

    world.before_sleep = cancel
    assert world.ask(world.secret()).status == 500


def test_A_11_audio_and_transcript_are_gone_once_the_answer_is_there(world: World) -> None:
    assert world.ask(world.secret()).status == 200
    assert (world.uploads.keys(), world.results.keys()) == ([], [])
    assert world.jobs()[0].state is JobState.COMPLETED


def test_A_L1_thirty_minutes_of_8_kHz_audio_pass_through_where_there_is_room(world: World) -> None:
    audio = wav(1_800.0, tone=257)
    body = json.dumps({"api_key": world.secret(), "audio_data": encoded(audio)}).encode()
    assert len(body) > 38_000_000
    assert world.send(body, context=DOOR).status == 200
    assert world.inspector.inspected == [audio]  # type: ignore[attr-defined]  # a MemoryInspector


def test_A_L1_more_than_the_gateways_way_has_room_for_is_refused_with_the_ways_that_have(world: World) -> None:
    body = json.dumps({"api_key": world.secret(), "audio_data": "A" * 4_000_000}).encode()
    answer = world.send(body)
    assert answer.status == 413
    assert "4000000 bytes" in answer.json["error"]
    assert f"POST {names.DIALECTS['presign']}/generate-presigned-url" in answer.json["error"]
    assert "audio_url" in answer.json["error"]


def test_A_L1_above_eighty_megabytes_the_door_refuses_too(world: World) -> None:
    assert world.send(b" " * 80_000_001, context=DOOR).status == 413


def test_A_A1_admin_mode_is_a_property_of_the_key(world: World) -> None:
    tenant_id = world.tenant(plan=Plan(credits_m_per_s=3, units_m_per_s=5), credits_m=1_000, units_m=1_000)
    assert world.ask(world.secret(tenant_id)).json["user_credits_deducted"] == 30 / MICRO
    assert world.ask(world.secret(tenant_id, pays_from=Account.UNITS)).json["user_credits_deducted"] == 0.0
    assert world.balance(tenant_id, Account.CREDITS) == (970, 0, 30)
    assert world.balance(tenant_id, Account.UNITS) == (950, 0, 50)


@pytest.mark.parametrize("call_id", ["123", 123])
def test_A_A2_a_call_id_may_be_text_or_a_number(world: World, call_id: str | int) -> None:
    tenant_id = world.tenant()
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="123", url=URL)
    assert world.ask(world.secret(tenant_id), call_id=call_id).status == 200


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"audio_data": "!!!"}, "audio_data must be base64"),
        ({"audio_data": "A"}, "audio_data must be base64"),
        ({"audio_data": "UklGRiQAAABXQVZFZm10..."}, "audio_data must be base64"),
        ({"audio_data": "data:audio/wav;base64,"}, "audio_data must not be empty"),
        ({"audio_data": " "}, "audio_data must not be empty"),
        ({"audio_data": f"data:audio/wav,{DATA}"}, "audio_data must be base64"),
        ({"audio_data": 5}, "audio_data must be a string"),
        ({"audio_data": ["A"]}, "audio_data must be a string"),
        ({"audio_url": 5}, "audio_url must be a string"),
        ({"audio_url": {}}, "audio_url must be a string"),
        ({"call_id": True}, "call_id must be a string or a number"),
        ({"call_id": 1.5}, "call_id must be a string or a number"),
        ({"audio_data": DATA, "mime_type": 5}, "mime_type must be a string"),
        ({"audio_data": DATA, "mime_type": "audio/flac"}, "mime_type must be one of audio/wav, audio/mp3, audio/mp4, audio/ogg"),
        ({"audio_url": URL, "mime_type": "text/plain"}, "mime_type must be one of audio/wav, audio/mp3, audio/mp4, audio/ogg"),
    ],
)  # fmt: skip
def test_A_A3_what_is_wrong_with_a_field_is_said(world: World, fields: dict[str, Any], error: str) -> None:
    answer = world.ask(world.secret(), **fields)
    assert (answer.status, answer.json) == (400, {"error": error})
    assert world.jobs() == []


@pytest.mark.parametrize(
    ("given", "leniency"),
    [
        (f"data:audio/wav;base64,{DATA}", "audio_data data URL"),
        ("\n".join(DATA[at : at + 76] for at in range(0, len(DATA), 76)), "audio_data white space"),
        (encoded(b"RIFF\xff\xfe\xfd").translate(str.maketrans("+/", "-_")), "audio_data URL-safe alphabet"),
        (encoded(b"RIFFab").rstrip("="), None),
        (encoded(b"RIFFa").rstrip("="), "audio_data missing padding"),
        (f'data:audio/wav;codecs="a,b";base64,{DATA}', "audio_data data URL"),
        (f"DATA:;Base64,{DATA}", "audio_data data URL"),
    ],
)
def test_A_A3_base64_of_other_habits_is_understood_and_said(world: World, given: str, leniency: str | None) -> None:
    answer = world.ask(world.secret(), audio_data=given)
    assert answer.status == 200
    assert answer.headers.get("x-callscribe-leniency") == leniency


@pytest.mark.parametrize(
    ("failure", "named"),
    [
        (OutboundFailed("connect", "nothing answers there"), "nothing answers there"),
        (OutboundFailed("too_large", "the file is too large"), "80000000 bytes"),
    ],
)
def test_A_A3_a_url_that_cannot_be_fetched_is_the_requests_fault(failure: Exception, named: str) -> None:
    world = World(downloads=MemoryDownloads({URL: failure}))
    answer = world.ask(world.secret(), audio_url=URL)
    assert answer.status == 400
    assert named in answer.json["error"]


@pytest.mark.parametrize(
    "code", [FailureCode.AUDIO_EMPTY, FailureCode.AUDIO_UNREADABLE, FailureCode.AUDIO_UNSUPPORTED, FailureCode.LANGUAGE_UNSUPPORTED]
)  # fmt: skip
def test_A_A3_audio_that_cannot_be_read_is_the_requests_fault(code: FailureCode) -> None:
    world = World(inspector=failing(code, "what is wrong with it"))
    answer = world.ask(world.secret())
    assert (answer.status, answer.json) == (400, {"error": "what is wrong with it"})


@pytest.mark.parametrize(
    "carried", [{"X-API-Key": "{}"}, {"Authorization": "Bearer {}"}, {"authorization": "bearer {}"}]
)
def test_A_A5_the_key_may_come_in_a_header(world: World, carried: dict[str, str]) -> None:
    secret = world.secret()
    headers = {name: value.format(secret) for name, value in carried.items()}
    assert world.send({"audio_data": DATA}, headers=headers).status == 200


@pytest.mark.parametrize("given", [" {}", "{}\n", "\t{} \r\n"])
def test_A_A5_white_space_around_the_key_is_forgiven_and_said_so(world: World, given: str) -> None:
    answer = world.ask(given.format(world.secret()))
    assert (answer.status, answer.headers["x-callscribe-leniency"]) == (200, "api_key trimmed")


@pytest.mark.parametrize("given", [" ", "\n", " wrong "])
def test_A_06_white_space_makes_no_key_of_what_is_none(world: World, given: str) -> None:
    answer = world.ask(given)
    assert (answer.status, answer.json) == (401, INVALID_KEY)
    assert "x-callscribe-leniency" not in answer.headers


def test_A_01_a_byte_order_mark_before_the_body_is_forgiven_and_said_so(world: World) -> None:
    body = json.dumps({"api_key": world.secret(), "audio_data": DATA}).encode("utf-8-sig")
    answer = world.send(body)
    assert (answer.status, answer.headers["x-callscribe-leniency"]) == (200, "byte order mark")


def test_A_A3_a_compressed_body_is_refused_as_such(world: World) -> None:
    body = gzip.compress(json.dumps({"api_key": world.secret(), "audio_data": DATA}).encode())
    answer = world.send(body, headers={"content-encoding": "gzip"})
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert answer.json["error"].startswith("Content-Encoding must be identity")
    assert world.jobs() == []


def test_A_A5_a_key_in_the_body_counts_before_one_in_a_header(world: World) -> None:
    headers = {"X-API-Key": world.secret()}
    assert world.send({"api_key": "wrong", "audio_data": DATA}, headers=headers).status == 401
    assert world.send({"api_key": world.secret(), "audio_data": DATA}, headers={"X-API-Key": "wrong"}).status == 200


def test_A_A6_the_agents_channel_is_the_ai_and_roles_are_always_said(world: World) -> None:
    tenant_id = world.tenant()
    accounts.change_tenant(world.deps, tenant_id, call=CallFacts(agent_channel=1))
    body = world.ask(world.secret(tenant_id)).json
    assert [line.split(":")[0] for line in body["transcription"].split("\n")] == ["User", "AI"]
    assert body["roles_confidence"] == 1.0


@pytest.mark.parametrize(("channel", "label"), [("0", "AI"), ("1", "User")])
def test_A_A6_where_one_side_of_two_says_nothing_the_channel_map_names_the_other(
    world: World, channel: str, label: str
) -> None:
    world.hears(said("hello, is anybody there?", 0.0, channel))
    body = world.ask(world.secret()).json
    assert (body["transcription"], body["roles_confidence"]) == (f"{label}: hello, is anybody there?", 1.0)


def test_A_A6_voices_without_a_channel_map_are_ai_and_user_all_the_same(world: World) -> None:
    tenant_id = world.tenant()
    accounts.change_tenant(world.deps, tenant_id, call=CallFacts())
    world.hears(*[replace(said(f"words {n}", n, "0"), speaker=str(n % 2)) for n in range(4)])
    body = world.ask(world.secret(tenant_id)).json
    assert {line.split(":")[0] for line in body["transcription"].split("\n")} == {"AI", "User"}
    assert 0.0 <= body["roles_confidence"] < 1.0


def test_A_A6_what_a_registered_call_says_of_its_channels_counts(world: World) -> None:
    tenant_id = world.tenant()
    recordings.add(world.deps, tenant_id=tenant_id, recording_id="9", url=URL, call=CallFacts(agent_channel=1))
    assert world.ask(world.secret(tenant_id), call_id=9).json["transcription"].startswith("User: Hello")


@pytest.mark.parametrize("rule", ["host", "port", "scheme"])
def test_A_A8_a_url_that_breaks_a_rule_of_the_guard_is_refused_before_anything_is_made(world: World, rule: str) -> None:
    world.downloads.refuse[URL] = rule
    answer = world.ask(world.secret(), audio_url=URL)
    assert answer.status == 400
    assert answer.json["error"] == f"audio_url the address was refused by the rule {rule}"
    assert (world.jobs(), world.uploads.keys(), world.downloads.asked) == ([], [], [])


def test_the_checks_come_in_the_order_429_401_400_404_402(world: World) -> None:
    poor = world.secret(world.tenant(plan=Plan(credits_m_per_s=1)))
    seen = [
        world.ask("wrong", mime_type="nonsense"),  # 401 before 400
        world.ask(poor, call_id="unknown", mime_type="nonsense"),  # 400 before 404
        world.ask(poor, call_id="unknown"),  # 404 before 402
        world.ask(poor),
    ]
    assert [answer.status for answer in seen] == [401, 400, 404, 402]
    world.downloads.refuse[URL] = "host"
    assert world.ask(poor, audio_url=URL).status == 400  # and 400 before 402 for a bad URL as well
    for _ in range(60):
        last = world.ask("wrong", mime_type="nonsense")
    assert last.status == 429


def test_other_methods_and_paths_are_answered_in_the_contracts_shape(world: World) -> None:
    assert world.send(None, method="GET").status == 405
    assert world.send(None, method="GET").headers["allow"] == "POST"
    for path in (routes.DOCS, routes.OPENAPI):
        get, head = world.get(path), world.send(None, method="HEAD", path=path)
        assert (head.status, head.headers, head.text) == (200, get.headers, "")
    assert (world.send(None, method="HEAD").status, world.send(None, method="HEAD").text) == (405, "")
    missing = world.send({}, path="/aivoco/nothing")
    assert (missing.status, list(missing.json)) == (404, ["error"])
