"""The guarded way to a callback's receiver: the port `Webhooks`."""

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from callscribe.adapters.web.guard import Purpose, check_url
from callscribe.adapters.web.retry_after import parse_retry_after
from callscribe.domain.callbacks import EXCERPT_BYTES, Answer
from callscribe.errors import OutboundFailed
from callscribe.ports import Settings

if TYPE_CHECKING:
    from callscribe.adapters.web.connector import GuardedClient

TOTAL_S = 15.0
MAX_ANSWER_BYTES = 64 * 1024


class GuardedWebhooks:
    """POSTs callbacks. An answer that breaks off, or is not complete after `total_s`, is no success.

    The client is made at the first post, so that a process that only checks URLs loads no HTTP library.
    """

    def __init__(self, settings: Settings, *, client: "GuardedClient | None" = None, total_s: float = TOTAL_S) -> None:
        self._settings = settings
        self._client = client
        self._total_s = total_s

    def check(self, url: str) -> None:
        """Apply the rules that need no DNS. Raises OutboundRefused."""
        check_url(url, purpose=Purpose.CALLBACK, allow_loopback=self._settings.allow_loopback)

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST once and follow nothing: a redirect is an answer like any other.

        At most 64 KiB of the answer are read; a longer one counts as complete once its headers were read.
        Raises OutboundRefused and OutboundFailed.
        """
        started_s = time.monotonic()
        with self._guarded_client().stream(
            "POST",
            url,
            purpose=Purpose.CALLBACK,
            total_s=self._total_s,
            max_bytes=MAX_ANSWER_BYTES,
            headers=headers,
            body=body,
        ) as response:
            excerpt = _excerpt(response.iter_stream())
        return Answer(
            status=response.status,
            duration_ms=round(1000 * (time.monotonic() - started_s)),
            excerpt=excerpt.decode(errors="replace"),
            retry_after_s=_retry_after_s(response.headers),
        )

    def _guarded_client(self) -> "GuardedClient":
        if self._client is None:
            from callscribe.adapters.web.connector import GuardedClient

            self._client = GuardedClient(allow_loopback=self._settings.allow_loopback)
        return self._client


def _excerpt(chunks: Iterable[bytes]) -> bytes:
    """The first EXCERPT_BYTES, the rest read and dropped until it ends or the cap is reached."""
    kept = b""
    try:
        for chunk in chunks:
            kept += chunk[: EXCERPT_BYTES - len(kept)]
    except OutboundFailed as error:
        if error.kind != "too_large":
            raise
    return kept


def _retry_after_s(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    values = [value for name, value in headers if name.lower() == b"retry-after"]
    return parse_retry_after(values[0].decode("latin-1"), now_s=time.time()) if values else None
