"""Guessing passwords: after so many failures the next is not even checked."""

import hashlib
from typing import Any

import pytest

from callscribe.adapters.memory import ManualClock, MemoryStore, memory_deps
from callscribe.domain.accounts import User
from callscribe.domain.counters import Counter
from callscribe.errors import RateLimited, Unauthenticated
from callscribe.ports import Deps, Settings
from callscribe.services import accounts, failed_logins, users

PASSWORD = "9kAXZZu?rjMbk$Rh"
WRONG = "wrong"
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.77"


def with_user(failed: int = 3, **overrides: Any) -> tuple[Deps, User]:
    deps = memory_deps(settings=Settings(failed_logins=failed), **overrides)
    tenant = accounts.create_tenant(deps, name="Example")
    return deps, users.create_user(deps, tenant_id=tenant.id, username="ricardc", password=PASSWORD)


def tried(deps: Deps, username: str = "ricardc", password: str = WRONG, address: str = HOME) -> str:
    """The name of what became of it."""
    try:
        return users.authenticate(deps, username=username, password=password, address=address).key_id
    except (Unauthenticated, RateLimited) as error:
        return type(error).__name__


REFUSED, LIMITED = Unauthenticated.__name__, RateLimited.__name__


@pytest.mark.parametrize("username", ["ricardc", "nobody"])
def test_after_so_many_failures_nobody_is_let_in_and_nothing_is_hashed(
    username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deps, _ = with_user()
    assert [tried(deps, username) for _ in range(4)] == [*[REFUSED] * 3, LIMITED]
    monkeypatch.delattr(hashlib, "scrypt")
    assert tried(deps, username, PASSWORD) == LIMITED


def test_another_address_and_another_name_are_counted_apart() -> None:
    deps, user = with_user()
    assert [tried(deps) for _ in range(4)][-1] == LIMITED
    assert tried(deps, password=PASSWORD, address=ELSEWHERE) == user.id
    assert tried(deps, "nobody") == REFUSED


def test_an_address_that_tries_many_names_is_told_to_wait_too() -> None:
    deps, user = with_user(failed=1)
    most = failed_logins.NAMES_OF_ADDRESS
    assert [tried(deps, f"name {number}") for number in range(most)] == [REFUSED] * most
    assert tried(deps, password=PASSWORD) == LIMITED
    assert tried(deps, password=PASSWORD, address=ELSEWHERE) == user.id


def test_a_success_takes_no_failure_back() -> None:
    deps, user = with_user()
    assert [tried(deps), tried(deps), tried(deps, password=PASSWORD), tried(deps)] == [
        REFUSED,
        REFUSED,
        user.id,
        REFUSED,
    ]
    assert tried(deps, password=PASSWORD) == LIMITED


def test_when_the_time_is_over_that_was_told_the_password_is_checked_again() -> None:
    clock = ManualClock()
    deps, user = with_user(failed=1, now_ms=clock)
    clock.advance(7)
    assert tried(deps) == REFUSED
    with pytest.raises(RateLimited) as limited:
        users.authenticate(deps, username="ricardc", password=PASSWORD, address=HOME)
    assert 0 < limited.value.retry_after_s <= 900
    clock.advance(limited.value.retry_after_s)
    assert tried(deps, password=PASSWORD) == user.id


def test_the_table_holds_neither_address_nor_name_and_forgets() -> None:
    store = MemoryStore()
    deps, _ = with_user(store=store)
    tried(deps, "somebody")
    counters = [counter for counter in store.all(Counter) if counter.scope == "failed-logins"]
    assert len(counters) == 2
    said = repr(counters)
    for text in (HOME, "somebody"):
        assert text not in said
        assert hashlib.sha256(text.encode()).hexdigest() not in said
    assert all(counter.forget_at_ms is not None and counter.forget_at_ms > deps.now_ms() for counter in counters)
