"""Hashing at one time: no more than there are processors, and nobody waits for ever."""

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from callscribe.domain import passwords
from callscribe.domain.passwords import Cost
from callscribe.errors import Unavailable

CHEAP = Cost(log2_n=4, r=8, p=1)


def test_no_more_passwords_are_hashed_at_one_time_than_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    processors = os.cpu_count() or 1
    callers, lock, busy, seen = 3 * processors, threading.Lock(), 0, list[int]()

    def slow(_password: bytes, **_how: object) -> bytes:
        nonlocal busy
        with lock:
            busy += 1
            seen.append(busy)
        threading.Event().wait(0.05)
        with lock:
            busy -= 1
        return bytes(32)

    monkeypatch.setattr(hashlib, "scrypt", slow)
    with ThreadPoolExecutor(callers) as threads:
        made = list(threads.map(lambda _: passwords.hash_password("x", salt=b"s", cost=CHEAP), range(callers)))
    assert (len(made), len(seen)) == (callers, callers)
    assert max(seen) <= processors


def test_whoever_gets_no_turn_in_time_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(passwords, "_MAX_WAIT_S", 0.05)
    stored = passwords.hash_password("x", salt=b"s" * 16, cost=CHEAP)
    with passwords._turn(), pytest.raises(Unavailable):
        passwords.matches(stored, "x")
    assert passwords.matches(stored, "x")


def test_a_hash_that_fails_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(passwords, "_MAX_WAIT_S", 0.05)
    stored = passwords.hash_password("x", salt=b"s" * 16, cost=CHEAP)
    for _ in range(2):
        with pytest.raises(ValueError, match="memory"):
            passwords.matches(stored.replace("ln=4", "ln=24"), "x")
    assert passwords.matches(stored, "x")
