"""The IP addresses that webhooks may be sent to: public unicast addresses, and exact addresses that are allowed."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

# IANA's registries of special-purpose addresses. `ipaddress.is_global` does not suffice: it is True for multicast, and
# its tables differ between versions of Python.
_IPV4_REFUSED: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # This network.
            "10.0.0.0/8",  # Private.
            "100.64.0.0/10",  # Shared by carriers. 100.100.100.200 is a cloud's metadata service.
            "127.0.0.0/8",  # Loopback.
            "168.63.129.16/32",  # A cloud's virtual host: public by its number only.
            "169.254.0.0/16",  # Link-local. 169.254.169.254 is the metadata service of most clouds.
            "172.16.0.0/12",  # Private.
            "192.0.0.0/24",  # Protocol assignments. 192.0.0.192 is a cloud's metadata service.
            "192.0.2.0/24",  # Documentation.
            "192.31.196.0/24",  # AS112: answers for private addresses.
            "192.52.193.0/24",  # AMT relays.
            "192.88.99.0/24",  # 6to4 relays.
            "192.168.0.0/16",  # Private.
            "192.175.48.0/24",  # AS112.
            "198.18.0.0/15",  # Benchmarks.
            "198.51.100.0/24",  # Documentation.
            "203.0.113.0/24",  # Documentation.
            "224.0.0.0/4",  # Multicast.
            "240.0.0.0/4",  # Reserved, and the broadcast address.
        ),
    )
)
_IPV6_UNICAST: Final = IPv6Network("2000::/3")
"""All public unicast addresses. `::1`, `::127.0.0.1`, `fd00:ec2::254` and `fe80::1` are outside."""
_IPV6_REFUSED: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Protocol assignments. 2001::/32 is Teredo, which has an IPv4 address in it.
            "2001:db8::/32",  # Documentation.
            "2002::/16",  # 6to4, which has an IPv4 address in it.
            "2620:4f:8000::/48",  # AS112.
            "3fff::/20",  # Documentation.
        ),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""The one NAT64 prefix that is public. Networks without IPv4 reach public IPv4 hosts through it."""
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)
"""The third quarter of an ISATAP address, whose last quarter is an IPv4 address."""
_QUARTER: Final = 0xFFFF_FFFF


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped address is (`::ffff:192.0.2.1`); any other address as it is.

    The operating system connects to it by IPv4.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_public_unicast(address: Address) -> bool:
    """Whether an address belongs to one public host of the internet, as far as its number tells.

    An IPv6 address that leads to an IPv4 address (mapped, NAT64, ISATAP) is public if that one is. The deprecated
    forms (IPv4-compatible, 6to4, Teredo) and NAT64 of the local network (`64:ff9b:1::/48`) never are.
    """
    address = unwrapped(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _IPV4_REFUSED)
    number = int(address)
    last_quarter = IPv4Address(number & _QUARTER)
    if address in _NAT64:
        return is_public_unicast(last_quarter)
    if address not in _IPV6_UNICAST or any(address in network for network in _IPV6_REFUSED):
        return False
    return number >> 32 & _QUARTER not in _ISATAP or is_public_unicast(last_quarter)
