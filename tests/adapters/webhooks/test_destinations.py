"""Nothing is sent to a forbidden address: canaries listen there, and no connection reaches them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_address

import pytest

from gateway.adapters.webhooks.rules import DestinationRefused, SendingRules
from gateway.application.ports.webhook_sender import WebhookError
from gateway.contracts.records import user_id
from gateway.domain.errors import InvalidInput
from gateway.domain.webhook_url import parse_webhook_url
from support.receivers import Receiver, answering, receiver
from support.webhook_messages import NOTHING_ALLOWED, allowing, message, names, sending

OWNER = user_id(2)
FORBIDDEN = ("127.0.0.1", "127.0.0.2", "127.0.0.53", "127.1.2.3")


@pytest.fixture(name="canaries")
async def _canaries() -> AsyncIterator[Sequence[Receiver]]:
    """Listeners of one port on several addresses of loopback. The test fails if anything connects to one of them."""
    async with AsyncExitStack() as open_canaries:
        first = await open_canaries.enter_async_context(receiver(host=FORBIDDEN[0]))
        others = [
            await open_canaries.enter_async_context(receiver(host=host, port=first.port))
            for host in (*FORBIDDEN[1:], *(("::1",) if _has_ipv6() else ()))
        ]
        canaries = [first, *others]
        yield canaries
        # A connection that was on its way arrives before this one.
        for host, canary in zip((*FORBIDDEN, "::1"), canaries, strict=False):
            canary.connected.clear()
            _, writer = await asyncio.open_connection(host, canary.port)
            await canary.connected.wait()
            writer.close()
        assert [canary.connections for canary in canaries] == [1] * len(canaries)


def _has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as tried:
        try:
            tried.bind(("::1", 0))
        except OSError:
            return False
        return True


# What getaddrinfo takes for an address of loopback, and other ways to write one.
SPELLINGS = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.0.0.2",
    "127.1.2.3",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.01",
    "0",
    "0.0.0.0",  # noqa: S104 - a destination to refuse.
    "１２７.０.０.１",  # noqa: RUF001 - full-width digits.
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "%31%32%37.0.0.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[::1%25lo]",
    "[::1%lo]",
    "user@127.0.0.1",
    "user:password@127.0.0.1",
    "shop.example@127.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
]


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_an_address_reaches_it(host: str, canaries: Sequence[Receiver]) -> None:
    url = f"http://{host}:{canaries[0].port}/"
    async with sending(NOTHING_ALLOWED) as sender:
        response = await sender.send(message(url))
        with pytest.raises(InvalidInput) as refused:
            await sender.check(url, owner_id=OWNER)

    assert (response.status, response.error) == (None, WebhookError.ADDRESS_NOT_ALLOWED)
    assert refused.value.errors[0].field == "url"
    assert refused.value.errors[0].code in {"url_invalid", "url_not_allowed"}


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["127.0.0.2"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
        ["192.0.2.7", "127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["2606:4700:4700::1111", "169.254.169.254"],
    ],
)
async def test_a_name_with_a_forbidden_address_is_refused(
    addresses: Sequence[str], canaries: Sequence[Receiver]
) -> None:
    url = f"http://shop.example:{canaries[0].port}/"
    async with sending(NOTHING_ALLOWED, lookup=names(shop_example=addresses)) as sender:
        response = await sender.send(message(url))
        with pytest.raises(InvalidInput) as refused:
            await sender.check(url, owner_id=OWNER)

    assert response.error is WebhookError.ADDRESS_NOT_ALLOWED
    assert [(error.field, error.code) for error in refused.value.errors] == [("url", "url_not_allowed")]
    assert not any(address in refused.value.detail for address in addresses)


async def test_an_allowed_address_allows_no_neighbor(canaries: Sequence[Receiver]) -> None:
    port = canaries[0].port
    async with receiver(host="127.0.0.9", port=port) as allowed, sending(allowing("127.0.0.9")) as sender:
        assert (await sender.send(message(f"http://127.0.0.9:{port}/"))).status == 200
        for host in ("127.0.0.1", "127.0.0.2", "[::1]", "[64:ff9b::127.0.0.9]"):
            assert (await sender.send(message(f"http://{host}:{port}/"))).error is WebhookError.ADDRESS_NOT_ALLOWED
    assert allowed.connections == 1


async def test_a_name_that_changes_its_address_between_check_and_connect_gains_nothing(
    canaries: Sequence[Receiver],
) -> None:
    answers = iter([["127.0.0.9"], ["127.0.0.9"], ["127.0.0.1"], ["127.0.0.9", "127.0.0.2"], ["::1"]])

    def rebinding(_host: str) -> Sequence[str]:
        return next(answers)

    port = canaries[0].port
    url = f"http://shop.example:{port}/"
    closing = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    async with (
        receiver(closing, host="127.0.0.9", port=port) as allowed,
        sending(allowing("127.0.0.9"), lookup=rebinding) as sender,
    ):
        await sender.check(url, owner_id=OWNER)
        first = await sender.send(message(url))
        later = [await sender.send(message(url)) for _ in range(3)]

    # One look-up for the check, and one for each connection: a connection takes no second one that could differ.
    assert next(answers, None) is None
    assert first.status == 200
    assert [response.error for response in later] == [WebhookError.ADDRESS_NOT_ALLOWED] * 3
    assert allowed.connections == 1
    assert allowed.requests[0].headers["host"] == f"shop.example:{port}"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(status: int, canaries: Sequence[Receiver]) -> None:
    location = f"http://127.0.0.1:{canaries[0].port}/"
    redirect = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    async with (
        receiver(answering(redirect), host="127.0.0.9") as redirecting,
        sending(allowing("127.0.0.9")) as sender,
    ):
        response = await sender.send(message(f"http://127.0.0.9:{redirecting.port}/"))

    assert (response.status, response.error, response.success) == (status, None, False)


async def test_proxies_of_the_environment_are_not_used(
    canaries: Sequence[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = f"http://127.0.0.1:{canaries[0].port}"
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    async with receiver(host="127.0.0.9") as direct, sending(allowing("127.0.0.9")) as sender:
        response = await sender.send(message(f"http://127.0.0.9:{direct.port}/"))

    assert response.status == 200


PRODUCTION = SendingRules()


@pytest.mark.parametrize("port", [443, 8443])
def test_production_allows_two_ports(port: int) -> None:
    url = parse_webhook_url(f"https://shop.example:{port}/")
    PRODUCTION.check_scheme(url)
    assert PRODUCTION.checked(url, [ip_address("93.184.216.34")]) == (ip_address("93.184.216.34"),)


@pytest.mark.parametrize("port", [1, 22, 25, 80, 444, 5432, 6379, 8080, 65535])
async def test_other_ports_are_refused(port: int) -> None:
    async with sending(PRODUCTION, lookup=names(shop_example=["93.184.216.34"])) as sender:
        response = await sender.send(message(f"https://shop.example:{port}/"))
        with pytest.raises(InvalidInput, match=r"port. Allowed: 443, 8443\.$"):
            await sender.check(f"https://shop.example:{port}/", owner_id=OWNER)

    assert response.error is WebhookError.ADDRESS_NOT_ALLOWED


async def test_plain_http_is_refused_in_production() -> None:
    async with sending(PRODUCTION, lookup=names(shop_example=["93.184.216.34"])) as sender:
        response = await sender.send(message("http://shop.example:443/"))
        with pytest.raises(InvalidInput) as refused:
            await sender.check("http://shop.example/", owner_id=OWNER)

    assert response.error is WebhookError.ADDRESS_NOT_ALLOWED
    assert refused.value.errors[0].code == "url_not_allowed"


def test_an_allowed_address_is_allowed_on_any_port() -> None:
    rules = allowing("10.0.0.7", "fd00::7", plain_http=False)
    url = parse_webhook_url("https://receiver:9000/")
    both = [ip_address("10.0.0.7"), ip_address("fd00::7")]

    assert rules.checked(url, both) == tuple(both)
    # A mapped address is the address of IPv4 itself.
    assert rules.checked(url, [ip_address("::ffff:10.0.0.7")]) == (ip_address("10.0.0.7"),)
    with pytest.raises(DestinationRefused):
        rules.checked(url, [ip_address("10.0.0.7"), ip_address("93.184.216.34")])
    with pytest.raises(DestinationRefused):
        rules.checked(url, [ip_address("10.0.0.8")])


async def test_a_public_host_passes_the_check() -> None:
    async with sending(PRODUCTION, lookup=names(shop_example=["93.184.216.34", "2606:4700::1111"])) as sender:
        await sender.check("https://shop.example/hooks", owner_id=OWNER)


async def test_a_name_without_an_address_is_told_apart() -> None:
    async with sending(PRODUCTION, lookup=names()) as sender:
        response = await sender.send(message("https://shop.example/"))
        with pytest.raises(InvalidInput) as refused:
            await sender.check("https://shop.example/", owner_id=OWNER)

    assert response.error is WebhookError.NAME_NOT_RESOLVED
    assert [(error.field, error.code) for error in refused.value.errors] == [("url", "url_not_resolved")]


async def test_the_operating_system_looks_names_up() -> None:
    async with receiver() as found, sending(allowing("127.0.0.1", "::1")) as sender:
        response = await sender.send(message(f"http://localhost:{found.port}/"))

    # ::1 refuses the connection where localhost has both addresses: then 127.0.0.1 is tried.
    assert response.status == 200
