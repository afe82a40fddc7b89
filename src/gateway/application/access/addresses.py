"""Network addresses, as the throttle counts them."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_PREFIX_OF_A_SUBSCRIBER: Final = 64
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052, 2.1
_LOWER_32_BITS: Final = 2**32 - 1


def network_of(address: str) -> str:
    """The network that failures are counted for: an IPv4 address itself, the /64 of an IPv6 address.

    A subscriber has at least a /64, and could use each of its addresses once. An IPv6 address that embeds an IPv4
    address (mapped, 6to4, Teredo, NAT64) counts as that address. A text that is not an address counts as it is.
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
