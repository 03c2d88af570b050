"""The HTTP client for the operator's own base URL and the presigned URLs that it hands out.

Not guarded: the addresses come from the person at the keyboard, not from a stranger's request.
Everything that a stranger may have written goes through the guard beside this module.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from callscribe.errors import Invalid, OutboundFailed

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, or {} where it is not one."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


class TrustedClient:
    """Sends requests and returns answers; safe to share between threads. A context manager."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterator[bytes] | None = None,
    ) -> Reply:
        """Send one request; `url` is absolute or relative to the base URL. Only a GET follows redirects.

        Raises OutboundFailed when no answer came: kind connect, tls, timeout or protocol.
        """
        try:
            answer = self._client.request(
                method, url, headers=dict(headers or {}), content=content, follow_redirects=method == "GET"
            )
        except httpx.HTTPError as error:
            raise OutboundFailed(
                _kind(error), f"{_host(url, self._client)}: {error or type(error).__name__}"
            ) from error
        return Reply(
            answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> "TrustedClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def trusted_client(base_url: str, *, timeout_s: float = 60.0, connect_timeout_s: float = 10.0) -> TrustedClient:
    """A client for the operator's own base URL; proxies of the environment are used but for loopback.

    `timeout_s` is the longest silence while reading or writing. Raises Invalid for a URL that is not http(s).
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Invalid("base_url", "must be an http or https URL, such as https://api.example.com")
    return TrustedClient(
        httpx.Client(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s),
            trust_env=parts.hostname not in _LOOPBACK,
            headers={"user-agent": "callscribe-client"},
            max_redirects=3,
        )
    )


def put_file(url: str, path: Path) -> None:
    """PUT a file to a presigned URL of our own, streamed from disk. Raises OutboundFailed (`status` for a refusal)."""
    headers = {"content-length": str(path.stat().st_size)}
    with trusted_client(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}") as client, path.open("rb") as file:
        reply = client.request("PUT", url, headers=headers, content=iter(lambda: file.read(_BLOCK_BYTES), b""))
    if reply.status >= 300:
        raise OutboundFailed("status", f"the storage answered {reply.status}")


def _host(url: str, client: httpx.Client) -> str:
    """Host and port only: a presigned URL's query is a secret."""
    parts = urlsplit(str(client.base_url.join(url)))
    return parts.netloc.rpartition("@")[2]


def _kind(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if isinstance(error, httpx.ConnectError):
        return "tls" if "certificate" in str(error).lower() or "ssl" in str(error).lower() else "connect"
    return "protocol"
