"""Logging in, tokens and their renewal, Basic everywhere: what is let in, what is refused, and that refusals look alike."""

import base64
import json
from typing import Any

import jwt
import pytest

from callscribe.domain.accounts import Scope
from callscribe.ports import Settings
from callscribe.services import accounts, tokens, users
from tests.dialects.conftest import Answer, Client
from tests.dialects.mor.world import JOBS, LOGIN, PLAIN, REFRESH, USAGE, SomeUser, World, basic

DAY_S = 86_400


@pytest.fixture
def user(world: World) -> SomeUser:
    return world.user()


def log_in(world: World, user: SomeUser) -> dict[str, Any]:
    session: dict[str, Any] = world.anonymous.send("POST", LOGIN, headers=user.header).json
    return session


def usage(world: World, token: str) -> int:
    return world.anonymous.with_token(token).send("GET", USAGE).status


def is_refused(answer: Answer) -> bool:
    return (answer.status, set(answer.json), answer.json["code"]) == (401, {"error", "code"}, "unauthenticated")


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("base", [PLAIN, f"{PLAIN}/ai"])
def test_M_02_user_name_and_password_give_a_token(world: World, user: SomeUser, method: str, base: str) -> None:
    answer = world.anonymous.send(method, f"{base}/authentication/login", headers=user.header)
    assert answer.status == 200
    assert usage(world, answer.json["token"]) == 200


def test_M_A5_the_tokens_have_all_their_common_names(world: World, user: SomeUser) -> None:
    session = log_in(world, user)
    assert set(session) == {
        "token",
        "access_token",
        "refresh_token",
        "token_type",
        "expires_in",
        "refresh_expires_in",
    }
    assert session["token"] == session["access_token"] != session["refresh_token"]
    assert (session["token_type"], session["expires_in"], session["refresh_expires_in"]) == ("Bearer", 900, 7 * DAY_S)


def test_M_02_the_answer_with_the_tokens_is_not_to_be_cached(world: World, user: SomeUser) -> None:
    assert world.anonymous.send("POST", LOGIN, headers=user.header).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("carrier", ["body", "bearer", "body beside an old access token"])
def test_M_03_a_refresh_token_gives_new_tokens_in_either_place(world: World, user: SomeUser, carrier: str) -> None:
    session = log_in(world, user)
    world.clock.advance(1_000)
    refresh_token = session["refresh_token"]
    sender = world.anonymous
    if carrier == "bearer":
        answer = sender.with_token(refresh_token).send("POST", REFRESH)
    elif carrier == "body":
        answer = sender.send("POST", REFRESH, fields={"refresh_token": refresh_token})
    else:
        answer = sender.with_token(session["token"]).send("POST", REFRESH, fields={"refresh_token": refresh_token})
    assert (answer.status, set(answer.json)) == (200, set(session))
    assert answer.json["refresh_token"] != refresh_token
    assert (usage(world, session["token"]), usage(world, answer.json["token"])) == (401, 200)


def test_M_03_a_refresh_token_that_is_used_late_again_ends_the_log_in(world: World, user: SomeUser) -> None:
    first = log_in(world, user)
    second = world.anonymous.send("POST", REFRESH, fields={"refresh_token": first["refresh_token"]}).json
    world.clock.advance(30)
    assert world.anonymous.send("POST", REFRESH, fields={"refresh_token": first["refresh_token"]}).status == 200
    world.clock.advance(1)
    assert is_refused(world.anonymous.send("POST", REFRESH, fields={"refresh_token": first["refresh_token"]}))
    assert is_refused(world.anonymous.send("POST", REFRESH, fields={"refresh_token": second["refresh_token"]}))
    assert usage(world, second["token"]) == 401


@pytest.mark.parametrize("given", ["", "x", "csr_", "csr_AAAA", "ü", "a" * 10_000, "a.b.c"])
def test_M_03_what_is_no_refresh_token_is_refused(world: World, given: str) -> None:
    answer = world.anonymous.send("POST", REFRESH, fields={"refresh_token": given})
    assert is_refused(answer)
    assert answer.headers["www-authenticate"] == 'Bearer realm="callscribe"'


def test_M_03_an_access_token_is_no_refresh_token_nor_the_other_way_round(world: World, user: SomeUser) -> None:
    session = log_in(world, user)
    assert is_refused(world.anonymous.with_token(session["token"]).send("POST", REFRESH))
    assert usage(world, session["refresh_token"]) == 401


@pytest.mark.parametrize(("body", "status"), [(b"", 401), (b"{}", 401), (b'{"refresh_token": null}', 401), (b'{"refresh_token": 7}', 400), (b"refresh_token=x", 400), (b"[]", 400), (b"null", 400)])  # fmt: skip
def test_M_03_a_request_without_a_refresh_token_is_refused(world: World, body: bytes, status: int) -> None:
    answer = world.anonymous.send("POST", REFRESH, headers={"content-type": "application/json"}, body=body)
    assert (answer.status, set(answer.json)) == (status, {"error", "code"})


def test_M_04_an_access_token_lives_fifteen_minutes(world: World, user: SomeUser) -> None:
    session = log_in(world, user)
    world.clock.advance(899)
    assert usage(world, session["token"]) == 200
    world.clock.advance(1)
    assert usage(world, session["token"]) == 401


def test_M_04_a_refresh_token_lives_seven_days(world: World, user: SomeUser) -> None:
    used, kept = log_in(world, user), log_in(world, user)
    world.clock.advance(7 * DAY_S - 1)
    assert world.anonymous.send("POST", REFRESH, fields={"refresh_token": used["refresh_token"]}).status == 200
    world.clock.advance(1)
    assert is_refused(world.anonymous.send("POST", REFRESH, fields={"refresh_token": kept["refresh_token"]}))


def test_M_04_a_client_that_refreshes_every_fifteen_minutes_stays_logged_in(world: World, user: SomeUser) -> None:
    session = log_in(world, user)
    for _ in range(8 * 96):  # more than seven days
        world.clock.advance(900)
        fields = {"refresh_token": session["refresh_token"]}
        session = world.anonymous.send("POST", REFRESH, fields=fields).json
    assert usage(world, session["token"]) == 200


def test_M_A4_the_token_says_fifteen_minutes_and_names_its_real_issuer(world: World, user: SomeUser) -> None:
    claims = jwt.decode(log_in(world, user)["token"], options={"verify_signature": False})
    assert (claims["exp"] - claims["iat"], claims["iss"]) == (900, "callscribe")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_M_05_the_token_is_carried_as_bearer(world: World, user: SomeUser, scheme: str) -> None:
    token = log_in(world, user)["token"]
    assert world.anonymous.send("GET", USAGE, headers={"authorization": f"{scheme} {token}"}).status == 200


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Token {token}", "{token}", "Basic {token}", "Bearer {token} x", "Bearer null"])  # fmt: skip
def test_M_05_other_authorization_headers_are_refused(world: World, user: SomeUser, value: str) -> None:
    token = log_in(world, user)["token"]
    answer = world.anonymous.send("GET", USAGE, headers={"authorization": value.replace("{token}", token)})
    assert is_refused(answer)
    schemes = answer.headers["www-authenticate"]
    assert "Bearer " in schemes
    assert "Basic " in schemes


def test_M_05_a_token_of_another_dialect_is_good_here_for_the_same_identity(world: World) -> None:
    key, _ = accounts.create_key(world.deps, tenant_id=world.tenant(), name="a key")
    issued = tokens.issue(world.deps, accounts.principal_of(key))
    assert usage(world, issued.token) == 200


def test_M_05_an_api_key_is_taken_as_bearer_or_by_its_id_as_basic(world: World) -> None:
    key, secret = accounts.create_key(world.deps, tenant_id=world.tenant(), name="a key")
    assert usage(world, secret) == 200
    assert world.anonymous.send("GET", USAGE, headers=basic(key.id, secret)).status == 200
    assert is_refused(world.anonymous.send("GET", USAGE, headers=basic("app-0000000000000000", secret)))
    session = world.anonymous.send("POST", LOGIN, headers=basic(key.id, secret)).json
    accounts.revoke_key(world.deps, tenant_id=key.tenant_id, key_id=key.id)
    assert usage(world, secret) == usage(world, session["token"]) == 401
    assert is_refused(world.anonymous.send("POST", REFRESH, fields={"refresh_token": session["refresh_token"]}))


def test_M_06_user_name_and_password_are_taken_at_every_endpoint(world: World, user: SomeUser) -> None:
    sender = world.anonymous
    made = sender.send("POST", JOBS, fields={}, headers=user.header)
    assert made.status == 201
    path = f"{JOBS}/{made.json['id']}"
    world.complete(made.json["uuid"])
    answers = [
        sender.send("GET", USAGE, headers=user.header),
        sender.send("GET", path, headers=user.header),
        sender.send("POST", f"{path}/transcript", headers=user.header),
        sender.send("POST", f"{path}/download/txt", headers=user.header),
        sender.send("DELETE", path, headers=user.header),
    ]
    assert [answer.status for answer in answers] == [200] * len(answers)


def test_M_06_the_operator_may_take_them_at_the_login_alone() -> None:
    world = World(settings=Settings(basic_everywhere=False))
    user = world.user()
    answer = world.anonymous.send("GET", USAGE, headers=user.header)
    assert is_refused(answer)
    assert answer.headers["www-authenticate"] == 'Bearer realm="callscribe"'
    assert usage(world, log_in(world, user)["token"]) == 200


def test_M_06_a_user_may_do_what_its_scopes_say(world: World) -> None:
    reader = world.user(scopes=frozenset({Scope.READ}))
    assert world.anonymous.send("GET", USAGE, headers=reader.header).status == 200
    assert world.anonymous.send("POST", JOBS, fields={}, headers=reader.header).status == 403
    assert world.anonymous.with_token(log_in(world, reader)["token"]).send("POST", JOBS, fields={}).status == 403


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ann", "one:two::three"),
        ("ricardc\x13", "9kAXZZu?rjMbk$Rh"),
        ("ünïcödé 你好", "🎧\x00\x7f"),
        ("\x00", ":"),
        (" ann ", "\n"),
    ],
)
def test_M_A3_any_character_may_stand_in_name_and_password_which_end_at_the_first_colon(
    world: World, username: str, password: str
) -> None:
    user = world.user(username=username, password=password)
    assert world.anonymous.send("POST", LOGIN, headers=user.header).status == 200


def test_M_A3_bytes_that_are_no_utf_8_are_read_as_latin_1(world: World) -> None:
    world.user(username="Jürgen", password="straße")
    header = {"authorization": "Basic " + base64.b64encode("Jürgen:straße".encode("latin-1")).decode()}
    assert world.anonymous.send("POST", LOGIN, headers=header).status == 200


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic é",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"\xff" * 5_000 + b":" + b"\xfe" * 5_000).decode(),
        "Bearer x",
        "Digest username=x",
    ],
)
@pytest.mark.parametrize("path", [LOGIN, USAGE])
def test_M_02_M_06_a_credential_that_is_none_is_refused_in_our_shape(world: World, value: str, path: str) -> None:
    answer = world.anonymous.send("GET", path, headers={"authorization": value})
    assert is_refused(answer)
    if path == LOGIN:
        assert answer.headers["www-authenticate"] == 'Basic realm="callscribe", charset="UTF-8"'


def test_M_02_an_unknown_user_and_a_wrong_password_get_the_same_answer(world: World, user: SomeUser) -> None:
    wrong = basic(user.username, "wrong")
    unknown = basic("nobody", user.password)
    for path in (LOGIN, USAGE):
        answers = [world.anonymous.send("GET", path, headers=headers) for headers in (wrong, unknown)]
        assert answers[0] == answers[1]
        assert is_refused(answers[0])


@pytest.mark.parametrize("path", [LOGIN, USAGE])
@pytest.mark.parametrize("username", ["ricardc", "nobody"])
def test_M_16_too_many_failed_logins_of_an_address_are_429_whoever_was_meant(path: str, username: str) -> None:
    world = World(settings=Settings(failed_logins=2))
    user, method = world.user(username="ricardc"), "POST" if path == LOGIN else "GET"
    answers = [world.anonymous.send(method, path, headers=basic(username, "wrong")) for _ in range(3)]
    assert [answer.status for answer in answers] == [401, 401, 429]
    assert answers[2].json["code"] == "too_many_requests"
    wait_s = int(answers[2].headers["retry-after"])
    assert 0 < wait_s <= 900
    assert world.anonymous.send(method, path, headers=basic(username, user.password)).status == 429
    world.clock.advance(wait_s)
    assert world.anonymous.send(method, path, headers=user.header).status == 200


def test_M_02_a_user_that_was_disabled_is_shut_out_at_once(world: World, user: SomeUser) -> None:
    session = log_in(world, user)
    (known,) = users.list_users(world.deps, user.tenant_id)
    users.disable_user(world.deps, tenant_id=user.tenant_id, user_id=known.id)
    assert usage(world, session["token"]) == 401
    assert is_refused(world.anonymous.send("POST", LOGIN, headers=user.header))
    assert is_refused(world.anonymous.send("POST", REFRESH, fields={"refresh_token": session["refresh_token"]}))


def part(fields: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


def test_M_05_forged_tokens_are_refused(world: World, client: Client) -> None:
    claims = jwt.decode(str(client.token), options={"verify_signature": False})
    signing = world.deps.keyring.derive("access-token")
    forged = [
        part({"alg": "none", "typ": "JWT", "kid": "1"}) + "." + part(claims) + ".",
        jwt.encode(claims, b"k" * 32, algorithm="HS256", headers={"kid": "1"}),
        jwt.encode({**claims, "tenant": "t0000000000000000"}, signing, algorithm="HS256", headers={"kid": "1"}),
        jwt.encode({**claims, "iss": "Flash Calls API"}, b"k" * 32, algorithm="HS256", headers={"kid": "1"}),
        str(client.token)[:-6] + "AAAAAA",
    ]
    assert [usage(world, token) for token in forged] == [401] * len(forged)
