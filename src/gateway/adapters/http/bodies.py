"""Request bodies: received within limits, and decoded."""

import asyncio
from typing import Final

import msgspec
from litestar.types import Receive, ReceiveMessage

from gateway.adapters.http.decoding import decode_body
from gateway.adapters.http.headers import require_json
from gateway.adapters.http.large_bodies import LARGE_BYTES
from gateway.adapters.http.messages import AnyRequest, BodyT
from gateway.adapters.http.problems import HttpRefusal

LENGTH_DIGITS_MAX: Final = 18
"""The digits of a Content-Length: Python raises an error of its own for thousands of digits."""

NO_BODY: Final = b"{}"
"""The meaning of a body that is left out."""


class ClientGone(Exception):  # noqa: N818 - the name says what happened.
    """The client closed the connection before the response."""


async def receive_body(request: AnyRequest, receive: Receive, size_max: int, *, optional: bool) -> bytes:
    """The body of a request. The bytes of a large one are held in `request.large_bodies` as they arrive.

    Args:
        request: `arriving` is set while its body is being received.
        receive: ASGI's.
        size_max: In bytes.
        optional: Whether no body is the same as `{}`. That there is none is known only after receiving: HTTP/2 needs no
            header to announce a body.

    Raises:
        ClientGone: The client closed the connection.
        HttpRefusal: `unsupported_media_type` or `body_too_large`.
        Overloaded: Bodies hold too many bytes.
        RateLimited: Bodies of this caller do.
    """
    if not optional:
        require_json(request.headers)
    length = request.headers.get(b"content-length", b"")
    if length.isdigit() and (len(length) > LENGTH_DIGITS_MAX or int(length) > size_max):
        raise _too_large(size_max)
    request.arriving = True
    raw, more = b"", True
    while more and len(raw) <= size_max:
        chunk, more = _chunk(await receive())
        raw += chunk  # Nearly always the whole body, which is not copied.
        _hold(request, len(raw))
    request.arriving = False
    if len(raw) > size_max:
        raise _too_large(size_max)
    if optional:
        if raw:
            require_json(request.headers)
        raw = raw or NO_BODY
    return raw


async def decode_large_body(raw: bytes, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
    """As `decode_body`. A valid body takes some milliseconds; the errors of another one are found in a thread."""
    try:
        body = decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return await asyncio.to_thread(decode_body, raw, decoder)
    # As in `decode_body`.
    return await asyncio.to_thread(decode_body, raw, decoder) if b"\\u" in raw else body


def _hold(request: AnyRequest, size: int) -> None:
    """Hold a large body's bytes: `size` in all so far."""
    more = size - request.bytes_held
    if size > LARGE_BYTES and more > 0:
        request.large_bodies.hold(request.counted_caller, more)
        request.bytes_held += more


def _chunk(message: ReceiveMessage) -> tuple[bytes, bool]:
    """The next part of the body, and whether there is more."""
    if message["type"] != "http.request":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def _too_large(size_max: int) -> HttpRefusal:
    return HttpRefusal("body_too_large", f"The body may have {size_max} bytes.", body_bytes_max=size_max)
