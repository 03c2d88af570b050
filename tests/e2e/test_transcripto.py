"""Dialect `transcripto` as an integrator meets it: his requests, the deployed functions, genuine speech."""

import io
import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import httpx
import pytest

from callscribe.domain.credits import EntryKind
from callscribe.domain.prices import Account
from callscribe.domain.task_marks import TASKS, DirtyTask
from callscribe.services import ledger
from local.system import LocalSystem
from tests.dialects.transcripto.samples import HOST, differences, run, samples
from tests.dialects.transcripto.scene import SAMPLE_HASH
from tests.e2e import sounds
from tests.e2e.books import assert_nets_zero, paid
from tests.e2e.integrator import (
    VIA_DOOR,
    WAIT_S,
    count_jobs,
    executions_of,
    gateway_alone,
    job_of,
    wait_for,
    worker_paused,
)
from tests.functions.media import MediaServer

pytestmark = [pytest.mark.e2e, pytest.mark.emulator]

CLIP_S = 3  # of the clip, in started seconds
WORDS = "young man"
ENDED = ("completed", "error")
ABOVE_THE_GATEWAYS_LIMIT_BYTES = 6_000_000


@pytest.fixture
def client(system: LocalSystem) -> Iterator[httpx.Client]:
    """Somebody who is logged in."""
    with httpx.Client(base_url=system.base_url, trust_env=False, timeout=WAIT_S) as opened:
        token = said(opened.post("/auth/login", json=system.credentials.log_in))["token"]
        opened.headers["Authorization"] = f"Bearer {token}"
        yield opened


def said(answer: httpx.Response, number: int = 0) -> dict[str, Any]:
    """What an answer says; `number` is the error code that it must have."""
    assert answer.status_code == 200, answer.text
    fields: dict[str, Any] = answer.json()
    assert fields["error_code"] == number, fields
    assert fields["success"] is (number == 0)
    return fields


def new_name() -> str:
    """A file's name that nobody has sent yet: it may come once."""
    return f"{uuid.uuid4()}.flac"


def add_call(client: httpx.Client, audio: bytes, *, file_name: str | None = None, **fields: object) -> httpx.Response:
    data = {name: str(value) for name, value in fields.items()}
    return client.post("/addtaskcall", data=data, files={"file": (file_name or new_name(), audio)})


def task(client: httpx.Client, code: str) -> dict[str, Any]:
    return said(client.get("/gettask", params={"task_code": code}))


def ended(client: httpx.Client, code: str) -> dict[str, Any]:
    """How a task stands once it is no longer under way."""
    wait_for(lambda: task(client, code)["status"] in ENDED, f"task {code} to end", timeout_s=2 * WAIT_S)
    return task(client, code)


def found(client: httpx.Client, **criteria: Any) -> list[str]:
    """The codes of the tasks that fit."""
    return [one["task_code"] for one in said(client.post("/tasks/filter", json=criteria))["tasks"]]


def changes_left(system: LocalSystem) -> int:
    """How many changes of tasks the index has not taken in."""
    return len(system.deps().store.children(DirtyTask, system.credentials.tenant_id, TASKS))


def available(system: LocalSystem, account: Account) -> int:
    return ledger.balance(system.deps(), tenant_id=system.credentials.tenant_id, account=account).available


def test_T_10_T_11_the_sample_by_curl_logs_in_and_shows_the_tariff(system: LocalSystem) -> None:
    body = json.dumps(system.credentials.log_in)
    curl = ["curl", "--silent", "--show-error", "--noproxy", "*"]
    login = [*curl, "-X", "POST", f"{system.base_url}/auth/login", "-H", "Content-Type: application/json", "-d", body]
    greeted = json.loads(subprocess.run(login, check=True, capture_output=True, text=True).stdout)
    assert (greeted["message"], greeted["tariff"]["identifier"]) == ("Login successful", "enterprise")
    asked = [*curl, f"{system.base_url}/user/tariff", "-H", f"Authorization: Bearer {greeted['token']}"]
    shown = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    assert shown["tariff"]["limits"]["call_minutes"] == 10_000


# The samples that speak of nothing but what they bring along; the others are sent to a stage in memory.
FRESH = (
    *("POST /auth/login", "GET /user/tariff", "POST /addtaskcall", "POST /addtaskcallbyurl", "POST /addtaskaudio"),
    *("POST /addtaskyoutube", "POST /add_chat_analysis_task", "GET /checklist", "POST /checklist"),
    *("GET /user/directories", "POST /user/directories", "POST /user/call_categories/create"),
    *("POST /user/call_categories/list", "POST /tasks/filters/save", "GET /tasks/filters/list"),
    *("POST /user/call_check_scripts/create", "POST /user/call_check_scripts/list"),
)


def test_T_02_samples_of_the_document_are_answered_by_the_deployed_functions_as_it_shows(
    system: LocalSystem, client: httpx.Client, clip: Path, tmp_path: Path
) -> None:
    directory = said(client.post("/user/directories", json={"name": "of the samples"}))["directory"]["id"]
    question = "Did the operator clarify the purpose of the call?"
    said(client.post("/checklist", json={"question": question}))
    said(client.post("/user/call_categories/create", json={"name": "Technology"}))
    script = {"identifier": "welcome_v0", "title": "Welcome", "script_body": "Hello"}
    said(client.post("/user/call_check_scripts/create", json=script))
    ended(client, said(add_call(client, clip.read_bytes()))["code"])
    wanted = [sample for sample in samples() if sample.route in FRESH]
    assert [sample.route for sample in wanted] == sorted(FRESH, key=[one.route for one in samples()].index)
    with MediaServer(clip.read_bytes()) as media:
        table = _table(system, client, directory, media.url(), clip)
        for sample in wanted:
            answer = run(sample, table, tmp_path)
            assert (answer.outcome, answer.json["success"]) == (200, True), (sample.route, answer.text)
            assert differences(sample.answer, answer.json, sample.nullable | {"file_path"}) == [], sample.route
            if "code" in answer.json:
                assert WORDS in ended(client, answer.json["code"])["task_result"]["original_text"]


def _table(system: LocalSystem, client: httpx.Client, directory: int, url: str, clip: Path) -> dict[str, str]:
    """What stands in the samples → what takes its place."""
    given = system.credentials.log_in
    ids = {f"{before}{number}": f"{before}{directory}" for before in ("directory_id=", '"directory_id": ') for number in (123, 321, 555)}  # fmt: skip
    return {
        HOST: system.base_url,
        "<JWT>": client.headers["authorization"].removeprefix("Bearer "),
        "user@example.com": given["email"],
        SAMPLE_HASH: given["password_hash"],
        "/path/to/call.wav": str(clip),
        "/path/to/audio.mp3": str(clip),
        "https://example.com/rec_001.wav": url,
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ": url,
        **ids,
    }


def test_T_12_T_18_T_19_T_36_one_whole_life_of_a_call_from_its_file_to_its_report(
    system: LocalSystem, client: httpx.Client, clip: Path
) -> None:
    before = available(system, Account.CALL_SECONDS)
    directory = said(client.post("/user/directories", json={"name": new_name()}))["directory"]["id"]
    facts = {"directory_id": directory, "operator_name": "Ivanov", "call_type": "inbound", "call_date": "2025-10-20"}
    file_name = new_name()
    made = said(add_call(client, clip.read_bytes(), file_name=file_name, **facts))
    done = ended(client, made["code"])
    assert (done["id"], done["status"], done["directory_id"]) == (made["id"], "completed", directory)
    assert WORDS in done["task_result"]["original_text"]
    assert done["task_length"] == 0.05
    row = said(client.post("/tasks/filter", json={"task_id": made["id"]}))["tasks"][0]
    assert (row["file_name"], row["operator_name"], row["call_type"]) == (file_name, "Ivanov", "inbound")
    assert before - available(system, Account.CALL_SECONDS) == CLIP_S
    assert paid(system, made["code"]) == CLIP_S
    _has_its_files(client, made, file_name, clip.read_bytes())


def _has_its_files(client: httpx.Client, made: dict[str, Any], file_name: str, audio: bytes) -> None:
    question = said(client.post("/checklist", json={"question": f"Was it {new_name()}?"}))["data"]["id"]
    answers = [{"checklist_id": question, "answer": "Partially"}]
    said(client.post(f"/checklist/answer/{made['id']}", json=answers))
    asked = {"task_code": made["code"]}
    sound = client.get("/get_file", params={**asked, "file_type": "audio"})
    assert (sound.status_code, sound.content) == (200, audio)
    assert file_name in sound.headers["content-disposition"]
    text = client.get("/get_file", params={**asked, "file_type": "txt_call"})
    assert WORDS in " ".join(text.text.split())
    document = docx.Document(io.BytesIO(client.get("/get_file", params={**asked, "file_type": "docx_call"}).content))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    assert "Partially" in " ".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def test_T_18_a_call_is_found_by_what_was_said_at_once_and_from_the_index(
    system: LocalSystem, client: httpx.Client, clip: Path
) -> None:
    name = f"Operator {uuid.uuid4()}"
    code = said(add_call(client, clip.read_bytes(), operator_name=name))["code"]
    asked = {"operator_name": name, "message": WORDS}
    assert ended(client, code)["status"] == "completed"
    assert found(client, **asked) == [code]
    wait_for(lambda: changes_left(system) == 0, "the index to take everything in", timeout_s=3 * WAIT_S)
    assert found(client, **asked) == [code]
    assert found(client, operator_name=name, message="a word that nobody said") == []
    assert found(client, **asked, status="error") == []


def test_T_12_T_A12_a_duplicate_and_what_is_no_recording_are_refused_and_cost_nothing(
    system: LocalSystem, client: httpx.Client, clip: Path
) -> None:
    name, before = new_name(), available(system, Account.CALL_SECONDS)
    said(add_call(client, clip.read_bytes(), file_name=name))
    made = count_jobs(system)
    said(add_call(client, clip.read_bytes(), file_name=name), 4091)
    assert add_call(client, b"no recording at all").json()["error_code"] in (4025, 4026)
    assert add_call(client, clip.read_bytes()[:2_000]).json()["error_code"] in (4025, 4026, 4092)
    said(add_call(client, b""), 4024)
    said(add_call(client, clip.read_bytes(), call_datetime="2025-10-20T10:00:00"), 4001)
    assert count_jobs(system) == made
    assert before - available(system, Account.CALL_SECONDS) == CLIP_S


def test_T_13_a_call_by_its_link_is_fetched(system: LocalSystem, client: httpx.Client, clip: Path) -> None:
    with MediaServer(clip.read_bytes()) as media:
        made = said(client.post("/addtaskcallbyurl", json={"file_url": media.url(), "operator_name": "Petrov"}))
        assert WORDS in ended(client, made["code"])["task_result"]["original_text"]
        said(client.post("/addtaskcallbyurl", json={"file_url": media.url("/nowhere.wav")}), 4024)
    assert paid(system, made["code"]) == CLIP_S


def test_T_15_the_sound_of_a_video_is_fetched_by_a_process_of_its_own(
    system: LocalSystem, client: httpx.Client, clip: Path
) -> None:
    with MediaServer(clip.read_bytes()) as media:
        made = said(client.post("/addtaskyoutube", json={"file_path": media.url()}))
        done = ended(client, made["code"])
    assert (done["type"], done["status"]) == ("youtubenew", "completed"), done
    assert WORDS in done["task_result"]["original_text"]
    assert paid(system, made["code"]) == CLIP_S
    said(client.post("/addtaskyoutube", json={"file_path": "https://example.com/a.mp4"}), 4017)


def test_T_16_a_chat_is_completed_without_a_worker(system: LocalSystem, client: httpx.Client) -> None:
    before = available(system, Account.CHATS)
    with worker_paused(system):
        made = said(client.post("/add_chat_analysis_task", json={"text": "Customer: where is my parcel 4711?"}))
        done = ended(client, made["task_code"])
    assert (done["type"], done["status"], done["task_length"]) == ("chat", "completed", 0)
    assert "parcel 4711" in done["task_result"]["original_text"]
    assert made["task_code"] in found(client, task_type="chat", message="parcel")
    assert before - available(system, Account.CHATS) == 1
    assert paid(system, made["task_code"]) == 1


def test_T_17_a_report_ends_in_an_error_and_its_quota_comes_back(system: LocalSystem, client: httpx.Client) -> None:
    before = available(system, Account.REPORTS)
    wanted = {"start_date": "2025-10-01", "end_date": "2025-10-31", "report_type": "business"}
    made = said(client.post("/user/callreport", json=wanted))
    assert made["available_report_count"] == before - 1
    done = ended(client, made["report_task_code"])
    assert (done["type"], done["status"], done["report_type"]) == ("callreport", "error", "business")
    assert done["error_message"]
    assert available(system, Account.REPORTS) == before
    assert_nets_zero(system, made["report_task_code"], EntryKind.HOLD, EntryKind.RELEASE)


def test_T_L1_a_long_form_passes_through_the_door(system: LocalSystem, client: httpx.Client) -> None:
    seconds = ABOVE_THE_GATEWAYS_LIMIT_BYTES // (2 * sounds.LINE_RATE_HZ)
    audio = sounds.padded(sounds.cut("librivox-0880"), seconds=seconds, rate_hz=sounds.LINE_RATE_HZ)
    answer = add_call(client, audio)
    assert answer.headers.get("via") == VIA_DOOR
    code = said(answer)["code"]
    assert job_of(system, code).audio is not None
    assert ended(client, code)["task_length"] == round(seconds / 60, 2)


def test_T_L1_a_form_that_only_the_door_can_take_is_told_so_where_there_is_none(
    system: LocalSystem, client: httpx.Client
) -> None:
    files = {"file": (new_name(), bytes(4_200_000))}
    with gateway_alone(system) as front:
        url = f"{front.base_url}/addtaskcall"
        refused = httpx.post(url, files=files, headers=client.headers, trust_env=False, timeout=WAIT_S)
    # What is before the handlers answers by itself, and so by HTTP's own status: the document cannot promise a 200.
    assert (refused.status_code, "more than 4000000 bytes" in refused.json()["message"]) == (413, True)


def test_T_01_T_02_every_answer_is_http_200_on_every_path_of_the_contract(
    system: LocalSystem, client: httpx.Client
) -> None:
    said(httpx.get(f"{system.base_url}/user/tariff", trust_env=False), 4023)
    said(client.get("/tasks/nowhere"), 4041)
    said(client.put("/gettask"), 4041)
    said(client.post("/checklist", content=b"no json", headers={"content-type": "application/json"}), 4001)
    document = client.get("/transcripto/openapi.json").json()
    assert len(document["paths"]) > 30


def test_T_12_a_task_that_is_made_starts_one_execution(system: LocalSystem, client: httpx.Client, clip: Path) -> None:
    code = said(add_call(client, clip.read_bytes()))["code"]
    ended(client, code)
    assert executions_of(system, code) == [code]
