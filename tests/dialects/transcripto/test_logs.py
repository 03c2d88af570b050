"""What is logged: one line for each request, and never a secret, a token, a file or what somebody said."""

import io
import logging

import pytest

from callscribe.dialects.transcripto import routes
from callscribe.services import accounts
from tests.dialects.conftest import Client
from tests.dialects.transcripto.world import AUDIO_URL, World, client_hash, multipart

PASSWORD = "canary-password-7d1f"
EMAIL = "canary-user-93aa@example.com"
CAPTCHA = "canary-captcha-5f0e"
SECRET_URL = "https://recordings.example.com/canary-path-51ce.wav?token=canary-query-06b2"
FILE = b"RIFF canary-file-b1c3"
CHAT = "canary-chat-77d0 said something"
VIDEO = "https://www.youtube.com/watch?v=canaryVid01"
WORDS = "canary-words-1a2b"


def test_T_01_T_10_no_secret_token_file_or_word_is_logged_on_any_route(
    world: World, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    user = world.user(email=EMAIL, password=PASSWORD)
    _, secret = accounts.create_key(world.deps, tenant_id=user.tenant_id, name="a key")
    given = {**user.log_in, "captcha_token": CAPTCHA}
    token = world.anonymous.send("POST", "/auth/login", fields=given).json["token"]
    world.downloads.files[SECRET_URL] = FILE
    code = world.completed(world.anonymous.with_token(token), file=FILE, file_name="canary-name-9c.wav")
    for sender in (token, None, secret, f"{token}x"):
        send_everything(world.anonymous.with_token(sender), code, secret, given)
    world.results.put(world.job(code).transcript_key, b'{"schema": 1, "segments": [{"text": "good morning"}]}')
    broken = world.anonymous.with_token(token).send("GET", "/gettask", query=f"task_code={code}")
    assert broken.outcome == 5000
    logged = log.getvalue() + "".join(capfd.readouterr())
    assert logged.count("route=") >= 4 * len(routes.ROUTES)
    assert "unexpected error" in logged
    canaries = [
        *(secret, token, token.rpartition(".")[2], PASSWORD, EMAIL, CAPTCHA, WORDS, FILE.decode(), "canary-chat"),
        *(client_hash(PASSWORD), client_hash(PASSWORD, "sha256"), "canary-path", "canary-query", "canary-name"),
        *("good morning", "canaryVid01"),
    ]
    assert [canary for canary in canaries if canary in logged] == []


def send_everything(sender: Client, code: str, secret: str, credentials: dict[str, str]) -> None:
    """Every kind of body, with secrets where they belong and where they do not, to every route."""
    bodies: list[object] = [
        credentials,
        {"file_url": SECRET_URL, "operator_name": WORDS},
        {"file_path": VIDEO, "file_lang": WORDS},
        {"text": CHAT, "chunks": [CHAT, {"role": "operator", "text": CHAT}]},
        {"name": WORDS, "criteria": {"message": WORDS}, "question": WORDS, "identifier": WORDS, "title": WORDS, "script_body": WORDS},
        {"message": WORDS, "operator_name": [secret], "task_code": secret, "password_hash": {"a": secret}},
        [{"checklist_id": 1, "answer": WORDS}],
    ]  # fmt: skip
    query = f"task_code={code}&file_type=txt_call&filename={WORDS}&message={WORDS}&key={secret}"
    for method, path in routes.ROUTES:
        target = path.partition("<")[0] + (code if "<" in path else "")
        for fields in bodies:
            sender.send(method, target, fields=fields, query=query)
        sender.send(method, target, **multipart({"operator_name": WORDS, "call_date": secret}, file=FILE), query=query)


def test_T_02_each_request_is_one_line_that_names_the_route_and_the_tenant(
    world: World, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    code = world.completed(client)
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="callscribe"):
        client.send("GET", f"/api/calls_analysis_v2/{code}")
        world.anonymous.send("POST", "/addtaskcallbyurl", fields={"file_url": AUDIO_URL})
        client.send("GET", f"/transcripto/{code}")
    known, refused, nowhere = caplog.messages
    assert known.startswith(f"route=/api/calls_analysis_v2/<task_code> status=200 tenant={world.tenant_of(client)} ")
    assert refused.startswith("route=/addtaskcallbyurl status=200 tenant=- ")
    assert nowhere.startswith("route=- status=200 tenant=- ")
