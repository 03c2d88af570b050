"""A network that records every attempt and would accept every address; nothing leaves the process."""

import json
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore
import httpx

from callscribe.adapters.web.connector import GuardedClient
from callscribe.adapters.web.guard import Purpose
from callscribe.errors import OutboundFailed, OutboundRefused

CORPUS_PATH = Path(__file__).parents[1] / "corpora" / "bad_urls.json"
PUBLIC = "93.184.216.34"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Corpus:
    """Hostile URLs, hostile answers of a resolver by name, and URLs that must pass."""

    literal: tuple[str, ...]
    dns: Mapping[str, Sequence[str]]
    good: tuple[str, ...]

    @property
    def hostile(self) -> list[str]:
        """Every hostile URL as it stands, with http and https exchanged where that changes it."""
        given = [*self.literal, *(f"http://{name}/" for name in self.dns)]
        return list(dict.fromkeys([*given, *map(other_scheme, given)]))


def corpus() -> Corpus:
    document = json.loads(CORPUS_PATH.read_text())
    return Corpus(
        literal=tuple(entry["url"] for entry in document["literal"]),
        dns=document["dns"],
        good=tuple(document["good"]),
    )


def other_scheme(url: str) -> str:
    if url.startswith("http://"):
        return "https://" + url.removeprefix("http://")
    return "http://" + url.removeprefix("https://") if url.startswith("https://") else url


@dataclass
class RecordingNetwork:
    """A fake resolver and a connector. Names that `dns` does not hold are public."""

    dns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    answer: bytes = ANSWER
    resolutions: Counter[str] = field(default_factory=Counter)
    attempts: list[tuple[str, int]] = field(default_factory=list)
    received: list[socket.socket] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.resolutions[host] += 1
        return self.dns.get(host, [PUBLIC])

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.attempts.append((address, port))
        ours, theirs = socket.socketpair()
        theirs.sendall(self.answer)
        theirs.shutdown(socket.SHUT_WR)
        self.received.append(theirs)
        return ours

    def request_bytes(self) -> bytes:
        """What the last connection was sent."""
        return self.received[-1].recv(65_536)

    def close(self) -> None:
        for end in self.received:
            end.close()
        self.received.clear()

    def client(self, *, allow_loopback: bool = False) -> GuardedClient:
        return GuardedClient(allow_loopback=allow_loopback, resolver=self.resolve, connector=self.connect)


def guarded_attempt(
    client: GuardedClient, network: RecordingNetwork, url: str, purpose: Purpose
) -> list[tuple[str, int]]:
    """The connections that one guarded request led to."""
    before = len(network.attempts)
    with (
        suppress(OutboundRefused, OutboundFailed),
        client.stream("GET", url, purpose=purpose, total_s=5, max_bytes=65_536) as response,
    ):
        response.read()
    network.close()
    return network.attempts[before:]


class NaiveNetwork(httpcore.NetworkBackend):
    """What an ordinary client does: resolve (number forms as the C library reads them) and connect to the first."""

    def __init__(self, network: RecordingNetwork) -> None:
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        connected = self._network.connect(self._address(host, port), port, 5)
        return NaiveStream(connected)

    def _address(self, host: str, port: int) -> str:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return self._network.resolve(host, port)[0]
        return str(answers[0][4][0])


class NaiveStream(httpcore.NetworkStream):
    """A plain socket; TLS is where the recorded connection ends."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._socket.sendall(buffer)

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self.close()
        raise httpcore.ConnectError("the harness speaks no TLS")

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> None:
        return None


def naive_client(network: RecordingNetwork) -> httpx.Client:
    """httpx as it comes, on the recording network."""
    transport = httpx.HTTPTransport()
    transport._pool = httpcore.ConnectionPool(network_backend=NaiveNetwork(network), max_keepalive_connections=0)
    return httpx.Client(transport=transport, trust_env=False)


def naive_attempt(client: httpx.Client, network: RecordingNetwork, url: str) -> list[tuple[str, int]]:
    """The connections that one request of an ordinary client led to."""
    before = len(network.attempts)
    with suppress(httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError):
        client.get(url)
    network.close()
    return network.attempts[before:]
