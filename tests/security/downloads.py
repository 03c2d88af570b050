"""A network that answers by a script, for downloads that are sent from one host to the next."""

import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from callscribe.adapters.web.downloads import GuardedDownloads
from callscribe.errors import OutboundFailed, OutboundRefused
from callscribe.ports import Settings
from tests.security import harness
from tests.security.harness import PUBLIC, RecordingNetwork

Failure = OutboundRefused | OutboundFailed

FIRST = "http://first.example.com/calls/a.wav?token=s3cret"
FIRST_HOP = (PUBLIC, 80)
MAX_BYTES = 50_000
TOTAL_S = 10.0  # where it is not meant to pass, on a busy machine either
STATUSES = (301, 302, 303, 307, 308)
_RELATIVE = re.compile(r"\s*+(?!//)(?![A-Za-z][A-Za-z0-9+.-]*:)")


@dataclass
class ScriptedNetwork(RecordingNetwork):
    """Gives the n-th connection the n-th of the `answers`, and the last one to all that follow."""

    answers: list[bytes] = field(default_factory=list)

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.answer = self.answers[min(len(self.attempts), len(self.answers) - 1)]
        return super().connect(address, port, timeout_s)

    def start(self, answers: Sequence[bytes]) -> None:
        """Forget what was, and answer by another script."""
        self.close()
        self.attempts.clear()
        self.answers = list(answers)

    def requests(self) -> list[bytes]:
        """What each connection was sent."""
        return [end.recv(65_536) for end in self.received]


def moved(location: str | bytes, status: int = 302) -> bytes:
    """A redirect with a body, which nobody is to read."""
    there = location if isinstance(location, bytes) else location.encode(errors="surrogatepass")
    return b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 5\r\n\r\nmoved" % (status, there)


def good(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Download:
    """Downloads over a scripted network, with one client for all: its certificates take time to load."""

    def __init__(self, network: ScriptedNetwork) -> None:
        self.network = network
        self._adapter = GuardedDownloads(Settings(), client=network.client())

    def __call__(self, *answers: bytes, url: str = FIRST, total_s: float = TOTAL_S) -> bytes | Failure:
        """The bytes that a good file has, or the error; asserts that a failure leaves no file."""
        self.network.start(answers)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "audio"
            try:
                self._adapter.download(url, path, max_bytes=MAX_BYTES, total_s=total_s)
            except (OutboundRefused, OutboundFailed) as error:
                assert not path.exists()
                return error
            return path.read_bytes()

    def is_led_astray(self, location: str) -> bool:
        """Whether a redirect to a hostile location leads to a connection that it should not.

        Some are relative references: they may lead on to the same port of the same host.
        """
        self(moved(location))
        may_go_on = _RELATIVE.match(location) is not None
        return set(self.network.attempts) != {FIRST_HOP} or (len(self.network.attempts) > 1 and not may_go_on)

    def reaches(self, location: str) -> bool:
        """Whether a redirect to a good URL leads to exactly one more connection."""
        self(moved(location), good(b"ok"))
        return len(self.network.attempts) == 2

    def reaches_the_file_behind_three_redirects(self) -> bool:
        """The control of all: a good file behind as many redirects as are allowed."""
        there = ["http://second.example.com/b", "//third.example.com:8080/c", "d.wav"]
        found = self(*[moved(location) for location in there], good(b"RIFF of a call"))
        return found == b"RIFF of a call" and [port for _, port in self.network.attempts] == [80, 80, 8080, 8080]


def hostile_locations() -> list[str]:
    """Every hostile URL that can be said in a header."""
    return [url for url in harness.corpus().hostile if not {"\r", "\n"} & set(url)]


def naive_is_led_astray(client: httpx.Client, network: ScriptedNetwork, location: str) -> bool:
    """Whether an ordinary client connects to where the redirect leads."""
    network.start((moved(location), good(b"ok")))
    with suppress(httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError):
        client.get(FIRST, follow_redirects=True)
    return len(network.attempts) > 1
