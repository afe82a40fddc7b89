"""Responses as they are sent: their headers, and ASGI's messages."""

from typing import Any, Final

from litestar.types import Receive, Send
from litestar.utils.scope.state import ScopeState

from gateway.adapters.http.messages import AnyRequest, Header, Response
from gateway.adapters.http.rate_limiting import rate_limit_headers

NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")


def response_headers(response: Response, request: AnyRequest) -> list[Header]:
    """The headers of a response, in the order in which they are sent."""
    headers = [
        (b"request-id", request.request_id.encode()),
        (b"cache-control", response.cache_control),
        NO_SNIFFING,
        *response.headers,
        *(() if request.rate_limit is None else rate_limit_headers(request.rate_limit, request.rate_left)),
    ]
    if response.body:
        headers += [(b"content-type", response.content_type), (b"content-length", str(len(response.body)).encode())]
    elif response.stream is not None:
        headers.append((b"content-type", response.content_type))
    if response.content_encoding is not None:
        headers.append((b"content-encoding", response.content_encoding))
    return headers


async def send_response(response: Response, request: AnyRequest, scope: Any, receive: Receive, send: Send) -> None:
    """Send a response, without a body to HEAD."""
    if response.content_encoding is not None:
        # Litestar's compression, if it wraps this application, would compress the body again.
        ScopeState.from_scope(scope).is_cached = True
    headers = response_headers(response, request)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.stream is None or request.method == "HEAD":
        body = b"" if request.method == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body, "more_body": False})
    else:
        await response.stream(receive, send)
