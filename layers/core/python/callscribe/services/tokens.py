"""Access tokens: JWTs that we issue and that only we verify. The one wrapper round PyJWT."""

from dataclasses import dataclass
from typing import Any

import jwt

from callscribe.domain.accounts import ApiKey
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


def issue(deps: Deps, key: ApiKey) -> IssuedToken:
    """A token for a key that has just proved itself; valid for `settings.token_life_s`."""
    issued_s = deps.now_ms() // 1000
    life_s = deps.settings.token_life_s
    claims = {
        "iss": _ISSUER,
        "aud": deps.settings.stage,
        "sub": key.id,
        "tenant": key.tenant_id,
        "jti": deps.random_bytes(12).hex(),
        "iat": issued_s,
        "exp": issued_s + life_s,
    }
    root_id = deps.keyring.current  # asked once: the keyring may learn of a rotation between two questions
    signing_key = deps.keyring.derive(_PURPOSE, root_id=root_id)
    token = jwt.encode(claims, signing_key, algorithm=_ALGORITHM, headers={"kid": root_id})
    return IssuedToken(token, life_s)


def verify(deps: Deps, token: str) -> Principal:
    """Who holds this token. The key is read each time, so that a revoked one is refused at once.

    Raises Unauthenticated for a forged, foreign, malformed or expired token and for a key that has ended.
    """
    claims = _decode(deps, token)
    now_s = deps.now_ms() / 1000
    issued_s, expires_s = claims["iat"], claims["exp"]
    if not isinstance(issued_s, int) or not isinstance(expires_s, int):
        raise Unauthenticated("the access token is not valid")
    if not issued_s - _CLOCK_SKEW_S <= now_s < expires_s:
        raise Unauthenticated("the access token has expired")
    return accounts.identify(deps, tenant_id=str(claims.get("tenant")), key_id=str(claims["sub"]))


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
            options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "enforce_minimum_key_length": True},
        )
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise Unauthenticated("the access token is not valid") from error
    return claims
