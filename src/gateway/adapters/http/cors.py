"""CORS: scripts of allowed origins may call the API (the Fetch standard, "CORS protocol").

This wraps the finished application, so that it covers every path and every refusal. Credentials are never allowed: the
API takes tokens, not cookies. Litestar's middleware answers preflights with plain text and without a Request-Id.
"""

from collections.abc import Iterable
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Send

from gateway.adapters.http.headers import read_headers
from gateway.adapters.http.messages import Header
from gateway.adapters.http.request_ids import REQUEST_ID, fresh_request_id

ANY_ORIGIN: Final = b"*"
HEADERS_EXPOSED: Final = (
    b"Allow, Idempotency-Replayed, RateLimit, RateLimit-Policy, Request-Id, Retry-After, WWW-Authenticate"
)
PREFLIGHT_HEADERS: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", b"DELETE, GET, HEAD, PATCH, POST, PUT"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Gateway-Merchant, Idempotency-Key, Last-Event-ID, Request-Id",
    ),
    (b"access-control-max-age", b"7200"),  # Seconds; the maximum of Chromium.
)


def headers_without_origin(origins: Iterable[str]) -> list[Header]:
    """What responses to requests without an origin have beside their own headers, if these origins are allowed.

    Responses differ by origin: caches keep one for each, and one for requests without an origin.
    """
    allowed = frozenset(origins)
    return [(b"vary", b"Origin")] if allowed and ANY_ORIGIN.decode() not in allowed else []


def allowing_origins(app: ASGIApp, origins: Iterable[str]) -> ASGIApp:
    """The application with CORS for these origins (`https://shop.example`), or for all (`*`)."""
    allowed = frozenset(origin.encode() for origin in origins)
    every_origin = ANY_ORIGIN in allowed
    vary = headers_without_origin(origins)

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        headers, _ = read_headers(scope)
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

        async def send_with_cors(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await app(scope, receive, send_with_cors)

    return handle


async def _answer_preflight(request_headers: dict[bytes, bytes], response_headers: list[Header], send: Send) -> None:
    """Answer a preflight. Without headers for an origin, its browser refuses the request."""
    own_id = request_headers.get(b"request-id", b"")
    request_id = own_id if REQUEST_ID.fullmatch(own_id) else fresh_request_id().encode()
    start: Any = {
        "type": "http.response.start",
        "status": 204,
        "headers": [(b"request-id", request_id), *response_headers],
    }
    end: Any = {"type": "http.response.body", "body": b"", "more_body": False}
    await send(start)
    await send(end)
