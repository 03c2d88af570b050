"""Random URLs with addresses in every odd form, and what two other libraries say about them."""

import logging
import random
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests
import ssrfguard
from requests_hardened import ip_filter  # type: ignore[import-untyped]  # it ships no types

SPECIAL_V4 = [
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
        *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "169.254.169.254/32"),
    )
]
SPECIAL_V6 = [
    IPv6Network(text)
    for text in (
        *("::/128", "::1/128", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64"),
        *("100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::/120", "2001:2::/48", "2001:3::/32"),
        *("2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32"),
        *("2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
        *("fec0::/10", "ff00::/8"),
    )
]
NAT64 = IPv6Network("64:ff9b::/96")
PORTS = (80, 443, 8443, 8080)
Answers = dict[str, Sequence[str]]


class UrlMaker:
    """Makes random URLs; `dns` holds what the made-up names resolve to."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.dns: Answers = {}

    def url(self) -> str:
        host = self._random.choice((self._v4_text, self._v4_text, self._v6_literal, self._v6_literal, self._name))()
        scheme = self._random.choice(("http", "https"))
        port = self._random.choice(("", "", *(f":{port}" for port in (*PORTS, 22))))
        user = self._random.choice(("",) * 15 + ("user@",))
        return f"{scheme}://{user}{host}{port}/{self._random.randrange(1000)}.wav"

    def _v4(self) -> IPv4Address:
        if self._random.random() < 0.5:
            return IPv4Address(self._random.getrandbits(32))
        network = self._random.choice(SPECIAL_V4)
        return network[self._random.randrange(network.num_addresses)]

    def _v6(self) -> IPv6Address:
        if self._random.random() < 0.3:
            return IPv6Address(0x2 << 124 | self._random.getrandbits(125))
        network = self._random.choice(SPECIAL_V6)
        offset = self._random.randrange(network.num_addresses)
        return network[int(self._v4()) if network.prefixlen == 96 else offset]

    def _v4_text(self) -> str:
        return self._random.choice(V4_FORMS)(int(self._v4()), self._random)

    def _v6_literal(self) -> str:
        return f"[{self._random.choice(V6_FORMS)(self._v6())}]"

    def _name(self) -> str:
        name = f"h{len(self.dns)}.test-evil.com"
        self.dns[name] = [str(self._answer()) for _ in range(self._random.choice((1, 1, 2, 3)))]
        return name

    def _answer(self) -> IPv4Address | IPv6Address:
        address = self._random.choice((self._v4, self._v6))()
        # A resolver's NAT64 answer is judged by the IPv4 inside; one of the oracles refuses them all.
        return self._v4() if address in NAT64 else address


def _parts(value: int, rng: random.Random) -> str:
    """One to four parts, each decimal, octal or hexadecimal; the last part takes all bits that are left."""
    count = rng.randrange(1, 5)
    heads = [value >> (24 - 8 * index) & 0xFF for index in range(count - 1)]
    tail = value & ((1 << (32 - 8 * (count - 1))) - 1)
    return ".".join(rng.choice(("{}", "0{:o}", "0x{:x}", "0X{:X}", "000{:o}")).format(part) for part in [*heads, tail])


V4_FORMS: Sequence[Callable[[int, random.Random], str]] = (
    lambda value, _: str(IPv4Address(value)),
    lambda value, _: str(IPv4Address(value)),
    lambda value, _: str(value),
    lambda value, _: hex(value),
    lambda value, _: f"{IPv4Address(value)}.",
    lambda value, _: str(IPv4Address(value)).translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),
    lambda value, _: str(IPv4Address(value)).replace(".", "\u3002"),
    lambda value, _: "".join(f"%{ord(character):02x}" for character in str(IPv4Address(value))),
    lambda value, _: f"{value + 2**32}",
    _parts,
    _parts,
)
V6_FORMS: Sequence[Callable[[IPv6Address], str]] = (
    str,
    str,
    lambda address: address.exploded,
    lambda address: address.exploded.upper(),
    lambda address: f"{address.exploded[:-10]}:{IPv4Address(int(address) & 0xFFFF_FFFF)}",
    lambda address: f"{address}%25eth0",
    lambda address: f"{address}%1",
)


def fake_getaddrinfo(dns: Mapping[str, Sequence[str]]) -> Callable[..., list[Any]]:
    """`socket.getaddrinfo` for numbers as the C library reads them and for the names in `dns`."""

    def lookup(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        answers = dns.get(host, [host])
        return [
            row
            for answer in answers
            for row in socket.getaddrinfo(answer, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        ]

    return lookup


@contextmanager
def oracles(dns: Mapping[str, Sequence[str]]) -> Iterator[Callable[[str], bool]]:
    """A function that tells whether one of the libraries refuses a URL because of its address."""
    lookup = fake_getaddrinfo(dns)
    policy = ssrfguard.Policy(allowed_ports=frozenset(PORTS))
    names = {name: getattr(socket, name) for name in ("AF_INET", "AF_INET6", "SOCK_STREAM", "gaierror", "timeout")}
    ip_filter.logger.setLevel(logging.ERROR)
    with mock.patch.object(ip_filter, "socket", SimpleNamespace(getaddrinfo=lookup, **names)):
        yield lambda url: _ssrfguard_refuses(url, policy, lookup) or _requests_hardened_refuses(url)
    ip_filter.logger.setLevel(logging.NOTSET)


def _ssrfguard_refuses(url: str, policy: ssrfguard.Policy, lookup: Callable[..., list[Any]]) -> bool:
    try:
        ssrfguard.resolve(policy.check_url(url), policy=policy, resolver=lookup)
    except ssrfguard.BlockedAddressError:
        return True
    except (ssrfguard.BlockedURLError, OSError, ValueError):
        return False
    return False


def _requests_hardened_refuses(url: str) -> bool:
    try:
        parts = urlsplit(requests.Request("GET", url).prepare().url or "")
        ip_filter.filter_host(str(parts.hostname), parts.port or 443, allow_loopback=False)
    except ip_filter.InvalidIPAddress:
        return True
    except (requests.RequestException, OSError, ValueError):
        return False
    return False
