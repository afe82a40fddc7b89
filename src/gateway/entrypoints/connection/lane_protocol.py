"""The protocol of a connection whose usual payments go through the lane.

A request that might be usual is held until the end of the data that it began in. If all of it has arrived, and the
lane takes it, no task runs for it. Otherwise it goes to the application, as any request.

The next request of the connection nearly always has the same header fields. If it does, the lane is asked before the
parser is. If the lane does not take it, the parser gets it, as if nothing had happened.
"""

import asyncio
from typing import Any, Final, cast

from typing_extensions import override
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.adapters.http.app import lane_of
from gateway.adapters.http.lane import METHOD, TARGET, Lane, LanePayment
from gateway.entrypoints.connection.cycle import Cycle
from gateway.entrypoints.connection.one_write import OneWriteProtocol
from gateway.entrypoints.connection.repeated_head import RepeatedHead, repeated_head

REQUEST_LINE: Final = b"%b %b HTTP/1.1" % (METHOD.encode(), TARGET)
HEADS_LEARNED_MAX: Final = 8
"""How many heads of a connection are looked at. Some clients, and proxies in front of many, always send another one."""


class LaneProtocol(OneWriteProtocol):
    """One connection. Call `take_repeated` before a piece of data is parsed, and `start_held` after it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own.
        """Look for the lane of the application."""
        super().connection_made(transport)
        app = cast("Any", self.app)  # uvicorn's type names wrappers that it does not use here.
        # Behind proxies, the middleware finds out addresses of clients, which payments do not have.
        self._lane: Lane | None = lane_of(app.app if isinstance(app, ProxyHeadersMiddleware) else app)
        if self.root_path or self.access_log:
            self._lane = None
        self._held: Cycle | None = None
        self._repeated: tuple[RepeatedHead, Cycle] | None = None
        self._heads_left = HEADS_LEARNED_MAX

    @override
    def start(self, cycle: Cycle, app: Any) -> None:
        if (
            self._lane is not None
            and self.url == TARGET
            and cycle.keep_alive
            and cycle.scope["method"] == METHOD
            and cycle.scope["http_version"] == "1.1"
        ):
            self._held = cycle
        else:
            self._start_asgi_task(cycle, app)

    def use_no_lane(self) -> None:
        """Let all requests go to the application."""
        self._lane = None

    def take_repeated(self, data: bytes) -> bool:
        """Start the response to a payment whose head repeats, between two requests of the connection.

        Returns:
            Whether the lane has taken `data`. If not, nothing has happened.
        """
        if self._lane is None or self._repeated is None:
            return False
        head, cycle = self._repeated
        latest = self.cycle
        if not latest.response_complete or latest.more_body or not latest.keep_alive:
            return False
        request = head.read(data)
        if request is None:
            return False
        # All but the headers is as it was when the parser found it: connection, method and path.
        cycle.scope["headers"], body = request
        payment = self._lane.take(cycle.scope, body)
        if payment is None:
            return False
        cycle.begin_again(self.on_response_complete)
        self.scope, self.cycle = cycle.scope, cycle
        self.start_in_lane(cycle, payment)
        return True

    def start_held(self, data: bytes) -> None:
        """Start the response to the request that is held, if there is one.

        Args:
            data: The piece that was parsed.
        """
        cycle, self._held = self._held, None
        if cycle is None:
            return
        lane = self._lane
        body = bytes(cycle.body)
        payment = None if lane is None or cycle.more_body else lane.take(cycle.scope, body)
        if payment is None:
            self._start_asgi_task(cycle, cast("Any", self.app))
            return
        if self._heads_left:
            self._heads_left -= 1
            names = [name for name, _ in cycle.scope["headers"]]
            head = repeated_head(data, REQUEST_LINE, names, body)
            if head is not None:
                self._repeated = head, cycle
        self.start_in_lane(cycle, payment)

    def start_in_lane(self, cycle: Cycle, payment: LanePayment) -> None:
        """Send the response to a payment as soon as its answer is there."""

        def respond(answer: Any) -> None:
            self.tasks.discard(answer)
            self._respond(cycle, payment)

        # A server that ends waits for its tasks, and cancels them when it has waited for long enough.
        answer: Any = payment.answer
        self.tasks.add(answer)
        answer.add_done_callback(respond)

    def _respond(self, cycle: Cycle, payment: LanePayment) -> None:
        status, headers, body = payment.end()
        if cycle.respond(status, headers, body):
            payment.log()
            return

        async def respond_later(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            payment.log()

        self._start_asgi_task(cycle, respond_later)
