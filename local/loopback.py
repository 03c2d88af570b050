"""What every little server of the laptop cloud shares: a thread of this process that answers on 127.0.0.1."""

import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Self


class LoopbackServer:
    """A context manager round an HTTP server that is listening already: answers inside it, is closed after it."""

    def __init__(self, server: ThreadingHTTPServer, name: str) -> None:
        self.__server = server
        self.__name = name
        self.__thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.__server.server_port

    def start(self) -> None:
        """Begin to answer."""
        self.__thread = threading.Thread(
            target=self.__server.serve_forever, args=(0.05,), name=self.__name, daemon=True
        )
        self.__thread.start()

    def stop(self) -> None:
        """Stop listening; requests under way are cut off. Safe to call twice."""
        thread, self.__thread = self.__thread, None
        if thread is not None:
            self.__server.shutdown()
            thread.join()
        self.__server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
