"""Receivers of webhooks: real sockets that record what reaches them, and answer as a test wishes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class ReceivedRequest:
    """One request, as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A listening socket."""

    port: int
    connections: int = 0
    """How many were made."""
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    requested: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request has arrived."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a sender has closed a connection."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])


def answering(response: bytes) -> Answer:
    """Answer with these bytes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        await writer.drain()

    return answer


answering_ok = answering(OK)


def closing_after(response: bytes) -> Answer:
    """Answer with these bytes, then close the connection."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        await writer.drain()
        writer.close()

    return answer


@asynccontextmanager
async def receiver(
    answer: Answer = answering_ok, *, host: str = "127.0.0.1", port: int = 0, tls: SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver on this address, on a free port by default, for as long as the block runs."""
    found = Receiver(port)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        found.writers.append(writer)
        found.connected.set()
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                found.requests.append(await _request(reader))
                found.requested.set()
                await answer(writer)
        found.closed.set()
        writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, host, port, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in found.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def _request(reader: asyncio.StreamReader) -> ReceivedRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    line, *fields = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    return ReceivedRequest(line, headers, await reader.readexactly(int(headers["content-length"])))


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nothing listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as found:
        found.bind((host, 0))
        port: int = found.getsockname()[1]
        return port
