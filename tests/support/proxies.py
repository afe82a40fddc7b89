"""A proxy in front of a database, which does to connections what networks do to them."""

import asyncio
import ssl
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

CHUNK_BYTES = 65_536
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""How a client of Postgres asks for TLS."""


class Proxy:
    """Forwards connections to a database until told otherwise.

    Attributes:
        accept_after_seconds: How long a new connection waits before anything of it is forwarded.
        sent: How many pieces of data clients have sent since `cut` was called.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._url = urlsplit(url)
        self._tls = tls
        self._flows: set[asyncio.Event] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._cuts: Callable[[int], tuple[bool, bool]] | None = None
        self.port = 0
        self.accept_after_seconds = 0.0
        self.connections = 0
        self.sent = 0

    @property
    def url(self) -> str:
        """The address of the database through the proxy."""
        credentials = self._url.netloc.rpartition("@")[0]
        return self._url._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()

    def forget(self) -> None:
        """From now on nothing of the connections that are open is forwarded, and nobody is told."""
        for flow in self._flows:
            flow.clear()

    def cut(self, *, at: int, after: bool) -> None:
        """Break all connections when clients send the given piece of data, counted from 1 from now on.

        Args:
            at: Which piece; 0 for none.
            after: Whether the database still gets it.
        """
        self.sent = 0
        self._cuts = lambda number: (number == at, after)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection."""
        self.connections += 1
        flow = asyncio.Event()
        flow.set()
        self._flows.add(flow)
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        with suppress(OSError):
            await asyncio.sleep(self.accept_after_seconds)
            if self._tls is not None:
                assert await reader.readexactly(8) == SSL_REQUEST
                writer.write(b"S")
                # A writer that is broken off in its handshake has no transport any more.
                self._writers.discard(writer)
                handshake = asyncio.create_task(writer.start_tls(self._tls))
                self._handshakes.add(handshake)
                handshake.add_done_callback(self._handshakes.discard)
                await handshake
                self._writers.add(writer)
            answers, upstream = await asyncio.open_connection(self._url.hostname, self._url.port)
            self._writers.add(upstream)
            there = asyncio.create_task(self._forward(reader, upstream, flow, counted=True))
            back = asyncio.create_task(self._forward(answers, writer, flow, counted=False))
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            there.cancel()
            back.cancel()
            await asyncio.wait([there, back])
        for end in (writer, upstream):
            if end is not None:
                end.close()
                self._writers.discard(end)
        self._flows.discard(flow)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: asyncio.Event, *, counted: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await flow.wait()
                cuts = after = False
                if counted and self._cuts is not None:
                    self.sent += 1
                    cuts, after = self._cuts(self.sent)
                if not cuts or after:
                    writer.write(data)
                    await writer.drain()
                if cuts:
                    self.break_all()

    async def close(self) -> None:
        """Break every connection. A handshake is waited for: it ends by itself, as its client has gone."""
        self.break_all()
        if self._handshakes:
            await asyncio.wait(self._handshakes)

    def break_all(self) -> None:
        """Break every connection that is open."""
        for writer in list(self._writers):
            writer.transport.abort()


@asynccontextmanager
async def proxied(
    url: str, *, socket_folder: Path | None = None, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Proxy]:
    """A proxy in front of the database at `url`: on a port of its own, or on a Unix socket in a folder.

    With `tls`, it is to clients what a server is that encrypts: they get no connection without.
    """
    proxy = Proxy(url, tls)
    if socket_folder is None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
    else:
        server = await asyncio.start_unix_server(proxy.serve, socket_folder / ".s.PGSQL.5432")
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
