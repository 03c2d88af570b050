"""The price of a password's hash, where the price is not what a test is about."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest import mock

REAL = hashlib.scrypt
_REMEMBERED = cache(REAL)


def _quick(password: bytes, *, salt: bytes, n: int, r: int, p: int, maxmem: int = 0, dklen: int = 64) -> bytes:
    """Of another password, salt or cost another hash, as the real one."""
    return REAL(password, salt=salt + f"/{n}/{r}/{p}".encode(), n=2, r=1, p=1, maxmem=maxmem, dklen=dklen)


@contextmanager
def remembered_scrypt() -> Iterator[None]:
    """The real hash, but that of the same password is computed once: other processes can check it."""
    with mock.patch.object(hashlib, "scrypt", _REMEMBERED):
        yield


@contextmanager
def quick_scrypt() -> Iterator[None]:
    """A hash that costs nothing, for those who try very many passwords; no other process can check it."""
    with mock.patch.object(hashlib, "scrypt", _quick):
        yield
