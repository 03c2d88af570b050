"""Which addresses a guarded request may reach.

Own tables, from IANA's special-purpose registries: `ipaddress.is_global` differs between patch releases of Python.
IPv4 by a deny table; IPv6 by an allow-list, because most of its space is not in use.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address

DENIED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # carrier-grade NAT, also Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host agent, the one metadata service on a public address
        "169.254.0.0/16",  # link local: cloud metadata, Lambda's own endpoints
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # protocol assignments, also Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnelling (AMT)
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private use
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
ALLOWED_V6 = IPv6Network("2000::/3")
DENIED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID, AMT, drone ids
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # the former 6bone
        "3fff::/20",  # documentation
    )
)
# Forms whose last 32 bits are an IPv4 address that decides: mapped, NAT64 (RFC 6052), compatible (deprecated).
EMBEDDING_V6 = tuple(IPv6Network(network) for network in ("::ffff:0:0/96", "64:ff9b::/96", "::/96"))


def is_public(address: IPAddress) -> bool:
    """Whether a guarded request may reach the address."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in DENIED_V4)
    if address.scope_id is not None:
        return False
    embedded = embedded_v4(address)
    if embedded is not None:
        return is_public(embedded)
    return address in ALLOWED_V6 and not any(address in network for network in DENIED_V6)


def embedded_v4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, NAT64 or compatible address stands for, or None for any other."""
    if any(address in network for network in EMBEDDING_V6):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
