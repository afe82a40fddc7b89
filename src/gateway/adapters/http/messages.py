"""Request and Response: what a handler gets, and what it returns."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Generic, TypeAlias

import msgspec
from litestar.types import Receive, Send
from typing_extensions import TypeVar

from gateway.adapters.http.large_bodies import LargeBodies
from gateway.application.access.caller import Caller
from gateway.application.gateway import Gateway
from gateway.application.rate_limits.bucket import RateLimit
from gateway.domain.audit import Actor, ActorKind, Origin, actor_of

BodyT = TypeVar("BodyT", default=None)
QueryT = TypeVar("QueryT", default=None)

Header = tuple[bytes, bytes]

JSON: Final = b"application/json"

_NONE: Final[Any] = None
"""The default of `body` and `query`; a request keeps it if its operation declares none."""


# Structs, because their constructors take a third of the time of a dataclass's.
class Request(msgspec.Struct, Generic[BodyT, QueryT], kw_only=True):
    """One request: `Request[DepositBody]` has a body, `Request[None, AccountsQuery]` has query parameters.

    Attributes:
        gateway: The application.
        method: In capital letters.
        path: Without a trailing slash and without any root path.
        raw_path: The path as the server received it, percent-encoded.
        route: The template of the path, such as `/payments/{payment_id}`; empty for an unknown path.
        path_ids: The segments of the path that the template leaves open, by name.
        request_id: The client's own, or a generated one.
        headers: By name in lower case.
        headers_bytes: The size of all names and values, repeated ones included.
        scheme: `http` or `https`, as seen by the client's connection or a trusted proxy.
        address: The client's address, as the server reports it.
        success_status: The operation's status for a successful response.
        signed_in: The owner of the token; `None` if the operation requires none.
        idempotency_key: The `Idempotency-Key`, checked; `None` if the operation takes none.
        body: Decoded into the operation's type; `None` if it declares no body.
        query: Decoded into the operation's type; `None` if it declares no query.
        arriving: Whether the body is being received.
        rate_limit: The limit that the request was counted for, if any.
        rate_left: How many more requests this limit allows now.
        large_bodies: What all large bodies of this process may take.
        bytes_held: The bytes of a large body that are counted there.
    """

    gateway: Gateway
    method: str
    path: str
    raw_path: bytes
    route: str
    path_ids: Mapping[str, str]
    request_id: str
    headers: dict[bytes, bytes]
    headers_bytes: int
    scheme: str
    address: str
    large_bodies: LargeBodies
    success_status: int = 200
    signed_in: Caller | None = None
    idempotency_key: str | None = None
    body: BodyT = _NONE
    query: QueryT = _NONE
    arriving: bool = False
    rate_limit: RateLimit | None = None
    rate_left: int = 0
    bytes_held: int = 0

    @property
    def caller(self) -> Caller:
        """The owner of the token.

        Raises:
            LookupError: The operation does not require a token.
        """
        if self.signed_in is None:
            raise LookupError(f"{self.method} {self.path} does not require a token, and so has no caller.")
        return self.signed_in

    @property
    def origin(self) -> Origin:
        """Who makes the request, and from where, for the audit log."""
        caller = self.caller
        actor = actor_of(caller.actor_id, caller.role)
        if caller.api_key_id is not None:
            actor = Actor(kind=ActorKind.API_KEY, id=caller.api_key_id)
        return Origin(actor=actor, address=self.address, request_id=self.request_id)

    @property
    def counted_caller(self) -> str:
        """The caller for limits: the owner of the token, or else the client's address."""
        return self.address if self.signed_in is None else self.signed_in.user_id


AnyRequest: TypeAlias = Request[Any, Any]


StreamedBody: TypeAlias = Callable[[Receive, Send], Awaitable[None]]
"""Sends a body in parts, with ASGI's `receive` and `send`."""


class Response(msgspec.Struct, kw_only=True):
    """One response.

    Attributes:
        stream: Sends the body instead of `body`. It is called exactly once, unless the request is HEAD.
    """

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    content_encoding: bytes | None = None
    cache_control: bytes = b"no-store"
    headers: list[Header] = msgspec.field(default_factory=list)
    stream: StreamedBody | None = None
