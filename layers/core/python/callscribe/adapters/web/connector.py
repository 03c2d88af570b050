"""One HTTP request by the guard's rules: no redirects, no proxies, no decoding, one deadline, a byte cap.

Made with httpcore, not httpx: it takes the checked parts of a URL instead of parsing the text a second time, and
has no environment, redirects or decoding to be switched off.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import certifi
import httpcore

from callscribe.adapters.web.deadline import Deadline
from callscribe.adapters.web.guard import Purpose, Target, check_url
from callscribe.adapters.web.network import (
    Connector,
    GuardedNetwork,
    Resolver,
    failed,
    system_connector,
    system_resolver,
)

USER_AGENT = "callscribe/1"


class GuardedClient:
    """Sends requests to URLs that clients gave us. TLS certificates are always verified.

    `resolver` and `connector` are for tests; `trust_roots` is a file of PEM certificates to trust.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        resolver: Resolver = system_resolver,
        connector: Connector = system_connector,
        trust_roots: str | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._resolver = resolver
        self._connector = connector
        self._tls = ssl.create_default_context(cafile=trust_roots or certifi.where())

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        purpose: Purpose,
        total_s: float,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Iterator[httpcore.Response]:
        """The answer, its body to be read with `iter_stream()` inside the block, as it came over the wire.

        `total_s` runs from here to the end of the block, `max_bytes` counts everything that is received.
        Raises OutboundRefused, and OutboundFailed here or while the body is read.
        """
        target = check_url(url, purpose=purpose, allow_loopback=self._allow_loopback)
        network = GuardedNetwork(
            target, Deadline.after(total_s), max_bytes=max_bytes, resolver=self._resolver, connector=self._connector
        )
        address = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        with (
            _http_errors_translated(),
            httpcore.HTTPConnection(address.origin, ssl_context=self._tls, network_backend=network) as connection,
            connection.stream(method, address, headers=_headers(target, headers or {}), content=body) as response,
        ):
            yield response


@contextmanager
def _http_errors_translated() -> Iterator[None]:
    try:
        yield
    except (httpcore.ProtocolError, httpcore.NetworkError) as error:
        raise failed("protocol") from error


def _headers(target: Target, given: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    fields = {
        "user-agent": USER_AGENT,
        "accept": "*/*",
        **{name.lower(): value for name, value in given.items()},
        "host": target.host_header,
        "accept-encoding": "identity",
        "connection": "close",
    }
    return [(name.encode(), value.encode()) for name, value in fields.items()]
