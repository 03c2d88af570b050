"""A little web server that has one audio file."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.loopback import LoopbackServer


class MediaServer(LoopbackServer):
    """Answers `/call.wav` with the file and every other path with 404; `asked` counts the requests."""

    def __init__(self, file: bytes) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.file = file
        super().__init__(self._server, "media")

    @property
    def asked(self) -> int:
        """How many requests came."""
        return self._server.asked

    def url(self, path: str = "/call.wav") -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    asked = 0
    file: bytes


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked += 1
        is_there = self.path.partition("?")[0] == "/call.wav"
        body = self.server.file if is_there else b"not found"
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass
