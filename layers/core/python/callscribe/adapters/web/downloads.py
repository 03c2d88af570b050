"""The guarded way to audio that a client names by URL: the port `Downloader`."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from callscribe.adapters.web.deadline import Deadline
from callscribe.adapters.web.guard import Purpose, check_url
from callscribe.adapters.web.redirects import STATUSES, next_url
from callscribe.errors import OutboundFailed
from callscribe.ports import Settings

if TYPE_CHECKING:
    import httpcore

    from callscribe.adapters.web.connector import GuardedClient

MAX_REDIRECTS = 3
ENVELOPE_BYTES = 64 * 1024  # of headers, beyond the body


class GuardedDownloads:
    """GETs files. No error repeats the URL, which may hold a secret, or says what it resolved to.

    The client is made at the first download, so that a process that only checks URLs loads no HTTP library.
    """

    def __init__(self, settings: Settings, *, client: "GuardedClient | None" = None) -> None:
        self._settings = settings
        self._client = client

    def check(self, url: str) -> None:
        """Apply the rules that need no DNS. Raises OutboundRefused."""
        check_url(url, purpose=Purpose.AUDIO, allow_loopback=self._settings.allow_loopback)

    def download(self, url: str, path: Path, *, max_bytes: int, total_s: float) -> None:
        """GET the body's bytes, whatever they are said to be, into a file; a failure leaves none.

        At most three redirects are followed, each judged as the first. `total_s` is for all of them together.
        Raises OutboundRefused and OutboundFailed (status, too_large, connect, tls, timeout, protocol).
        """
        deadline = Deadline.after(total_s)
        for _ in range(1 + MAX_REDIRECTS):
            location = self._get(url, path, max_bytes, deadline)
            if location is None:
                return
            url = location
        raise OutboundFailed("status", f"the other side redirected more than {MAX_REDIRECTS} times")

    def _get(self, url: str, path: Path, max_bytes: int, deadline: Deadline) -> str | None:
        """Store what the URL gives, or tell where it leads."""
        with self._guarded_client().stream(
            "GET",
            url,
            purpose=Purpose.AUDIO,
            total_s=deadline.remaining_s(),
            max_bytes=2 * max_bytes + ENVELOPE_BYTES,  # as they come: small chunks carry as much framing as body
        ) as response:
            if response.status in STATUSES:
                return next_url(url, response.headers)
            _require_good(response, max_bytes)
            _write(response.iter_stream(), path, max_bytes)
        return None

    def _guarded_client(self) -> "GuardedClient":
        if self._client is None:
            from callscribe.adapters.web.connector import GuardedClient

            self._client = GuardedClient(allow_loopback=self._settings.allow_loopback)
        return self._client


def _require_good(response: "httpcore.Response", max_bytes: int) -> None:
    if response.status != 200:
        raise OutboundFailed("status", f"the other side answered {response.status}")
    # httpcore has made sure that it is one number; without one the body ends with the connection.
    lengths = [int(value) for name, value in response.headers if name.lower() == b"content-length"]
    if lengths and lengths[0] > max_bytes:
        raise _too_large(max_bytes)


def _write(chunks: Iterable[bytes], path: Path, max_bytes: int) -> None:
    left = max_bytes
    with ExitStack() as undo, path.open("wb") as file:
        undo.callback(path.unlink, missing_ok=True)
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise _too_large(max_bytes)
            file.write(chunk)
        undo.pop_all()


def _too_large(max_bytes: int) -> OutboundFailed:
    return OutboundFailed("too_large", f"the file is larger than {max_bytes} bytes")
