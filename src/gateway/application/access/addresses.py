"""Whom a network address belongs to, as far as limits go."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_PREFIX_OF_A_SUBSCRIBER: Final = 64
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052, 2.1
_LOWER_32_BITS: Final = 2**32 - 1


def network_of(address: str) -> str:
    """What an address counts as: an IPv4 address as itself, an IPv6 address as its /64.

    A subscriber has a /64 at least, and could try once from each of its addresses. An IPv6 address that stands for an
    IPv4 address (mapped, 6to4, Teredo, NAT64) counts as that one. What is no address counts as it is.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    embedded = _embedded(parsed)
    if embedded is not None:
        return str(embedded)
    return str(IPv6Network((parsed.packed, _PREFIX_OF_A_SUBSCRIBER), strict=False))


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.teredo is not None:
        _, client = address.teredo
        return client
    if address in _NAT64:
        return IPv4Address(int(address) & _LOWER_32_BITS)
    return address.ipv4_mapped or address.sixtofour
