"""Access tokens: JWTs that we issue and that only we verify. The one wrapper round PyJWT."""

from dataclasses import dataclass
from typing import Any

import jwt

from callscribe.domain.accounts import RefreshFamily
from callscribe.errors import Unauthenticated
from callscribe.ports import Deps
from callscribe.services import accounts
from callscribe.services.accounts import Principal

_ALGORITHM = "HS256"
_ISSUER = "callscribe"
_CLAIMS = ["exp", "iat", "sub", "jti", "aud", "iss"]
_CLOCK_SKEW_S = 60
_PURPOSE = "access-token"


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token and its life in seconds."""

    token: str
    expires_in_s: int


def issue(deps: Deps, principal: Principal, *, life_s: int | None = None, family_id: str | None = None) -> IssuedToken:
    """A token for somebody who has just proved who he is; valid for `life_s`, by default `settings.token_life_s`.

    With `family_id` it ends with that login, see `services.refresh`.
    """
    issued_s = deps.now_ms() // 1000
    valid_s = deps.settings.token_life_s if life_s is None else life_s
    claims = {
        "iss": _ISSUER,
        "aud": deps.settings.stage,
        "sub": principal.key_id,
        "tenant": principal.tenant_id,
        "jti": deps.random_bytes(12).hex(),
        "iat": issued_s,
        "exp": issued_s + valid_s,
        **({} if family_id is None else {"sid": family_id}),
    }
    root_id = deps.keyring.current  # asked once: the keyring may learn of a rotation between two questions
    signing_key = deps.keyring.derive(_PURPOSE, root_id=root_id)
    token = jwt.encode(claims, signing_key, algorithm=_ALGORITHM, headers={"kid": root_id})
    return IssuedToken(token, valid_s)


def verify(deps: Deps, token: str) -> Principal:
    """Who holds this token. Key or user, and login, are read each time: what has ended is refused at once.

    Raises Unauthenticated for a forged, foreign, malformed or expired token, for a key or user that has ended, and
    for a login that was revoked.
    """
    claims = _decode(deps, token)
    issued_s = _check_times(deps, claims)
    principal = accounts.identify(deps, tenant_id=str(claims.get("tenant")), key_id=str(claims["sub"]))
    if 1000 * (issued_s + 1) <= principal.tokens_from_ms:  # `iat` has whole seconds
        raise Unauthenticated("the access token has expired")
    if "sid" in claims:
        _check_login(deps, principal, str(claims["sid"]))
    return principal


def _check_times(deps: Deps, claims: dict[str, Any]) -> int:
    """The second in which the token was issued."""
    now_s = deps.now_ms() / 1000
    issued_s, expires_s = claims["iat"], claims["exp"]
    if not isinstance(issued_s, int) or not isinstance(expires_s, int) or "nbf" in claims:  # we never set `nbf`
        raise Unauthenticated("the access token is not valid")
    if not issued_s - _CLOCK_SKEW_S <= now_s < expires_s:
        raise Unauthenticated("the access token has expired")
    return issued_s


def _check_login(deps: Deps, principal: Principal, family_id: str) -> None:
    family = deps.store.get(RefreshFamily, principal.tenant_id, family_id)
    if family is None or not family.good_for(principal.key_id, since_ms=principal.tokens_from_ms):
        raise Unauthenticated("the access token has expired")


def _decode(deps: Deps, token: str) -> dict[str, Any]:
    try:
        root_id = jwt.get_unverified_header(token).get("kid")
        if root_id not in deps.keyring.roots:
            raise Unauthenticated("the access token is not valid")
        claims: dict[str, Any] = jwt.decode(
            token,
            deps.keyring.derive(_PURPOSE, root_id=root_id),
            algorithms=[_ALGORITHM],
            audience=deps.settings.stage,
            issuer=_ISSUER,
            # Times are judged above, on the injected clock.
            options={
                "require": _CLAIMS,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "enforce_minimum_key_length": True,
            },
        )
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise Unauthenticated("the access token is not valid") from error
    return claims
