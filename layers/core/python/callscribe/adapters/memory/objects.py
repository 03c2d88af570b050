"""A bucket in a dictionary, with versions and with URLs that expire."""

import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote, urlencode

from callscribe.errors import NotFound, TooLarge
from callscribe.ports import ObjectInfo, SentAs


class UrlRefused(Exception):
    """The bucket refuses a request by URL: never presigned, presigned for another method, or expired."""


class MemoryObjects:
    """One bucket. `put`, `upload` and `fetch` are what its clients do, from outside.

    `other_buckets` holds, by name, the buckets that `copy` may read.
    """

    def __init__(self, now_ms: Callable[[], int], *, bucket: str = "bucket", versioned: bool = True) -> None:
        self._now_ms = now_ms
        self._bucket = bucket
        self._versioned = versioned
        self._lock = threading.RLock()
        self._versions: dict[str, dict[str, bytes]] = {}  # key → version id → body, oldest first
        self._grants: dict[str, tuple[str, str, int, SentAs]] = {}  # URL → method, key, expiry in ms, how
        self._written = 0
        self.other_buckets: dict[str, MemoryObjects] = {}

    def presign_put(self, key: str, *, expires_s: int) -> str:
        """See `ports.ObjectStore.presign_put`; `upload` accepts it."""
        return self._presign("PUT", key, expires_s, SentAs())

    def presign_get(self, key: str, *, expires_s: int, sent_as: SentAs | None = None) -> str:
        """See `ports.ObjectStore.presign_get`; `fetch` accepts it, and `sent_as` tells how it would be sent."""
        return self._presign("GET", key, expires_s, sent_as or SentAs())

    def sent_as(self, url: str) -> SentAs:
        """How an object is sent by a URL that reads it. Raises UrlRefused."""
        return self._granted("GET", url)[1]

    def head(self, key: str, *, version_id: str | None = None) -> ObjectInfo | None:
        """See `ports.ObjectStore.head`."""
        with self._lock:
            found = self._find(key, version_id)
        return None if found is None else ObjectInfo(len(found[1]), found[0] if self._versioned else None)

    def read(self, key: str, *, version_id: str | None = None) -> bytes:
        """See `ports.ObjectStore.read`."""
        with self._lock:
            found = self._find(key, version_id)
        if found is None:
            raise NotFound(f"no object {key}")
        return found[1]

    def download(self, key: str, path: Path, *, version_id: str | None = None) -> None:
        """See `ports.ObjectStore.download`."""
        path.write_bytes(self.read(key, version_id=version_id))

    def put_if_absent(self, key: str, body: bytes, *, content_type: str) -> bool:
        """See `ports.ObjectStore.put_if_absent`."""
        if not content_type:
            raise ValueError("an object has a content type")
        with self._lock:
            if key in self._versions:
                return False
            self.put(key, body)
            return True

    def put_file(self, key: str, path: Path) -> None:
        """See `ports.ObjectStore.put_file`."""
        self.put(key, path.read_bytes())

    def copy(
        self,
        source_key: str,
        key: str,
        *,
        bucket: str | None = None,
        version_id: str | None = None,
        max_bytes: int | None = None,
    ) -> None:
        """See `ports.ObjectStore.copy`; from `other_buckets`, where one is named."""
        source = self if bucket is None else self.other_buckets.get(bucket)
        if source is None:
            raise NotFound(f"no bucket {bucket}")
        body = source.read(source_key, version_id=version_id)
        if max_bytes is not None and len(body) > max_bytes:
            raise TooLarge(len(body))
        self.put(key, body)

    def erase(self, prefix: str) -> int:
        """See `ports.ObjectStore.erase`. Raises ValueError for an empty prefix."""
        if not prefix:
            raise ValueError("an empty prefix would erase the bucket")
        with self._lock:
            gone = [key for key in self._versions if key.startswith(prefix)]
            return sum(len(self._versions.pop(key)) for key in gone)

    def put(self, key: str, body: bytes) -> str | None:
        """Store a new version as a client's upload does; its id, None in an unversioned bucket."""
        with self._lock:
            versions = self._versions.setdefault(key, {})
            if not self._versioned:
                versions["null"] = bytes(body)
                return None
            self._written += 1
            version_id = f"v{self._written}"
            versions[version_id] = bytes(body)
            return version_id

    def upload(self, url: str, body: bytes) -> str | None:
        """PUT to a presigned URL; the new version's id. Raises UrlRefused."""
        return self.put(self._granted("PUT", url)[0], body)

    def fetch(self, url: str) -> bytes:
        """GET by a presigned URL. Raises UrlRefused, and NotFound where the object is missing."""
        key, how = self._granted("GET", url)
        return self.read(key, version_id=how.version_id)

    def keys(self) -> list[str]:
        """Every key in use, sorted."""
        with self._lock:
            return sorted(self._versions)

    def _presign(self, method: str, key: str, expires_s: int, sent_as: SentAs) -> str:
        expires_ms = self._now_ms() + expires_s * 1000
        asked = {"method": method, "expires_at_ms": expires_ms, **asdict(sent_as)}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        url = f"https://{self._bucket}.s3.memory.example/{quote(key)}?{query}"
        self._grants[url] = (method, key, expires_ms, sent_as)
        return url

    def _granted(self, method: str, url: str) -> tuple[str, SentAs]:
        granted, key, expires_ms, sent_as = self._grants.get(url, ("", "", 0, SentAs()))
        if granted != method or self._now_ms() >= expires_ms:
            raise UrlRefused(f"{method} by this URL is not, or no longer, allowed")
        return key, sent_as

    def _find(self, key: str, version_id: str | None) -> tuple[str, bytes] | None:
        versions = self._versions.get(key, {})
        wanted = version_id or next(reversed(versions), None)
        return (wanted, versions[wanted]) if wanted in versions else None
