"""Access tokens and the credentials they are got with: what is refused, and that every refusal looks the same."""

import base64
import json

import jwt
import pytest

from callscribe.adapters.memory import memory_deps
from callscribe.domain.accounts import ApiKey
from callscribe.ports import Settings
from callscribe.services import accounts, tokens
from tests.dialects.conftest import Client
from tests.dialects.presign.world import TOKEN, UPLOAD, World, basic

SIGNING = "access-token"


def claims_of(client: Client) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(str(client.token), options={"verify_signature": False})
    return claims


def forged(
    world: World, claims: dict[str, object], *, key: bytes | None = None, kid: str = "1", algorithm: str = "HS256"
) -> str:
    return jwt.encode(claims, key or world.deps.keyring.derive(SIGNING), algorithm=algorithm, headers={"kid": kid})


def status(client: Client, token: str) -> int:
    return client.with_token(token).send("POST", UPLOAD, fields={"mimeType": "audio/wav"}).status


def part(fields: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


def test_P_02_a_token_made_as_we_make_it_is_accepted(world: World, client: Client) -> None:
    assert status(client, forged(world, claims_of(client))) == 200


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "another stage"},
        {"iss": "another issuer"},
        {"exp": 1_767_225_600},
        {"iat": 1_767_225_600 + 3_600},
        {"sub": "app-0000000000000000"},
        {"tenant": "t0000000000000000"},
        {"sub": 7},
        {"exp": "soon"},
        *({name: None} for name in ("exp", "iat", "sub", "jti", "aud", "iss", "tenant")),
    ],
)
def test_P_02_a_token_with_wrong_or_missing_claims_is_refused(
    world: World, client: Client, change: dict[str, object]
) -> None:
    claims = {name: value for name, value in {**claims_of(client), **change}.items() if value is not None}
    try:
        token = forged(world, claims)
    except TypeError:  # PyJWT itself will not sign such a claim
        token = sign_by_hand(world, claims)
    assert status(client, token) == 401


def sign_by_hand(world: World, claims: dict[str, object]) -> str:
    signer = jwt.get_algorithm_by_name("HS256")
    signed = part({"alg": "HS256", "kid": "1", "typ": "JWT"}) + "." + part(claims)
    signature = signer.sign(signed.encode(), signer.prepare_key(world.deps.keyring.derive(SIGNING)))
    return signed + "." + base64.urlsafe_b64encode(signature).decode().rstrip("=")


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")  # the attack signs HS512 with our 32 bytes
def test_P_02_a_token_by_another_key_or_algorithm_is_refused(world: World, client: Client) -> None:
    claims = claims_of(client)
    none = part({"alg": "none", "typ": "JWT", "kid": "1"}) + "." + part(claims) + "."
    attacks = [
        forged(world, claims, key=b"k" * 32),
        forged(world, claims, kid="2"),
        forged(world, claims, algorithm="HS512"),
        forged(world, claims, key=world.deps.keyring.derive("pepper")),
        none,
        none.replace(part({"alg": "none", "typ": "JWT", "kid": "1"}), part({"alg": "NONE", "kid": "1"})),
        part({"kid": ["1"], "alg": "HS256"}) + "." + part(claims) + ".AAAA",
        part({"kid": {"a": 1}, "alg": "HS256"}) + "." + part(claims) + ".AAAA",
    ]
    assert [status(client, token) for token in attacks] == [401] * len(attacks)


def test_P_02_a_token_changed_in_any_place_is_refused(world: World, client: Client) -> None:
    token = str(client.token)
    for place in range(0, len(token) - 1, 7):  # the last character's low bits mean nothing in base64
        other = "A" if token[place] != "A" else "B"
        assert status(client, token[:place] + other + token[place + 1 :]) == 401, place


@pytest.mark.parametrize("token", ["", " ", "x", "a.b.c", "....", "ü", "\x00", "a" * 10_000, "null", "undefined", "{}"])
def test_P_02_what_is_no_token_is_refused(client: Client, token: str) -> None:
    assert status(client, token) == 401


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "bearer", "Token {token}", "{token}", "Basic {token}", "Bearer {token} x", "Bearer {token},Bearer {token}"])  # fmt: skip
def test_P_02_other_authorization_headers_are_refused(client: Client, value: str) -> None:
    headers = {"authorization": value.replace("{token}", str(client.token))}
    assert client.with_token(None).send("POST", UPLOAD, headers=headers).status == 401


def test_P_02_the_scheme_may_be_written_in_any_case(client: Client) -> None:
    headers = {"authorization": f"BEARER  {client.token}"}
    assert client.with_token(None).send("POST", UPLOAD, fields={"mimeType": "audio/wav"}, headers=headers).status == 200


def test_P_02_a_token_of_another_stage_is_refused(world: World) -> None:
    elsewhere = memory_deps(store=world.store, settings=Settings(stage="prod"), now_ms=world.clock)
    key, _ = world.key()
    assert status(world.anonymous, tokens.issue(elsewhere, accounts.principal_of(key)).token) == 401
    assert status(world.anonymous, tokens.issue(world.deps, accounts.principal_of(key)).token) == 200


def test_P_02_a_revoked_key_ends_its_tokens_at_once(world: World) -> None:
    key, secret = world.key()
    token = world.anonymous.send("POST", TOKEN, headers=basic(key.id, secret)).json["accessToken"]
    assert status(world.anonymous, token) == 200
    accounts.revoke_key(world.deps, tenant_id=key.tenant_id, key_id=key.id)
    assert status(world.anonymous, token) == 401
    assert world.anonymous.send("POST", TOKEN, headers=basic(key.id, secret)).status == 401


def test_P_02_an_expired_key_gives_no_token_and_ends_its_tokens(world: World) -> None:
    key, secret = world.key(expires_at_ms=world.clock() + 1_000)
    token = world.anonymous.send("POST", TOKEN, headers=basic(key.id, secret)).json["accessToken"]
    world.clock.advance(1)
    assert status(world.anonymous, token) == 401
    assert world.anonymous.send("POST", TOKEN, headers=basic(key.id, secret)).status == 401


def _wrong_credentials(key: ApiKey, secret: str, other: ApiKey) -> list[dict[str, str]]:
    swapped = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    pairs = [
        (key.id, swapped),
        (other.id, secret),
        ("", secret),
        (key.id, ""),
        (key.id, secret + "x"),
        ("ü", "ü"),
        (secret, key.id),
    ]
    raw = [
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Basic bm9jb2xvbg==",
        f"Bearer {secret}",
    ]
    return [basic(*pair) for pair in pairs] + [{"authorization": value} for value in raw]


def test_P_10_wrong_credentials_all_get_401_in_the_contracts_shape(world: World) -> None:
    (key, secret), (other, _) = world.key(), world.key()
    for headers in _wrong_credentials(key, secret, other):
        answer = world.anonymous.send("POST", TOKEN, headers=headers)
        assert (answer.status, set(answer.json)) == (401, {"messsage", "message"}), headers
        assert answer.headers["www-authenticate"] == 'Basic realm="callscribe"'


def test_P_10_an_unknown_key_and_a_wrong_secret_get_the_same_answer(world: World) -> None:
    (key, secret), (other, _) = world.key(), world.key()
    wrong, unknown = basic(other.id, secret), basic("app-0000000000000000", secret)
    nonsense = basic(key.id, "cs_live_nonsense")
    answers = [world.anonymous.send("POST", TOKEN, headers=headers) for headers in (wrong, unknown, nonsense)]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("body", [b"", b"grant_type=client_credentials", b"{}", b'{"client_id": 1, "client_secret": "x"}', b"{", b"client_id=a", b"\xff"])  # fmt: skip
def test_P_10_a_request_without_a_credential_is_refused(world: World, body: bytes) -> None:
    answer = world.anonymous.send("POST", TOKEN, headers={"content-type": "application/json"}, body=body)
    assert answer.status in (400, 401)
    assert answer.json["messsage"] == answer.json["message"]


def test_P_10_the_answer_with_the_token_is_not_to_be_cached(world: World) -> None:
    key, secret = world.key()
    assert world.anonymous.send("POST", TOKEN, headers=basic(key.id, secret)).headers["cache-control"] == "no-store"
