"""What is no good credential, in every form, and how each kind of route refuses it."""

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import jwt

from callscribe.dialects.front import Access
from callscribe.domain.accounts import USUAL_SCOPES, ApiKey, Scope, User
from callscribe.domain.keyring import KeyRing
from callscribe.errors import Unauthenticated
from callscribe.services import accounts, refresh, tokens, users
from tests.dialects.transcripto.world import client_hash
from tests.security.places import Request, Row
from tests.security.table import base_36
from tests.security.tenants import Stage, Stranger, Town, basic, principal_tokens, token_digest

LONG_S = 8 * 86_400  # every token and link is over by then


@dataclass(frozen=True)
class Bad:
    """A credential that is none here: how a request carries it, and how it is answered (see `Answer.outcome`).

    `after_s` passes before; `may_change`: its own tenant's login ends, as a stolen token should.
    """

    name: str
    put: Callable[[Request, Town], Request]
    outcome: int = 401
    after_s: float = 0
    may_change: bool = False


def prepare(where: Town) -> None:
    """Give Anna credentials that have ended, once; they are part of the state that the town is set back to."""
    if where.held:
        return
    where.stage.restore(where.saved)
    where.held.update({**_keys(where.stage, where.anna), **_tokens(where), **_logins(where.stage, where.anna)})
    where.keep()


def _key(stage: Stage, who: Stranger, name: str, scopes: frozenset[Scope] = USUAL_SCOPES) -> tuple[ApiKey, str]:
    return accounts.create_key(stage.deps, tenant_id=who.tenant_id, name=name, scopes=scopes)


def _keys(stage: Stage, who: Stranger) -> dict[str, str]:
    revoked, revoked_secret = _key(stage, who, "revoked")
    expired, expired_secret = accounts.create_key(
        stage.deps, tenant_id=who.tenant_id, name="expired", expires_at_ms=stage.clock() + 1_000
    )
    made = {
        "id of a revoked key": revoked.id,
        "revoked key": revoked_secret,
        "token of a revoked key": principal_tokens(stage, revoked),
        "refresh token of a revoked key": _session(stage, revoked).refresh_token,
        "id of an expired key": expired.id,
        "expired key": expired_secret,
        "token of an expired key": principal_tokens(stage, expired),
        "misspelt key": who.secret[:-1] + ("0" if who.secret[-1] != "0" else "1"),
    }
    for scope in Scope:
        lacking, secret = _key(stage, who, f"all but {scope}", USUAL_SCOPES - {scope})
        made |= {
            f"id of a key without {scope}": lacking.id,
            f"key without {scope}": secret,
            f"token without {scope}": principal_tokens(stage, lacking),
        }
    accounts.revoke_key(stage.deps, tenant_id=who.tenant_id, key_id=revoked.id)
    stage.clock.advance(1)
    return made


def _session(stage: Stage, holder: ApiKey | User) -> refresh.Session:
    return refresh.log_in(stage.deps, accounts.principal_of(holder), life_s=7_200)


def _tokens(where: Town) -> dict[str, str]:
    stage, who = where.stage, where.anna
    deps = stage.deps
    principal = accounts.identify(deps, tenant_id=who.tenant_id, key_id=who.key_id)
    other_stage = replace(deps, settings=replace(deps.settings, stage="other", allow_loopback=False))
    other_root = replace(deps, keyring=KeyRing("1", {"1": b"another root key, also 32 bytes!"}))
    claims = jwt.decode(who.tokens["mor"], options={"verify_signature": False})
    head, _, proof = where.bert.tokens["mor"].split(".")
    return {
        "expired token": tokens.issue(deps, principal, life_s=0).token,
        "token of another stage": tokens.issue(other_stage, principal).token,
        "token by another root key": tokens.issue(other_root, principal).token,
        "token without a signature": jwt.encode(claims, "", algorithm="none", headers={"kid": "1"}),
        "token whose tenant was changed": f"{head}.{who.tokens['mor'].split('.')[1]}.{proof}",
        "token of a tenant that is not": where.otto.tokens["mor"],
        "refresh token of a tenant that is not": where.otto.refresh_token,
        "refresh token of another stage": refresh.log_in(other_stage, principal, life_s=60).refresh_token,
        "refresh token by another root key": refresh.log_in(other_root, principal, life_s=60).refresh_token,
        "webhook secret": accounts.webhook_secrets(deps, who.tenant_id)[0],
    }


def _logins(stage: Stage, who: Stranger) -> dict[str, str]:
    deps = stage.deps
    made: dict[str, str] = {}
    for name in ("disabled", "changed"):
        user = users.create_user(deps, tenant_id=who.tenant_id, username=f"{name} anna", password="right")
        session = _session(stage, user)
        made |= {f"token, user {name}": session.access.token, f"refresh token, user {name}": session.refresh_token}
        stage.clock.advance(2)
        if name == "disabled":
            users.disable_user(deps, tenant_id=who.tenant_id, user_id=user.id)
        else:
            users.set_password(deps, tenant_id=who.tenant_id, user_id=user.id, password="new")
    principal = accounts.identify(deps, tenant_id=who.tenant_id, key_id=who.key_id)
    stolen = refresh.log_in(deps, principal, life_s=7_200)
    second = refresh.renew(deps, stolen.refresh_token, life_s=7_200)
    third = refresh.renew(deps, second.refresh_token, life_s=7_200)
    made |= {"refresh token of a revoked login": third.refresh_token, "token of a revoked login": third.access.token}
    with suppress(Unauthenticated):
        refresh.renew(deps, stolen.refresh_token, life_s=7_200)
    used = refresh.log_in(deps, principal, life_s=7_200)
    made["refresh token that was used"] = used.refresh_token
    refresh.renew(deps, used.refresh_token, life_s=7_200)
    return made


# What a contract without HTTP's own statuses answers in their place.
NUMBERS = {"transcripto": {401: 4023, 403: 4056, 404: 4041}}


def of(dialect: str, row: Row, access: Access) -> Iterator[Bad]:
    """Every bad credential for a route, by what its row and its access say."""
    numbers = {**NUMBERS.get(dialect, {}), **row.numbers}
    for bad in _bad(dialect, row, access):
        yield replace(bad, outcome=numbers.get(bad.outcome, bad.outcome))


def _bad(dialect: str, row: Row, access: Access) -> Iterator[Bad]:
    if row.judges == "link":
        yield from _bad_links()
    elif row.judges == "report":
        yield from _bad_reports()
    elif row.judges == "log-in":
        yield from _bad_log_ins()
    elif row.judges == "refresh token":
        yield from _bad_refreshes()
    elif row.judges == "key of aivoco":
        yield from _bad_keys()
    elif row.judges is not None:
        yield from _bad_basics(also=("password", "right") if row.judges == "key by Basic" else None)
    elif access.scope is not None:
        yield from _bad_bearers(dialect)
        yield from _bad_basics(also=None if dialect == "mor" else ("key",))
        yield from _too_little(dialect, access.scope)
    else:
        for name in ("expired token", "revoked key"):
            yield Bad(f"{name}, which nobody asks for", _bearer(name), row.done)


def _held(name: str) -> Callable[[Town], str]:
    return lambda where: where.held[name]


def _bearer(name: str) -> Callable[[Request, Town], Request]:
    return lambda request, where: _authorized(request, f"Bearer {where.held[name]}")


def _authorized(request: Request, value: str) -> Request:
    return request.with_header("Authorization", value)


_BEARERS = (
    "expired token",
    "token of a revoked key",
    "token of an expired key",
    "token of another stage",
    "token by another root key",
    "token without a signature",
    "token whose tenant was changed",
    "token of a tenant that is not",
    "token of a revoked login",
    "token, user disabled",
    "token, user changed",
    "revoked key",
    "expired key",
    "misspelt key",
    "webhook secret",
)


def _bad_bearers(dialect: str) -> Iterator[Bad]:
    yield Bad("nothing", lambda request, _: request)
    yield Bad("an empty header", lambda request, _: _authorized(request, ""))
    yield Bad("a token without a scheme", lambda request, where: _authorized(request, where.anna.tokens["mor"]))
    yield Bad("something else", lambda request, _: _authorized(request, "Bearer not.a.token"))
    yield Bad("the refresh token", lambda request, where: _authorized(request, f"Bearer {where.anna.refresh_token}"))
    yield Bad("the link token", lambda request, where: _authorized(request, f"Bearer {where.anna.link_token}"))
    yield Bad("the key's id", lambda request, where: _authorized(request, f"Bearer {where.anna.key_id}"))
    yield Bad("a good key in a header", lambda request, where: request.with_header("X-API-Key", where.anna.secret))
    yield from (Bad(name, _bearer(name)) for name in _BEARERS)
    yield Bad(
        "a token that was good", lambda request, where: _authorized(request, f"Bearer {where.anna.tokens['mor']}"),
        after_s=LONG_S,
    )  # fmt: skip
    if dialect == "presign":
        yield Bad("a good key", lambda request, where: _authorized(request, f"Bearer {where.anna.secret}"))


def _bad_basics(also: tuple[str, ...] | None) -> Iterator[Bad]:
    """`also`: which good ones do not fit here."""

    def by(make: Callable[[Town], tuple[str, str]]) -> Callable[[Request, Town], Request]:
        return lambda request, where: _authorized(request, basic(*make(where)))

    yield Bad("no header", lambda request, _: replace(request, headers={}))
    yield Bad("no base64", lambda request, _: _authorized(request, "Basic ~~~"))
    yield Bad("no colon", lambda request, _: _authorized(request, f"Basic {base64.b64encode(b'anna').decode()}"))
    yield Bad("nothing but a colon", by(lambda _: ("", "")))
    yield Bad("a wrong password", by(lambda where: (where.anna.username, "wrong")))
    yield Bad("another's password", by(lambda where: (where.anna.username, where.bert.password)))
    yield Bad("an unknown user", by(lambda where: (where.otto.username, where.otto.password)))
    yield Bad("a disabled user", by(lambda _: ("disabled anna", "right")))
    yield Bad("an old password", by(lambda _: ("changed anna", "right")))
    yield Bad("another's key", by(lambda where: (where.anna.key_id, where.bert.secret)))
    yield Bad("an unknown key", by(lambda where: (where.otto.key_id, where.otto.secret)))
    yield Bad("a revoked key", by(lambda where: (where.held["id of a revoked key"], where.held["revoked key"])))
    yield Bad("an expired key", by(lambda where: (where.held["id of an expired key"], where.held["expired key"])))
    yield Bad("a user with a key's secret", by(lambda where: (where.anna.username, where.anna.secret)))
    yield Bad("a key's id with a password", by(lambda where: (where.anna.key_id, where.anna.password)))
    yield Bad("the refresh token as password", by(lambda where: (where.anna.username, where.anna.refresh_token)))
    if also is not None:
        yield Bad("a user, where keys are asked for", by(lambda where: (where.anna.username, where.anna.password)))
    if also == ("key",):
        yield Bad("a key, where tokens are asked for", by(lambda where: (where.anna.key_id, where.anna.secret)))


def _too_little(dialect: str, scope: Scope) -> Iterator[Bad]:
    """Good credentials without the scope: the only ones that are known and may not."""
    yield Bad(f"a token without {scope}", _bearer(f"token without {scope}"), 403)
    if dialect != "presign":
        yield Bad(f"a key without {scope}", _bearer(f"key without {scope}"), 403)
    if dialect == "mor":
        yield Bad(
            f"a key without {scope} by Basic",
            lambda request, where: _authorized(
                request, basic(where.held[f"id of a key without {scope}"], where.held[f"key without {scope}"])
            ),
            403,
        )


def _bad_log_ins() -> Iterator[Bad]:
    """Dialect `transcripto`, whose clients send a hash of the password."""

    def by(name: str, email: Callable[[Town], str], sent: Callable[[Town], str]) -> Bad:
        return Bad(name, lambda request, where: request.with_fields(email=email(where), password_hash=sent(where)))

    def anna(where: Town) -> str:
        return where.anna.username

    yield by("a wrong password", anna, lambda _: client_hash("wrong"))
    yield by("another's password", anna, lambda where: where.bert.client_hash)
    yield by("the password as it is", anna, lambda where: where.anna.password)
    yield by("a hash of the hash", anna, lambda where: client_hash(where.anna.client_hash))
    yield by("half of the hash", anna, lambda where: where.anna.client_hash[:64])
    yield by("a hash by a function that nobody agreed on", anna, lambda where: client_hash(where.anna.password, "md5"))
    yield by("something else", anna, lambda _: "x")
    yield by("the token", anna, lambda where: where.anna.tokens["transcripto"])
    yield by("a key's secret", anna, lambda where: where.anna.secret)
    yield by("a hash of a key's secret", lambda where: where.anna.key_id, lambda where: client_hash(where.anna.secret))
    yield by("an unknown user", lambda where: where.otto.username, lambda where: where.otto.client_hash)
    yield by("a disabled user", lambda _: "disabled anna", lambda _: client_hash("right"))
    yield by("an old password", lambda _: "changed anna", lambda _: client_hash("right"))


def _bad_reports() -> Iterator[Bad]:
    """What does not open a report's file: only its code does, to whoever knows it."""

    def asked(name: str, make: Callable[[Town], object]) -> Bad:
        return Bad(name, lambda request, where: request.with_query(task_code=str(make(where))), 404)

    yield asked("an unknown code", lambda where: where.otto.jobs["report"].id)
    yield asked("its id", lambda where: where.anna.jobs["report"].number)
    yield asked("its short code", lambda where: base_36(where.anna.jobs["report"].number))
    yield asked("another task's code", lambda where: where.anna.jobs["of transcripto"].id)
    yield asked("the refresh token", lambda where: where.anna.refresh_token)
    yield asked("the code without hyphens", lambda where: where.anna.jobs["report"].id.replace("-", ""))


def _bad_keys() -> Iterator[Bad]:
    """Dialect `aivoco`, whose document knows no 403: wherever a key may stand."""
    names = ("revoked key", "expired key", "misspelt key", f"key without {Scope.TRANSCRIBE}", *_BEARERS[:3])
    given: dict[str, Callable[[Town], str]] = {
        **{name: _held(name) for name in names},
        "an unknown key": lambda where: where.otto.secret,
        "a good token": lambda where: where.anna.tokens["mor"],
        "the refresh token": lambda where: where.anna.refresh_token,
        "the key's id": lambda where: where.anna.key_id,
        "the key's digest": lambda where: where.anna.key_digest,
    }
    yield Bad("nothing", lambda request, _: request)
    yield Bad(
        "a good key by Basic",
        lambda request, where: _authorized(request, basic(where.anna.key_id, where.anna.secret)),
    )
    for name, value in given.items():
        yield from _everywhere(name, value)


def _everywhere(name: str, value: Callable[[Town], str]) -> Iterator[Bad]:
    yield Bad(f"{name} in the body", lambda request, where: request.with_fields(api_key=value(where)))
    yield Bad(f"{name} in a header", lambda request, where: request.with_header("X-API-Key", value(where)))
    yield Bad(f"{name} as bearer", lambda request, where: _authorized(request, f"Bearer {value(where)}"))


def _bad_refreshes() -> Iterator[Bad]:
    def sent(name: str, make: Callable[[Town], str], **more: bool | float) -> Bad:
        return Bad(name, lambda request, where: request.with_fields(refresh_token=make(where)), **more)  # type: ignore[arg-type]  # of two types

    yield Bad("nothing", lambda request, _: replace(request, fields={}))
    yield sent("something else", lambda _: "csr_e30")
    yield sent("an access token", lambda where: where.anna.tokens["mor"])
    yield sent("a good key", lambda where: where.anna.secret)
    yield sent("one that has expired", lambda where: where.anna.refresh_token, after_s=LONG_S)
    yield sent(
        "one that was used", lambda where: where.held["refresh token that was used"], after_s=60, may_change=True
    )
    names = ("a revoked key", "a revoked login", "a tenant that is not", "another stage")
    for held in (*(f"refresh token of {name}" for name in names), "refresh token by another root key"):
        yield sent(held, _held(held))
    for held in ("refresh token, user disabled", "refresh token, user changed"):
        yield sent(held, _held(held))
    yield sent(
        "one changed by a letter", lambda where: where.anna.refresh_token[:-1] + _other(where.anna.refresh_token)
    )
    yield sent("another tenant's name in it", lambda where: _renamed(where))


def _other(token: str) -> str:
    return "A" if token[-1] != "A" else "Q"


def _renamed(where: Town) -> str:
    """Bert's token that says it were Anna's."""
    raw = base64.urlsafe_b64decode(where.bert.refresh_token[4:] + "==")
    return "csr_" + base64.urlsafe_b64encode(
        raw.replace(where.bert.tenant_id.encode(), where.anna.tenant_id.encode())
        .replace(where.bert.family_id.encode(), where.anna.family_id.encode())
    ).decode().rstrip("=")  # fmt: skip


def _bad_links() -> Iterator[Bad]:
    def opened(name: str, make: Callable[[Town], str], after_s: float = 0) -> Bad:
        return Bad(name, lambda request, where: replace(request, params={"token": make(where)}), 404, after_s=after_s)

    yield opened("an unknown token", lambda where: where.otto.link_token)
    yield opened("its digest", lambda where: token_digest(where.anna.link_token))
    yield opened("the job's id", lambda where: where.anna.jobs["completed"].id)
    yield opened("upper case", lambda where: where.anna.link_token.upper())
    yield opened("the refresh token", lambda where: where.anna.refresh_token)
    yield opened("one that is over", lambda where: where.anna.link_token, after_s=LONG_S)
