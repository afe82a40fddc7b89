"""Requests that ask for another protocol, as those of Java and `curl --http2`, are answered as if they had not."""

import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from support.load import PASSWORD
from support.raw_connections import RawResponse, answer_to, connected
from support.servers import Installation, Server

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n"
LAST = LIVE + b"Connection: close\r\n\r\n"
_numbers = count(1)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder: Path = tmp_path_factory.mktemp("upgrades")
    async with Installation(folder).serving() as running:
        yield running


def registration(framing: str) -> tuple[bytes, bytes]:
    """The head, without its empty line, and the body of a registration, with a length or in chunks."""
    user = {"email": f"ada-{next(_numbers)}@example.com", "password": PASSWORD, "role": "customer"}
    body = json.dumps(user).encode()
    field = b"Content-Length: %d" % len(body) if framing == "length" else b"Transfer-Encoding: chunked"
    head = b"POST /users/register HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n%b\r\n" % field
    return head, body if framing == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("cut", ["nowhere", "behind the head", "everywhere"])
async def test_the_body_of_a_request_that_asks_for_an_upgrade_is_its_body(
    server: Server, framing: str, cut: str
) -> None:
    head, body = registration(framing)
    whole = head + H2C + b"\r\n" + body + LAST
    pieces = {
        "nowhere": [whole],
        "behind the head": [head + H2C + b"\r\n", body + LAST],
        "everywhere": [whole[at : at + 7] for at in range(0, len(whole), 7)],
    }[cut]
    async with connected(server.port) as connection:
        await connection.send(*pieces)
        answered = await connection.rest()
    assert answered.count(b"HTTP/1.1 ") == 2
    first, _, second = answered.partition(b"HTTP/1.1 200 ")
    assert RawResponse.parse(first).status == 201
    assert second.endswith(b"}")


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0"])
async def test_a_request_without_a_body_is_answered_and_the_next_one_too(server: Server, protocol: bytes) -> None:
    asked = LIVE + b"Connection: keep-alive, Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
    async with connected(server.port) as connection:
        for _ in range(100):
            await connection.send(asked * 8)
            await connection.responses(8)
        await connection.send(LAST)
        assert (await connection.rest()).count(b"HTTP/1.1 200 OK") == 1


async def test_a_body_that_looks_like_a_request_is_none(server: Server) -> None:
    """A proxy sees one request: that the gateway answers two would be request smuggling."""
    inner = LIVE + b"\r\n"
    head = b"POST /users/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(
        inner
    )
    async with connected(server.port) as connection:
        await connection.send(head + H2C + b"\r\n", inner, LAST)
        answered = await connection.rest()
    assert answered.count(b"HTTP/1.1 ") == 2
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert answered.count(b"HTTP/1.1 200 ") == 1


async def test_headers_of_a_request_that_asks_for_an_upgrade_are_bounded(server: Server) -> None:
    answer = await answer_to(server.port, [LIVE + H2C + b"x: " + b"y" * 20_000 + b"\r\n\r\n"])
    answer.problem(431, "headers_too_large")


@pytest.mark.parametrize("target", [b"a:80", b"/users/me", b"http://a/x"])
@pytest.mark.parametrize("length", [b"", b"Content-Length: %d\r\n" % len(LAST), b"Transfer-Encoding: chunked\r\n"])
async def test_nothing_behind_connect_is_a_request(server: Server, target: bytes, length: bytes) -> None:
    head = b"CONNECT " + target + b" HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n"
    async with connected(server.port) as connection:
        await connection.send(head + LAST, LAST)
        answered = await connection.rest()
    assert answered.count(b"HTTP/1.1 ") == 1
    assert answered.startswith(b"HTTP/1.1 4")
    assert b"connection: close" in answered.lower()
