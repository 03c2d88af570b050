"""Log-ins that are kept alive by refresh tokens: opaque, each used once, none of them stored.

A token names its family (one log-in) and its generation, and proves them by an HMAC. Using the current one makes
the next; using the one before it gives, for a short while, that same successor again, because its answer may have
been lost or two requests may have crossed. Any other use of an old token means that somebody copied it, and ends
the family.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from callscribe.domain.accounts import RefreshFamily
from callscribe.domain.records import Change, insert, update
from callscribe.errors import Unauthenticated, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts, tokens
from callscribe.services.accounts import Principal
from callscribe.services.commits import committed
from callscribe.services.tokens import IssuedToken

PREFIX = "csr_"
_PURPOSE = "refresh-token"
_MAX_CHARACTERS = 512
_TRIES = 5  # of a step that lost a race; each one reads again and decides again
_KEPT_AFTER_S = 86_400  # longer than any access token lives that was issued at the last moment


@dataclass(frozen=True, slots=True)
class Session:
    """An access token, and the refresh token that gives the next one, good for `refresh_expires_in_s`."""

    access: IssuedToken
    refresh_token: str
    refresh_expires_in_s: int


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a refresh token says."""

    tenant_id: str
    family_id: str
    generation: int
    root_id: str


def log_in(deps: Deps, principal: Principal, *, life_s: int) -> Session:
    """Begin a family for somebody who has just proved who he is; `life_s` is the access token's."""
    now_ms = deps.now_ms()
    family = RefreshFamily(
        tenant_id=principal.tenant_id,
        id=f"login-{deps.random_bytes(12).hex()}",
        subject_id=principal.key_id,
        started_at_ms=now_ms,
        generation=1,
        root_id=deps.keyring.current,
        rotated_at_ms=now_ms,
        **_ends(deps, now_ms),
    )
    deps.store.commit(insert(family))
    return _session(deps, principal, family, life_s)


def renew(deps: Deps, refresh_token: str, *, life_s: int) -> Session:
    """The next session of a log-in. Raises Unauthenticated for a token that is forged, expired, foreign or revoked.

    A token that was used before revokes its family, access tokens included, unless it is the last one used and
    `settings.refresh_grace_s` have not passed.
    """
    claim = _verified(deps, refresh_token)
    for _ in range(_TRIES):
        family = _family(deps, claim)
        principal = accounts.identify(deps, tenant_id=family.tenant_id, key_id=family.subject_id)
        if not family.good_for(principal.key_id, since_ms=principal.tokens_from_ms):
            raise _refused()
        if _repeated(deps, family, claim):
            return _session(deps, principal, family, life_s)
        change = _next(deps, family, claim)
        if not committed(deps, change):
            continue
        if change.after.revoked_at_ms is not None:
            raise _refused()
        return _session(deps, principal, change.after, life_s)
    raise Unavailable("this log-in changed too often")


def _family(deps: Deps, claim: _Claim) -> RefreshFamily:
    family = deps.store.get(RefreshFamily, claim.tenant_id, claim.family_id)
    if family is None or family.revoked_at_ms is not None or deps.now_ms() >= family.expires_at_ms:
        raise _refused()
    if claim.generation > family.generation:  # only a table that was restored from a backup can meet it
        raise _refused()
    return family


def _repeated(deps: Deps, family: RefreshFamily, claim: _Claim) -> bool:
    """Whether the token is the one before the current, so lately used that its successor may be given again."""
    age_ms = deps.now_ms() - family.rotated_at_ms
    return claim.generation == family.generation - 1 and age_ms <= 1000 * deps.settings.refresh_grace_s


def _next(deps: Deps, family: RefreshFamily, claim: _Claim) -> Change:
    """Rotation for the current token, revocation for any other."""
    now_ms = deps.now_ms()
    if claim.generation != family.generation:
        return update(family, revoked_at_ms=now_ms)
    return update(
        family,
        generation=family.generation + 1,
        root_id=deps.keyring.current,
        rotated_at_ms=now_ms,
        **_ends(deps, now_ms),
    )


def _ends(deps: Deps, rotated_at_ms: int) -> dict[str, int]:
    expires_at_ms = rotated_at_ms + 1000 * deps.settings.refresh_life_s
    return {"expires_at_ms": expires_at_ms, "forget_at_ms": expires_at_ms + 1000 * _KEPT_AFTER_S}


def _session(deps: Deps, principal: Principal, family: RefreshFamily, life_s: int) -> Session:
    """With the family's current refresh token, which is the same however often it is asked for."""
    if family.root_id not in deps.keyring.roots:
        raise _refused()
    claim = _Claim(family.tenant_id, family.id, family.generation, family.root_id)
    access = tokens.issue(deps, principal, life_s=life_s, family_id=family.id)
    left_ms = family.expires_at_ms - deps.now_ms()
    return Session(access, _written(deps, claim), -(-left_ms // 1000))  # a new one has all of its seconds


def _written(deps: Deps, claim: _Claim) -> str:
    """`csr_` + base64url of tenant, family, generation, root key, and an HMAC over them that holds for this stage."""
    said = f"{claim.tenant_id}.{claim.family_id}.{claim.generation}.{claim.root_id}".encode()
    key = deps.keyring.derive(f"{_PURPOSE}/{deps.settings.stage}", root_id=claim.root_id)
    proof = hmac.new(key, said, hashlib.sha256).digest()
    return PREFIX + base64.urlsafe_b64encode(said + b"." + proof).decode().rstrip("=")


def _verified(deps: Deps, token: str) -> _Claim:
    """What a token says, if we wrote exactly this text."""
    claim = _read(token)
    if claim is None or claim.root_id not in deps.keyring.roots:
        raise _refused()
    if not hmac.compare_digest(_written(deps, claim), token):
        raise _refused()
    return claim


def _read(token: str) -> _Claim | None:
    """What a text claims, unproved; None where it cannot be a token."""
    if not token.startswith(PREFIX) or not token.isascii() or len(token) > _MAX_CHARACTERS:
        return None
    text = token.removeprefix(PREFIX)
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        tenant_id, family_id, generation, root_id = raw[: -hashlib.sha256().digest_size - 1].decode("ascii").split(".")
        return _Claim(tenant_id, family_id, int(generation), root_id)
    except (binascii.Error, ValueError):
        return None


def _refused() -> Unauthenticated:
    return Unauthenticated("the refresh token is not valid")
