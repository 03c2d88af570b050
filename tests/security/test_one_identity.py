"""One identity for all dialects: a token holds wherever its tenant goes, and nowhere else."""

from dataclasses import replace

import jwt
import pytest

from callscribe import names
from callscribe.services import accounts, refresh, tokens, users
from tests.dialects.conftest import Answer
from tests.security import matrix
from tests.security.places import Route
from tests.security.refusals import NUMBERS
from tests.security.table import ROWS
from tests.security.tenants import Stranger, Town, town

JOBS = f"{names.DIALECTS['mor']}/ai/transcriptions"
REFRESH = f"{names.DIALECTS['mor']}/ai/authentication/refresh"
POLL = "/api/v1/get-transcription"
TOKENS = ("presign", "mor", "mor user", "transcripto")
AS_STATUS = {200: 200, 4021: 404, 4023: 401}  # what dialect `transcripto` means by its numbers
SCOPED = [
    (dialect, route)
    for dialect in names.DIALECTS
    for route, access in matrix.routes_of(dialect).items()
    if access.scope is not None
]
ROUTE_IDS = [f"{dialect}: {' '.join(route)}" for dialect, route in SCOPED]


@pytest.fixture(scope="module")
def built() -> Town:
    return town()


@pytest.fixture
def where(built: Town) -> Town:
    """As it was built, for every test."""
    built.stage.restore(built.saved)
    return built


def polled(where: Town, token: str, request_id: str) -> Answer:
    return where.stage.client("presign", token).send("POST", POLL, fields={"requestId": request_id})


def seen(where: Town, token: str, given: str) -> Answer:
    return where.stage.client("mor", token).send("GET", f"{JOBS}/{given}")


def statuses(where: Town, token: str, who: Stranger) -> set[int]:
    """How a token is answered at every dialect that takes tokens, asked for a job of somebody."""
    request_id = who.jobs["completed"].id
    task = where.stage.client("transcripto", token).send("GET", "/gettask", query=f"task_code={request_id}")
    return {polled(where, token, request_id).status, seen(where, token, request_id).status, AS_STATUS[task.outcome]}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_holds_at_every_dialect_for_its_own_tenant_alone(where: Town, kind: str) -> None:
    for who, other in ((where.anna, where.bert), (where.bert, where.anna)):
        assert statuses(where, who.tokens[kind], who) == {200}
        assert statuses(where, who.tokens[kind], other) == {404}


@pytest.mark.parametrize("state", ["completed", "of presign", "of aivoco"])
def test_a_job_of_one_dialect_is_seen_at_the_others_by_its_uuid_and_its_number(where: Town, state: str) -> None:
    job, token = where.anna.jobs[state], where.anna.tokens["mor"]
    for given in (job.id, job.id.upper(), str(job.number)):
        assert polled(where, token, given).json["requestId"] == job.id
        assert (seen(where, token, given).json["id"], seen(where, token, given).json["uuid"]) == (job.number, job.id)


@pytest.mark.parametrize(("dialect", "route"), SCOPED, ids=ROUTE_IDS)
def test_a_refresh_token_is_no_access_token_anywhere(where: Town, dialect: str, route: Route) -> None:
    request = ROWS[dialect][route].request(where.anna)
    asked = request.with_header("Authorization", f"Bearer {where.anna.refresh_token}")
    before = where.stage.state()
    answer = where.stage.ask(dialect, route[0], asked.filled_path, **asked.sent)
    assert answer.outcome == NUMBERS.get(dialect, {}).get(401, 401)
    assert where.stage.state() == before


def test_neither_an_access_token_nor_a_refresh_token_is_a_key_of_aivoco(where: Town) -> None:
    for secret in (*where.anna.tokens.values(), where.anna.refresh_token):
        for headers, fields in (({}, {"api_key": secret}), ({"X-API-Key": secret}, {}), ({"Authorization": f"Bearer {secret}"}, {})):  # fmt: skip
            sent = {**fields, "audio_data": "UklGRg=="}
            answer = where.stage.client("aivoco").send("POST", "/transcribe", fields=sent, headers=headers)
            assert (answer.status, answer.json) == (401, {"error": "Invalid API key"})


def test_an_access_token_and_a_key_are_no_refresh_tokens(where: Town) -> None:
    for secret in (*where.anna.tokens.values(), where.anna.secret, where.anna.link_token):
        assert where.stage.client("mor").send("POST", REFRESH, fields={"refresh_token": secret}).status == 401
        assert where.stage.client("mor", secret).send("POST", REFRESH, fields={}).status == 401


def test_a_renewed_token_is_still_of_the_same_tenant(where: Town) -> None:
    renewed = where.stage.client("mor").send("POST", REFRESH, fields={"refresh_token": where.bert.refresh_token})
    token = renewed.json["access_token"]
    assert statuses(where, token, where.bert) == {200}
    assert statuses(where, token, where.anna) == {404}


def test_a_revoked_key_ends_its_tokens_at_every_dialect_at_once(where: Town) -> None:
    anna = where.anna
    accounts.revoke_key(where.stage.deps, tenant_id=anna.tenant_id, key_id=anna.key_id)
    for kind in ("presign", "mor"):
        assert statuses(where, anna.tokens[kind], anna) == {401}
    assert statuses(where, anna.tokens["mor user"], anna) == {200}
    fields = {"api_key": anna.secret, "audio_data": "UklGRg=="}
    assert where.stage.client("aivoco").send("POST", "/transcribe", fields=fields).status == 401


def test_a_disabled_user_is_shut_out_of_every_dialect_at_once(where: Town) -> None:
    anna = where.anna
    users.disable_user(where.stage.deps, tenant_id=anna.tenant_id, user_id=anna.user_id)
    assert statuses(where, anna.tokens["mor user"], anna) == {401}
    assert statuses(where, anna.tokens["mor"], anna) == {200}


def test_a_stolen_refresh_token_ends_its_login_at_every_dialect(where: Town) -> None:
    anna, client = where.anna, where.stage.client("mor")
    first = client.send("POST", REFRESH, fields={"refresh_token": anna.refresh_token}).json
    where.stage.clock.advance(where.stage.settings.refresh_grace_s + 1)
    assert client.send("POST", REFRESH, fields={"refresh_token": anna.refresh_token}).status == 401
    for token in (first["access_token"], anna.tokens["mor user"]):
        assert statuses(where, token, anna) == {401}


def test_a_token_of_another_stage_with_the_same_root_key_opens_nothing(where: Town) -> None:
    anna, deps = where.anna, where.stage.deps
    elsewhere = replace(deps, settings=replace(deps.settings, stage="prod"))
    principal = accounts.identify(deps, tenant_id=anna.tenant_id, key_id=anna.key_id)
    session = refresh.log_in(elsewhere, principal, life_s=900)
    assert statuses(where, tokens.issue(elsewhere, principal).token, anna) == {401}
    assert statuses(where, session.access.token, anna) == {401}
    renewed = where.stage.client("mor").send("POST", REFRESH, fields={"refresh_token": session.refresh_token})
    assert renewed.status == 401


@pytest.mark.parametrize("claim", ["tenant", "sub", "sid"])
def test_a_token_that_mixes_two_tenants_opens_nothing_even_if_it_is_signed(where: Town, claim: str) -> None:
    """Nobody but us can sign: should a defect ever mix two tenants, look-ups by tenant and id still refuse it."""
    anna, bert = (
        jwt.decode(who.tokens["mor user"], options={"verify_signature": False}) for who in (where.anna, where.bert)
    )
    key = where.stage.deps.keyring.derive("access-token")
    mixed = jwt.encode({**bert, claim: anna[claim]}, key, algorithm="HS256", headers={"kid": "1"})
    for who in (where.anna, where.bert):
        assert statuses(where, mixed, who) == {401}
    control = jwt.encode(bert, key, algorithm="HS256", headers={"kid": "1"})
    assert statuses(where, control, where.bert) == {200}
