"""A loopback server before a Lambda handler, for clients that are programs of their own."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from callscribe.dialects import Handler
from tests.dialects.conftest import http_event


@contextmanager
def served(handler: Handler, context: Any = None) -> Iterator[str]:
    """A server that hands every request to the handler, as the gateway would; its base URL."""

    class Gateway(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("content-length", 0))) or None
            event = http_event(self.command, path, headers=dict(self.headers), body=body, query=query)
            answer = handler(event, context)
            raw = answer.get("body") or ""
            content = base64.b64decode(raw) if answer.get("isBase64Encoded") else raw.encode()
            self.send_response(answer["statusCode"])
            for header, value in {**answer["headers"], "Content-Length": str(len(content))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
