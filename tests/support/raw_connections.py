"""Connections without a client library: what is sent goes over the wire as it is, and what comes is read or not."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from typing import Any, Self

SECONDS_MAX = 30.0
PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response: its status, its headers with names in lower case, and its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """The response in all that came over a connection."""
        head, _, body = content.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return cls(int(status_line.split(" ")[1]), headers, body)

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The problem that this response must be: the last one of its connection."""
        assert (self.status, self.headers["content-type"]) == (status, "application/problem+json")
        assert self.headers["connection"] == "close"
        problem: dict[str, Any] = json.loads(self.body)
        assert (problem["status"], problem["code"]) == (status, code)
        assert problem["request_id"] == self.headers["request-id"]
        assert len(self.body) == int(self.headers["content-length"])
        return problem


class RawConnection:
    """A connection to a server of this machine."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    async def send(self, *pieces: bytes) -> None:
        """Send these pieces."""
        await self.send_slowly(pieces, pause=0.0)

    async def send_slowly(self, pieces: Iterable[bytes], *, pause: float) -> None:
        """Send pieces, with a pause after each, for as long as the server takes them."""
        with suppress(ConnectionError):
            for piece in pieces:
                await asyncio.get_running_loop().sock_sendall(self._socket, piece)
                await asyncio.sleep(pause)

    async def read(self, bytes_max: int = PIECE_BYTES) -> bytes:
        """What comes next; empty at the end."""
        async with asyncio.timeout(SECONDS_MAX):
            return await asyncio.get_running_loop().sock_recv(self._socket, bytes_max)

    async def responses(self, number: int) -> bytes:
        """What comes until so many responses have begun."""
        content = b""
        while content.count(b"HTTP/1.1 ") < number:
            piece = await self.read()
            assert piece, content
            content += piece
        return content

    async def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        content = bytearray()
        with suppress(ConnectionError):
            while piece := await self.read():
                content += piece
        return bytes(content)

    async def seconds_until_closed(self) -> float:
        """How long the server keeps the connection open from now on."""
        began = asyncio.get_running_loop().time()
        await self.rest()
        return asyncio.get_running_loop().time() - began


@asynccontextmanager
async def connected(port: int, *, receive_bytes_max: int = 0) -> AsyncGenerator[RawConnection]:
    """A connection; with a small receive buffer, if a size is given."""
    with closing(socket.socket()) as raw:
        raw.settimeout(0)
        if receive_bytes_max:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes_max)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        yield RawConnection(raw)


async def answer_to(port: int, pieces: Iterable[bytes], *, pause: float = 0.0) -> RawResponse:
    """Send a request in pieces, on a connection of its own, and read until the server closes it."""
    async with connected(port) as connection:
        sending = asyncio.create_task(connection.send_slowly(pieces, pause=pause))
        try:
            return RawResponse.parse(await connection.rest())
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
