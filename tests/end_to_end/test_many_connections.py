"""More connections than a server may have: health checks, new clients and payments get through.

The server may have 256 descriptors, so its bound on connections is below that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psutil  # type: ignore[import-untyped]  # psutil ships no types.
import pytest

from support import short_deadlines
from support.load import Shop, keys, open_shop
from support.raw_connections import RawConnection, RawResponse, answer_to, connected
from support.servers import Server

DESCRIPTORS = 256
CONNECTIONS_MAX = DESCRIPTORS - 128 - 32 - 13
"""Less what the process needs, the reserve, and the connections to a database that its settings allow."""
SILENT = 600
CLOSE = b"Host: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    few = {short_deadlines.DESCRIPTORS: str(DESCRIPTORS), "GATEWAY_WORKER_IN_SERVE": "false"}
    gateway = short_deadlines.installation(tmp_path_factory.mktemp("many"))
    async with gateway.serving(**few) as running:
        yield running


@pytest.fixture(scope="module")
async def shop(server: Server) -> Shop:
    async with server.client() as http:
        return await open_shop(http)


async def hold(stack: AsyncExitStack, server: Server, number: int) -> list[RawConnection]:
    """So many connections, which the server has taken in."""
    held = [await stack.enter_async_context(connected(server.port)) for _ in range(number)]
    await server.until_read()
    return held


async def test_silent_connections_beyond_the_descriptors_keep_nobody_out(server: Server, shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        silent = await hold(stack, server, SILENT)
        process = psutil.Process(server.pid)
        assert CONNECTIONS_MAX - 5 <= len(process.net_connections("tcp")) <= CONNECTIONS_MAX + 5
        assert process.num_fds() < DESCRIPTORS
        for key in keys(5):
            async with server.client() as stranger:  # A new connection for each payment.
                assert (await shop.pay(stranger, key)).status_code == 201
                assert (await stranger.get("/health/ready")).status_code == 200
        # The first ones made room, the last ones are still there.
        assert await silent[0].rest() == b""
        await silent[-1].send(b"GET /health/live HTTP/1.1\r\n" + CLOSE)
        assert RawResponse.parse(await silent[-1].rest()).status == 200
    assert "Too many open files" not in server.log()


async def test_an_idle_client_that_was_active_lately_keeps_its_connection(server: Server) -> None:
    async with AsyncExitStack() as stack:
        early = await hold(stack, server, 1)
        silent = await hold(stack, server, CONNECTIONS_MAX - 10)
        await early[0].send(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in await early[0].read()
        await hold(stack, server, 50)
        assert await silent[0].rest() == b""
        await early[0].send(b"GET /health/live HTTP/1.1\r\n" + CLOSE)
        assert b"200 OK" in await early[0].read()


async def test_when_no_connection_is_idle_health_checks_are_answered_and_others_told_to_wait(
    server: Server, shop: Shop
) -> None:
    head, _, body = shop.raw_payment("busy").partition(b"\r\n\r\n")
    async with AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(connected(server.port)) for _ in range(CONNECTIONS_MAX)]
        for connection in busy:
            await connection.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert b"100 Continue" in await connection.read()  # Every request waits for its body.
        live = await answer_to(server.port, [b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"])
        assert (live.status, live.headers["connection"]) == (200, "close")
        other = await answer_to(server.port, [b"GET /payments HTTP/1.1\r\nHost: a\r\n\r\n"])
        assert other.problem(503, "overloaded")["instance"] == "/payments"
        assert int(other.headers["retry-after"]) >= 1

        for connection in busy:
            await connection.send(body)
        answers = await asyncio.gather(*(connection.read() for connection in busy))
        assert {answer.split(b" ", 2)[1] for answer in answers} == {b"201"}
    [key] = keys(1)
    async with server.client() as http:
        assert (await shop.pay(http, key)).status_code == 201
