"""Users, who log in by name and password: made, changed, disabled, and asked who somebody is."""

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from callscribe.domain import passwords
from callscribe.domain.accounts import USER_PREFIX, USUAL_SCOPES, Login, Scope, User, digest_username
from callscribe.domain.records import insert, update
from callscribe.errors import Conflict, Invalid, NotFound, Unauthenticated, Unavailable
from callscribe.ports import Deps
from callscribe.services import accounts, failed_logins
from callscribe.services.accounts import Principal

MAX_USERNAME_CHARACTERS = 255
MAX_PASSWORD_CHARACTERS = 1_024
_NUMBERED = "users"  # the counter of a tenant's users
_TRIES = 5  # of a change that lost a race; each one reads again
# By which a client may hash a password before it sends it (T-A9), each by the form of its digests.
CLIENT_HASHES: Final = {"sha512": re.compile(r"[0-9a-f]{128}"), "sha256": re.compile(r"[0-9a-f]{64}")}


def create_user(
    deps: Deps, *, tenant_id: str, username: str, password: str, scopes: Iterable[Scope] = USUAL_SCOPES
) -> User:
    """Add a user. The name is unique in the whole stage, since a log-in names no tenant.

    Raises Invalid for a name that is taken or cannot be one, and for a password that is too long; NotFound.
    """
    accounts.get_tenant(deps, tenant_id)
    _check_username(username)
    digest = digest_username(username)
    _require_free(deps, digest)
    now_ms = deps.now_ms()
    user = User(
        tenant_id=tenant_id,
        id=f"{USER_PREFIX}{deps.random_bytes(8).hex()}",
        username=username,
        scopes=frozenset(scopes),
        created_at_ms=now_ms,
        password_set_at_ms=now_ms,
        number=deps.store.count(tenant_id, _NUMBERED),
        **_all_hashes(deps, password),
    )
    try:
        deps.store.commit(insert(user), insert(Login(digest, tenant_id, user.id)))
    except Conflict:
        _require_free(deps, digest)
        raise
    return user


def list_users(deps: Deps, tenant_id: str) -> list[User]:
    """All users of a tenant, newest first, disabled ones included."""
    return list(deps.store.listed(User, tenant_id))


def set_password(deps: Deps, *, tenant_id: str, user_id: str, password: str) -> User:
    """Replace the password; every log-in by the old one ends at once. Raises Invalid, NotFound."""
    fields = _all_hashes(deps, password)
    if _existing(deps, tenant_id, user_id).number == 0:  # of a time when users had none
        fields["number"] = deps.store.count(tenant_id, _NUMBERED)
    return _changed(deps, tenant_id, user_id, **fields, password_set_at_ms=deps.now_ms())


def disable_user(deps: Deps, *, tenant_id: str, user_id: str) -> User:
    """Shut a user out, tokens included, at once. Disabling twice keeps the first moment. Raises NotFound."""
    user = _existing(deps, tenant_id, user_id)
    return user if user.disabled_at_ms is not None else _changed(deps, tenant_id, user_id, disabled_at_ms=deps.now_ms())


def enable_user(deps: Deps, *, tenant_id: str, user_id: str) -> User:
    """Let a disabled user in again, by the password alone: tokens from before stay void. Raises NotFound."""
    user = _existing(deps, tenant_id, user_id)
    if user.disabled_at_ms is None:
        return user
    return _changed(deps, tenant_id, user_id, disabled_at_ms=None, enabled_at_ms=deps.now_ms())


def authenticate(deps: Deps, *, username: str, password: str, address: str) -> Principal:
    """Who logs in from an address, by a name, or that in lower case where nobody has it. Raises Unauthenticated, in the
    same time and words whether or not there is such a user, RateLimited after too many of these, and Unavailable where
    too many log in at one time.

    A success is not remembered, so that a disabled user or an old password is refused at once; each call costs one
    scrypt.
    """
    return accounts.principal_of(_proven(deps, "password_hash", password, username=username, address=address))


def authenticate_by_hash(deps: Deps, *, username: str, client_hash: str, address: str) -> User:
    """Who logs in from an address with a digest of the password in its place: in hex, by one of the algorithms that
    `settings.client_hashes` names. The name is the user's own, or that in lower case where nobody has it.

    Raises as `authenticate` does, and in the same time also for what is no digest. A user whose password was set
    before its digests were kept is refused, too, until it is set again.
    """
    given = client_hash.lower()
    field = next((f"{name}_hash" for name in deps.settings.client_hashes if CLIENT_HASHES[name].fullmatch(given)), None)
    return _proven(deps, field, given, username=username, address=address)


def _proven(deps: Deps, field: str | None, secret: str, *, username: str, address: str) -> User:
    """The user whose `field` was made of this secret; None: no secret of this form is anybody's."""
    counted = username.lower()  # a guess counts once, however the name is written
    failed_logins.require_few(deps, address=address, username=counted)
    user = _find(deps, username)
    kept: str | None = None if user is None or field is None else getattr(user, field)
    stored = kept or passwords.NOBODYS
    right = passwords.matches(stored, secret)
    if user is None or field is None or not right or user.disabled_at_ms is not None:
        failed_logins.note(deps, address=address, username=counted)
        raise Unauthenticated("the credential is not valid")
    if passwords.outdated(stored):
        with suppress(Conflict):  # another log-in was first, or the password has just been replaced
            deps.store.commit(update(user, **{field: _hashed(deps, secret)}))
    return user


def _find(deps: Deps, username: str) -> User | None:
    """The user of this name, else of this name in lower case: people write their addresses in any case.

    Reads three times in any case, so that the time does not tell.
    """
    digest = digest_username(username)
    logins = [deps.store.get(Login, one) for one in (digest, digest_username(username.lower()))]
    login = next(filter(None, logins), Login(digest, tenant_id="nobody", user_id=digest))
    return deps.store.get(User, login.tenant_id, login.user_id)


def _existing(deps: Deps, tenant_id: str, user_id: str) -> User:
    user = deps.store.get(User, tenant_id, user_id)
    if user is None:
        raise NotFound(f"no user {user_id}")
    return user


def _changed(deps: Deps, tenant_id: str, user_id: str, **fields: Any) -> User:
    for _ in range(_TRIES):
        change = update(_existing(deps, tenant_id, user_id), **fields)
        try:
            deps.store.commit(change)
        except Conflict:
            continue
        changed: User = change.after
        return changed
    raise Unavailable(f"user {user_id} changed too often")


def _require_free(deps: Deps, digest: str) -> None:
    if deps.store.get(Login, digest) is not None:
        raise Invalid("username", "is taken")


def _check_username(username: str) -> None:
    if not 1 <= len(username) <= MAX_USERNAME_CHARACTERS:
        raise Invalid("username", f"must have 1 to {MAX_USERNAME_CHARACTERS} characters")
    if ":" in username:
        raise Invalid("username", "must not hold a colon, which ends the name in Basic authentication")
    try:
        username.encode()
    except UnicodeEncodeError as error:
        raise Invalid("username", "must be text that UTF-8 can write") from error


def _all_hashes(deps: Deps, password: str) -> dict[str, Any]:
    """What a user keeps of a password: itself, and each digest that may come in its place, hashed slowly."""
    plain = password.encode("utf-8", "surrogatepass")
    return {"password_hash": _hashed(deps, password)} | {
        f"{name}_hash": _hashed(deps, hashlib.new(name, plain).hexdigest()) for name in CLIENT_HASHES
    }


def _hashed(deps: Deps, password: str) -> str:
    if not 1 <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise Invalid("password", f"must have 1 to {MAX_PASSWORD_CHARACTERS} characters")
    return passwords.hash_password(password, salt=deps.random_bytes(passwords.SALT_BYTES))
