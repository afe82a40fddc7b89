"""Requests as they go over the wire to a real server, which no client library would send."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest

from support.load import Shop, keys, open_shop
from support.servers import Installation, Server

SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Wire:
    """A server, a merchant with a payment that can be captured, and a key that nobody has used."""

    server: Server
    token: str
    capture: str
    key: str

    async def send(self, path: str, *headers: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and the whole answer to a POST with these headers, and no others but for the token."""
        lines = [f"POST {path} HTTP/1.1", f"Authorization: Bearer {self.token}", "Connection: close", *headers]
        request = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        reader, writer = await self.server.ask(request)
        async with asyncio.timeout(SECONDS_MAX):
            answer = await reader.read()
        writer.close()
        return int(answer.split(b" ")[1]), answer


@pytest.fixture(scope="module")
async def shop_and_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Shop, Server]]:
    async with Installation(tmp_path_factory.mktemp("wire")).serving() as server:
        async with server.client() as http:
            shop = await open_shop(http)
        yield shop, server


@pytest.fixture
async def wire(shop_and_server: tuple[Shop, Server]) -> Wire:
    shop, server = shop_and_server
    [key] = keys(1)
    body = {**shop.body(100), "capture": "manual"}
    async with server.client() as http:
        held = await http.post("/payments", json=body, headers={**shop.customer.headers, "Idempotency-Key": key})
    token = shop.merchant.headers["Authorization"].removeprefix("Bearer ")
    return Wire(server, token, f"/payments/{held.json()['id']}/capture", f"Idempotency-Key: {key}")


HOST = "Host: gateway.test"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (("Content-Length: 0",), b""),
        ((), b""),
        (("Content-Type: application/json",), b""),
        (("Transfer-Encoding: chunked",), b"0\r\n\r\n"),
        (("Content-Type: application/json", "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
        (("Content-Type: application/json", "Content-Length: 2"), b"{}"),
    ],
)
async def test_a_capture_without_a_body_captures_all(wire: Wire, headers: tuple[str, ...], body: bytes) -> None:
    status, answer = await wire.send(wire.capture, HOST, wire.key, *headers, body=body)
    assert (status, b'"amount_captured":100' in answer) == (200, True)


async def test_a_body_in_pieces_is_never_taken_for_none(wire: Wire) -> None:
    headers = (HOST, wire.key, "Transfer-Encoding: chunked")
    pieces = b'd\r\n{"amount":30,\r\n' + b'e\r\n"final":false}\r\n'
    status, answer = await wire.send(wire.capture, *headers, body=pieces + b"0\r\n\r\n")
    assert (status, b"unsupported_media_type" in answer) == (415, True)
    status, answer = await wire.send(
        wire.capture, *headers, "Content-Type: application/json", body=pieces + b"0\r\n\r\n"
    )
    assert (status, b'"amount_captured":30' in answer) == (200, True)


@pytest.mark.parametrize(
    "header",
    [
        "Idempotency-Key: other",
        "Authorization: Bearer other",
        "Content-Type: application/json",
        "Content-Length: 2",
        "Request-Id: request-2",
        "Host: elsewhere.test",
    ],
)
async def test_a_header_that_may_come_once_and_comes_twice_is_refused_on_the_wire(wire: Wire, header: str) -> None:
    once = (
        HOST,
        wire.key,
        "Content-Type: application/json",
        "Content-Length: 2",
        "Request-Id: request-1",
    )
    status, _ = await wire.send(wire.capture, *once, header, body=b"{}")
    assert status == 400
    status, answer = await wire.send(wire.capture, *once, body=b"{}")
    assert (status, b"Idempotency-Replayed" in answer) == (200, False)


async def test_a_compressed_body_is_refused_on_the_wire(wire: Wire) -> None:
    body = gzip.compress(b"{}")
    headers = ("Content-Type: application/json", "Content-Encoding: gzip", f"Content-Length: {len(body)}")
    status, answer = await wire.send(wire.capture, HOST, wire.key, *headers, body=body)
    assert (status, b"\r\naccept-encoding: identity\r\n" in answer.lower()) == (415, True)


async def test_an_invalid_body_is_explained_on_the_wire(wire: Wire) -> None:
    body = b'{"amount":"30","final":1,"at":null}'
    headers = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    status, answer = await wire.send(wire.capture, HOST, wire.key, *headers, body=body)
    problem = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])
    assert status == 400
    assert {error["pointer"] for error in problem["errors"]} == {"/amount", "/final", "/at"}
