"""uvicorn's HTTP/1.1, with the head and the body of a response in one write, and an end for streams.

uvicorn writes them separately. Each write is a system call, a packet and a wake-up of the reader: together a tenth of
what a request costs (docs/performance.md).

At a shutdown, uvicorn waits for all responses, and a stream has no end. It also waits for clients that do not read.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

WRITE_SECONDS_MAX: Final = 30.0
"""How long a client may read nothing while a response waits to be written. Then its connection is closed."""

FINAL_HEAD: Final = tuple(f"HTTP/1.1 {digit}".encode() for digit in range(2, 6))
"""The first bytes of a final response. An interim one (100 Continue) begins otherwise."""


class OneWriteTransport:
    """A transport that keeps the head of a response until its body comes; whatever else is asked goes straight through.

    uvicorn writes a body after each head, if only an empty one, without giving anything else a turn. After the head of
    an answer to HEAD it writes nothing: the protocol flushes when the response is complete.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write what was kept and `data`, or keep `data`."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.startswith(FINAL_HEAD):
            self._head = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what was kept: no body follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close, when what was kept is written: an application that broke after the head has no body."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """Everything else of the transport."""
        return getattr(self._transport, name)


class OneWriteProtocol(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own.
        """Speak to the transport through ours."""
        self._one_write = OneWriteTransport(transport)
        self._writing_deadline: asyncio.TimerHandle | None = None
        super().connection_made(self._one_write)  # type: ignore[arg-type]  # it is one in all but its class.

    def on_response_complete(self) -> None:
        """Write the head of a response without a body, before the next one begins."""
        self._one_write.flush()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give a slow client some time to read."""
        super().pause_writing()
        self._writing_deadline = self.loop.call_later(WRITE_SECONDS_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """Write on: the client has read."""
        self._stop_deadline()
        super().resume_writing()

    def shutdown(self) -> None:
        """End a stream, let a response that has not begun come, and close an idle connection."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or not cycle.response_started or cycle.response_complete:
            super().shutdown()
        elif self.flow.write_paused:
            self.transport.abort()
        else:
            self.transport.close()

    def _stop_deadline(self) -> None:
        if self._writing_deadline is not None:
            self._writing_deadline.cancel()
            self._writing_deadline = None
