"""HEAD on a real server: the head of the answer comes at once, and the connection stays usable."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.servers import Installation, Server

SECONDS_MAX = 20.0
"""Far below the 75 s for which an idle connection is kept open."""

LIVE = b'{"status":"ok","environment":"sandbox"}'
"""The body of `GET /health/live`."""

PATHS = [
    "/health/live",
    "/.well-known/jwks.json",
    "/openapi.json",
    "/docs",
    "/docs/static/docs.js",
    "/accounts",
    "/accounts/acc_1",
    "/users/login",
    "/payments/pay_1/cancel",
    "/nowhere",
    "/health/live?at=1",
]


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder: Path = tmp_path_factory.mktemp("head")
    async with Installation(folder).serving() as server:
        yield server


def request(method: str, path: str) -> bytes:
    # A request id of one's own: it is in refusals, and has the same length each time.
    return f"{method} {path} HTTP/1.1\r\nHost: gateway.test\r\nRequest-Id: request-1\r\n\r\n".encode()


async def head_of(reader: asyncio.StreamReader) -> tuple[bytes, dict[bytes, bytes]]:
    """The status line and the headers of the next answer."""
    async with asyncio.timeout(SECONDS_MAX):
        lines = (await reader.readuntil(b"\r\n\r\n")).rstrip().split(b"\r\n")
    pairs = (line.partition(b": ") for line in lines[1:])
    return lines[0], {name.lower(): value for name, _, value in pairs if name.lower() != b"date"}


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_answered_at_once_with_the_headers_of_get_and_the_connection_stays_usable(
    server: Server, path: str
) -> None:
    reader, writer = await server.ask(request("HEAD", path))
    heads = [await head_of(reader)]
    for _ in range(2):
        writer.write(request("HEAD", path))
        heads.append(await head_of(reader))
    writer.write(request("GET", path))
    shown = await head_of(reader)
    async with asyncio.timeout(SECONDS_MAX):
        body = await reader.readexactly(int(shown[1][b"content-length"]))
    assert heads == [shown] * 3
    assert body
    assert not reader.at_eof()
    writer.close()


async def test_requests_in_one_packet_are_answered_in_their_order(server: Server) -> None:
    reader, writer = await server.ask(request("HEAD", "/health/live") * 2 + request("GET", "/health/live"))
    heads = [await head_of(reader) for _ in range(3)]
    async with asyncio.timeout(SECONDS_MAX):
        assert await reader.readexactly(int(heads[2][1][b"content-length"])) == LIVE
    assert [status for status, _ in heads] == [b"HTTP/1.1 200 OK"] * 3
    writer.close()


async def test_the_connection_is_closed_after_head_if_the_client_wants_that(server: Server) -> None:
    reader, writer = await server.ask(
        request("HEAD", "/health/live").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    )
    status, headers = await head_of(reader)
    async with asyncio.timeout(SECONDS_MAX):
        assert await reader.read() == b""
    assert (status, headers[b"content-length"]) == (b"HTTP/1.1 200 OK", str(len(LIVE)).encode())
    writer.close()
