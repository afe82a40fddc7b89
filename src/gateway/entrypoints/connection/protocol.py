"""The protocol of a connection: what a client may send, and how long it may take.

A request of usual size that arrives in one piece costs no timer and no counting: only what is larger, or stays
incomplete, is counted.
"""

import asyncio
from itertools import chain
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.adapters.http.early_problems import early_problem
from gateway.adapters.http.messages import Header
from gateway.adapters.http.problems import HttpRefusal
from gateway.entrypoints.connection.lane_protocol import LaneProtocol
from gateway.entrypoints.connection.last_response import Lingering, OnlyHealth, as_bytes
from gateway.entrypoints.connection.places import Place, places_of
from gateway.entrypoints.connection.upgrades import CONNECT, head_without_upgrade, new_parser


class Discarding(list[Header]):
    """Where uvicorn puts trailer fields. Nobody reads them, and they must not become headers."""

    def append(self, field: Header, /) -> None:
        """Forget a field."""


class Deaf:
    """In place of a parser: whatever comes after the last request of a connection is not read."""

    def feed_data(self, data: Any) -> None:
        """Ignore it."""


AROUND_URL: Final = "  HTTP/1.1\r\n\r\n"
AROUND_FIELD: Final = ": \r\n"
HOST: Final = b"host"
TRAILERS: Final = Discarding()
DEAF: Final[Any] = Deaf()


class GatewayProtocol(LaneProtocol):
    """One connection.

    uvicorn's `limit_concurrency` is the bound on connections; what happens at the bound is ours.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own.
        """Give the connection a place, and the client some time for its first request."""
        self._in_head = False
        self._in_trailers = False
        self._field_bytes = 0
        self._head_again = b""
        self._idle_since = 0.0
        self._places = places_of(self.server_state, self.limit_concurrency)
        place = self._places.enter(self)
        super().connection_made(transport)
        self.limit_concurrency = None
        self._deadline: asyncio.TimerHandle | None = None
        if place is Place.NONE:
            transport.abort()
            return
        if place is Place.RESERVED:
            self.app = OnlyHealth(self.app)
            self.use_no_lane()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_deadline()
        self._unset_keepalive_if_required()
        self._places.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and see to it that little of an incomplete request is kept."""
        part_bytes_max = self.limits.head_bytes_max
        if self._in_head or self._in_trailers or len(data) > part_bytes_max:
            rest = memoryview(data)
            while rest:
                self._feed_counted(rest[:part_bytes_max])
                rest = rest[part_bytes_max:]
        elif self._deadline is None and self.take_repeated(data):
            self._places.busy(self)
            return
        else:
            self._feed(data)
            if self._in_head:
                self._check_incomplete()
        self.start_held(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._field_bytes = 0
        HttpToolsProtocol.on_message_begin(self)

    def on_headers_complete(self) -> None:
        """All headers are there: start the response."""
        # A head that has arrived in one part is no larger than the part.
        if len(self.headers) > self.limits.headers_max or (self._field_bytes and self._head_is_too_large()):
            raise self._too_large()
        if len(self.pipeline) >= self.limits.pipelined_max:
            # Nobody sees it: the responses that are due come, and then the end.
            raise HttpRefusal("validation_error", "Too many requests of this connection wait for their responses.")
        self._check_version_and_host()
        upgrades = self.parser.should_upgrade()
        is_connect = upgrades and self.parser.get_method() == CONNECT
        if upgrades and not is_connect:
            self._head_again = head_without_upgrade(self.parser, self.url, self.headers)
            return
        self._in_head = False
        if self._deadline is not None:
            self._stop_deadline()
        self._places.busy(self)
        super().on_headers_complete()
        self.headers = TRAILERS
        if is_connect:
            self.cycle.keep_alive = False  # What follows is no request, whatever the headers say of a body.

    def on_chunk_header(self) -> None:
        """Trailer fields may follow: a chunk without a body is the last one."""
        self._in_trailers = True
        self._field_bytes = 0

    def on_chunk_complete(self) -> None:
        """What follows is the next chunk or request."""
        self._in_trailers = False

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._in_trailers = False
        HttpToolsProtocol.on_body(self, body)

    def on_message_complete(self) -> None:
        """The request is complete. If its response is too, the next request may come."""
        if self._head_again:
            return  # Its body may follow.
        cycle = self.cycle
        if cycle.response_complete and cycle.more_body:
            cycle.more_body = False
            self._stop_deadline()
            self._await_request()
        HttpToolsProtocol.on_message_complete(self)

    def on_response_complete(self) -> None:
        """As uvicorn's, but one timer serves all requests of a connection, and the rest of a body may follow."""
        self._one_write.flush()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._places.idle(self)
        if self.cycle.more_body:
            self._deadline = self.loop.call_later(self.limits.linger_seconds, self.transport.close)
        else:
            self._await_request()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is idle for long enough; look again later if it became idle in between."""
        self.timeout_keep_alive_task = None
        if self._in_head or not self.cycle.response_complete or self.cycle.more_body:
            return  # It is not idle, and has another deadline.
        seconds = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if seconds > 0:
            self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _await_request(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _feed(self, data: bytes | memoryview) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade(data[upgrade.args[0] :])
            except httptools.HttpParserError as error:
                cause = error.__context__
                if not isinstance(cause, HttpRefusal):
                    cause = HttpRefusal("validation_error", "This is no valid request of HTTP/1.1.")
                self._refuse(cause)
                return
            else:
                return

    def _without_upgrade(self, rest: bytes | memoryview) -> bytes:
        """The headers once more without `Upgrade`, and what follows them, for a new parser."""
        if not self._head_again:
            return b""  # CONNECT
        head, self._head_again = self._head_again, b""
        self.parser = new_parser(self)
        return head + rest

    def _feed_counted(self, part: memoryview) -> None:
        if self._in_head or self._in_trailers:
            self._field_bytes += len(part)
        self._feed(part)
        if self._in_head or self._in_trailers:
            self._check_incomplete()

    def _check_incomplete(self) -> None:
        """Refuse a head or trailer fields that are too large already, and set a head its deadline."""
        is_too_long = self._field_bytes > self.limits.head_bytes_max
        if is_too_long or len(self.headers) > self.limits.headers_max:
            self._refuse(self._too_large())
        elif self._in_head and self._deadline is None:
            self._await_head()

    def _check_version_and_host(self) -> None:
        """As RFC 9112, 3.2. The application refuses a second `Host`, as every repeated header."""
        version = self.parser.get_http_version()
        if version == "1.0":
            return
        if version != "1.1":
            raise HttpRefusal("validation_error", f"This server speaks HTTP/1.1 and HTTP/1.0, not HTTP/{version}.")
        for name, _ in self.headers:
            if name == HOST:
                return  # It is the first header of nearly every client.
        raise HttpRefusal("validation_error", "A request of HTTP/1.1 has a Host header.")

    def _head_is_too_large(self) -> bool:
        line = len(self.parser.get_method()) + len(self.url) + len(AROUND_URL)
        fields = sum(map(len, chain.from_iterable(self.headers))) + len(AROUND_FIELD) * len(self.headers)
        return line + fields > self.limits.head_bytes_max

    def _too_large(self) -> HttpRefusal:
        limits = self.limits
        return HttpRefusal(
            "headers_too_large",
            f"A request may have {limits.headers_max} headers, and {limits.head_bytes_max} bytes before its body.",
        )

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.limits.head_seconds, self._end_waiting_for_head)

    def _end_waiting_for_head(self) -> None:
        if self.flow.read_paused:
            self._await_head()  # It has no chance to arrive.
        elif self._in_head:
            self._refuse(HttpRefusal("request_timeout", "The headers took too long to arrive."))
        else:
            self.transport.close()

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, refusal: HttpRefusal) -> None:
        """Answer with a problem, unless another response is due; then read no further, and close."""
        self._in_head = self._in_trailers = False
        self.parser = DEAF
        self._stop_deadline()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or (cycle.response_complete and not cycle.more_body):
            self._respond_and_end(refusal)
        elif cycle.response_complete:
            self.transport.close()  # It was the rest of a request that has its response.
        elif not cycle.more_body:
            # A whole request waits for its response, for which a problem would be taken.
            cycle.keep_alive = False
        elif cycle.response_started or self.pipeline:
            self.transport.abort()
        else:
            cycle.disconnected = True
            cycle.message_event.set()
            self._respond_and_end(refusal)

    def _respond_and_end(self, refusal: HttpRefusal) -> None:
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        scope: Any = self.scope or {}
        problem = early_problem(refusal, scope.get("headers", ()), scope.get("path", ""))
        self._one_write.write(as_bytes(problem, self.server_state.default_headers))
        self._one_write.flush()
        Lingering(self, self._places, self.limits.linger_seconds)
