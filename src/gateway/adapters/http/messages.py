"""Asked and Reply: one request as a handler sees it, and what is sent back."""

from dataclasses import dataclass, field
from typing import Any, Final

from gateway.application.access.caller import Caller
from gateway.application.gateway import Gateway

Header = tuple[bytes, bytes]

JSON: Final = b"application/json"


@dataclass(slots=True, kw_only=True)
class Request:
    """One request. What an operation does not declare (a body, a token) is not there.

    Attributes:
        gateway: What is asked.
        method: In capital letters.
        path: Without a trailing slash, and without any root path.
        raw_path: As it came to the server, percent-encoded.
        request_id: The client's own, or ours.
        headers: By name in lower case.
        scheme: `http` or `https`, as the client's connection or a trusted proxy says.
        address: Where it comes from, as the server tells.
        path_id: The id in the path; of two, the first.
        path_id_second: The other one.
        idempotency_key: The `Idempotency-Key`, checked.
        body: Decoded into the operation's type.
        query: Likewise.
        arriving: Whether the body is on its way just now.
    """

    gateway: Gateway
    method: str
    path: str
    raw_path: bytes
    request_id: str
    headers: dict[bytes, bytes]
    scheme: str
    address: str
    path_id: str = ""
    path_id_second: str = ""
    signed_in: Caller | None = None
    idempotency_key: str | None = None
    body: Any = None
    query: Any = None
    arriving: bool = False

    @property
    def caller(self) -> Caller:
        """Who asks. Only operations that require a token may look."""
        if self.signed_in is None:
            raise LookupError(f"{self.method} {self.path} does not require a token, and so has no caller.")
        return self.signed_in


@dataclass(slots=True, kw_only=True)
class Response:
    """One response."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    content_encoding: bytes | None = None
    cache_control: bytes = b"no-store"
    headers: list[Header] = field(default_factory=list[Header])
