"""A proxy in front of Postgres that understands what it forwards, and cuts connections around statements.

The messages: https://www.postgresql.org/docs/current/protocol-message-formats.html. A client sends a statement as
several messages and then waits; the proxy forwards them together, or does one of the `Moment`s with them.
"""

import asyncio
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

CHUNK_BYTES = 65_536
NO_ENCRYPTION = frozenset({80_877_103, 80_877_104})
"""The codes with which a client asks for TLS and for GSSAPI."""
ENDS_A_STATEMENT = frozenset(b"QSpH")
"""Query, Sync, the parts of a login, Flush: the client waits for an answer to them."""
READY = re.compile(rb"Z\x00\x00\x00\x05.\Z", re.DOTALL)
"""ReadyForQuery, with which each answer ends."""
ENDED = (OSError, EOFError, RuntimeError)
"""What reading and writing raise at the end of a connection; the last one is uvloop's, if it was reset meanwhile."""
LATE_SECONDS = (0.01, 0.8)
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends RST."""


class Moment(StrEnum):
    """When a connection is cut."""

    BEFORE = "before the statement reaches Postgres"
    AFTER = "when Postgres has the statement"
    SWALLOWED = "when Postgres has answered, and nobody has heard it"
    LATE = "before the statement, which reaches Postgres up to 0.8 s later all the same"
    SILENT = "never, but nothing is answered any more"


RESETS = [Moment.BEFORE, Moment.AFTER, Moment.SWALLOWED, Moment.LATE]


class Kind(StrEnum):
    """What a statement does."""

    SETTLE = "statement that writes a batch and its answers"
    COMMIT = "COMMIT"
    WRITE = "other statement that writes"
    READ = "statement that reads"
    LOGIN = "login at Postgres"


def kind_of(sql: bytes) -> Kind:
    """What a statement does, by its text."""
    text = sql.upper()
    if text.startswith(b"COMMIT"):
        return Kind.COMMIT
    if b"INSERT INTO ANSWERS" in text:
        return Kind.SETTLE
    return Kind.WRITE if re.search(rb"\b(INSERT INTO|UPDATE|DELETE FROM)\b", text) else Kind.READ


@dataclass(slots=True)
class Cuts:
    """Chooses which statements are cut, at random.

    Attributes:
        chance: The source of chance.
        shares: For each kind of statement, the share that is cut.
        moments: When they are cut, one as often as the other.
        left: How many cuts are still to be made.
        counts: How many were made.
    """

    chance: random.Random
    shares: Mapping[Kind, float]
    moments: Sequence[Moment]
    left: int
    counts: Counter[tuple[Kind, Moment]] = field(default_factory=Counter[tuple[Kind, Moment]])

    def choose(self, kind: Kind) -> Moment | None:
        """When the connection of this statement is cut, if it is."""
        if self.left <= 0 or self.chance.random() >= self.shares.get(kind, 0.0):
            return None
        moment = self.chance.choice(self.moments)
        self.left -= 1
        self.counts[kind, moment] += 1
        return moment


class PostgresProxy:
    """Forwards connections.

    Attributes:
        cuts: What is cut; None for nothing.
        flows: While it is not set, nothing is forwarded, and nobody is told: a network that is partitioned.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._links: set[_Link] = set()
        self.port = 0
        self.cuts: Cuts | None = None
        self.flows = asyncio.Event()
        self.flows.set()

    @property
    def silent(self) -> int:
        """How many connections are open on which nothing is answered any more."""
        return sum(link.is_silent for link in self._links)

    @property
    def url(self) -> str:
        """The address of the database through the proxy."""
        credentials = self._url.netloc.rpartition("@")[0]
        return self._url._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()

    def break_all(self) -> None:
        """Reset all connections."""
        for link in list(self._links):
            link.reset()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection."""
        try:
            answers, upstream = await asyncio.open_connection(self._url.hostname, self._url.port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(self, reader, writer, answers, upstream)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
            writer.transport.abort()
            upstream.transport.abort()


class _Link:
    """One connection: a client's end and Postgres's."""

    def __init__(
        self,
        proxy: PostgresProxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._answers, self._upstream = answers, upstream
        self._swallow: Moment | None = None

    @property
    def is_silent(self) -> bool:
        """Whether nothing is answered any more."""
        return self._swallow is Moment.SILENT

    def reset(self) -> None:
        """Cut both ends."""
        _reset(self._writer)
        _reset(self._upstream)

    async def run(self) -> None:
        """Forward in both directions until one end, or the proxy, has ended the connection."""
        back = asyncio.create_task(self._backward())
        try:
            with suppress(*ENDED):
                await self._login()
                await self._forward()
        finally:
            back.cancel()
            await asyncio.wait([back])

    async def _login(self) -> None:
        while True:
            head = await self._reader.readexactly(8)
            length, code = struct.unpack("!II", head)
            if code not in NO_ENCRYPTION:
                break
            self._writer.write(b"N")
        self._upstream.write(head + await self._reader.readexactly(length - len(head)))

    async def _forward(self) -> None:
        """Statement by statement. asyncpg names what it prepares, and binds it by this name later."""
        prepared: dict[bytes, Kind] = {}
        statement, kind = bytearray(), Kind.READ
        while True:
            head = await self._reader.readexactly(5)
            message = await self._reader.readexactly(int.from_bytes(head[1:]) - 4)
            statement += head + message
            match head[:1]:
                case b"P":
                    name, sql, _ = message.split(b"\0", 2)
                    prepared[name] = kind_of(sql)
                case b"B":
                    kind = prepared.get(message.split(b"\0", 2)[1], Kind.READ)
                case b"Q":
                    kind = kind_of(message)
                case b"p":
                    kind = Kind.LOGIN
                case _:
                    pass
            if head[0] in ENDS_A_STATEMENT:
                await self._proxy.flows.wait()
                await self._pass(bytes(statement), kind)
                statement, kind = bytearray(), Kind.READ
            elif head[:1] == b"X":
                return

    async def _pass(self, statement: bytes, kind: Kind) -> None:
        moment = None if self._proxy.cuts is None else self._proxy.cuts.choose(kind)
        if moment is Moment.BEFORE:
            self.reset()
            return
        if moment is Moment.LATE and self._proxy.cuts is not None:
            _reset(self._writer)
            await asyncio.sleep(self._proxy.cuts.chance.uniform(*LATE_SECONDS))
        if moment in {Moment.SWALLOWED, Moment.SILENT}:
            self._swallow = moment
        self._upstream.write(statement)
        await self._upstream.drain()
        if moment in {Moment.AFTER, Moment.LATE}:
            _reset(self._writer)
            # Not a reset: what was written still arrives, and Postgres learns later that nobody listens.
            self._upstream.close()
            await self._upstream.wait_closed()

    async def _backward(self) -> None:
        with suppress(*ENDED):
            while data := await self._answers.read(CHUNK_BYTES):
                await self._proxy.flows.wait()
                if self._swallow is None:
                    self._writer.write(data)
                    await self._writer.drain()
                elif self._swallow is Moment.SWALLOWED and READY.search(data[-6:]):
                    break
        # Postgres has ended the connection, or has answered what nobody is to hear.
        if self._swallow is Moment.SWALLOWED:
            self.reset()
        elif self._swallow is None:
            self._writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    found: socket.socket | None = writer.get_extra_info("socket")
    if found is not None and not writer.transport.is_closing():
        with suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


@asynccontextmanager
async def proxied(url: str) -> AsyncGenerator[PostgresProxy]:
    """A proxy in front of the database at `url`, on a port of its own."""
    proxy = PostgresProxy(url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.break_all()
        await asyncio.sleep(0)
