"""safety.md figure 10: attacks on our access tokens."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from callscribe.adapters.memory import ManualClock, memory_deps
from callscribe.domain.accounts import USUAL_SCOPES, ApiKey
from callscribe.domain.keyring import KeyRing
from callscribe.errors import Unauthenticated
from callscribe.ports import Deps, Settings
from callscribe.services import accounts, refresh, tokens


def with_key(**overrides: Any) -> tuple[Deps, ApiKey]:
    deps = memory_deps(**overrides)
    tenant = accounts.create_tenant(deps, name="Example")
    key, _ = accounts.create_key(deps, tenant_id=tenant.id, name="key")
    return deps, key


def forge(
    deps: Deps,
    key: ApiKey,
    *,
    headers: dict[str, Any] | None = None,
    secret: Any = None,
    algorithm: str = "HS256",
    **changes: Any,
) -> str:
    now_s = deps.now_ms() // 1000
    claims = {
        "iss": "callscribe",
        "aud": deps.settings.stage,
        "sub": key.id,
        "tenant": key.tenant_id,
        "jti": "x",
        "iat": now_s,
        "exp": now_s + 100,
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    signing = deps.keyring.derive("access-token") if secret is None else secret
    return jwt.encode(claims, signing, algorithm=algorithm, headers={"kid": "1", **(headers or {})})


def unsigned(deps: Deps, key: ApiKey) -> str:
    _, body, _ = forge(deps, key).split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "1"}).encode()).decode().rstrip("=")
    return f"{none}.{body}."


def with_flipped_bit(token: str) -> str:
    head, body, signature = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[0] ^= 1
    return f"{head}.{body}.{base64.urlsafe_b64encode(bytes(raw)).decode().rstrip('=')}"


def by_public_text(deps: Deps, key: ApiKey, algorithm: str) -> str:
    """Another algorithm in the header than the one that made the signature, which is right for the bytes."""
    _, body, _ = forge(deps, key).split(".")
    head = encoded({"alg": algorithm, "typ": "JWT", "kid": "1"})
    proof = hmac.new(deps.keyring.derive("access-token"), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def with_payload_swapped(deps: Deps, key: ApiKey) -> str:
    """The signature of a genuine token below the claims of another."""
    head, _, proof = forge(deps, key).split(".")
    _, body, _ = forge(deps, key, exp=deps.now_ms() // 1000 + 10_000).split(".")
    return f"{head}.{body}.{proof}"


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def refresh_token(deps: Deps, key: ApiKey) -> str:
    return refresh.log_in(deps, accounts.principal_of(key), life_s=900).refresh_token


def other_purpose(deps: Deps, key: ApiKey) -> str:
    """Signed by a key of ours that is meant for something else."""
    return forge(deps, key, secret=deps.keyring.derive("refresh-token/local"))


def forge_raw(deps: Deps, key: ApiKey, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """As `forge`, past the checks of the library that would write it."""
    _, body, _ = forge(deps, key).split(".")
    claims = {**json.loads(base64.urlsafe_b64decode(body + "==")), **changes}
    said = f"{encoded(header or {'alg': 'HS256', 'kid': '1'})}.{encoded(claims)}"
    proof = hmac.new(deps.keyring.derive("access-token"), said.encode(), hashlib.sha256).digest()
    return f"{said}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def login_of_another(deps: Deps, key: ApiKey) -> str:
    other, _ = accounts.create_key(deps, tenant_id=key.tenant_id, name="other")
    session = refresh.log_in(deps, accounts.principal_of(other), life_s=900)
    return str(jwt.decode(session.access.token, options={"verify_signature": False})["sid"])


ATTACKS: dict[str, Callable[[Deps, ApiKey], str]] = {
    "unsigned (alg none)": unsigned,
    "a flipped bit in the signature": lambda deps, key: with_flipped_bit(forge(deps, key)),
    "no signature": lambda deps, key: forge(deps, key).rsplit(".", 1)[0] + ".",
    "another secret": lambda deps, key: forge(deps, key, secret=b"x" * 32),
    "another algorithm": lambda deps, key: forge(deps, key, algorithm="HS512"),
    "an unknown key id": lambda deps, key: forge(deps, key, headers={"kid": "9"}),
    "a key id that is a path": lambda deps, key: forge(deps, key, headers={"kid": "../../dev/null"}),
    "expired": lambda deps, key: forge(deps, key, exp=deps.now_ms() // 1000),
    "no expiry": lambda deps, key: forge(deps, key, exp=None),
    "another stage": lambda deps, key: forge(deps, key, aud="prod"),
    "another issuer": lambda deps, key: forge(deps, key, iss="someone"),
    "issued in the future": lambda deps, key: forge(
        deps, key, iat=deps.now_ms() // 1000 + 3600, exp=deps.now_ms() // 1000 + 7200
    ),
    "another tenant": lambda deps, key: forge(deps, key, tenant="t-other"),
    "no tenant": lambda deps, key: forge(deps, key, tenant=None),
    "an expiry that is no number": lambda deps, key: forge(deps, key, exp="tomorrow"),
    "issued by a key that is too short": lambda deps, key: forge(deps, key, secret=b"short"),
    "RS256 in the header of an HMAC": lambda deps, key: by_public_text(deps, key, "RS256"),
    "none in the header of an HMAC": lambda deps, key: by_public_text(deps, key, "none"),
    "the algorithm in another case": lambda deps, key: by_public_text(deps, key, "hs256"),
    "the payload of another token": with_payload_swapped,
    "not valid before an hour from now": lambda deps, key: forge(deps, key, nbf=deps.now_ms() // 1000 + 3600),
    "a refresh token": refresh_token,
    "signed for another purpose": other_purpose,
    "no key id": lambda deps, key: forge_raw(deps, key, header={"alg": "HS256"}),
    "a key id that is a list": lambda deps, key: forge_raw(deps, key, header={"alg": "HS256", "kid": ["1"]}),
    "an empty key id": lambda deps, key: forge(deps, key, headers={"kid": ""}),
    "no time of issue": lambda deps, key: forge(deps, key, iat=None),
    "no subject": lambda deps, key: forge(deps, key, sub=None),
    "no token id": lambda deps, key: forge(deps, key, jti=None),
    "no stage": lambda deps, key: forge(deps, key, aud=None),
    "no issuer": lambda deps, key: forge(deps, key, iss=None),
    "another subject": lambda deps, key: forge(deps, key, sub="app-0"),
    "a user that does not exist": lambda deps, key: forge(deps, key, sub="user-0"),
    "a subject that is no text": lambda deps, key: forge_raw(deps, key, sub=7),
    "an unknown login": lambda deps, key: forge(deps, key, sid="login-0"),
    "a login that is no text": lambda deps, key: forge(deps, key, sid=["login-0"]),
    "the login of another key": lambda deps, key: forge(deps, key, sid=login_of_another(deps, key)),
    "rubbish": lambda *_: "rubbish",
    "empty": lambda *_: "",
    "bytes that are no text": lambda *_: "\udcff.\udcff.\udcff",
    "a header that is a list": lambda *_: "W10.e30.x",
}


def test_a_genuine_token_is_accepted() -> None:
    deps, key = with_key()
    assert tokens.verify(deps, forge(deps, key)).key_id == key.id


def test_the_control_of_the_raw_forger_is_accepted() -> None:
    deps, key = with_key()
    assert tokens.verify(deps, forge_raw(deps, key)).key_id == key.id
    assert tokens.verify(deps, by_public_text(deps, key, "HS256")).key_id == key.id


def test_at_least_12_attacks_are_tried() -> None:
    assert len(ATTACKS) >= 12


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_token_is_refused(attack: str) -> None:
    deps, key = with_key()
    with pytest.raises(Unauthenticated):
        tokens.verify(deps, ATTACKS[attack](deps, key))


def test_a_token_lives_for_exactly_two_hours() -> None:
    clock = ManualClock()
    deps, key = with_key(now_ms=clock)
    issued = tokens.issue(deps, accounts.principal_of(key))
    assert issued.expires_in_s == 7_200
    clock.advance(7_199)
    assert tokens.verify(deps, issued.token).scopes == USUAL_SCOPES
    clock.advance(1)
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify(deps, issued.token)


def test_revoking_a_key_ends_its_tokens_at_once() -> None:
    deps, key = with_key()
    token = tokens.issue(deps, accounts.principal_of(key)).token
    accounts.revoke_key(deps, tenant_id=key.tenant_id, key_id=key.id)
    with pytest.raises(Unauthenticated):
        tokens.verify(deps, token)


def test_a_token_signed_before_a_rotation_of_the_root_key_is_still_accepted() -> None:
    old = b"an old root key that is 32 bytes"
    deps, key = with_key(keyring=KeyRing("1", {"1": old}))
    token = tokens.issue(deps, accounts.principal_of(key)).token
    rotated = memory_deps(store=deps.store, keyring=KeyRing("2", {"2": b"n" * 32, "1": old}), now_ms=deps.now_ms)
    assert tokens.verify(rotated, token).key_id == key.id


def test_a_token_of_another_stage_is_refused() -> None:
    deps, key = with_key()
    token = tokens.issue(deps, accounts.principal_of(key)).token
    other = memory_deps(store=deps.store, settings=Settings(stage="prod"), now_ms=deps.now_ms)
    with pytest.raises(Unauthenticated):
        tokens.verify(other, token)


def test_a_token_lives_as_long_as_it_was_asked_for() -> None:
    clock = ManualClock()
    deps, key = with_key(now_ms=clock)
    issued = tokens.issue(deps, accounts.principal_of(key), life_s=900)
    assert issued.expires_in_s == 900
    clock.advance(899)
    tokens.verify(deps, issued.token)
    clock.advance(1)
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify(deps, issued.token)


def test_a_token_names_the_root_key_that_signed_it_and_ends_when_that_is_dropped() -> None:
    old, new = b"o" * 32, b"n" * 32
    deps, key = with_key(keyring=KeyRing("1", {"1": old}))
    token = tokens.issue(deps, accounts.principal_of(key)).token
    assert jwt.get_unverified_header(token)["kid"] == "1"
    both = memory_deps(store=deps.store, keyring=KeyRing("2", {"2": new, "1": old}), now_ms=deps.now_ms)
    assert jwt.get_unverified_header(tokens.issue(both, accounts.principal_of(key)).token)["kid"] == "2"
    dropped = memory_deps(store=deps.store, keyring=KeyRing("2", {"2": new}), now_ms=deps.now_ms)
    with pytest.raises(Unauthenticated):
        tokens.verify(dropped, token)


def test_every_token_is_another() -> None:
    deps, key = with_key()
    assert len({tokens.issue(deps, accounts.principal_of(key)).token for _ in range(20)}) == 20
