"""The protocol of a connection whose usual payments go through the lane.

A request that might be usual is held until the end of the data that it began in. If all of it has arrived, and the
lane takes it, no task runs for it. Otherwise it goes to the application, as any request.
"""

import asyncio
from typing import Any, cast

from typing_extensions import override
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.adapters.http.app import lane_of
from gateway.adapters.http.lane import METHOD, TARGET, Lane, LanePayment
from gateway.entrypoints.connection.cycle import Cycle
from gateway.entrypoints.connection.one_write import OneWriteProtocol


class LaneProtocol(OneWriteProtocol):
    """One connection. Call `start_held` after each piece of data."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own.
        """Look for the lane of the application."""
        super().connection_made(transport)
        app = cast("Any", self.app)  # uvicorn's type names wrappers that it does not use here.
        # Behind proxies, the middleware finds out addresses of clients, which payments do not have.
        self._lane: Lane | None = lane_of(app.app if isinstance(app, ProxyHeadersMiddleware) else app)
        if self.root_path or self.access_log:
            self._lane = None
        self._held: Cycle | None = None

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

    def start_held(self) -> None:
        """Start the response to the request that is held, if there is one."""
        cycle, self._held = self._held, None
        if cycle is None:
            return
        lane = self._lane
        payment = None if lane is None or cycle.more_body else lane.take(cycle.scope, bytes(cycle.body))
        if payment is None:
            self._start_asgi_task(cycle, cast("Any", self.app))
            return

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
