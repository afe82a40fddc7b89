"""The endpoint: finds the operation, checks caller and request, runs the handler, turns refusals into problems.

It is a plain ASGI application under Litestar, not a set of Litestar handlers, because a payment spends most of its time
here: measured 51 µs a request instead of 130 (docs/decisions/0003).
"""

import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from gateway.adapters.http.access_log import AccessLog, RequestLog
from gateway.adapters.http.authorization import forbidden, is_permitted
from gateway.adapters.http.bodies import ClientGone, decode_large_body, receive_body
from gateway.adapters.http.deadlines import Deadlines
from gateway.adapters.http.decoding import decode_body, decode_query
from gateway.adapters.http.failures import Failures
from gateway.adapters.http.headers import (
    MERCHANT,
    bearer_token,
    idempotency_key,
    merchant_to_act_for,
    read_headers,
    refuse_repeated,
)
from gateway.adapters.http.large_bodies import LARGE_BYTES, LargeBodies, LargeBodyLimits
from gateway.adapters.http.messages import AnyRequest, Request, Response
from gateway.adapters.http.not_found_steps import NOT_FOUND, wait_for_step
from gateway.adapters.http.operations import AnyOperation, Idempotency, Operation
from gateway.adapters.http.problems import HttpRefusal
from gateway.adapters.http.rate_limiting import BODY_BYTES_PER_REQUEST, count_body, count_request
from gateway.adapters.http.refusal_pace import RefusalPace
from gateway.adapters.http.request_ids import request_id_of
from gateway.adapters.http.responses import send_response
from gateway.adapters.http.routes import NO_IDS, Match, Routes
from gateway.application.errors import Overloaded
from gateway.application.gateway import Gateway
from gateway.domain.limits import ADDRESS_LENGTH_MAX

HEADERS_BYTES_MAX: Final = 16 * 1024
HEARTBEAT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Limits of requests.

    Attributes:
        body_bytes_max: The size of a body, unless its operation has a limit of its own.
        body_seconds_max: The time until the whole body has arrived; then 408.
        request_seconds_max: The time from then until the response; then 503, and the same key may be sent again.
        requests_max: The requests of signed-in callers that run at the same time in this process; others are refused.
        large_bodies: How many bytes of large bodies there may be.
        heartbeat_seconds: After so long without an event, a stream of events sends a comment.
    """

    body_bytes_max: int = 64 * 1024
    body_seconds_max: float = 10.0
    request_seconds_max: float = 30.0
    requests_max: int = 2048
    large_bodies: LargeBodyLimits = field(default_factory=LargeBodyLimits)
    heartbeat_seconds: float = HEARTBEAT_SECONDS


class NoQuery(msgspec.Struct, forbid_unknown_fields=True):
    """The query of an operation that takes no parameters."""


class Endpoint:
    """All operations as one ASGI application.

    Attributes:
        limits: Of each request.
        log: Of all requests, if they are logged.
        running: The requests without a response, those in the lane included.
        deadlines: Of these requests.
        failures: The responses to errors.
    """

    def __init__(self, operations: Sequence[AnyOperation], limits: HttpLimits, log: AccessLog | None = None) -> None:
        self.limits = limits
        self.log = None if log is None else RequestLog(operations, log)
        self.running = 0
        self.deadlines = Deadlines()
        self.failures = Failures()
        self._routes = Routes(operations)
        self._large_bodies = LargeBodies(limits.large_bodies)
        self._refusal_pace = RefusalPace()

    @property
    def literal_paths(self) -> frozenset[str]:
        """The paths of operations without placeholders."""
        return self._routes.literal_paths

    def knows(self, path: str) -> bool:
        """Whether there is an operation at a path, for any method."""
        return self._routes.find("/" + path.strip("/")) is not None

    def find(self, path: str) -> Match | None:
        """What is at a path."""
        return self._routes.find(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await send({"type": "websocket.close"})  # type: ignore[typeddict-item]  # a server gives the code and reason.
            return
        path = "/" + scope["path"].strip("/")  # Litestar removes the first slash for mounted applications.
        match = self._routes.find(path)
        headers, headers_bytes = read_headers(scope)
        gateway: Gateway = scope["litestar_app"].state["gateway"]
        request = self.request(gateway, scope, path, match, headers, headers_bytes)
        began = time.perf_counter()
        overloaded = False
        self.running += 1
        try:
            with self.deadlines.within(self.limits.body_seconds_max) as deadline:
                operation = await self._checked(request, match, scope)
                decoder = operation.body_decoder
                raw = b"" if decoder is None else await self._received(request, receive, operation)
                deadline.prolong(self.limits.request_seconds_max)
                if decoder is not None:
                    request.body = (
                        decode_body(raw, decoder)
                        if len(raw) <= LARGE_BYTES
                        else await self._decoded_in_turn(raw, decoder, request, operation)
                    )
                    if (len(raw) > BODY_BYTES_PER_REQUEST or operation.items_of is not None) and (
                        drawn := count_body(request, operation, len(raw))
                    ) is not None:
                        await drawn
                response = await operation.handler(request)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - bugs are logged there.
            response = self.failures.response(error, request)
            overloaded = isinstance(error, Overloaded)
        finally:
            self._count_end(request)
        if overloaded:
            await self._refusal_pace.wait()
        if response.status == NOT_FOUND:
            await wait_for_step(request, began)
        await send_response(response, request, scope, receive, send)
        if self.log is not None:
            self.log.add(request, response, seconds=time.perf_counter() - began)

    def request(
        self,
        gateway: Gateway,
        scope: Any,
        path: str,
        match: Match | None,
        headers: dict[bytes, bytes],
        headers_bytes: int,
    ) -> AnyRequest:
        """A request that was found at a path, with its headers as `read_headers` gives them."""
        client = scope["client"]
        return Request(
            gateway=gateway,
            method=scope["method"],
            path=path,
            raw_path=scope.get("raw_path", b""),
            route="" if match is None else match.route,
            path_ids=NO_IDS if match is None else match.ids,
            scheme=scope.get("scheme", "http"),
            request_id=request_id_of(headers),
            headers=headers,
            headers_bytes=headers_bytes,
            address=client[0][:ADDRESS_LENGTH_MAX] if client else "unknown",
            large_bodies=self._large_bodies,
        )

    def _count_end(self, request: AnyRequest) -> None:
        self.running -= 1
        if request.bytes_held:
            self._large_bodies.release(request.counted_caller, request.bytes_held)

    async def _checked(self, request: AnyRequest, match: Match | None, scope: Scope) -> AnyOperation:
        """The operation, after checking headers, caller and query; what was read is set in the request."""
        if request.headers_bytes > HEADERS_BYTES_MAX:
            raise HttpRefusal("headers_too_large", f"The headers may have {HEADERS_BYTES_MAX} bytes.")
        if len(request.headers) != len(scope["headers"]):  # type: ignore[arg-type]  # servers give lists.
            refuse_repeated(scope["headers"])
        operation = _operation(match, request.method)
        request.success_status = operation.status
        if operation.roles:
            if self.running > self.limits.requests_max:
                raise Overloaded("Too many requests are running.")
            caller = await request.gateway.access.authenticate(bearer_token(request.headers))
            if MERCHANT in request.headers:
                caller = await request.gateway.access.act_for(caller, merchant_to_act_for(request.headers))
            request.signed_in = caller
            if not is_permitted(caller, operation.roles, operation.scope, operation.members):
                raise forbidden(caller, operation.roles, operation.scope, operation.members)
        if (drawn := count_request(request, operation)) is not None:
            await drawn
        key = idempotency_key(request.headers, required=operation.idempotency is Idempotency.REQUIRED)
        if operation.idempotency is not Idempotency.NONE:
            request.idempotency_key = key
        if operation.query is not None or scope["query_string"]:
            _read_query(request, operation, scope["query_string"])
        return operation

    def _received(self, request: AnyRequest, receive: Receive, operation: AnyOperation) -> Awaitable[bytes]:
        """The body. A batch is refused before it arrives if its caller may not submit anything now."""
        if operation.body_bytes_max is not None:
            request.gateway.executor.check_room(request.caller.user_id, 1)
        size_max = operation.body_bytes_max or self.limits.body_bytes_max
        return receive_body(request, receive, size_max, optional=operation.body_optional)

    async def _decoded_in_turn(
        self, raw: bytes, decoder: msgspec.json.Decoder[Any], request: AnyRequest, operation: AnyOperation
    ) -> Any:
        """A large body, decoded. Its caller is refused as before it arrived, and waits for a turn."""
        async with self._large_bodies.turn(request.counted_caller):
            if operation.body_bytes_max is not None:
                request.gateway.executor.check_room(request.caller.user_id, 1)
            return await decode_large_body(raw, decoder)


def _read_query(request: AnyRequest, operation: AnyOperation, query: bytes) -> None:
    if operation.query is not None:
        request.query = decode_query(query, operation.query)
    elif request.method != "OPTIONS":  # A preflight has the query of the actual request.
        decode_query(query, NoQuery)


def _operation(match: Match | None, method: str) -> AnyOperation:
    if match is None:
        raise HttpRefusal("not_found", "There is nothing at this path.")
    operation = match.operations.get("GET" if method == "HEAD" else method)
    if operation is not None:
        return operation
    implied = ("HEAD", "OPTIONS") if "GET" in match.operations else ("OPTIONS",)
    allowed = sorted([*match.operations, *implied])
    if method == "OPTIONS":
        return _options(allowed)
    raise HttpRefusal("method_not_allowed", f"This path takes {', '.join(allowed)}.", allowed_methods=allowed)


def _options(methods: list[str]) -> AnyOperation:
    """The operation that answers OPTIONS for a path."""

    async def handle(_: Request) -> Response:
        return Response(status=204, headers=[(b"allow", ", ".join(methods).encode())])

    return Operation(method="OPTIONS", path="", name="", tag="", summary="", handler=handle, public=True, status=204)
