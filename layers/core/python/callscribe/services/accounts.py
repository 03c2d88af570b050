"""Tenants and their API keys: made, listed, revoked, and asked who somebody is."""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict, Unpack

from callscribe.domain.accounts import (
    DIRECTORY,
    USER_PREFIX,
    USUAL_SCOPES,
    ApiKey,
    ApiKeyDigest,
    Scope,
    Tenant,
    TenantEntry,
    User,
    digest_key,
    format_key,
    well_formed,
)
from callscribe.domain.call_facts import CallFacts
from callscribe.domain.prices import Account, Plan
from callscribe.domain.records import delete, insert, update
from callscribe.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from callscribe.ports import Deps

_PEPPER = "api-key-pepper"
_LAST_USED_STEP_MS = 3_600_000
_TRIES = 5  # of a change that lost a race; each one reads again
_SOURCE_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([^/].*)", re.DOTALL)
_MAX_URI_BYTES = 1_024  # of an object's key
MAX_TERMS, MAX_TERM_CHARACTERS = 100, 64  # of a vocabulary; a recogniser takes in fewer than these


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, as its verified credential says."""

    tenant_id: str
    key_id: str  # of the key, or of the user
    scopes: frozenset[Scope]
    options: tuple[str, ...] = ()
    pays_from: Account | None = None
    tokens_from_ms: int = 0  # tokens that were issued before are void


class TenantFields(TypedDict, total=False):
    """What `change_tenant` changes; see `Tenant`."""

    plan: Plan | None
    call: CallFacts
    vocabulary: tuple[str, ...]
    source_uris: tuple[str, ...]


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
    deps.store.commit(insert(tenant), insert(TenantEntry(DIRECTORY, tenant.id, tenant.created_at_ms)))
    return tenant


def list_tenants(deps: Deps) -> list[Tenant]:
    """All tenants of the stage, newest first. One that was made moments ago may be missing."""
    found = [deps.store.get(Tenant, entry.tenant_id) for entry in deps.store.listed(TenantEntry, DIRECTORY)]
    return [tenant for tenant in found if tenant is not None]


def change_tenant(deps: Deps, tenant_id: str, **fields: Unpack[TenantFields]) -> Tenant:
    """Change what a tenant pays, what is known of its calls, which words fall there, or where audio may be read from.

    Jobs under way keep what they were made with. Raises Invalid, NotFound, and TypeError for another field.
    """
    _check_fields(fields)
    for _ in range(_TRIES):
        change = update(get_tenant(deps, tenant_id), **fields)
        try:
            deps.store.commit(change)
        except Conflict:
            continue
        changed: Tenant = change.after
        return changed
    raise Unavailable(f"tenant {tenant_id} changed too often")


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
    scopes: Iterable[Scope] = USUAL_SCOPES,
    expires_at_ms: int | None = None,
    options: Iterable[str] = (),
    pays_from: Account | None = None,
) -> tuple[ApiKey, str]:
    """Add a key; returns its record and the secret, which is shown this once and not kept.

    Its jobs are paid from the account `pays_from`, else from that of the tenant's plan. Raises NotFound.
    """
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
        pays_from=pays_from,
    )
    deps.store.commit(insert(key), insert(ApiKeyDigest(key.digest, tenant_id, key.id)))
    return key, secret


def list_keys(deps: Deps, tenant_id: str) -> list[ApiKey]:
    """All keys of a tenant, newest first, revoked ones included."""
    return list(deps.store.listed(ApiKey, tenant_id))


def revoke_key(deps: Deps, *, tenant_id: str, key_id: str) -> ApiKey:
    """End a key at once; its tokens end with it. Revoking twice changes nothing. Raises NotFound."""
    for _ in range(_TRIES):
        key = deps.store.get(ApiKey, tenant_id, key_id)
        if key is None:
            raise NotFound(f"no key {key_id}")
        if key.revoked_at_ms is not None:
            return key
        change = update(key, revoked_at_ms=deps.now_ms())
        lookup = deps.store.get(ApiKeyDigest, key.digest)
        try:
            deps.store.commit(change, *([delete(lookup)] if lookup else []))
        except Conflict:  # it has just been used
            continue
        revoked: ApiKey = change.after
        return revoked
    raise Unavailable(f"key {key_id} changed too often")


def authenticate(deps: Deps, *, key_id: str, secret: str) -> ApiKey:
    """The key that a client presented by id and secret. Raises Unauthenticated, always in the same words."""
    key = _find_by_secret(deps, secret)
    if key is None or not hmac.compare_digest(key.id.encode(), key_id.encode("utf-8", "surrogatepass")):
        raise _refused()
    return _used(deps, key)


def principal_by_key(deps: Deps, secret: str) -> Principal:
    """Whose key a client presented by its secret alone. Raises Unauthenticated, always in the same words."""
    key = _find_by_secret(deps, secret)
    if key is None:
        raise _refused()
    return principal_of(_used(deps, key))


def identify(deps: Deps, *, tenant_id: str, key_id: str) -> Principal:
    """The principal of a key or a user that may still come in, read afresh. Raises Unauthenticated."""
    if key_id.startswith(USER_PREFIX):
        return _identify_user(deps, tenant_id, key_id)
    key = deps.store.get(ApiKey, tenant_id, key_id)
    if key is None or not key.usable(now_ms=deps.now_ms()):
        raise _refused()
    return principal_of(key)


def principal_of(holder: ApiKey | User) -> Principal:
    """What a key or a user that has proved itself may do."""
    if isinstance(holder, User):
        return Principal(holder.tenant_id, holder.id, holder.scopes, tokens_from_ms=holder.tokens_from_ms)
    return Principal(holder.tenant_id, holder.id, holder.scopes, holder.options, holder.pays_from)


def require(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden when the credential lacks the scope."""
    if scope not in principal.scopes:
        raise Forbidden(scope)


def _refused() -> Unauthenticated:
    return Unauthenticated("the credential is not valid")


def _identify_user(deps: Deps, tenant_id: str, user_id: str) -> Principal:
    user = deps.store.get(User, tenant_id, user_id)
    if user is None or user.disabled_at_ms is not None:
        raise _refused()
    return principal_of(user)


def _used(deps: Deps, key: ApiKey) -> ApiKey:
    if not key.usable(now_ms=deps.now_ms()):
        raise _refused()
    _note_use(deps, key)
    return key


def _check_fields(fields: TenantFields) -> None:
    if unknown := fields.keys() - TenantFields.__annotations__.keys():
        raise TypeError(f"a tenant's {', '.join(sorted(unknown))} cannot be changed")
    plan = fields.get("plan")
    if plan is not None and min(plan.credits_m_per_s, plan.units_m_per_s) < 0:
        raise Invalid("plan", "a price must not be negative")
    if "call" in fields and fields["call"].agent_channel not in (None, 0, 1):
        raise Invalid("agent_channel", "must be 0 or 1")
    _check_vocabulary(fields.get("vocabulary", ()))
    for uri in fields.get("source_uris", ()):
        found = _SOURCE_URI.fullmatch(uri)
        if found is None or not uri.isprintable() or len(found[1].encode()) > _MAX_URI_BYTES:
            raise Invalid("source_uris", "must be s3://bucket/prefix")


def _check_vocabulary(terms: tuple[str, ...]) -> None:
    if len(terms) > MAX_TERMS:
        raise Invalid("vocabulary", f"has {len(terms)} terms; at most {MAX_TERMS} are allowed")
    for term in terms:
        if not (term.strip() == term and term.isprintable() and 1 <= len(term) <= MAX_TERM_CHARACTERS):
            rule = f"a term has 1 to {MAX_TERM_CHARACTERS} printable characters, none a space at its ends"
            raise Invalid("vocabulary", f"{term[:MAX_TERM_CHARACTERS]!r}: {rule}")


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
