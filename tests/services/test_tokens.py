"""safety.md figure 10: attacks on our access tokens."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from callscribe.adapters.memory import ManualClock, memory_deps
from callscribe.domain.accounts import ApiKey, Scope
from callscribe.domain.keyring import KeyRing
from callscribe.errors import Unauthenticated
from callscribe.ports import Deps, Settings
from callscribe.services import accounts, tokens


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
    "rubbish": lambda *_: "rubbish",
    "empty": lambda *_: "",
    "bytes that are no text": lambda *_: "\udcff.\udcff.\udcff",
    "a header that is a list": lambda *_: "W10.e30.x",
}


def test_a_genuine_token_is_accepted() -> None:
    deps, key = with_key()
    assert tokens.verify(deps, forge(deps, key)).key_id == key.id


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_token_is_refused(attack: str) -> None:
    deps, key = with_key()
    with pytest.raises(Unauthenticated):
        tokens.verify(deps, ATTACKS[attack](deps, key))


def test_a_token_lives_for_exactly_two_hours() -> None:
    clock = ManualClock()
    deps, key = with_key(now_ms=clock)
    issued = tokens.issue(deps, key)
    assert issued.expires_in_s == 7_200
    clock.advance(7_199)
    assert tokens.verify(deps, issued.token).scopes == frozenset(Scope)
    clock.advance(1)
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify(deps, issued.token)


def test_revoking_a_key_ends_its_tokens_at_once() -> None:
    deps, key = with_key()
    token = tokens.issue(deps, key).token
    accounts.revoke_key(deps, tenant_id=key.tenant_id, key_id=key.id)
    with pytest.raises(Unauthenticated):
        tokens.verify(deps, token)


def test_a_token_signed_before_a_rotation_of_the_root_key_is_still_accepted() -> None:
    old = b"an old root key that is 32 bytes"
    deps, key = with_key(keyring=KeyRing("1", {"1": old}))
    token = tokens.issue(deps, key).token
    rotated = memory_deps(store=deps.store, keyring=KeyRing("2", {"2": b"n" * 32, "1": old}), now_ms=deps.now_ms)
    assert tokens.verify(rotated, token).key_id == key.id


def test_a_token_of_another_stage_is_refused() -> None:
    deps, key = with_key()
    token = tokens.issue(deps, key).token
    other = memory_deps(store=deps.store, settings=Settings(stage="prod"), now_ms=deps.now_ms)
    with pytest.raises(Unauthenticated):
        tokens.verify(other, token)
