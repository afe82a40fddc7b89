"""Operation: one method on one path, declared once; the endpoint runs it and the OpenAPI document describes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, Generic, TypeVar

import msgspec

from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.problems import KINDS, PROBLEM_JSON, problem_body, problem_headers
from gateway.application.engine.command import Command
from gateway.application.engine.submission import Submission, fingerprint
from gateway.application.ports.unit_of_work import AnswerKey
from gateway.domain.errors import Refusal
from gateway.domain.user import Role

Handler = Callable[[Request], Awaitable[Response]]
Item = TypeVar("Item")
Result = TypeVar("Result")

ANYONE: Final[frozenset[Role]] = frozenset()
"""No token is asked for."""
EVERY_ROLE: Final = frozenset(Role)

_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="deterministic")
_STATUS_DIGITS: Final = 3


class Idempotency(Enum):
    """Whether an operation takes an `Idempotency-Key`."""

    NONE = auto()
    OPTIONAL = auto()
    REQUIRED = auto()


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of request bodies. Defaults are left out of the fingerprint: a field added later changes none."""


class NoFields(Body, frozen=True, kw_only=True):
    """The body of an action without fields: none, or an empty object."""


class ListView(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """A page of a list."""

    object: str = "list"
    data: list[Item]
    has_more: bool
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a client may ask.

    Attributes:
        path: With at most one `{id}` in it, as its second segment, or one more as its third and last.
        name: OpenAPI's operationId.
        roles: Who may; `ANYONE` needs no token.
        status: Of the answer when all goes well.
        other_statuses: Of answers with the same body, when it went well otherwise.
        result: The type of that answer's body; `None` for none.
        codes: The refusals that belong to this operation, beside those that every operation of its kind may meet.
        body_bytes_max: `None` for the general limit.
        body_optional: Whether the body may be left out, because all of its fields may.
        example: Of the request body; the first one, if there are several `examples`, by name.
        example_result: Of the answer.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    handler: Handler
    roles: frozenset[Role]
    status: int = 200
    other_statuses: tuple[int, ...] = ()
    body: type[Any] | None = None
    query: type[Any] | None = None
    result: Any = None
    idempotency: Idempotency = Idempotency.NONE
    codes: tuple[str, ...] = ()
    body_bytes_max: int | None = None
    example: dict[str, Any] = field(default_factory=dict[str, Any])
    examples: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    example_result: dict[str, Any] = field(default_factory=dict[str, Any])
    body_optional: bool = field(init=False)

    def __post_init__(self) -> None:
        """Look once whether the body may be left out, which each request needs to know; name the first example."""
        optional = self.body is not None and not any(entry.required for entry in msgspec.structs.fields(self.body))
        object.__setattr__(self, "body_optional", optional)
        if self.examples:
            object.__setattr__(self, "example", next(iter(self.examples.values())))


def json_response(status: int, view: object) -> Response:
    """A view as a response."""
    return Response(status=status, body=_encoder.encode(view))


def submitting(
    status: int, to_command: Callable[[Request], Command[Result]], to_view: Callable[[Request, Result], object]
) -> Handler:
    """The handler of an operation that changes the ledger: a command through the executor, under the asker's key."""

    async def handle(request: Request) -> Response:
        return await submitted(request, to_command(request), status, to_view)

    return handle


async def submitted(
    request: Request, command: Command[Result], status: int, to_view: Callable[[Request, Result], object]
) -> Response:
    """The answer to a command through the executor, under the asker's key.

    What is kept for the key is the status with the body behind it, so that a replay is the same to the byte.
    """
    executor = request.gateway.executor
    key = request.idempotency_key
    answer = await executor.perform(
        Submission(
            command=command,
            key=executor.fresh_key() if key is None else AnswerKey(request.caller.user_id, key),
            fingerprint=fingerprint(request.method.encode(), request.path.encode(), _canonical.encode(request.body)),
            encode=encoding(request, status, to_view),
        )
    )
    return kept_reply(answer.body, replayed=answer.replayed)


def encoding(request: Request, status: int, to_view: Callable[[Request, Any], object]) -> Callable[[Any], bytes]:
    """Puts an outcome into the words of HTTP: the status, and the body right behind it."""
    success = str(status).encode()

    def encode(outcome: Any) -> bytes:
        if isinstance(outcome, Refusal):
            return str(KINDS[outcome.code].status).encode() + problem_body(outcome, request)
        return success + _encoder.encode(to_view(request, outcome))

    return encode


def split_kept(kept: bytes) -> tuple[int, bytes]:
    """The status and the body that `encoding` put together."""
    return int(kept[:_STATUS_DIGITS]), kept[_STATUS_DIGITS:]


def kept_reply(kept: bytes, *, replayed: bool) -> Response:
    """What `encoding` put together, as a response."""
    status, body = split_kept(kept)
    reply = Response(status=status, body=body)
    if status >= 400:  # noqa: PLR2004 - where refusals begin.
        code = msgspec.json.decode(body)["code"]
        reply.content_type = PROBLEM_JSON
        reply.headers.extend(problem_headers(code, {}))
    if replayed:
        reply.headers.append((b"idempotency-replayed", b"true"))
    return reply
