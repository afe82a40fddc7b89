"""An event loop that takes in many new connections at once.

libuv, on which uvloop stands, accepts one connection of a listening socket in each turn of the loop. While others keep
the loop busy, a turn takes some milliseconds: new connections would wait for seconds in a queue of the kernel.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvloop
from typing_extensions import override

ACCEPTED_PER_TURN: Final = 4
"""New connections that are taken in in one turn of the loop, for each address that the server listens on.

Enough for more than a thousand a second. Few, since the requests of open connections wait for the whole turn.
"""


class Listeners:
    """Several servers as one.

    Attributes:
        sockets: Those of the first one.
    """

    def __init__(self, servers: Sequence[Any]) -> None:
        self._servers = servers
        self.sockets: Sequence[socket.socket] = servers[0].sockets

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        """Wait until all connections are closed."""
        for server in self._servers:
            await server.wait_closed()


class AcceptingLoop(uvloop.Loop):
    """uvloop, whose servers listen on each socket several times: each duplicate accepts one connection in each turn."""

    @override
    async def create_server(  # type: ignore[override]  # uvicorn needs no more of a server.
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], *arguments: Any, **options: Any
    ) -> Listeners:
        """Listen, as uvloop does."""
        create = super().create_server
        first: Any = await create(protocol_factory, *arguments, **options)
        common = {name: value for name, value in options.items() if name in {"ssl", "backlog"}}
        servers: list[Any] = [first]
        for listening in first.sockets:
            for _ in range(ACCEPTED_PER_TURN - 1):
                duplicate = socket.fromfd(listening.fileno(), listening.family, listening.type)
                servers.append(await create(protocol_factory, sock=duplicate, **common))
        return Listeners(servers)
