"""What is logged: one line for each request, and never a secret, a token, an address or what somebody said."""

import base64
import io
import logging

import pytest

from callscribe.dialects.mor import routes
from callscribe.services import accounts, recordings
from tests.dialects.conftest import Client
from tests.dialects.mor.world import CALLBACK_URL, JOBS, LOGIN, World

PASSWORD = "canary-password-7d1f"
USERNAME = "canary-user-93aa"
SECRET_URL = "https://recordings.example.com/canary-path-51ce?token=canary-query-06b2"


def test_no_secret_token_or_transcript_is_logged_on_any_route(
    world: World, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    user = world.user(username=USERNAME, password=PASSWORD)
    session = world.anonymous.send("POST", LOGIN, headers=user.header).json
    key, secret = accounts.create_key(world.deps, tenant_id=user.tenant_id, name="a key")
    client = world.anonymous.with_token(session["token"])
    recordings.add(world.deps, tenant_id=user.tenant_id, recording_id="canary-call-2b8d", url=SECRET_URL)
    job = world.complete(world.create(client, callback_url=CALLBACK_URL)["uuid"])
    for token in (session["token"], None, secret, session["refresh_token"]):
        send_everything(world.anonymous.with_token(token), job.number, (secret, session["refresh_token"]), {})
    for header in (user.header, {"authorization": f"Basic {PASSWORD}"}):
        send_everything(world.anonymous, job.number, (secret,), header)
    world.fetch()
    world.results.put(job.transcript_key, b'{"schema": 1, "segments": [{"text": "good morning"}]}')
    assert client.send("POST", f"{JOBS}/{job.number}/transcript").status == 500
    for _ in range(2):
        client.send("DELETE", f"{JOBS}/{job.number}")
    logged = log.getvalue() + "".join(capfd.readouterr())
    assert logged.count("route=") >= 20 * 18
    assert "unexpected error" in logged
    webhook_secret = accounts.webhook_secrets(world.deps, key.tenant_id)[0]
    link_token = jobs_link(world, job.id)
    credential = user.header["authorization"].removeprefix("Basic ")
    canaries = [
        *(secret, session["token"], session["token"].rpartition(".")[2], session["refresh_token"]),
        *(webhook_secret, link_token, PASSWORD, USERNAME, credential, base64.b64encode(PASSWORD.encode()).decode()),
        *("good morning", "canary-path", "canary-query", "canary-call"),
    ]
    assert [canary for canary in canaries if canary in logged] == []


def send_everything(sender: Client, number: int, secrets: tuple[str, ...], headers: dict[str, str]) -> None:
    """Every kind of body, with secrets where they belong and where they do not, to every route that keeps the job."""
    bodies: list[dict[str, object]] = [
        {"recording_id": "canary-call-2b8d", "agent_name": PASSWORD},
        {"recording_url": SECRET_URL, "callback_url": SECRET_URL},
        {"refresh_token": secrets[-1]},
        {"recording_id": [secrets[0]], "language": PASSWORD},
    ]
    for method, path in routes.ROUTES:
        target = path.replace("<id>", str(number)).replace("<format>", "txt")
        for fields in bodies if method != "DELETE" else ():
            sender.send(method, target, fields=fields, query=f"key={secrets[0]}", headers=headers)


def jobs_link(world: World, uuid: str) -> str:
    """The token that opens a job's transcript without a credential."""
    tenant_id = next(iter({tenant.id for tenant in accounts.list_tenants(world.deps)}))
    return world.deps.keyring.derive(f"result-link/{tenant_id}/{uuid}").hex()


def test_each_request_is_one_line_that_names_the_route_and_the_tenant(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    client = world.client()
    with caplog.at_level(logging.INFO, logger="callscribe"):
        made = world.create(client)
        world.anonymous.send("GET", f"{JOBS}/{made['uuid']}")
    created, refused = caplog.messages
    assert created.startswith(f"route={JOBS} status=201 tenant={world.tenant_of(client)} ")
    assert refused.startswith(f"route={JOBS}/<id> status=401 tenant=- ")
