"""functions/door behind a real uvicorn on a free port, in a thread of the test."""

import asyncio
import http.client
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from callscribe import dialects
from callscribe.wiring import DoorOptions
from functions.door.app import Door, Idlers, Limits, serve, server_settings
from tests.waiting import SOON_S


@dataclass(frozen=True)
class Reply:
    """What came over the wire; header names in lower case, in their order."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True)
class RunningDoor:
    """A door that answers on 127.0.0.1:`port`."""

    port: int
    server: uvicorn.Server

    def ask(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None, **how: Any
    ) -> Reply:
        """One request on a connection of its own; `how` goes to http.client."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SOON_S)
        try:
            connection.request(method, target, body, dict(headers or {}), **how)
            answer = connection.getresponse()
            pairs = [(name.lower(), value) for name, value in answer.getheaders()]
            return Reply(answer.status, pairs, answer.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=SOON_S)

    def raw(self, request: bytes) -> bytes:
        """Everything that is answered to these bytes until the door closes."""
        with self.connect() as connection:
            connection.sendall(request)
            received = b""
            while piece := connection.recv(65536):
                received += piece
            return received


@contextmanager
def running_door(
    *handlers: tuple[str, dialects.Handler],
    options: DoorOptions | None = None,
    limits: Limits | None = None,
    idle_s: float = 60,
) -> Iterator[RunningDoor]:
    """A door whose dialects are these handlers."""
    options = options or DoorOptions()
    with serving(Door(dict(handlers).__getitem__, options, limits), options, idle_s=idle_s) as running:
        yield running


@contextmanager
def serving(door: Door, options: DoorOptions, *, idle_s: float = 60) -> Iterator[RunningDoor]:
    """This door, behind uvicorn as it is run."""
    config = uvicorn.Config(door, host="127.0.0.1", port=0, **server_settings(options))
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(serve(server, Idlers(idle_s))), daemon=True)
    thread.start()
    deadline_s = time.monotonic() + SOON_S
    while not server.started and time.monotonic() < deadline_s:
        time.sleep(0.005)
    try:
        yield RunningDoor(server.servers[0].sockets[0].getsockname()[1], server)
    finally:
        server.should_exit = True
        thread.join(SOON_S)
        assert not thread.is_alive()
