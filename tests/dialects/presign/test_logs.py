"""What is logged: one line for each request, and never a secret, a token or what somebody said."""

import io
import logging

import pytest

from callscribe.dialects.presign import routes
from callscribe.errors import FailureCode
from callscribe.services import accounts, jobs
from tests.dialects.presign.world import CALLBACK_URL, TOKEN, UPLOAD, World, basic


def test_no_secret_token_or_transcript_is_logged_on_any_route(
    world: World, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    key, secret = world.key()
    client = world.anonymous.with_token(
        world.anonymous.send("POST", TOKEN, headers=basic(key.id, secret)).json["accessToken"]
    )
    job = world.complete(world.request(client, callbackUrl=CALLBACK_URL))
    link_token = jobs.result_link(world.deps, job).rpartition("/")[2]
    world.fail(world.request(client), FailureCode.INTERNAL)
    fields = {"requestId": job.id, "mimeType": "audio/wav", "client_id": key.id, "client_secret": secret}
    for method, path in routes.ROUTES:
        for sender in (client, world.anonymous, client.with_token(f"{client.token}x")):
            for body in (fields, {"requestId": secret, "mimeType": secret, "callbackUrl": [secret]}, [secret]):
                sender.send(method, path.replace("<token>", link_token), fields=body, query=f"key={secret}")
    world.results.put(job.transcript_key, b'{"schema": 1, "segments": [{"text": "mock transcription text"}]}')
    assert world.poll(client, job.id).status == 500
    logged = log.getvalue() + "".join(capfd.readouterr())
    assert logged.count("route=") >= 6 * 9
    assert "unexpected error" in logged
    webhook_secret = accounts.webhook_secrets(world.deps, key.tenant_id)[0]
    canaries = [
        secret,
        str(client.token),
        str(client.token).rpartition(".")[2],
        link_token,
        webhook_secret,
        "mock transcription",
    ]
    assert [canary for canary in canaries if canary in logged] == []


def test_each_request_is_one_line_that_names_the_route_and_the_tenant(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    client = world.client()
    caplog.clear()  # of the token's own line, where an earlier test has set the level
    with caplog.at_level(logging.INFO, logger="callscribe"):
        request_id = world.request(client)
        world.anonymous.send("GET", "/api/v1/transcriptions/abc")
    upload, link = caplog.messages
    assert upload.startswith(f"route={UPLOAD} status=200 tenant={world.job(request_id).tenant_id} ")
    assert link.startswith("route=/api/v1/transcriptions/<token> status=404 tenant=- ")
