"""Small files in a dictionary, replaced as a whole by whoever saw the last one."""

import hashlib
import threading
from pathlib import Path


class MemoryIndexFiles:
    """`ports.IndexFiles`. `requests` counts what would be paid for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, tuple[str, bytes]] = {}  # ETag and body
        self.requests = 0

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        with self._lock:
            return sum(len(body) for _, body in self._files.values())

    def etags(self, prefix: str) -> dict[str, str]:
        """See `ports.IndexFiles.etags`."""
        with self._lock:
            self.requests += 1
            return {key: etag for key, (etag, _) in self._files.items() if key.startswith(prefix)}

    def fetch(self, key: str, path: Path) -> str | None:
        """See `ports.IndexFiles.fetch`."""
        with self._lock:
            self.requests += 1
            found = self._files.get(key)
        if found is None:
            return None
        path.write_bytes(found[1])
        return found[0]

    def replace(self, key: str, path: Path, *, etag: str | None) -> str | None:
        """See `ports.IndexFiles.replace`."""
        body = path.read_bytes()
        with self._lock:
            self.requests += 1
            known = self._files.get(key)
            if (None if known is None else known[0]) != etag:
                return None
            written = _etag(body)
            self._files[key] = (written, body)
        return written


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
