"""Tenants, their API keys and users: who may do what, and how a key looks."""

import hashlib
import hmac
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from callscribe.domain.call_facts import NOTHING_KNOWN, CallFacts
from callscribe.domain.prices import Account, Plan
from callscribe.domain.tariffs import Subscription

KEY_PREFIX = "cs_live_"
USER_PREFIX = "user-"  # of a user's id
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARACTERS = 30
_CHECKSUM_CHARACTERS = 6


class Scope(StrEnum):
    """What a credential may do. A dialect translates its vendor's permission names to these."""

    TRANSCRIBE = "transcribe"  # make jobs, cancel and delete them
    READ = "read"  # see jobs, transcripts and usage
    ADMIN = "admin"  # see what the tenant's other users keep for themselves


USUAL_SCOPES = frozenset({Scope.TRANSCRIBE, Scope.READ})


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer. Its id is the first part of every key and object name."""

    KEY: ClassVar[tuple[str, ...]] = ("id",)
    LISTED: ClassVar[str | None] = None

    id: str
    name: str
    created_at_ms: int
    webhook_key_ids: tuple[str, ...] = ("1.1",)  # see KeyRing.webhook_secret; current first, then the one before
    plan: Plan | None = None  # None: nothing is charged
    call: CallFacts = NOTHING_KNOWN  # what holds for all of the tenant's calls, where a job says nothing else
    vocabulary: tuple[str, ...] = ()  # names and terms said on its calls: product and staff names
    source_uris: tuple[str, ...] = ()  # `s3://bucket/prefix`, from which its jobs may take audio
    subscription: Subscription | None = None  # the tariff it has; None: it has no tasks
    version: int = 0


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """One line of the operator's list of tenants."""

    KEY: ClassVar[tuple[str, ...]] = ("directory", "tenant_id")
    LISTED: ClassVar[str | None] = "created_at_ms"

    directory: str  # DIRECTORY
    tenant_id: str
    created_at_ms: int
    version: int = 0


DIRECTORY = "tenants"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who logs in by name and password. The password is not kept."""

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = "created_at_ms"

    tenant_id: str
    id: str  # `user-…`
    username: str
    password_hash: str  # see `passwords`
    scopes: frozenset[Scope]
    created_at_ms: int
    password_set_at_ms: int
    disabled_at_ms: int | None = None
    enabled_at_ms: int | None = None  # when it was last let in again
    number: int = 0  # counts the tenant's users from 1, for dialects whose ids are integers
    # What stands for the password where a client sends only a hash of it: scrypt of that hash (T-A9).
    sha256_hash: str | None = None
    sha512_hash: str | None = None
    version: int = 0

    @property
    def tokens_from_ms(self) -> int:
        """What was issued before is void."""
        return max(self.password_set_at_ms, self.enabled_at_ms or 0)


@dataclass(frozen=True, slots=True)
class Login:
    """Global look-up: whose user has this name, by its digest. So a name is unique in the whole stage."""

    KEY: ClassVar[tuple[str, ...]] = ("digest",)
    LISTED: ClassVar[str | None] = None

    digest: str  # see `digest_username`
    tenant_id: str
    user_id: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class RefreshFamily:
    """A login that is kept alive by refresh tokens: each is used once, and makes the next of its family.

    No token is stored: token number `generation` is an HMAC over family and number, made with the root key `root_id`.
    """

    KEY: ClassVar[tuple[str, ...]] = ("tenant_id", "id")
    LISTED: ClassVar[str | None] = None

    tenant_id: str
    id: str
    subject_id: str  # of the key or the user that logged in
    started_at_ms: int
    generation: int
    root_id: str
    rotated_at_ms: int
    expires_at_ms: int
    forget_at_ms: int
    revoked_at_ms: int | None = None
    version: int = 0

    def good_for(self, subject_id: str, *, since_ms: int) -> bool:
        """Not revoked, of this key or user, and not begun before `since_ms`."""
        return self.revoked_at_ms is None and self.subject_id == subject_id and self.started_at_ms >= since_ms


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
    pays_from: Account | None = None  # None: the account of the tenant's plan
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


def digest_username(username: str) -> str:
    """SHA-256, hex: any name becomes a key of one length.

    Without a secret: the name itself is stored beside it, and a digest that followed the root key would let the same
    name be taken twice after a rotation.
    """
    return hashlib.sha256(username.encode("utf-8", "surrogatepass")).hexdigest()


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECKSUM_CHARACTERS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
