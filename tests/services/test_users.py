"""Users: names, passwords, and an answer that never tells whether somebody exists."""

import base64
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from callscribe.adapters.memory import ManualClock, MemoryStore, Moment, Trace, When, faulty, memory_deps
from callscribe.domain import passwords
from callscribe.domain.accounts import USUAL_SCOPES, Login, Scope, User
from callscribe.domain.keyring import KeyRing
from callscribe.domain.passwords import Cost
from callscribe.domain.records import update
from callscribe.errors import Conflict, Invalid, NotFound, RateLimited, Unauthenticated
from callscribe.ports import Deps, Settings
from callscribe.services import accounts, refresh, tokens, users

PASSWORD = "9kAXZZu?rjMbk$Rh"
WORDS = "the credential is not valid"
HOME = "203.0.113.7"


def with_user(username: str = "ricardc", password: str = PASSWORD, **overrides: Any) -> tuple[Deps, User]:
    deps = memory_deps(**overrides)
    tenant = accounts.create_tenant(deps, name="Example")
    return deps, users.create_user(deps, tenant_id=tenant.id, username=username, password=password)


def refused(deps: Deps, username: str, password: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        users.authenticate(deps, username=username, password=password, address=HOME)
    return str(caught.value)


def work_of_hashing(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The cost, the hash's length and the salt's, of every hash from here on."""
    real, work = hashlib.scrypt, list[tuple[int, ...]]()

    def counted(password: bytes, **how: Any) -> bytes:
        work.append((how["n"], how["r"], how["p"], how["dklen"], len(how["salt"])))
        return real(password, **how)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    return work


def test_a_user_logs_in_as_himself_with_his_scopes() -> None:
    deps = memory_deps()
    tenant = accounts.create_tenant(deps, name="Example")
    user = users.create_user(deps, tenant_id=tenant.id, username="reader", password=PASSWORD, scopes={Scope.READ})
    principal = users.authenticate(deps, username="reader", password=PASSWORD, address=HOME)
    assert (principal.tenant_id, principal.key_id, principal.scopes) == (tenant.id, user.id, frozenset({Scope.READ}))
    assert principal.key_id.startswith("user-")


def test_a_user_is_identified_by_his_id_as_a_key_is() -> None:
    deps, user = with_user()
    principal = users.authenticate(deps, username="ricardc", password=PASSWORD, address=HOME)
    assert accounts.identify(deps, tenant_id=user.tenant_id, key_id=user.id) == principal
    other = accounts.create_tenant(deps, name="Other")
    with pytest.raises(Unauthenticated):
        accounts.identify(deps, tenant_id=other.id, key_id=user.id)


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ricardc\x13", PASSWORD),  # the documented sample, decoded
        ("".join(chr(code) for code in range(256) if chr(code) != ":")[:255], "".join(map(chr, range(256)))),
        ("ü\x00 中", ":a:b:"),
        ("n" * 255, "p" * 1_024),
        ("spaces ", " "),
        ("lone", "\udcff\ud800"),
    ],
)
def test_M_A3_names_and_passwords_may_hold_whatever_a_basic_header_carries(username: str, password: str) -> None:
    deps, user = with_user(username, password)
    assert users.authenticate(deps, username=username, password=password, address=HOME).key_id == user.id
    assert refused(deps, username, password + "x") == WORDS


@pytest.mark.parametrize("username", ["", "n" * 256, "a:b", ":", "\udcff"])
def test_a_name_that_no_login_could_give_is_refused(username: str) -> None:
    with pytest.raises(Invalid, match="username"):
        with_user(username)


@pytest.mark.parametrize("password", ["", "p" * 1_025])
def test_a_password_has_1_to_1024_characters(password: str) -> None:
    with pytest.raises(Invalid, match="password"):
        with_user(password=password)
    deps, user = with_user()
    with pytest.raises(Invalid, match="password"):
        users.set_password(deps, tenant_id=user.tenant_id, user_id=user.id, password=password)


def test_neither_a_password_nor_its_plain_digest_is_stored() -> None:
    _, user = with_user()
    assert PASSWORD not in repr(user)
    assert hashlib.sha256(PASSWORD.encode()).hexdigest() not in repr(user)
    assert user.password_hash.startswith("scrypt$ln=14,r=8,p=5$")


def by_hash(deps: Deps, username: str, client_hash: str) -> User:
    return users.authenticate_by_hash(deps, username=username, client_hash=client_hash, address=HOME)


def digest(password: str, algorithm: str = "sha512") -> str:
    return hashlib.new(algorithm, password.encode("utf-8", "surrogatepass")).hexdigest()


def test_T_05_users_are_numbered_per_tenant_and_no_number_comes_twice() -> None:
    deps, first = with_user()
    second = users.create_user(deps, tenant_id=first.tenant_id, username="second", password=PASSWORD)
    with pytest.raises(Invalid, match="is taken"):
        users.create_user(deps, tenant_id=first.tenant_id, username="second", password=PASSWORD)
    third = users.create_user(deps, tenant_id=first.tenant_id, username="third", password=PASSWORD)
    stranger = users.create_user(
        deps, tenant_id=accounts.create_tenant(deps, name="Other").id, username="stranger", password=PASSWORD
    )
    assert [user.number for user in (first, second, third, stranger)] == [1, 2, 3, 1]


@pytest.mark.parametrize("password", [PASSWORD, "пароль", "lone \ud800"])
def test_T_A9_a_digest_of_the_password_logs_in_in_its_place(password: str) -> None:
    deps, user = with_user(password=password)
    for client_hash in (digest(password), digest(password, "sha256"), digest(password).upper()):
        assert by_hash(deps, "ricardc", client_hash) == user
    principal = users.authenticate(deps, username="ricardc", password=password, address=HOME)
    assert principal.key_id == user.id


def test_T_A9_a_digest_is_no_password_and_a_password_no_digest() -> None:
    deps, _ = with_user()
    refused(deps, "ricardc", digest(PASSWORD))
    with pytest.raises(Unauthenticated):
        by_hash(deps, "ricardc", PASSWORD)


def test_T_A9_an_algorithm_that_is_not_allowed_is_refused_and_may_be_allowed_later() -> None:
    deps, user = with_user(settings=Settings(client_hashes=("sha512",)))
    with pytest.raises(Unauthenticated):
        by_hash(deps, "ricardc", digest(PASSWORD, "sha256"))
    allowed = memory_deps(store=deps.store, settings=Settings(client_hashes=("sha256",)))
    assert by_hash(allowed, "ricardc", digest(PASSWORD, "sha256")) == user


def test_T_A9_another_password_has_other_digests() -> None:
    deps, user = with_user()
    users.set_password(deps, tenant_id=user.tenant_id, user_id=user.id, password="another")
    for algorithm in ("sha512", "sha256"):
        with pytest.raises(Unauthenticated):
            by_hash(deps, "ricardc", digest(PASSWORD, algorithm))
        assert by_hash(deps, "ricardc", digest("another", algorithm)).number == 1


def test_T_A9_a_user_from_before_digests_were_kept_gets_them_and_a_number_with_the_next_password() -> None:
    deps, user = with_user()
    old = update(user, number=0, sha256_hash=None, sha512_hash=None)
    deps.store.commit(old)
    with pytest.raises(Unauthenticated, match=WORDS):
        by_hash(deps, "ricardc", digest(PASSWORD))
    renewed = users.set_password(deps, tenant_id=user.tenant_id, user_id=user.id, password="another")
    assert by_hash(deps, "ricardc", digest("another")) == renewed
    assert renewed.number == 2


def test_T_A8_every_digest_that_is_refused_costs_the_same_work_and_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deps, user = with_user()
    off = users.create_user(deps, tenant_id=user.tenant_id, username="off", password=PASSWORD)
    users.disable_user(deps, tenant_id=user.tenant_id, user_id=off.id)
    work = work_of_hashing(monkeypatch)
    costs = []
    wrong = [("nobody", digest(PASSWORD)), ("ricardc", digest("x")), ("off", digest(PASSWORD)), ("ricardc", "abc")]
    for username, given in [*wrong, ("ricardc", ""), ("\udcff", "z" * 128)]:
        work.clear()
        trace = Trace()
        with pytest.raises(Unauthenticated, match=WORDS):
            by_hash(memory_deps(store=faulty(deps.store, trace)), username, given)
        costs.append((list(work), trace.moments))
    assert [cost for cost in costs if cost != costs[0]] == []
    assert costs[0][0] == [(2**14, 8, 5, 32, 16)]


def test_who_guesses_digests_has_to_wait_as_who_guesses_passwords() -> None:
    deps, _ = with_user(settings=Settings(failed_logins=3))
    for given in ("no digest", digest("x"), digest("y", "sha256")):
        with pytest.raises(Unauthenticated):
            by_hash(deps, "ricardc", given)
    with pytest.raises(RateLimited):
        by_hash(deps, "ricardc", digest(PASSWORD))
    with pytest.raises(RateLimited):
        users.authenticate(deps, username="ricardc", password=PASSWORD, address=HOME)


def test_a_digest_that_was_hashed_at_another_cost_is_renewed_like_a_password() -> None:
    deps, user = with_user()
    cheap = passwords.hash_password(digest(PASSWORD), salt=b"s" * 16, cost=Cost(log2_n=10, r=8, p=1))
    deps.store.commit(update(user, sha512_hash=cheap))
    assert by_hash(deps, "ricardc", digest(PASSWORD)).id == user.id
    renewed = deps.store.get(User, user.tenant_id, user.id)
    assert renewed is not None
    assert renewed.sha512_hash not in (None, cheap)
    assert (renewed.password_hash, renewed.sha256_hash) == (user.password_hash, user.sha256_hash)


def test_an_administrator_is_made_on_purpose_only() -> None:
    deps, user = with_user()
    assert Scope.ADMIN not in user.scopes
    made = users.create_user(
        deps, tenant_id=user.tenant_id, username="admin", password=PASSWORD, scopes={*USUAL_SCOPES, Scope.ADMIN}
    )
    assert Scope.ADMIN in by_hash(deps, "admin", digest(PASSWORD)).scopes == made.scopes


def test_the_same_password_is_stored_differently_each_time() -> None:
    deps, one = with_user()
    two = users.create_user(deps, tenant_id=one.tenant_id, username="two", password=PASSWORD)
    assert one.password_hash != two.password_hash


def test_a_name_is_unique_over_all_tenants() -> None:
    deps, _ = with_user()
    other = accounts.create_tenant(deps, name="Other")
    with pytest.raises(Invalid, match="username: is taken"):
        users.create_user(deps, tenant_id=other.id, username="ricardc", password="another")
    assert users.list_users(deps, other.id) == []


def test_names_differ_by_case() -> None:
    deps, user = with_user()
    other = users.create_user(deps, tenant_id=user.tenant_id, username="Ricardc", password=PASSWORD)
    assert users.authenticate(deps, username="Ricardc", password=PASSWORD, address=HOME).key_id == other.id


def test_T_10_a_name_in_another_case_is_that_in_lower_case_where_nobody_has_it() -> None:
    deps, user = with_user("anna@example.com")
    for written in ("Anna@Example.com", "ANNA@EXAMPLE.COM"):
        assert users.authenticate(deps, username=written, password=PASSWORD, address=HOME).key_id == user.id
    users.create_user(deps, tenant_id=user.tenant_id, username="Only@Example.com", password=PASSWORD)
    assert refused(deps, "only@example.com", PASSWORD) == WORDS


def test_T_10_another_case_gives_whoever_guesses_no_more_tries() -> None:
    deps, _ = with_user("anna@example.com", settings=Settings(failed_logins=2))
    for written in ("anna@example.com", "Anna@example.com"):
        refused(deps, written, "wrong")
    with pytest.raises(RateLimited):
        users.authenticate(deps, username="ANNA@example.com", password=PASSWORD, address=HOME)


def test_a_name_stays_taken_and_usable_after_a_rotation_of_the_root_key() -> None:
    deps, user = with_user(keyring=KeyRing("1", {"1": b"o" * 32}))
    rotated = memory_deps(store=deps.store, keyring=KeyRing("2", {"2": b"n" * 32}))
    assert users.authenticate(rotated, username="ricardc", password=PASSWORD, address=HOME).key_id == user.id
    with pytest.raises(Invalid, match="is taken"):
        users.create_user(rotated, tenant_id=user.tenant_id, username="ricardc", password="another")


def test_of_two_who_take_a_name_at_once_one_wins() -> None:
    store, barrier, met = MemoryStore(), threading.Barrier(2), threading.local()
    tenant = accounts.create_tenant(memory_deps(store=store), name="Example")

    def meet(moment: Moment) -> None:
        if moment.method == "commit" and moment.when is When.BEFORE and not hasattr(met, "once"):
            met.once = True
            barrier.wait(timeout=30)

    deps = memory_deps(store=faulty(store, meet))

    def take(password: str) -> User | Invalid:
        try:
            return users.create_user(deps, tenant_id=tenant.id, username="same", password=password)
        except Invalid as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(take, ["one", "two"]))
    (winner,) = [answer for answer in answers if isinstance(answer, User)]
    assert [str(answer) for answer in answers if isinstance(answer, Invalid)] == ["username: is taken"]
    assert (store.all(User), len(store.all(Login))) == ([winner], 1)


def test_a_conflict_that_is_not_about_the_name_is_not_told_as_one() -> None:
    store = MemoryStore()
    tenant = accounts.create_tenant(memory_deps(store=store), name="Example")

    def contend(moment: Moment) -> None:
        if moment.method == "commit":
            raise Conflict("busy")

    with pytest.raises(Conflict):
        users.create_user(
            memory_deps(store=faulty(store, contend)), tenant_id=tenant.id, username="free", password=PASSWORD
        )


def test_a_user_needs_a_tenant() -> None:
    with pytest.raises(NotFound):
        users.create_user(memory_deps(), tenant_id="t0", username="ricardc", password=PASSWORD)


def test_unknown_wrong_disabled_and_impossible_are_refused_in_the_same_words() -> None:
    deps, user = with_user()
    answers = {refused(deps, "ricardc", "wrong"), refused(deps, "nobody", PASSWORD), refused(deps, "", "")}
    answers |= {refused(deps, "\udcff", PASSWORD), refused(deps, "n" * 100_000, PASSWORD)}
    users.disable_user(deps, tenant_id=user.tenant_id, user_id=user.id)
    assert answers | {refused(deps, "ricardc", PASSWORD)} == {WORDS}


def test_unknown_wrong_and_disabled_cost_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    deps, user = with_user()
    off = users.create_user(deps, tenant_id=user.tenant_id, username="off", password=PASSWORD)
    users.disable_user(deps, tenant_id=user.tenant_id, user_id=off.id)
    work = work_of_hashing(monkeypatch)
    costs = []
    for username, password in (("nobody", PASSWORD), ("ricardc", "wrong"), ("RicardC", "wrong"), ("off", PASSWORD)):
        work.clear()
        trace = Trace()
        watched = memory_deps(store=faulty(deps.store, trace))
        assert refused(watched, username, password) == WORDS
        costs.append((list(work), trace.moments))
    assert costs[0] == costs[1] == costs[2] == costs[3]
    assert costs[0][0] == [(2**14, 8, 5, 32, 16)]
    assert [moment.method for moment in costs[0][1] if moment.when is When.BEFORE] == [
        *["get"] * 5,
        *["count"] * 2,
    ]


def test_a_disabled_user_is_out_at_once_and_can_be_let_in_again() -> None:
    clock = ManualClock()
    deps, user = with_user(now_ms=clock)
    token = tokens.issue(deps, accounts.principal_of(user)).token
    first = users.disable_user(deps, tenant_id=user.tenant_id, user_id=user.id)
    clock.advance(5)
    assert users.disable_user(deps, tenant_id=user.tenant_id, user_id=user.id) == first
    refused(deps, "ricardc", PASSWORD)
    with pytest.raises(Unauthenticated):
        tokens.verify(deps, token)
    users.enable_user(deps, tenant_id=user.tenant_id, user_id=user.id)
    with pytest.raises(Unauthenticated):
        tokens.verify(deps, token)
    assert users.authenticate(deps, username="ricardc", password=PASSWORD, address=HOME).key_id == user.id


def test_who_is_let_in_again_has_to_log_in_again() -> None:
    clock = ManualClock()
    deps, user = with_user(now_ms=clock)
    before = refresh.log_in(deps, accounts.principal_of(user), life_s=900)
    clock.advance(2)
    users.disable_user(deps, tenant_id=user.tenant_id, user_id=user.id)
    clock.advance(2)
    enabled = users.enable_user(deps, tenant_id=user.tenant_id, user_id=user.id)
    with pytest.raises(Unauthenticated):
        refresh.renew(deps, before.refresh_token, life_s=900)
    with pytest.raises(Unauthenticated):
        tokens.verify(deps, before.access.token)
    after = refresh.log_in(
        deps, users.authenticate(deps, username="ricardc", password=PASSWORD, address=HOME), life_s=9
    )
    clock.advance(1)
    assert users.enable_user(deps, tenant_id=user.tenant_id, user_id=user.id) == enabled  # it was not disabled
    assert refresh.renew(deps, after.refresh_token, life_s=900).access.token


def test_a_new_password_replaces_the_old_one_and_ends_its_tokens() -> None:
    clock = ManualClock()
    deps, user = with_user(now_ms=clock)
    token = tokens.issue(deps, accounts.principal_of(user)).token
    clock.advance(2)
    users.set_password(deps, tenant_id=user.tenant_id, user_id=user.id, password="new")
    refused(deps, "ricardc", PASSWORD)
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify(deps, token)
    principal = users.authenticate(deps, username="ricardc", password="new", address=HOME)
    assert tokens.verify(deps, tokens.issue(deps, principal).token) == principal


def test_a_user_of_another_tenant_cannot_be_touched() -> None:
    deps, user = with_user()
    other = accounts.create_tenant(deps, name="Other")
    for change in (users.disable_user, users.enable_user):
        with pytest.raises(NotFound):
            change(deps, tenant_id=other.id, user_id=user.id)
    with pytest.raises(NotFound):
        users.set_password(deps, tenant_id=other.id, user_id=user.id, password="new")
    assert users.authenticate(deps, username="ricardc", password=PASSWORD, address=HOME).key_id == user.id


def test_users_are_listed_newest_first_with_the_disabled_ones() -> None:
    clock = ManualClock()
    deps, first = with_user(now_ms=clock)
    clock.advance(1)
    second = users.create_user(deps, tenant_id=first.tenant_id, username="second", password=PASSWORD)
    off = users.disable_user(deps, tenant_id=first.tenant_id, user_id=first.id)
    assert users.list_users(deps, first.tenant_id) == [second, off]


def with_cheap_hash(deps: Deps, user: User) -> User:
    cheap = passwords.hash_password(PASSWORD, salt=b"s" * 16, cost=Cost(log2_n=10, r=8, p=1))
    change = update(user, password_hash=cheap)
    deps.store.commit(change)
    changed: User = change.after
    return changed


def test_a_hash_of_another_cost_is_renewed_by_the_right_password_only() -> None:
    deps, user = with_user()
    cheap = with_cheap_hash(deps, user)
    refused(deps, "ricardc", "wrong")
    assert deps.store.get(User, user.tenant_id, user.id) == cheap
    principal = users.authenticate(deps, username="ricardc", password=PASSWORD, address=HOME)
    renewed = deps.store.get(User, user.tenant_id, user.id)
    assert renewed is not None
    assert not passwords.outdated(renewed.password_hash)
    assert passwords.matches(renewed.password_hash, PASSWORD)
    assert principal.tokens_from_ms == renewed.password_set_at_ms == user.password_set_at_ms  # it is no new password


def test_a_renewal_that_loses_a_race_still_logs_in() -> None:
    deps, user = with_user()
    with_cheap_hash(deps, user)

    def contend(moment: Moment) -> None:
        if moment.method == "commit":
            raise Conflict("somebody was faster")

    busy = memory_deps(store=faulty(deps.store, contend))
    assert users.authenticate(busy, username="ricardc", password=PASSWORD, address=HOME).key_id == user.id


@pytest.mark.parametrize(
    "stored", ["", "scrypt$", "scrypt$ln=14,r=8,p=5$$", "bcrypt$ln=14,r=8,p=5$YQ==$YQ==", PASSWORD]
)
def test_a_hash_that_we_did_not_write_is_an_error(stored: str) -> None:
    with pytest.raises(ValueError, match="stored password"):
        passwords.matches(stored, PASSWORD)


def test_a_stored_cost_beyond_the_memory_limit_is_refused_instead_of_taken() -> None:
    cheap = passwords.hash_password("x", salt=b"s" * 16, cost=Cost(log2_n=4, r=8, p=1))
    with pytest.raises(ValueError, match="memory"):
        passwords.matches(cheap.replace("ln=4", "ln=24"), "x")


def test_a_published_vector_of_scrypt_is_met() -> None:
    """RFC 7914, section 12: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1), its first 32 bytes."""
    stored = passwords.hash_password("pleaseletmein", salt=b"SodiumChloride", cost=Cost(log2_n=14, r=8, p=1))
    digest = base64.urlsafe_b64decode(stored.rpartition("$")[2])
    assert digest.hex() == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
