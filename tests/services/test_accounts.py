import dataclasses

import pytest

from callscribe.adapters.memory import ManualClock, memory_deps
from callscribe.domain.accounts import ApiKey, Scope, well_formed
from callscribe.domain.keyring import KeyRing
from callscribe.errors import Forbidden, Invalid, NotFound, Unauthenticated
from callscribe.ports import Deps
from callscribe.services import accounts


def tenant_of(deps: Deps, name: str = "Example") -> str:
    return accounts.create_tenant(deps, name=name).id


def test_a_key_opens_its_tenant_and_is_never_stored() -> None:
    deps = memory_deps()
    key, secret = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    assert accounts.authenticate(deps, key_id=key.id, secret=secret).tenant_id == key.tenant_id
    stored = [repr(dataclasses.asdict(row)) for row in deps.store.all(ApiKey)]  # type: ignore[attr-defined]  # only the fake lists everything
    assert not any(secret in row for row in stored)


def test_a_key_has_the_documented_form_and_its_checksum_finds_typos() -> None:
    deps = memory_deps()
    _, secret = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    assert secret.startswith("cs_live_")
    assert len(secret) == len("cs_live_") + 36
    assert well_formed(secret)
    for position in range(len("cs_live_"), len(secret)):
        typo = secret[:position] + ("a" if secret[position] != "a" else "b") + secret[position + 1 :]
        assert not well_formed(typo)


@pytest.mark.parametrize("wrong", ["", "cs_live_", "x" * 44, "cs_live_" + "é" * 36])
def test_a_malformed_secret_is_refused_like_an_unknown_one(wrong: str) -> None:
    deps = memory_deps()
    key, _ = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    with pytest.raises(Unauthenticated, match="the credential is not valid"):
        accounts.authenticate(deps, key_id=key.id, secret=wrong)


def test_a_secret_with_another_keys_id_is_refused() -> None:
    deps = memory_deps()
    tenant_id = tenant_of(deps)
    _, secret = accounts.create_key(deps, tenant_id=tenant_id, name="one")
    other, _ = accounts.create_key(deps, tenant_id=tenant_id, name="two")
    with pytest.raises(Unauthenticated):
        accounts.authenticate(deps, key_id=other.id, secret=secret)


def test_an_expired_key_and_a_revoked_key_are_refused() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    tenant_id = tenant_of(deps)
    brief, brief_secret = accounts.create_key(deps, tenant_id=tenant_id, name="brief", expires_at_ms=clock() + 1_000)
    ended, ended_secret = accounts.create_key(deps, tenant_id=tenant_id, name="ended")
    accounts.revoke_key(deps, tenant_id=tenant_id, key_id=ended.id)
    clock.advance(1)
    for key, secret in ((brief, brief_secret), (ended, ended_secret)):
        with pytest.raises(Unauthenticated):
            accounts.authenticate(deps, key_id=key.id, secret=secret)
        with pytest.raises(Unauthenticated):
            accounts.identify(deps, tenant_id=tenant_id, key_id=key.id)


def test_revoking_twice_keeps_the_first_moment() -> None:
    clock = ManualClock()
    deps = memory_deps(now_ms=clock)
    tenant_id = tenant_of(deps)
    key, _ = accounts.create_key(deps, tenant_id=tenant_id, name="main")
    first = accounts.revoke_key(deps, tenant_id=tenant_id, key_id=key.id)
    clock.advance(10)
    assert accounts.revoke_key(deps, tenant_id=tenant_id, key_id=key.id) == first


def test_a_key_of_another_tenant_cannot_be_revoked() -> None:
    deps = memory_deps()
    key, _ = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    with pytest.raises(NotFound):
        accounts.revoke_key(deps, tenant_id=tenant_of(deps, "Other"), key_id=key.id)


def test_a_scope_that_the_key_lacks_is_forbidden() -> None:
    deps = memory_deps()
    key, _ = accounts.create_key(deps, tenant_id=tenant_of(deps), name="none", scopes=())
    principal = accounts.identify(deps, tenant_id=key.tenant_id, key_id=key.id)
    with pytest.raises(Forbidden, match="transcribe"):
        accounts.require(principal, Scope.TRANSCRIBE)


def test_keys_made_before_a_rotation_of_the_root_key_still_open() -> None:
    old, new = b"o" * 32, b"n" * 32
    deps = memory_deps(keyring=KeyRing("1", {"1": old}))
    key, secret = accounts.create_key(deps, tenant_id=tenant_of(deps), name="main")
    rotated = memory_deps(store=deps.store, keyring=KeyRing("2", {"2": new, "1": old}))
    assert accounts.authenticate(rotated, key_id=key.id, secret=secret).id == key.id


def test_a_rotated_webhook_secret_signs_beside_the_one_before_it() -> None:
    deps = memory_deps()
    tenant_id = tenant_of(deps)
    (before,) = accounts.webhook_secrets(deps, tenant_id)
    after = accounts.rotate_webhook_secret(deps, tenant_id)
    assert accounts.webhook_secrets(deps, tenant_id) == (after, before)
    newest = accounts.rotate_webhook_secret(deps, tenant_id)
    assert accounts.webhook_secrets(deps, tenant_id) == (newest, after)


def test_tenants_have_different_webhook_secrets() -> None:
    deps = memory_deps()
    secrets = {accounts.webhook_secrets(deps, tenant_of(deps, name)) for name in ("a", "b", "c")}
    assert len(secrets) == 3


def test_a_tenant_needs_a_name() -> None:
    with pytest.raises(Invalid, match="name"):
        accounts.create_tenant(memory_deps(), name="  ")
