"""Request bodies: received within their limits, and decoded."""

from typing import Any, Final

import msgspec
from litestar.types import Receive

from gateway.adapters.http.decoding import decode_body
from gateway.adapters.http.headers import require_json
from gateway.adapters.http.messages import Request
from gateway.adapters.http.operations import NoFields, Operation
from gateway.adapters.http.problems import HttpRefusal

LENGTH_DIGITS_MAX: Final = 18
"""Of a Content-Length: reading thousands of digits as a number is refused by Python, with an error of its own."""

NO_BODY: Final = b"{}"
"""What a body that is left out stands for."""


class ClientGone(Exception):  # noqa: N818 - the name says what happened.
    """Nobody waits for the answer any more."""


async def read_body(
    request: Request, receive: Receive, operation: Operation, decoder: msgspec.json.Decoder[Any], size_max: int
) -> Any:
    """The body of a request, decoded. Where all fields are optional, no body is the same as `{}`.

    That there is none is only known when it has been received: HTTP/2 needs no header to announce a body.

    Raises:
        ClientGone: The client went away meanwhile.
        HttpRefusal: `unsupported_media_type`, `body_too_large`, or `validation_error`: it is not of the declared form.
    """
    if not operation.body_optional:
        require_json(request.headers)
    length = request.headers.get(b"content-length", b"")
    if length.isdigit() and (len(length) > LENGTH_DIGITS_MAX or int(length) > size_max):
        raise _too_large(size_max)
    request.arriving = True
    raw, more = await _chunk(receive)  # Nearly always the whole of it.
    while more and len(raw) <= size_max:
        chunk, more = await _chunk(receive)
        raw += chunk
    request.arriving = False
    if len(raw) > size_max:
        raise _too_large(size_max)
    if operation.body_optional:
        if raw:
            require_json(request.headers)
        raw = raw or NO_BODY
    body = decode_body(raw, decoder)
    # Without fields there is nothing to hand on, and the fingerprint stays that of a request without a body.
    return None if operation.body is NoFields else body


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    """The next part of the body, and whether there is more."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def _too_large(size_max: int) -> HttpRefusal:
    return HttpRefusal("body_too_large", f"The body may have {size_max} bytes.", body_bytes_max=size_max)
