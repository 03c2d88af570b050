"""How a password is kept: scrypt, with its parameters and salt beside it, so that they can be raised later."""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore

from callscribe.errors import Unavailable

SALT_BYTES = 16
_HASH_BYTES = 32
_MAX_MEMORY_BYTES = 64 * 1024 * 1024
_MAX_WAIT_S = 10.0  # for one's turn; a request has less than 30 s
_turns = BoundedSemaphore(os.cpu_count() or 1)  # more at one time would only take more memory
_STORED = re.compile(r"scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,3}),p=([0-9]{1,3})\$([\w-]+=*)\$([\w-]+=*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs: 128 × r × 2^log2_n bytes of memory, p times over in time."""

    log2_n: int
    r: int
    p: int


# One of the equally strong choices of OWASP's Password Storage Cheat Sheet: 16 MiB, since functions are small.
COST = Cost(log2_n=14, r=8, p=5)


def hash_password(password: str, *, salt: bytes, cost: Cost = COST) -> str:
    """`scrypt$ln=…,r=…,p=…$<salt>$<hash>`, both in base64url. Any text is a password, unpaired surrogates included.

    Raises Unavailable, as `matches` does, where too many are hashed at one time in this process.
    """
    return _written(cost, salt, _scrypt(password, salt, cost))


def matches(stored: str, password: str) -> bool:
    """Whether this is the password. Raises ValueError for what `hash_password` did not write."""
    cost, salt, digest = _read(stored)
    return hmac.compare_digest(_scrypt(password, salt, cost), digest)


def outdated(stored: str) -> bool:
    """Whether it was hashed at another cost than would be taken today."""
    return _read(stored)[0] != COST


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    with _turn():
        return hashlib.scrypt(
            password.encode("utf-8", "surrogatepass"),
            salt=salt,
            n=1 << cost.log2_n,
            r=cost.r,
            p=cost.p,
            maxmem=_MAX_MEMORY_BYTES,
            dklen=_HASH_BYTES,
        )


@contextmanager
def _turn() -> Iterator[None]:
    """Wait until fewer than the processors have such work. Raises Unavailable."""
    if not _turns.acquire(timeout=_MAX_WAIT_S):
        raise Unavailable("too many passwords are being checked at one time")
    try:
        yield
    finally:
        _turns.release()


def _written(cost: Cost, salt: bytes, digest: bytes) -> str:
    salt_text, digest_text = (base64.urlsafe_b64encode(part).decode() for part in (salt, digest))
    return f"scrypt$ln={cost.log2_n},r={cost.r},p={cost.p}${salt_text}${digest_text}"


def _read(stored: str) -> tuple[Cost, bytes, bytes]:
    found = _STORED.fullmatch(stored)
    if found is None:
        raise ValueError("not a stored password")
    log2_n, r, p, salt, digest = found.groups()
    return Cost(int(log2_n), int(r), int(p)), base64.urlsafe_b64decode(salt), base64.urlsafe_b64decode(digest)


NOBODYS = _written(COST, bytes(SALT_BYTES), bytes(_HASH_BYTES))  # takes as long to check as any, and never matches
