"""The URL of a receiver has one syntax, and an IP address in it has one spelling."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import InvalidInput
from gateway.domain.webhook_fields import check_url
from gateway.domain.webhook_url import WebhookUrl, parse_webhook_url


def test_the_parts_of_a_url() -> None:
    url = parse_webhook_url("https://Shop.Example:8443/hooks/a%20b?token=x&y=[1]")

    assert url == WebhookUrl(
        scheme="https", host="shop.example", address=None, port=8443, target="/hooks/a%20b?token=x&y=[1]"
    )
    assert url.authority == "shop.example:8443"


@pytest.mark.parametrize(
    ("text", "host", "port", "target", "authority"),
    [
        ("https://shop.example", "shop.example", 443, "/", "shop.example"),
        ("https://shop.example:443/", "shop.example", 443, "/", "shop.example"),
        ("http://shop.example", "shop.example", 80, "/", "shop.example"),
        ("http://shop.example:443", "shop.example", 443, "/", "shop.example:443"),
        ("https://shop.example.", "shop.example", 443, "/", "shop.example"),
        ("https://shop.example?a=1", "shop.example", 443, "/?a=1", "shop.example"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("http://my_receiver:9000/", "my_receiver", 9000, "/", "my_receiver:9000"),
        ("https://1.example", "1.example", 443, "/", "1.example"),
        ("https://shop.example//a/../b@c", "shop.example", 443, "//a/../b@c", "shop.example"),
    ],
)
def test_hosts_ports_and_paths(text: str, host: str, port: int, target: str, authority: str) -> None:
    url = parse_webhook_url(text)

    assert (url.host, url.port, url.target, url.authority) == (host, port, target, authority)
    assert url.address is None


@pytest.mark.parametrize("text", ["https://192.0.2.7/", "https://192.0.2.7./", "https://192.0.2.7:443"])
def test_an_ipv4_address_is_recognized(text: str) -> None:
    url = parse_webhook_url(text)

    assert url.address == IPv4Address("192.0.2.7")
    assert url.host == url.authority == "192.0.2.7"


def test_an_ipv6_address_is_recognized_and_shortened() -> None:
    url = parse_webhook_url("https://[2001:DB8:0::7]:8443/")

    assert url.address == IPv6Address("2001:db8::7")
    assert url.host == "2001:db8::7"
    assert url.authority == "[2001:db8::7]:8443"
    assert parse_webhook_url("https://[::ffff:127.0.0.1]/").address == IPv6Address("::ffff:7f00:1")


SPELLINGS_OF_LOOPBACK = [
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7F.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.01",
    "127.0.0.0x1",
    "127.0.0.1.0",
    "1.127.1",
    "0",
    "0x",
    "256.256.256.256",
    "１２７.０.０.１",  # noqa: RUF001 - full-width digits.
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    "[127.0.0.1]",
    "[::1%25lo]",
    "[::1%lo]",
    "[fe80::1%25eth0]",
    "[::1].shop.example",
    "[::1]shop.example",
    "shop.example[::1]",
    "::1",
    "[::1",
    "[v1.x]",
]


@pytest.mark.parametrize("scheme", ["HTTPS", "hTtPs"])
def test_a_scheme_may_be_in_capitals(scheme: str) -> None:
    """RFC 3986, 3.1."""
    assert parse_webhook_url(f"{scheme}://shop.example/x") == parse_webhook_url("https://shop.example/x")


@pytest.mark.parametrize("host", SPELLINGS_OF_LOOPBACK)
def test_another_spelling_of_an_ip_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_url(f"https://{host}/")

    assert [(error.field, error.code) for error in refused.value.errors] == [("url", "url_invalid")]


@pytest.mark.parametrize(
    "text",
    [
        "shop.example",
        "//shop.example",
        "ftp://shop.example",
        "file:///etc/passwd",
        "gopher://shop.example",
        "https:/shop.example",
        "https:///path",
        "https://",
        "https://:443/",
        "https://user@shop.example/",
        "https://user:password@shop.example/",
        "https://shop.example@127.0.0.1/",
        "https://127.0.0.1\\@shop.example/",
        "https://shop.example\\.evil.example/",
        "https://shop.example/#fragment",
        "https://shop.example#@127.0.0.1/",
        "https://shop.example:/",
        "https://shop.example:0/",
        "https://shop.example:65536/",
        "https://shop.example:443443/",
        "https://shop.example:-1/",
        "https://shop.example:80:80/",
        "https://shop.example:４４３/",  # noqa: RUF001 - full-width digits.
        "https://shop.example:443 /",
        " https://shop.example/",
        "https://shop.example/ ",
        "https://shop.example/\r\nX-Injected: 1",
        "https://shop.example/\n",
        "https://shop.example\t/",
        "https://shop.example/\x00",
        "https://shop.example/ä",
        "https://bücher.example/",
        "https://shop..example/",
        "https://.shop.example/",
        "https://shop.example../",
        "https://./",
        "https://-shop.example/",
        "https://shop-.example/",
        "https://shop%2eexample/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 127}a/",
    ],
)
def test_what_is_not_a_url_of_a_receiver_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_webhook_url(text)

    assert [(error.field, error.code) for error in refused.value.errors] == [("url", "url_invalid")]


def test_a_long_url_is_refused() -> None:
    check_url("https://shop.example/".ljust(2048, "x"))
    with pytest.raises(InvalidInput):
        check_url("https://shop.example/".ljust(2049, "x"))


@given(st.text(max_size=60) | st.from_regex(r"https?://[!-~]{1,40}", fullmatch=True))
def test_every_text_is_parsed_or_refused_and_the_parts_are_safe_in_a_request(text: str) -> None:
    try:
        url = parse_webhook_url(text)
    except InvalidInput:
        return
    for part in (url.host, url.target, url.authority):
        assert part.isascii()
        assert part.isprintable()
        assert " " not in part
    assert url.target.startswith("/")
    again = parse_webhook_url(f"{url.scheme}://{url.authority}{url.target}")
    assert again == url
