"""HttpConnection: one HTTP/1.1 connection to a receiver, which reads of a response as little as a sender needs."""

import asyncio
from typing import Final, NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from typing_extensions import override

from gateway.application.ports.webhook_sender import WebhookError

HEAD_BYTES_MAX: Final = 16_384
"""The bytes of a response before its body: status line and header fields, including interim responses."""
BODY_BYTES_MAX: Final = 65_536
"""The bytes of a response after its header fields, as they are transferred."""
_READ_BYTES_MAX: Final = 8_192
_FINAL_STATUS_MIN: Final = 200
_SWITCHING_PROTOCOLS: Final = 101


class Received(NamedTuple):
    """What arrived of a response.

    Attributes:
        status: The final status, if it arrived.
        retry_after: The value of `Retry-After`.
        error: Why the response is incomplete; `None` if it is complete.
        silent: Whether not a single byte arrived.
    """

    status: int | None
    retry_after: bytes | None
    error: WebhookError | None
    silent: bool


class _Response:
    """What has arrived of a response until now."""

    __slots__ = ("allowance", "complete", "has_length", "retry_after", "reusable", "silent", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: bytes | None = None
        self.silent = True
        # Otherwise the body ends with the connection.
        self.has_length = False
        self.complete = False
        # Whether the connection can be used for another request.
        self.reusable = False
        # How many bytes may still arrive.
        self.allowance = HEAD_BYTES_MAX


class HttpConnection(asyncio.BufferedProtocol):
    """Sends one request at a time. Bodies of responses are read into one small buffer, and not kept.

    The parser (llhttp) calls the methods `on_…`. A connection is closed once a response was incomplete, or the receiver
    asked for it, or sent anything without a request.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.opened_at = self._loop.time()
        self.idle_since = self.opened_at
        self._transport: asyncio.Transport | None = None
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._buffer = memoryview(bytearray(_READ_BYTES_MAX))
        self._response = _Response()
        self._waiter: asyncio.Future[Received] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, *, deadline: float) -> Received:
        """Send a request and read its response.

        Args:
            request: The whole request, as it is sent.
            deadline: The time of the event loop at which it ends with `TIMEOUT`, with the status if that has arrived.
        """
        if self._transport is None or not self.is_open:
            return Received(None, None, WebhookError.CONNECTION_FAILED, silent=True)
        self._response = _Response()
        waiter: asyncio.Future[Received] = self._loop.create_future()
        self._waiter = waiter
        timer = self._loop.call_at(deadline, self._end_response, WebhookError.TIMEOUT)
        try:
            self._transport.write(request)
            return await waiter
        except asyncio.CancelledError:
            self._waiter = None
            self.abort()
            raise
        finally:
            timer.cancel()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer[: max(1, self._response.allowance)]

    @override
    def buffer_updated(self, nbytes: int) -> None:
        if self._waiter is None or self._parser is None:
            self.abort()
            return
        response = self._response
        response.silent = False
        response.allowance -= nbytes
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (HttpParserError, HttpParserUpgrade):
            response.reusable = False
            if not response.complete:
                self._end_response(WebhookError.PROTOCOL_ERROR)
                return
        if response.complete:
            self._end_response(None)
        elif response.allowance <= 0:
            self._end_response(WebhookError.RESPONSE_TOO_LARGE)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        # The parser and this object refer to each other.
        self._parser = None
        response = self._response
        ends_with_connection = exc is None and response.status is not None and not response.has_length
        self._end_response(None if ends_with_connection else WebhookError.CONNECTION_FAILED)

    def on_message_begin(self) -> None:
        """A response begins: the first one, one after an interim response, or one that nobody asked for."""
        response = self._response
        if response.complete:
            response.reusable = False
        else:
            response.has_length = False
            response.retry_after = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field has arrived, or a field of a trailer, which does not count."""
        response = self._response
        if response.status is not None:
            return
        name = name.lower()
        if name in {b"content-length", b"transfer-encoding"}:
            response.has_length = True
        elif name == b"retry-after":
            response.retry_after = value

    def on_headers_complete(self) -> None:
        """The header fields have arrived."""
        response = self._response
        if response.complete or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status == _SWITCHING_PROTOCOLS:
            raise HttpParserError("Nobody asked for another protocol.")
        if status >= _FINAL_STATUS_MIN:
            response.status = status
            response.allowance = BODY_BYTES_MAX

    def on_message_complete(self) -> None:
        """A response has arrived as a whole."""
        response = self._response
        if response.status is not None and self._parser is not None and not response.complete:
            response.complete = True
            response.reusable = self._parser.should_keep_alive()

    def _end_response(self, error: WebhookError | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return
        response = self._response
        if error is not None or not response.reusable:
            self.abort()
        if not waiter.done():
            waiter.set_result(Received(response.status, response.retry_after, error, response.silent))
