"""A media server of the laptop's own, with everything that a site may do to who fetches from it, and a storage."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.loopback import LoopbackServer

SOUND = (Path(__file__).parents[1] / "audio" / "jfk.flac").read_bytes()
PAGE = b"<html><head><title>Talk</title></head><body>%s</body></html>"
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Talks</title>
<item><title>One</title><link>http://127.0.0.1:1/1.mp3</link></item>
<item><title>Two</title><link>http://127.0.0.1:1/2.mp3</link></item></channel></rss>"""


class MediaSite(LoopbackServer):
    """A site of the laptop's own; `asked` are the paths that were asked for, `put` what was put."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.server = _Server((host, 0), _Handler)
        super().__init__(self.server, "media")

    @property
    def asked(self) -> list[str]:
        return self.server.asked

    def url(self, path: str) -> str:
        return f"http://{self.server.server_address[0]!s}:{self.port}{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    location = ""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked: list[str] = []
        self.put: dict[str, bytes] = {}
        self.headers: list[dict[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        path = self.path.partition("?")[0]
        if path == "/endless":
            self._drip(b"x" * 64, pause_s=0.05)
        elif path == "/unbounded":
            self._drip(b"x" * 65_536, pause_s=0)
        elif path == "/moved":
            self._answer(302, b"", Location=self.server.location)
        elif path == "/page":
            self._answer(200, PAGE % b"nothing but words", **{"Content-Type": "text/html"})
        elif path == "/feed":
            self._answer(200, FEED, **{"Content-Type": "application/rss+xml"})
        elif path.startswith("/status/"):
            self._answer(int(path.rpartition("/")[2]), b"")
        else:
            body = b"" if path == "/empty.flac" else SOUND * (20 if path == "/large.flac" else 1)
            self._answer(200, body, **{"Content-Type": "audio/flac"})

    def do_PUT(self) -> None:
        self.server.put[self.path] = self.rfile.read(int(self.headers["content-length"]))
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self._answer(403 if self.path.startswith("/expired") else 200, b"")

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self, block: bytes, *, pause_s: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "audio/flac")
        self.end_headers()
        try:
            while True:
                self.wfile.write(block)
                time.sleep(pause_s)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
