"""The last response of a connection, when the server refuses what came: a problem, then the end."""

import asyncio
from typing import Any, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.adapters.http.early_problems import EarlyProblem, early_problem
from gateway.adapters.http.messages import Header
from gateway.adapters.http.problems import HttpRefusal
from gateway.entrypoints.connection.places import Connection, Places

HEALTH_PATHS: Final = ("/health/live", "/health/ready")


def as_bytes(problem: EarlyProblem, default_headers: list[Header]) -> bytes:
    """A problem as it goes over the wire."""
    lines = [STATUS_LINE[problem.status]]
    for name, value in [*default_headers, *problem.headers]:
        lines += [name, b": ", value, b"\r\n"]
    return b"".join([*lines, b"\r\n", problem.body])


class Lingering(asyncio.Protocol):
    """Discards what a refused client still sends, for a short time.

    Closing a socket with unread data resets the connection, and the client may lose the response (RFC 9112, 9.6).

    Args:
        connection: Its protocol until now; the response is written.
        places: Where the connection counts until it is closed.
        seconds: How long the client may still send.
    """

    def __init__(self, connection: Connection, places: Places, seconds: float) -> None:
        self.transport = connection.transport
        self._places = places
        self._timer = asyncio.get_running_loop().call_later(seconds, self.transport.abort)
        places.replace(connection, self)
        self.transport.set_protocol(self)
        self.transport.write_eof()
        self.transport.resume_reading()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._places.leave(self)

    def shutdown(self) -> None:
        """Close at once: the server ends."""
        self.transport.abort()


class OnlyHealth:
    """The application of a reserved connection: health checks are answered, everything else is `overloaded`.

    Args:
        app: The application.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, the last of its connection."""
        if scope["path"].rstrip("/").endswith(HEALTH_PATHS):
            await self._app(scope, receive, _closing(send))
            return
        refusal = HttpRefusal("overloaded", "This server has all the connections that it may have.")
        problem = early_problem(refusal, scope["headers"], scope["path"])
        await send({"type": "http.response.start", "status": problem.status, "headers": problem.headers})
        await send({"type": "http.response.body", "body": problem.body})


def _closing(send: Any) -> Any:
    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return sent
