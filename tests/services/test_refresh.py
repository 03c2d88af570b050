"""safety.md, Identity: refresh tokens of one use, 30 s of grace, and a family that ends when an old one comes back."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import jwt
import pytest

from callscribe.adapters.memory import ManualClock, MemoryStore, Moment, When, faulty, memory_deps
from callscribe.domain.accounts import ApiKey, RefreshFamily
from callscribe.domain.keyring import KeyRing
from callscribe.errors import Conflict, Unauthenticated, Unavailable
from callscribe.ports import Deps, Settings
from callscribe.services import accounts, refresh, tokens, users
from callscribe.services.refresh import Session

LIFE_S = 900
WEEK_S = 7 * 86_400
OLD, NEW = b"o" * 32, b"n" * 32


@dataclass(frozen=True)
class Login:
    """A key that has logged in, and the clock of its stage."""

    deps: Deps
    store: MemoryStore
    clock: ManualClock
    key: ApiKey
    session: Session

    def renew(self, session: Session, deps: Deps | None = None) -> Session:
        return refresh.renew(deps or self.deps, session.refresh_token, life_s=LIFE_S)

    def elsewhere(self, **overrides: Any) -> Deps:
        return replace(self.deps, **overrides)

    @property
    def family(self) -> RefreshFamily:
        (family,) = self.store.all(RefreshFamily)
        return family


def logged_in(**overrides: Any) -> Login:
    store, clock = MemoryStore(), ManualClock()
    deps = memory_deps(store=store, now_ms=clock, **overrides)
    tenant = accounts.create_tenant(deps, name="Example")
    key, _ = accounts.create_key(deps, tenant_id=tenant.id, name="key")
    return Login(deps, store, clock, key, refresh.log_in(deps, accounts.principal_of(key), life_s=LIFE_S))


def refused(login: Login, session: Session, deps: Deps | None = None) -> None:
    with pytest.raises(Unauthenticated):
        login.renew(session, deps)


def test_M_04_an_access_token_lives_15_minutes_and_a_refresh_token_7_days() -> None:
    login = logged_in()
    assert login.session.access.expires_in_s == 900
    assert login.session.refresh_expires_in_s == 604_800
    assert tokens.verify(login.deps, login.session.access.token).key_id == login.key.id


def test_M_03_a_refresh_token_gives_the_next_session() -> None:
    login = logged_in()
    login.clock.advance(3_600)
    following = login.renew(login.session)
    assert following.refresh_token != login.session.refresh_token
    assert following.refresh_expires_in_s == WEEK_S
    assert tokens.verify(login.deps, following.access.token).key_id == login.key.id


def test_a_login_lasts_as_long_as_it_is_renewed_in_time() -> None:
    login = logged_in()
    session = login.session
    for _ in range(10):
        login.clock.advance(WEEK_S - 1)
        session = login.renew(session)
    login.clock.advance(WEEK_S)
    refused(login, session)
    assert login.family.revoked_at_ms is None


def test_nothing_of_a_refresh_token_is_stored() -> None:
    login = logged_in()
    following = login.renew(login.session)
    stored = repr([asdict(row) for row in login.store.all(RefreshFamily)])
    for session in (login.session, following):
        assert session.refresh_token.startswith("csr_")
        proof = decoded(session.refresh_token)[-32:]
        assert not any(text in stored for text in (session.refresh_token, proof.hex(), repr(proof)[2:-1]))


def decoded(token: str) -> bytes:
    text = token.removeprefix("csr_")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_client_that_lost_the_answer_gets_the_same_successor_for_30_seconds() -> None:
    login = logged_in()
    following = login.renew(login.session)
    login.clock.advance(30)
    again = login.renew(login.session)
    assert again.refresh_token == following.refresh_token
    assert again.refresh_expires_in_s == WEEK_S - 30
    assert login.family.generation == 2
    assert login.renew(again).refresh_token == login.renew(following).refresh_token


def test_the_token_before_revokes_the_family_after_the_grace() -> None:
    login = logged_in()
    following = login.renew(login.session)
    login.clock.advance(30.001)
    refused(login, login.session)
    refused(login, following)
    for session in (login.session, following):
        with pytest.raises(Unauthenticated):
            tokens.verify(login.deps, session.access.token)
    assert login.family.revoked_at_ms == login.clock()


def test_an_older_token_revokes_the_family_even_within_the_grace() -> None:
    login = logged_in()
    third = login.renew(login.renew(login.session))
    refused(login, login.session)
    refused(login, third)


def test_a_revoked_login_leaves_the_others_of_the_same_key_alone() -> None:
    login = logged_in()
    other = refresh.log_in(login.deps, accounts.principal_of(login.key), life_s=LIFE_S)
    login.renew(login.renew(login.session))
    refused(login, login.session)
    assert tokens.verify(login.deps, login.renew(other).access.token).key_id == login.key.id


def test_an_expired_token_is_refused_without_revoking() -> None:
    login = logged_in()
    login.clock.advance(WEEK_S - 0.001)
    following = login.renew(login.session)
    login.clock.advance(WEEK_S)
    refused(login, following)
    refused(login, login.session)
    assert login.family.revoked_at_ms is None


def test_a_family_is_forgotten_only_after_its_last_access_token_has_expired() -> None:
    login = logged_in()
    login.clock.advance(WEEK_S - 1)
    last = refresh.renew(login.deps, login.session.refresh_token, life_s=7_200).access
    family = login.family
    assert family.forget_at_ms > family.expires_at_ms + 1000 * last.expires_in_s
    login.store.remove_expired(now_ms=family.forget_at_ms)
    with pytest.raises(Unauthenticated):
        tokens.verify(login.deps, last.token)


def test_a_forged_token_is_refused_wherever_one_bit_of_it_changed() -> None:
    login = logged_in()
    raw = decoded(login.session.refresh_token)
    for position in range(len(raw)):
        forged = bytearray(raw)
        forged[position] ^= 1
        text = "csr_" + base64.urlsafe_b64encode(bytes(forged)).decode().rstrip("=")
        with pytest.raises(Unauthenticated):
            refresh.renew(login.deps, text, life_s=LIFE_S)
    assert login.family.revoked_at_ms is None
    assert login.family.generation == 1


def rewritten(login: Login, **changes: str) -> str:
    """The genuine token with other fields above its old proof."""
    raw = decoded(login.session.refresh_token)
    fields = dict(zip(("tenant", "family", "generation", "root"), raw[:-33].decode().split("."), strict=True))
    said = ".".join({**fields, **changes}.values()).encode()
    return "csr_" + base64.urlsafe_b64encode(said + b"." + raw[-32:]).decode().rstrip("=")


def test_the_control_of_the_rewriter_is_accepted() -> None:
    login = logged_in()
    assert rewritten(login) == login.session.refresh_token


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "t0"},
        {"family": "login-0"},
        {"generation": "0"},
        {"generation": "2"},
        {"generation": "01"},
        {"generation": "-1"},
        {"generation": "9" * 100},
        {"generation": "one"},
        {"root": "9"},
        {"root": "../1"},
        {"root": ""},
    ],
)
def test_a_token_with_other_fields_is_refused_without_revoking(changes: dict[str, str]) -> None:
    login = logged_in()
    with pytest.raises(Unauthenticated):
        refresh.renew(login.deps, rewritten(login, **changes), life_s=LIFE_S)
    assert login.family.revoked_at_ms is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "csr_",
        "csr_!",
        "csr_" + "A" * 508,
        "csr_" + "A" * 100_000,
        "csr_é",
        "\udcff",
        "csr_Li4uLg",
        "rubbish",
        "csr",
    ],
)
def test_what_is_no_refresh_token_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated, match="the refresh token is not valid"):
        refresh.renew(memory_deps(), text, life_s=LIFE_S)


def test_the_same_token_in_another_spelling_is_refused() -> None:
    login = logged_in()
    for text in (
        login.session.refresh_token + "=",
        login.session.refresh_token + "\n",
        "csr_ " + login.session.refresh_token[4:],
    ):
        with pytest.raises(Unauthenticated):
            refresh.renew(login.deps, text, life_s=LIFE_S)


def test_an_access_token_is_no_refresh_token() -> None:
    login = logged_in()
    with pytest.raises(Unauthenticated):
        refresh.renew(login.deps, login.session.access.token, life_s=LIFE_S)


def test_a_token_of_another_stage_is_refused_without_revoking() -> None:
    login = logged_in()
    refused(login, login.session, login.elsewhere(settings=Settings(stage="prod")))
    refused(login, login.session, login.elsewhere(keyring=KeyRing("1", {"1": NEW})))
    assert login.family.revoked_at_ms is None
    login.renew(login.session)


def test_a_family_that_is_gone_ends_its_tokens() -> None:
    login = logged_in()
    empty = login.elsewhere(store=MemoryStore())
    refused(login, login.session, empty)


def test_a_table_restored_from_before_a_renewal_refuses_without_revoking() -> None:
    login = logged_in()
    before = login.family
    following = login.renew(login.session)
    restored = MemoryStore()
    for row in login.store.all(ApiKey):
        restored.commit(_inserted(row))
    restored.commit(_inserted(before))
    refused(login, following, login.elsewhere(store=restored))
    assert restored.all(RefreshFamily) == [before]


def _inserted(row: Any) -> Any:
    from callscribe.domain.records import insert

    return insert(row)


def test_a_revoked_key_can_neither_renew_nor_use_its_access_token() -> None:
    login = logged_in()
    accounts.revoke_key(login.deps, tenant_id=login.key.tenant_id, key_id=login.key.id)
    refused(login, login.session)
    with pytest.raises(Unauthenticated):
        tokens.verify(login.deps, login.session.access.token)


def test_a_disabled_user_can_neither_renew_nor_use_his_access_token() -> None:
    login = logged_in()
    tenant_id = login.key.tenant_id
    user = users.create_user(login.deps, tenant_id=tenant_id, username="ricardc", password="secret")
    session = refresh.log_in(login.deps, accounts.principal_of(user), life_s=LIFE_S)
    assert tokens.verify(login.deps, login.renew(session).access.token).key_id == user.id
    users.disable_user(login.deps, tenant_id=tenant_id, user_id=user.id)
    refused(login, session)
    with pytest.raises(Unauthenticated):
        tokens.verify(login.deps, session.access.token)


def test_a_new_password_ends_the_logins_by_the_old_one_at_once() -> None:
    login = logged_in()
    tenant_id = login.key.tenant_id
    user = users.create_user(login.deps, tenant_id=tenant_id, username="ricardc", password="secret")
    session = refresh.log_in(login.deps, accounts.principal_of(user), life_s=LIFE_S)
    login.clock.advance(0.001)
    user = users.set_password(login.deps, tenant_id=tenant_id, user_id=user.id, password="changed")
    refused(login, session)
    with pytest.raises(Unauthenticated):
        tokens.verify(login.deps, session.access.token)
    following = refresh.log_in(login.deps, accounts.principal_of(user), life_s=LIFE_S)
    assert tokens.verify(login.deps, login.renew(following).access.token).key_id == user.id


def test_a_new_root_key_logs_nobody_out() -> None:
    login = logged_in(keyring=KeyRing("1", {"1": OLD}))
    rotated = login.elsewhere(keyring=KeyRing("2", {"2": NEW, "1": OLD}))
    assert tokens.verify(rotated, login.session.access.token).key_id == login.key.id
    following = login.renew(login.session, rotated)
    assert jwt.get_unverified_header(following.access.token)["kid"] == "2"
    assert login.renew(login.session, rotated).refresh_token == following.refresh_token  # within the grace
    dropped = login.elsewhere(keyring=KeyRing("2", {"2": NEW}))
    assert tokens.verify(dropped, login.renew(following, dropped).access.token).key_id == login.key.id


def test_a_process_that_signs_by_the_old_root_key_repeats_the_successor_of_one_that_has_the_new() -> None:
    both = {"2": NEW, "1": OLD}
    login = logged_in(keyring=KeyRing("1", both))
    following = login.renew(login.session, login.elsewhere(keyring=KeyRing("2", both)))
    assert login.renew(login.session).refresh_token == following.refresh_token


def test_a_dropped_root_key_refuses_what_it_signed() -> None:
    login = logged_in(keyring=KeyRing("1", {"1": OLD}))
    dropped = login.elsewhere(keyring=KeyRing("2", {"2": NEW}))
    refused(login, login.session, dropped)
    with pytest.raises(Unauthenticated):
        tokens.verify(dropped, login.session.access.token)
    assert login.family.revoked_at_ms is None


def test_a_successor_whose_root_key_was_dropped_meanwhile_is_not_given_again() -> None:
    both = {"2": NEW, "1": OLD}
    login = logged_in(keyring=KeyRing("1", both))
    login.renew(login.session, login.elsewhere(keyring=KeyRing("2", both)))
    refused(login, login.session, login.elsewhere(keyring=KeyRing("1", {"1": OLD})))


def meeting(store: MemoryStore, count: int) -> Any:
    """The store, at which `count` threads all stand before their first commit, each having read the same."""
    barrier, met = threading.Barrier(count), threading.local()

    def meet(moment: Moment) -> None:
        if moment.method == "commit" and moment.when is When.BEFORE and not hasattr(met, "once"):
            met.once = True
            barrier.wait(timeout=30)

    return faulty(store, meet)


def renewed_by(count: int, login: Login, deps: Deps) -> list[Session | Unauthenticated]:
    def attempt(_: int) -> Session | Unauthenticated:
        try:
            return login.renew(login.session, deps)
        except Unauthenticated as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(attempt, range(count)))


def test_8_threads_that_renew_the_same_token_all_get_the_same_successor() -> None:
    login = logged_in()
    answers = renewed_by(8, login, login.elsewhere(store=meeting(login.store, 8)))
    sessions = [answer for answer in answers if isinstance(answer, Session)]
    assert len(sessions) == 8
    assert len({session.refresh_token for session in sessions}) == 1
    assert (login.family.generation, login.family.revoked_at_ms) == (2, None)
    for session in sessions:
        tokens.verify(login.deps, session.access.token)


def test_many_rounds_of_8_unordered_threads_never_revoke_within_the_grace() -> None:
    login = logged_in()
    for generation in range(2, 52):
        answers = renewed_by(8, login, login.deps)
        (token,) = {answer.refresh_token for answer in answers if isinstance(answer, Session)}
        assert len([answer for answer in answers if isinstance(answer, Session)]) == 8
        assert (login.family.generation, login.family.revoked_at_ms) == (generation, None)
        login = replace(login, session=replace(login.session, refresh_token=token))
        login.clock.advance(31)


def test_8_threads_with_a_stolen_token_revoke_once() -> None:
    login = logged_in()
    login.renew(login.renew(login.session))
    answers = renewed_by(8, login, login.elsewhere(store=meeting(login.store, 8)))
    assert all(isinstance(answer, Unauthenticated) for answer in answers)
    assert login.family.revoked_at_ms == login.clock()
    assert login.family.version == 3  # two renewals, one revocation


def test_a_login_that_never_stands_still_is_an_outage_and_no_theft() -> None:
    login = logged_in()

    def contend(moment: Moment) -> None:
        if moment.method == "commit":
            raise Conflict("somebody was faster")

    with pytest.raises(Unavailable):
        login.renew(login.session, login.elsewhere(store=faulty(login.store, contend)))
    login.renew(login.session)


def test_a_renewal_whose_answer_was_lost_can_be_made_again() -> None:
    login = logged_in()

    def lose(moment: Moment) -> None:
        if moment.method == "commit" and moment.when is When.AFTER:
            raise Unavailable("no answer")

    with pytest.raises(Unavailable):
        login.renew(login.session, login.elsewhere(store=faulty(login.store, lose)))
    following = login.renew(login.session)
    assert login.renew(following).refresh_token != following.refresh_token
