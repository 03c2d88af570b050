"""Tenants and their API keys: who may do what, and how a key looks."""

import hashlib
import hmac
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

KEY_PREFIX = "cs_live_"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARACTERS = 30
_CHECKSUM_CHARACTERS = 6


class Scope(StrEnum):
    """What a credential may do. A dialect translates its vendor's permission names to these."""

    TRANSCRIBE = "transcribe"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer. Its id is the first part of every key and object name."""

    KEY: ClassVar[tuple[str, ...]] = ("id",)
    LISTED: ClassVar[str | None] = None

    id: str
    name: str
    created_at_ms: int
    webhook_key_ids: tuple[str, ...] = ("1.1",)  # see KeyRing.webhook_secret; current first, then the one before
    version: int = 0


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential: its public id (the APP Id of dialect `presign`) and what it may do. The secret is not kept."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = "created_at_ms"

    tenant_id: str
    id: str
    name: str
    digest: str
    hint: str  # the last four characters, so that its owner recognises it
    scopes: frozenset[Scope]
    created_at_ms: int
    expires_at_ms: int | None = None
    revoked_at_ms: int | None = None
    last_used_at_ms: int | None = None
    options: tuple[str, ...] = ()  # names of dialect switches, see the dialects' `__init__`
    version: int = 0

    def usable(self, *, now_ms: int) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at_ms is None and (self.expires_at_ms is None or now_ms < self.expires_at_ms)


@dataclass(frozen=True, slots=True)
class ApiKeyDigest:
    """Global look-up: which tenant's key has this digest."""

    KEY: ClassVar[tuple[str, ...]] = ("digest",)
    LISTED: ClassVar[str | None] = None

    digest: str
    tenant_id: str
    key_id: str
    version: int = 0


def format_key(secret: bytes) -> str:
    """A key from at least 23 random bytes: prefix, 30 base62 characters, 6 of CRC-32 over what precedes."""
    body = _base62(int.from_bytes(secret, "big"), _SECRET_CHARACTERS)
    return KEY_PREFIX + body + _checksum(KEY_PREFIX + body)


def well_formed(key: str) -> bool:
    """Whether a string can be one of our keys at all; recognises typos and leaks without a look-up."""
    size = len(KEY_PREFIX) + _SECRET_CHARACTERS + _CHECKSUM_CHARACTERS
    if len(key) != size or not key.startswith(KEY_PREFIX) or not key.isascii():
        return False
    return hmac.compare_digest(key[-_CHECKSUM_CHARACTERS:], _checksum(key[:-_CHECKSUM_CHARACTERS]))


def digest_key(key: str, *, pepper: bytes) -> str:
    """What is stored in place of the key: HMAC-SHA256, hex."""
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECKSUM_CHARACTERS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
