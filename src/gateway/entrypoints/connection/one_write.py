"""uvicorn's HTTP/1.1, with the head and the body of a response in one write, and an end for streams.

uvicorn writes them separately. Each write is a system call, a packet and a wake-up of the reader: together a tenth of
what a request costs (docs/performance.md).

A client of HTTP/1.0 knows no chunks, which uvicorn sends whenever a length is not given.

At a shutdown, uvicorn waits for all responses, and a stream has no end. It also waits for clients that do not read.
"""

import asyncio
from typing import Any, ClassVar, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.entrypoints.connection.cycle import Cycle
from gateway.entrypoints.connection.limits import ConnectionLimits
from gateway.entrypoints.connection.sockets import keep_unsent_bytes_few
from gateway.entrypoints.connection.write_deadline import WriteDeadline

FINAL_HEAD: Final = tuple(f"HTTP/1.1 {digit}".encode() for digit in range(2, 6))
"""The first bytes of a final response. An interim one (100 Continue) begins otherwise."""
COPIED_BYTES_MAX: Final = 64 * 1024
"""A larger body is not copied behind its head: connections whose clients do not read share the bytes of a file."""


class OneWriteTransport:
    """A transport that keeps the head of a response until its body comes; whatever else is asked goes straight through.

    uvicorn writes a body after each head, if only an empty one, without giving anything else a turn. After the head of
    an answer to HEAD it writes nothing: the protocol flushes when the response is complete.

    Args:
        transport: Of the connection.
        deadline: For what waits to be written when the connection closes.
    """

    def __init__(self, transport: asyncio.Transport, deadline: WriteDeadline) -> None:
        self._transport = transport
        self._deadline = deadline
        self._head = b""
        self.is_closing = transport.is_closing  # Each response asks it: `__getattr__` takes longer.

    def write(self, data: bytes) -> None:
        """Write what was kept and `data`, or keep `data`."""
        if self._head:
            head, self._head = self._head, b""
            if len(data) > COPIED_BYTES_MAX:
                keep_unsent_bytes_few(self._transport)
                self._transport.writelines((head, data))
            else:
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
        self._deadline.start()

    def __getattr__(self, name: str) -> Any:
        """Everything else of the transport."""
        return getattr(self._transport, name)


class UnframedSend:
    """`send` of a response to HTTP/1.0: a body without a length ends with its connection (RFC 9112, 6.1 and 6.3).

    Args:
        cycle: Request and response of uvicorn, which closes the connection behind a response to HTTP/1.0.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._send = cycle.send
        self._is_unframed = False

    async def __call__(self, message: Any) -> None:
        """Send the head or a part of the body."""
        if message["type"] == "http.response.start":
            self._is_unframed = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            if self._is_unframed:
                self._cycle.chunked_encoding = False
        elif self._is_unframed:
            # uvicorn counts down to the end of a body: this part is all that is left.
            self._cycle.expected_content_length = len(message.get("body", b""))
        await self._send(message)


class OneWriteProtocol(HttpToolsProtocol):
    """One connection, whose client has to read."""

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own.
        """Speak to the transport through ours."""
        self._write_deadline = WriteDeadline(transport, self.limits)
        self._one_write = OneWriteTransport(transport, self._write_deadline)
        super().connection_made(self._one_write)  # type: ignore[arg-type]  # it is one in all but its class.

    def on_headers_complete(self) -> None:
        """Begin a response.

        As uvicorn's, which makes a cycle of its own class, and looks for upgrades and for a bound on connections.
        """
        parser: Any = self.parser  # `None` only when the connection is lost.
        app = cast("Any", self.app)  # uvicorn's type names wrappers that it does not use here.
        scope = self.scope
        version = parser.get_http_version()
        scope["http_version"] = version
        scope["method"] = parser.get_method().decode("ascii")
        url = httptools.parse_url(self.url)
        raw_path = url.path
        path = raw_path.decode("ascii")
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        scope["query_string"] = url.query or b""
        earlier = cast("RequestResponseCycle | None", self.cycle)
        cycle = self.cycle = Cycle(self, keep_alive=version != "1.0" and parser.should_keep_alive())
        if version != "1.1":
            cycle.send = UnframedSend(cycle)  # type: ignore[method-assign]
        if earlier is None or earlier.response_complete:
            self.start(cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app))

    def start(self, cycle: Cycle, app: Any) -> None:
        """Start a response whose turn has come when its head arrived."""
        self._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Write the head of a response without a body, before the next one begins."""
        self._one_write.flush()
        super().on_response_complete()

    def eof_received(self) -> None:
        """Close, as the transport does now, when what waits is written."""
        self._write_deadline.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)  # It closes the transport, which would start the deadline.
        self._write_deadline.stop()

    def pause_writing(self) -> None:
        """Give a slow client some time to read."""
        super().pause_writing()
        self._write_deadline.start()

    def resume_writing(self) -> None:
        """Write on: the client has read."""
        if not self.transport.is_closing():
            self._write_deadline.stop()
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
