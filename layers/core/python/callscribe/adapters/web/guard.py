"""Judges a URL given by a client, with no network: rules (1) to (5), and (7) for addresses.

A URL is split once, here, by RFC 3986; the parts go to the connector as they are, so no second parser can
read the same text in another way. Every refusal names its rule and never what a name resolved to.
"""

import re
import string
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

from callscribe.adapters.web import addresses
from callscribe.errors import OutboundRefused

MAX_CHARACTERS = 2_048
PORTS = frozenset({443, 80, 8443, 8080})
LOOPBACK = "127.0.0.1"

# RFC 6761 and its successors (IANA: special-use domain names), and the names ICANN withholds because private
# networks use them. Documentation names (`example.com`) may pass: a documented sample need not resolve.
SPECIAL_SUFFIXES = frozenset(
    {
        *("alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test"),
        *("corp", "home", "intranet", "lan", "localdomain", "mail", "private", "workgroup"),
    }
)

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?")
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Purpose(StrEnum):
    """What the request is for; it decides the schemes."""

    CALLBACK = "callback"
    AUDIO = "audio"


class Rule(StrEnum):
    """The rules a URL can break: the value of `OutboundRefused.rule`."""

    TEXT = "text"
    SHAPE = "shape"
    SCHEME = "scheme"
    USERINFO = "userinfo"
    PORT = "port"
    HOST = "host"
    ADDRESS = "address"


SCHEMES = {
    Purpose.CALLBACK: {"https": 443},
    Purpose.AUDIO: {"https": 443, "http": 80},
}


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed. `host` is a lower-case ASCII name or a canonical address, `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def address(self) -> addresses.IPAddress | None:
        """The host as an address, or None where it is a name."""
        if not (":" in self.host or _looks_numeric(self.host)):
            return None
        return ip_address(self.host)

    @property
    def is_loopback(self) -> bool:
        """Whether this is the laptop's own `http://127.0.0.1:<port>`: passed only where that is allowed."""
        return self.scheme == "http" and self.host == LOOPBACK

    @property
    def host_header(self) -> str:
        """The Host header: with brackets round IPv6, without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == SCHEMES[Purpose.AUDIO][self.scheme] else f"{host}:{self.port}"


def check_url(url: object, *, purpose: Purpose, allow_loopback: bool) -> Target:
    """Apply every rule that needs no DNS. Raises OutboundRefused with the first rule that broke.

    `allow_loopback` lets exactly `http://127.0.0.1:<any port>` pass as well, for any purpose.
    """
    scheme, authority, path, query = _split(_text(url))
    host, port = _split_authority(authority)
    target_path = _encoded(path or "/", query)
    if allow_loopback and scheme == "http" and host == LOOPBACK and port is not None:
        return Target(scheme, host, _port_in_range(port), target_path)
    default_port = _default_port(scheme, purpose)
    return Target(scheme, _checked_host(host), _allowed_port(port or default_port), target_path)


def check_address(ip: str | addresses.IPAddress) -> None:
    """Judge one answer of the resolver. Raises OutboundRefused without saying what the address was."""
    try:
        address = ip_address(ip)
    except ValueError:
        raise _not_public() from None
    if not addresses.is_public(address):
        raise _not_public()


def _text(url: object) -> str:
    if not isinstance(url, str) or not 0 < len(url) <= MAX_CHARACTERS:
        raise OutboundRefused(Rule.TEXT, f"must be a string of 1 to {MAX_CHARACTERS} characters")
    if not url.isprintable() or " " in url or "\\" in url:
        raise OutboundRefused(Rule.TEXT, "must hold no spaces, control characters or backslashes")
    return url


def _split(url: str) -> tuple[str, str, str, str]:
    match = _URL.fullmatch(url)
    if match is None:
        raise OutboundRefused(Rule.SHAPE, "must be an absolute URL such as https://host/path")
    scheme, authority, path, query = match.groups(default="")
    return scheme.lower(), authority, path, query


def _split_authority(authority: str) -> tuple[str, int | None]:
    if "@" in authority or "%" in authority:
        raise OutboundRefused(Rule.USERINFO, "must name no user and hold no % before its path")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise OutboundRefused(Rule.SHAPE, "must name a host, then at most a port")
    bracketed, name, port = match.groups()
    return f"[{bracketed}]" if bracketed else name, int(port) if port else None


def _default_port(scheme: str, purpose: Purpose) -> int:
    if scheme not in SCHEMES[purpose]:
        raise OutboundRefused(Rule.SCHEME, "must start with " + " or ".join(f"{s}://" for s in SCHEMES[purpose]))
    return SCHEMES[purpose][scheme]


def _allowed_port(port: int) -> int:
    if port not in PORTS:
        raise OutboundRefused(Rule.PORT, "must use one of the ports " + ", ".join(map(str, sorted(PORTS))))
    return port


def _port_in_range(port: int) -> int:
    if port > 65_535:
        raise OutboundRefused(Rule.PORT, "must use a port from 1 to 65535")
    return port


def _checked_host(host: str) -> str:
    if host.startswith("["):
        return _checked_v6(host[1:-1])
    name = host.lower() if host.isascii() else _ascii_name(host)
    return _checked_v4(name) if _looks_numeric(name) else _checked_name(name)


def _checked_v6(literal: str) -> str:
    try:
        address = IPv6Address(literal)
    except AddressValueError:
        raise OutboundRefused(Rule.HOST, "must hold a well-formed IPv6 address between its brackets") from None
    if addresses.embedded_v4(address) is not None:  # such forms come from resolvers, never from people
        raise _not_public()
    check_address(address)
    return str(address)


def _checked_v4(literal: str) -> str:
    try:
        IPv4Address(literal)
    except AddressValueError:
        raise OutboundRefused(Rule.HOST, "must write an IPv4 address as four decimal numbers") from None
    check_address(literal)
    return literal


def _checked_name(name: str) -> str:
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise OutboundRefused(Rule.HOST, "must name a well-formed host")
    if len(labels) < 2 or labels[-1] in SPECIAL_SUFFIXES:
        raise OutboundRefused(Rule.HOST, "must name a host of the public internet")
    return name


def _looks_numeric(name: str) -> bool:
    """Whether resolvers may read the name as a number: the last label decides (as in the WHATWG URL standard)."""
    return _NUMERIC.fullmatch(name.rpartition(".")[2]) is not None


def _ascii_name(host: str) -> str:
    """IDNA 2008 without mapping: ①②⑦.0.0.1, full-width letters and foreign dots are refused, not folded."""
    import idna  # here, because its tables take 20 ms to load and few hosts need them

    try:
        return idna.encode(unicodedata.normalize("NFC", host.lower()), strict=True).decode()
    except idna.IDNAError:
        raise OutboundRefused(Rule.HOST, "must name a host that IDNA 2008 allows") from None


def _encoded(path: str, query: str) -> str:
    return quote(path + query, safe=string.punctuation)  # ASCII stays as its owner wrote it


def _not_public() -> OutboundRefused:
    return OutboundRefused(Rule.ADDRESS, "must lead to a public address")
