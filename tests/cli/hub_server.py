"""A loopback server that speaks the part of the Hugging Face hub's protocol that its client uses to fetch files."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

COMMIT = "c0ffee" * 6 + "beef"
_TREE = re.compile(r"/api/models/(?P<repository>[^/]+/[^/]+)/tree/(?P<revision>[^/?]+)(\?.*)?")
_FILE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_BLOCK_BYTES = 65_536


@dataclass
class Hub:
    """Repositories by name, each of files by path, all at one `commit`.

    `gated`: those that want a token. `answers`: statuses to answer next, instead. `pause_s`: between two blocks of
    64 KiB. `asked`: method and path of every request; `tokens`: the credentials that came with them.
    """

    url: str = ""
    commit: str = COMMIT
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: dict[str, str] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    pause_s: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def downloads(self) -> list[str]:
        """The files that were really sent, in order."""
        found = [_FILE.fullmatch(path) for verb, path in self.asked if verb == "GET"]
        return [match["path"] for match in found if match]


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        """Not to stderr, where a test would find it."""

    def _answer(self, *, with_body: bool) -> None:
        if self.path == "/api/agent-harnesses":  # newer clients ask this for their own name
            self._refuse(404)
            return
        self.hub.asked.append((self.command, self.path))
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        found = _TREE.fullmatch(self.path) or _FILE.fullmatch(self.path)
        if self.hub.answers:
            self._refuse(self.hub.answers.pop(0))
        elif found is None or found["repository"] not in self.hub.repositories:
            self._refuse(401, "RepoNotFound")  # what the hub says to strangers of anything they may not see
        elif self._barred(found["repository"]):
            self._refuse(401, "GatedRepo")
        elif found["revision"] != self.hub.commit:
            self._refuse(404, "RevisionNotFound")
        elif "path" not in found.groupdict():
            self._send(json.dumps(_tree(self.hub.repositories[found["repository"]])).encode(), "application/json")
        elif found["path"] not in self.hub.repositories[found["repository"]]:
            self._refuse(404, "EntryNotFound")
        else:
            self._file(self.hub.repositories[found["repository"]][found["path"]], with_body=with_body)

    def _barred(self, repository: str) -> bool:
        wanted = self.hub.gated.get(repository)
        return wanted is not None and self.headers.get("Authorization") != f"Bearer {wanted}"

    def _file(self, body: bytes, *, with_body: bool) -> None:
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(start[1]) if start else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - first))
        if start:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.end_headers()
        if with_body:
            for at in range(first, len(body), _BLOCK_BYTES):
                self.wfile.write(body[at : at + _BLOCK_BYTES])
                time.sleep(self.hub.pause_s)

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, code: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _tree(files: dict[str, bytes]) -> list[dict[str, object]]:
    return [_entry(path, body) for path, body in files.items()]


def _entry(path: str, body: bytes) -> dict[str, object]:
    checksum = hashlib.sha256(body).hexdigest()
    entry: dict[str, object] = {"type": "file", "path": path, "size": len(body), "oid": checksum[:40]}
    if len(body) > 1_000_000:
        entry["lfs"] = {"oid": checksum, "size": len(body), "pointerSize": 134}
    return entry
