"""Operation: one method on one path, declared once for the endpoint and for the OpenAPI document."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, ClassVar, Generic, TypeAlias

import msgspec
from typing_extensions import TypeVar

from gateway.adapters.http.authorization import PUBLIC, Row, row_of
from gateway.adapters.http.messages import BodyT, QueryT, Request, Response
from gateway.domain.member_role import MemberRole
from gateway.domain.scope import Scope
from gateway.domain.user import Role

Handler: TypeAlias = Callable[[Request[BodyT, QueryT]], Awaitable[Response]]
Item = TypeVar("Item")

_encoder = msgspec.json.Encoder()


class Idempotency(Enum):
    """Whether an operation takes an `Idempotency-Key`."""

    NONE = auto()
    OPTIONAL = auto()
    REQUIRED = auto()


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of request bodies. Defaults are left out of fingerprints: a new field does not change old ones.

    Attributes:
        texts_checked_with_form: Whether a forbidden text refuses the whole body before its handler is called.
    """

    texts_checked_with_form: ClassVar[bool] = True


class NoFields(Body, frozen=True, kw_only=True):
    """The body of an action without fields: none, or an empty object."""


class ListView(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """A page of a list."""

    object: str = "list"
    data: list[Item]
    has_more: bool
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[BodyT, QueryT]):
    """One method on one path. The handler takes requests with the declared types of body and query.

    Attributes:
        path: May have placeholders for whole segments, such as `/payments/{payment_id}`, but not for the first.
        name: OpenAPI's operationId.
        status: Of a successful response.
        other_statuses: Of other successful responses with the same type of body.
        result: The type of a successful response's body; `None` for no body.
        codes: The refusals of this operation, beside those that its declaration implies.
        body_bytes_max: `None` for the general limit.
        example: Of the request body; the first of `examples`, if there are several.
        example_result: Of a successful response's body.
        result_type: The content type of a successful response.
        limited_by: The rate limit of addresses that an operation without a token is counted for, by name.
        items_of: How many requests a body counts for at least; one if it is left out.
        takes_last_event_id: Whether `Last-Event-ID` is read.
        only_roles: Of the roles in its row, those that may call it with the settings of this process; `None` for all.
        public: Whether anyone may call it and it has no row in the authorization table: pages, and OPTIONS.
        row: Its row in the authorization table.
        roles: The roles that may call it; none of them needs no token.
        scope: The scope that an API key needs; `None` if no key may call it.
        members: The roles of members who may call it for a merchant.
        body_decoder: Of the declared body; `None` without one.
        body_optional: Whether the body may be left out: all of its fields may.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    handler: Handler[BodyT, QueryT]
    status: int = 200
    other_statuses: tuple[int, ...] = ()
    body: type[BodyT] | None = None
    query: type[QueryT] | None = None
    result: Any = None
    idempotency: Idempotency = Idempotency.NONE
    codes: tuple[str, ...] = ()
    body_bytes_max: int | None = None
    example: dict[str, Any] = field(default_factory=dict[str, Any])
    examples: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    example_result: dict[str, Any] = field(default_factory=dict[str, Any])
    result_type: str = "application/json"
    limited_by: str | None = None
    items_of: Callable[[BodyT], int] | None = None
    takes_last_event_id: bool = False
    only_roles: frozenset[Role] | None = None
    public: bool = False
    row: Row = field(init=False)
    roles: frozenset[Role] = field(init=False)
    scope: Scope | None = field(init=False)
    members: frozenset[MemberRole] = field(init=False)
    body_decoder: msgspec.json.Decoder[BodyT] | None = field(init=False)
    body_optional: bool = field(init=False)

    def __post_init__(self) -> None:
        """Compute once what each request needs."""
        row = PUBLIC if self.public else row_of(self.name)
        object.__setattr__(self, "row", row)
        object.__setattr__(self, "roles", row.roles if self.only_roles is None else row.roles & self.only_roles)
        object.__setattr__(self, "scope", row.scope)
        object.__setattr__(self, "members", row.members)
        body: Any = self.body
        optional = body is not None and not any(entry.required for entry in msgspec.structs.fields(body))
        object.__setattr__(self, "body_optional", optional)
        object.__setattr__(self, "body_decoder", None if body is None else msgspec.json.Decoder(body, strict=True))
        if self.examples:
            object.__setattr__(self, "example", next(iter(self.examples.values())))


AnyOperation: TypeAlias = Operation[Any, Any]


def json_response(status: int, view: object) -> Response:
    """A view as a response."""
    return Response(status=status, body=_encoder.encode(view))
