"""Webhooks are sent to public unicast addresses alone."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.webhooks.addresses import is_public_unicast, unwrapped

NAT64 = IPv6Network("64:ff9b::/96")
PRIVATE_IPV4 = [
    "0.0.0.0",  # noqa: S104 - an address to refuse.
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
]
PRIVATE_IPV6 = [
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::127.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:1:ffff:ffff:ffff:808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1.
    "2001:0:4136:e378:8000:63bf:f7f7:f7f7",  # Teredo of 8.8.8.8.
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "2a00:1450:4001::5efe:127.0.0.1",  # ISATAP.
    "2a00:1450:4001::200:5efe:10.0.0.1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2600::",
    "2606:4700:4700::1111",
    "2a00:1450:4001::5efe:8.8.8.8",
    "3ffe::1",
]


@pytest.mark.parametrize("text", [*PRIVATE_IPV4, *PRIVATE_IPV6])
def test_an_address_that_is_not_public_unicast_is_refused(text: str) -> None:
    assert not is_public_unicast(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_unicast_address_is_allowed(text: str) -> None:
    assert is_public_unicast(ip_address(text))


@pytest.mark.parametrize("text", PRIVATE_IPV4)
def test_a_refused_ipv4_address_is_refused_inside_of_every_ipv6_address_that_leads_to_it(text: str) -> None:
    number = int(IPv4Address(text))
    inside = [
        0xFFFF << 32 | number,
        number,
        0x0064_FF9B << 96 | number,
        0x0064_FF9B_0001 << 80 | number,
        0x2002 << 112 | number << 80,
        0x2001_0000 << 96 | number ^ 0xFFFF_FFFF,
        0x2600 << 112 | 0x5EFE << 32 | number,
        0x2600 << 112 | 0x0200_5EFE << 32 | number,
    ]
    assert not any(is_public_unicast(IPv6Address(each)) for each in inside)


@given(st.ip_addresses())
def test_no_address_is_allowed_that_python_calls_special(address: IPv4Address | IPv6Address) -> None:
    if is_public_unicast(address):
        address = unwrapped(address)
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_reserved or address in NAT64
        assert not address.is_loopback
        assert not address.is_link_local
        assert not address.is_unspecified


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_when_it_is_mapped(address: IPv4Address | IPv6Address) -> None:
    mapped = IPv6Address(0xFFFF << 32 | int(address))

    assert unwrapped(mapped) == address
    assert is_public_unicast(mapped) == is_public_unicast(address)
