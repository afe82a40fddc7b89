"""A receiver of webhooks: `python -m bench.receiver --port 8001`. It counts, and answers in the way that a path says.

`POST /healthy` is answered at once. `POST /hanging` is answered after 30 s, `POST /huge` with 100 MB.
`GET /figures` answers with what `/healthy` has received since the last `DELETE /figures`.
"""

import asyncio
import time
from datetime import datetime
from typing import Final, cast

import click
import msgspec
import uvloop

from bench.open_loop import percentile
from bench.servers import HOST

HANG_SECONDS: Final = 30
HUGE_BYTES: Final = 100_000_000
CHUNK: Final = b"x" * 65_536
LENGTH: Final = b"content-length: "
DONE: Final = b"HTTP/1.1 204 No Content\r\n\r\n"


class Event(msgspec.Struct):
    """What the receiver looks at in an event."""

    id: str
    created_at: datetime


class Figures(msgspec.Struct, kw_only=True):
    """What was received. The lag is the time from an event's `created_at` to its first arrival."""

    events: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


class Received:
    """The events that arrived."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._lags: dict[str, float] = {}
        self._requests = 0
        self._first = self._last = 0.0

    def add(self, body: bytes) -> None:
        """Count a request."""
        now = time.time()
        event = _decoder.decode(body)
        self._requests += 1
        self._first = self._first or now
        self._last = now
        self._lags.setdefault(event.id, now - event.created_at.timestamp())

    def figures(self) -> Figures:
        """Everything so far."""
        ordered = sorted(self._lags.values()) or [0.0]
        return Figures(
            events=len(self._lags),
            requests=self._requests,
            seconds=self._last - self._first,
            p50_ms=percentile(ordered, 0.5),
            p99_ms=percentile(ordered, 0.99),
        )


_decoder: Final = msgspec.json.Decoder(Event)


class _Connection(asyncio.Protocol):
    """One connection. A client sends its next request after the answer."""

    def __init__(self, received: Received) -> None:
        self._events = received
        self._buffer = b""
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # TCP's are; uvloop's do not inherit from it.

    def connection_lost(self, _: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(LENGTH)
        if not end or len(body) < int(length.partition(b"\r\n")[0] or 0):
            return
        self._buffer = b""
        method, path, _ = head.split(b" ", 2)
        self._answer(method, path, body)

    def _answer(self, method: bytes, path: bytes, body: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        match path:
            case b"/healthy":
                self._events.add(body)
                transport.write(DONE)
            case b"/hanging":
                self._answering = asyncio.create_task(self._hang(transport))
            case b"/huge":
                self._answering = asyncio.create_task(self._send_much(transport))
            case _:
                if method == b"DELETE":
                    self._events.clear()
                text = msgspec.json.encode(self._events.figures())
                transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))

    async def _hang(self, transport: asyncio.WriteTransport) -> None:
        await asyncio.sleep(HANG_SECONDS)
        transport.write(DONE)

    async def _send_much(self, transport: asyncio.WriteTransport) -> None:
        transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % HUGE_BYTES)
        for _ in range(0, HUGE_BYTES, len(CHUNK)):
            transport.write(CHUNK)
            await self._writable.wait()


@click.command
@click.option("--port", type=int, required=True)
def receive(port: int) -> None:
    """Receive until SIGTERM."""
    uvloop.run(_receive(port))


async def _receive(port: int) -> None:
    received = Received()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(received), HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    receive()
