"""New connections are taken in several at a time."""

import asyncio
import socket
import sys
from contextlib import ExitStack

import pytest

WAITING = 40

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run on Windows.")


class Counted(asyncio.Protocol):
    """Counts the connections."""

    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Counted.made += 1
        transport.close()


async def turns_until_all_are_taken_in(server: asyncio.Server, port: int) -> int:
    with ExitStack() as stack:
        before = Counted.made
        for _ in range(WAITING):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        for turn in range(10 * WAITING):
            if Counted.made == before + WAITING:
                return turn
            await asyncio.sleep(0)
    raise AssertionError(f"{Counted.made - before} of {WAITING} connections were taken in, of {server.sockets}")


def test_connections_that_wait_are_taken_in_several_in_each_turn_of_the_loop() -> None:
    from gateway.entrypoints.connection.accepting import ACCEPTED_PER_TURN, AcceptingLoop  # noqa: PLC0415 - as above.

    async def work() -> None:
        server = await asyncio.get_running_loop().create_server(Counted, "127.0.0.1", 0, backlog=2 * WAITING)
        port = server.sockets[0].getsockname()[1]
        assert await turns_until_all_are_taken_in(server, port) <= WAITING // ACCEPTED_PER_TURN + 2
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    with asyncio.Runner(loop_factory=AcceptingLoop) as runner:
        runner.run(work())
