"""TLS is verified against the host of the URL, although the connection goes to an address."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from gateway.adapters.webhooks.sender import trusted_authorities
from gateway.application.ports.webhook_sender import WebhookError, WebhookResponse
from support.receivers import Receiver, receiver
from support.webhook_messages import allowing, message, names, sending

HTTPS_ONLY = allowing("127.0.0.1", plain_http=False)


def _certificate(authority: trustme.CA, *identities: str, expired: bool = False) -> ssl.SSLContext:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    leaf = authority.issue_cert(*identities, not_after=yesterday if expired else None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


@pytest.fixture(name="authority", scope="module")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="trusting", scope="module")
def _trusting(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return trusted_authorities(str(path))


async def _sent(
    server: ssl.SSLContext, trusting: ssl.SSLContext, *, host: str = "shop.example"
) -> tuple[WebhookResponse, Receiver]:
    async with (
        receiver(tls=server) as found,
        sending(HTTPS_ONLY, lookup=names(shop_example=["127.0.0.1"]), tls=trusting) as sender,
    ):
        response = await sender.send(message(f"https://{host}:{found.port}/"))
        return response, found


async def test_the_certificate_and_sni_are_of_the_host(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    asked: list[str | None] = []
    server = _certificate(authority, "shop.example")
    server.sni_callback = lambda _socket, name, _context: asked.append(name)
    response, found = await _sent(server, trusting)

    assert response.status == 200
    assert found.requests[0].headers["host"] == f"shop.example:{found.port}"
    assert asked == ["shop.example"]


async def test_a_certificate_of_an_address(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    server = _certificate(authority, "127.0.0.1")
    response, _ = await _sent(server, trusting, host="127.0.0.1")

    assert response.status == 200


async def test_a_certificate_of_the_address_does_not_do_for_the_name(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    response, found = await _sent(_certificate(authority, "127.0.0.1"), trusting)

    assert (response.status, response.error) == (None, WebhookError.TLS_FAILED)
    assert found.requests == []


async def test_a_certificate_of_another_host_is_refused(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    response, found = await _sent(_certificate(authority, "other.example"), trusting)

    assert (response.status, response.error) == (None, WebhookError.TLS_FAILED)
    assert found.requests == []


async def test_an_expired_certificate_is_refused(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    response, found = await _sent(_certificate(authority, "shop.example", expired=True), trusting)

    assert (response.status, response.error) == (None, WebhookError.TLS_FAILED)
    assert found.requests == []


async def test_an_unknown_authority_is_refused(trusting: ssl.SSLContext) -> None:
    response, found = await _sent(_certificate(trustme.CA(), "shop.example"), trusting)

    assert (response.status, response.error) == (None, WebhookError.TLS_FAILED)
    assert found.requests == []


def test_old_versions_of_tls_are_not_offered(trusting: ssl.SSLContext) -> None:
    assert trusting.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert trusting.verify_mode is ssl.CERT_REQUIRED
    assert trusting.check_hostname


async def test_a_receiver_without_tls_is_told() -> None:
    def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server, sending(HTTPS_ONLY) as sender:
        port = server.sockets[0].getsockname()[1]
        response = await sender.send(message(f"https://127.0.0.1:{port}/"))

    assert (response.status, response.error) == (None, WebhookError.TLS_FAILED)


async def test_a_receiver_that_never_ends_the_handshake_is_left_after_the_timeout() -> None:
    async with receiver() as found, sending(HTTPS_ONLY, timeout_seconds=0.3) as sender:
        response = await sender.send(message(f"https://127.0.0.1:{found.port}/"))

    assert (response.status, response.error) == (None, WebhookError.TIMEOUT)


async def test_further_authorities_are_added_to_those_of_the_system(authority: trustme.CA, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))

    assert trusted_authorities(str(path)).cert_store_stats()["x509_ca"] == (
        trusted_authorities().cert_store_stats()["x509_ca"] + 1
    )


async def test_connections_with_tls_are_used_again(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    async with (
        receiver(tls=_certificate(authority, "shop.example")) as found,
        sending(HTTPS_ONLY, lookup=names(shop_example=["127.0.0.1"]), tls=trusting) as sender,
    ):
        for _ in range(3):
            assert (await sender.send(message(f"https://shop.example:{found.port}/"))).status == 200

    assert (found.connections, len(found.requests)) == (1, 3)
