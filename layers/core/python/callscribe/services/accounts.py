"""Tenants and their API keys: made, listed, revoked, and asked who somebody is."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from callscribe.domain.accounts import (
    ALL_SCOPES,
    ApiKey,
    ApiKeyDigest,
    Scope,
    Tenant,
    digest_key,
    format_key,
    well_formed,
)
from callscribe.domain.records import delete, insert, update
from callscribe.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from callscribe.ports import Deps

_PEPPER = "api-key-pepper"
_LAST_USED_STEP_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, as its verified credential says."""

    tenant_id: str
    key_id: str
    scopes: frozenset[Scope]
    options: tuple[str, ...] = ()


def create_tenant(deps: Deps, *, name: str) -> Tenant:
    """Add a tenant; its id is random, its webhook secret derived from the current root key."""
    if not name.strip():
        raise Invalid("name", "must not be empty")
    tenant = Tenant(
        id=f"t{deps.random_bytes(8).hex()}",
        name=name.strip(),
        created_at_ms=deps.now_ms(),
        webhook_key_ids=(f"{deps.keyring.current}.1",),
    )
    deps.store.commit(insert(tenant))
    return tenant


def get_tenant(deps: Deps, tenant_id: str) -> Tenant:
    """Raises NotFound."""
    tenant = deps.store.get(Tenant, tenant_id)
    if tenant is None:
        raise NotFound(f"no tenant {tenant_id}")
    return tenant


def webhook_secrets(deps: Deps, tenant_id: str) -> tuple[str, ...]:
    """The secrets that sign this tenant's callbacks: the current one first, then the one before it."""
    key_ids = get_tenant(deps, tenant_id).webhook_key_ids
    return tuple(deps.keyring.webhook_secret(tenant_id, key_id) for key_id in key_ids)


def rotate_webhook_secret(deps: Deps, tenant_id: str) -> str:
    """Make a new current secret and keep the present one as the second signature; returns the new secret."""
    tenant = get_tenant(deps, tenant_id)
    number = 1 + max(int(key_id.partition(".")[2]) for key_id in tenant.webhook_key_ids)
    key_ids = (f"{deps.keyring.current}.{number}", tenant.webhook_key_ids[0])
    deps.store.commit(update(tenant, webhook_key_ids=key_ids))
    return deps.keyring.webhook_secret(tenant_id, key_ids[0])


def create_key(
    deps: Deps,
    *,
    tenant_id: str,
    name: str,
    scopes: Iterable[Scope] = ALL_SCOPES,
    expires_at_ms: int | None = None,
    options: Iterable[str] = (),
) -> tuple[ApiKey, str]:
    """Add a key; returns its record and the secret, which is shown this once and not kept."""
    get_tenant(deps, tenant_id)
    secret = format_key(deps.random_bytes(32))
    key = ApiKey(
        tenant_id=tenant_id,
        id=f"app-{deps.random_bytes(8).hex()}",
        name=name,
        digest=digest_key(secret, pepper=deps.keyring.derive(_PEPPER)),
        hint=secret[-4:],
        scopes=frozenset(scopes),
        created_at_ms=deps.now_ms(),
        expires_at_ms=expires_at_ms,
        options=tuple(sorted(set(options))),
    )
    deps.store.commit(insert(key), insert(ApiKeyDigest(key.digest, tenant_id, key.id)))
    return key, secret


def list_keys(deps: Deps, tenant_id: str) -> list[ApiKey]:
    """All keys of a tenant, newest first, revoked ones included."""
    return list(deps.store.listed(ApiKey, tenant_id))


def revoke_key(deps: Deps, *, tenant_id: str, key_id: str) -> ApiKey:
    """End a key at once; its tokens end with it. Revoking twice changes nothing. Raises NotFound."""
    key = deps.store.get(ApiKey, tenant_id, key_id)
    if key is None:
        raise NotFound(f"no key {key_id}")
    if key.revoked_at_ms is not None:
        return key
    change = update(key, revoked_at_ms=deps.now_ms())
    lookup = deps.store.get(ApiKeyDigest, key.digest)
    deps.store.commit(change, *([delete(lookup)] if lookup else []))
    revoked: ApiKey = change.after
    return revoked


def authenticate(deps: Deps, *, key_id: str, secret: str) -> ApiKey:
    """The key that a client presented by id and secret. Raises Unauthenticated, always in the same words."""
    key = _find_by_secret(deps, secret)
    if key is None or not hmac.compare_digest(key.id.encode(), key_id.encode()):
        raise Unauthenticated("the credential is not valid")
    if not key.usable(now_ms=deps.now_ms()):
        raise Unauthenticated("the credential is not valid")
    _note_use(deps, key)
    return key


def identify(deps: Deps, *, tenant_id: str, key_id: str) -> Principal:
    """The principal of a key that is still usable, read afresh. Raises Unauthenticated."""
    key = deps.store.get(ApiKey, tenant_id, key_id)
    if key is None or not key.usable(now_ms=deps.now_ms()):
        raise Unauthenticated("the credential is not valid")
    return Principal(tenant_id, key_id, key.scopes, key.options)


def require(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden when the credential lacks the scope."""
    if scope not in principal.scopes:
        raise Forbidden(scope)


def _find_by_secret(deps: Deps, secret: str) -> ApiKey | None:
    if not well_formed(secret):
        return None
    for root_id in deps.keyring.roots:  # after a rotation, keys made before it keep working
        digest = digest_key(secret, pepper=deps.keyring.derive(_PEPPER, root_id=root_id))
        lookup = deps.store.get(ApiKeyDigest, digest)
        if lookup is not None:
            return deps.store.get(ApiKey, lookup.tenant_id, lookup.key_id)
    return None


def _note_use(deps: Deps, key: ApiKey) -> None:
    """Remember roughly when a key was last used; losing a race costs nothing."""
    now_ms = deps.now_ms()
    if key.last_used_at_ms is not None and now_ms - key.last_used_at_ms < _LAST_USED_STEP_MS:
        return
    try:
        deps.store.commit(update(key, last_used_at_ms=now_ms))
    except Conflict:
        return
