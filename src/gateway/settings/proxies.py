"""Networks of reverse proxies that are none: everybody."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Final

_IPV4_MAX: Final = 2**31
"""Half of all addresses. Networks for which this is too few do not hold proxies alone."""
_IPV6_MAX: Final = 2**125
"""As many as the internet's, 2000::/3."""
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""The IPv4 addresses as a socket for both families sees them."""
_ALL_IPV4: Final = IPv4Network("0.0.0.0/0")

STRANGERS_TRUSTED: Final = (
    "GATEWAY_TRUSTED_PROXIES holds everybody, and production trusts no strangers: `X-Forwarded-For` would let "
    "each choose the address that failed logins and rate limits are counted by. Give the addresses of your proxies, "
    "or their network: 10.0.0.7."
)


def hold_strangers(proxies: Sequence[str]) -> bool:
    """Whether addresses and networks, valid ones, together hold most of the internet; `*` is all of it."""
    if "*" in proxies:
        return True
    ipv4: list[IPv4Network] = []
    ipv6: list[IPv6Network] = []
    for network in map(ip_network, proxies):
        if isinstance(network, IPv4Network):
            ipv4.append(network)
            continue
        ipv6.append(network)
        ipv4.extend(_mapped_in(network))
    return _count(collapse_addresses(ipv4)) >= _IPV4_MAX or _count(collapse_addresses(ipv6)) >= _IPV6_MAX


def _mapped_in(network: IPv6Network) -> list[IPv4Network]:
    if network.supernet_of(_MAPPED):
        return [_ALL_IPV4]
    if not network.subnet_of(_MAPPED):
        return []
    first = IPv4Address(int(network.network_address) - int(_MAPPED.network_address))
    return [IPv4Network((first, network.prefixlen - _MAPPED.prefixlen))]


def _count(networks: Iterable[IPv4Network | IPv6Network]) -> int:
    return sum(network.num_addresses for network in networks)
