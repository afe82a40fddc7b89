"""CORS: scripts of other sites may call the API, if their origins are allowed (the Fetch standard, "CORS protocol").

A layer around the finished application: it reaches every path and every refusal. Credentials are never allowed, for the
API takes tokens, and no cookies. Litestar's own middleware is not used: it answers preflights with texts, not problems,
and without a Request-Id.
"""

from collections.abc import Iterable
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Send

from gateway.adapters.http.messages import Header
from gateway.adapters.http.request_ids import REQUEST_ID, fresh_request_id

ANY_ORIGIN: Final = b"*"
HEADERS_EXPOSED: Final = b"Allow, Idempotency-Replayed, Request-Id, Retry-After, WWW-Authenticate"
PREFLIGHT_HEADERS: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", b"DELETE, GET, HEAD, PATCH, POST, PUT"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Request-Id"),
    (b"access-control-max-age", b"7200"),  # Seconds; the longest that Chromium keeps it.
)


def allowing_origins(app: ASGIApp, origins: Iterable[str]) -> ASGIApp:
    """The application, open to scripts from these origins (`https://shop.example`), or from all (`*`)."""
    allowed = frozenset(origin.encode() for origin in origins)
    every_origin = ANY_ORIGIN in allowed
    # An answer to one origin is none to another: caches must know, also when no origin was given.
    vary: list[Header] = [] if every_origin else [(b"vary", b"Origin")]

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin")
        is_allowed = origin is not None and (every_origin or origin in allowed)
        allow: list[Header] = (
            [(b"access-control-allow-origin", ANY_ORIGIN if every_origin else origin or b""), *vary]
            if is_allowed
            else vary
        )
        if scope.get("method") == "OPTIONS" and origin is not None and b"access-control-request-method" in headers:
            await _answer_preflight(headers, [*allow, *PREFLIGHT_HEADERS] if is_allowed else allow, send)
            return
        added = [*allow, (b"access-control-expose-headers", HEADERS_EXPOSED)] if is_allowed else allow

        async def send_more(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await app(scope, receive, send_more)

    return handle


async def _answer_preflight(request: dict[bytes, bytes], headers: list[Header], send: Send) -> None:
    """Say what may be asked. An origin that is not allowed is told nothing, and its browser refuses by itself."""
    own_id = request.get(b"request-id", b"")
    request_id = own_id if REQUEST_ID.fullmatch(own_id) else fresh_request_id().encode()
    start: Any = {"type": "http.response.start", "status": 204, "headers": [(b"request-id", request_id), *headers]}
    end: Any = {"type": "http.response.body", "body": b"", "more_body": False}
    await send(start)
    await send(end)
