"""Operation: one method on one path, declared once for the endpoint and for the OpenAPI document."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, Generic, TypeAlias

import msgspec
from typing_extensions import TypeVar

from gateway.adapters.http.messages import BodyT, QueryT, Request, Response
from gateway.adapters.http.problems import KINDS, PROBLEM_JSON, problem_body, problem_headers
from gateway.application.engine.command import Command
from gateway.application.engine.submission import Submission, fingerprint
from gateway.application.ports.unit_of_work import AnswerKey
from gateway.domain.errors import Refusal
from gateway.domain.user import Role

Handler: TypeAlias = Callable[[Request[BodyT, QueryT]], Awaitable[Response]]
Item = TypeVar("Item")
ResultT = TypeVar("ResultT", default=Any)

ANYONE: Final[frozenset[Role]] = frozenset()
"""No token is required."""
EVERY_ROLE: Final = frozenset(Role)

_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="deterministic")
_NO_BODY: Final = b"null"
_STATUS_DIGITS: Final = 3


class Idempotency(Enum):
    """Whether an operation takes an `Idempotency-Key`."""

    NONE = auto()
    OPTIONAL = auto()
    REQUIRED = auto()


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of request bodies. Defaults are left out of fingerprints: a new field does not change old ones."""


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
        roles: The roles that may call it; `ANYONE` needs no token.
        status: Of a successful response.
        other_statuses: Of other successful responses with the same type of body.
        result: The type of a successful response's body; `None` for no body.
        codes: The refusals of this operation, beside those that its declaration implies.
        body_bytes_max: `None` for the general limit.
        example: Of the request body; the first of `examples`, if there are several.
        example_result: Of a successful response's body.
        body_decoder: Of the declared body; `None` without one.
        body_optional: Whether the body may be left out: all of its fields may.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    handler: Handler[BodyT, QueryT]
    roles: frozenset[Role]
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
    body_decoder: msgspec.json.Decoder[BodyT] | None = field(init=False)
    body_optional: bool = field(init=False)

    def __post_init__(self) -> None:
        """Compute once what each request needs."""
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


def submitting(
    to_command: Callable[[Request[BodyT]], Command[ResultT]], to_view: Callable[[ResultT], object]
) -> Handler[BodyT, None]:
    """The handler of an operation that changes the ledger: submits the command, shows its result."""

    async def handle(request: Request[BodyT]) -> Response:
        return await submitted(request, to_command(request), to_view)

    return handle


async def submitted(request: Request[Any], command: Command[ResultT], to_view: Callable[[ResultT], object]) -> Response:
    """Submit a command under the caller's idempotency key, or under a fresh one."""
    executor = request.gateway.executor
    key = request.idempotency_key
    answer = await executor.perform(
        Submission(
            command=command,
            key=executor.fresh_key() if key is None else AnswerKey(request.caller.user_id, key),
            fingerprint=fingerprint(request.method.encode(), request.path.encode(), canonical_json(request.body)),
            encode=encoding(request, request.success_status, to_view),
        )
    )
    return stored_response(answer.body, replayed=answer.replayed)


def canonical_json(body: object) -> bytes:
    """A body for a fingerprint. A body without fields counts as none: it may be left out."""
    return _NO_BODY if type(body) is NoFields else _canonical.encode(body)


def encoding(request: Request[Any], status: int, to_view: Callable[[Any], object]) -> Callable[[Any], bytes]:
    """The encoder of an outcome for storage under its key: the status, then the body, so that replays are identical."""
    success = b"%d" % status

    def encode(outcome: Any) -> bytes:
        if isinstance(outcome, Refusal):
            return b"%d" % KINDS[outcome.code].status + problem_body(outcome, request)
        return success + _encoder.encode(to_view(outcome))

    return encode


def split_stored(stored: bytes) -> tuple[int, bytes]:
    """The status and the body of a stored response."""
    return int(stored[:_STATUS_DIGITS]), stored[_STATUS_DIGITS:]


def stored_response(stored: bytes, *, replayed: bool) -> Response:
    """A stored response, with its headers."""
    status, body = split_stored(stored)
    response = Response(status=status, body=body)
    if status >= 400:  # noqa: PLR2004 - where refusals begin.
        code = msgspec.json.decode(body)["code"]
        response.content_type = PROBLEM_JSON
        response.headers.extend(problem_headers(code, {}))
    if replayed:
        response.headers.append((b"idempotency-replayed", b"true"))
    return response
