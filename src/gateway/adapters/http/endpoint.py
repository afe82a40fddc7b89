"""The one endpoint: finds the operation, checks who asks and what, runs it, and turns every refusal into a problem.

It is a plain ASGI application under Litestar, and not a set of Litestar handlers, because a payment spends most of its
time here: measured 51 µs a request instead of 130 (docs/decisions/0003).
"""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send
from litestar.utils.scope.state import ScopeState

from gateway.adapters.http.access_log import AccessLog, RequestLog
from gateway.adapters.http.bodies import ClientGone, read_body
from gateway.adapters.http.deadlines import Deadlines
from gateway.adapters.http.decoding import decode_query
from gateway.adapters.http.headers import bearer_token, idempotency_key, refuse_repeated
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import ANYONE, Idempotency, Operation
from gateway.adapters.http.problems import HttpRefusal, problem_reply
from gateway.adapters.http.request_ids import REQUEST_ID, fresh_request_id
from gateway.application.causes import cause_of
from gateway.application.errors import Overloaded, RoleForbidden
from gateway.application.gateway import Gateway
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.checks import FORBIDDEN_TEXT
from gateway.domain.errors import Refusal
from gateway.domain.limits import ADDRESS_LENGTH_MAX, ID_LENGTH_MAX

logger = logging.getLogger(__name__)

NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
ANY_ID: Final = "{id}"
HEADERS_BYTES_MAX: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How much one request may take.

    Attributes:
        body_bytes_max: Of a body, unless its operation says otherwise.
        body_seconds_max: Until the whole body has arrived; then 408.
        request_seconds_max: From then until it is answered; then 503, and the same key may be sent again.
        requests_max: Of signed-in callers, running at the same time in this process; one more is refused.
    """

    body_bytes_max: int = 64 * 1024
    body_seconds_max: float = 10.0
    request_seconds_max: float = 30.0
    requests_max: int = 2048


class NoQuery(msgspec.Struct, forbid_unknown_fields=True):
    """The query of an operation that takes no parameters."""


class Endpoint:
    """All operations as one ASGI application."""

    def __init__(self, operations: Sequence[Operation], limits: HttpLimits, log: AccessLog | None = None) -> None:
        self._limits = limits
        self._log = None if log is None else RequestLog(operations, log)
        self._running = 0
        self._deadlines = Deadlines()
        self._outage_logged_at = 0.0
        self._operations: dict[str, dict[str, Operation]] = defaultdict(dict)
        self._decoders: dict[type, msgspec.json.Decoder[Any]] = {}
        for operation in operations:
            self._operations[re.sub(r"\{\w+\}", ANY_ID, operation.path)][operation.method] = operation
            if operation.body is not None:
                self._decoders[operation.body] = msgspec.json.Decoder(operation.body, strict=True)

    @property
    def paths_without_id(self) -> frozenset[str]:
        """The paths of operations that have no id in them."""
        return frozenset(path for path in self._operations if ANY_ID not in path)

    def knows(self, path: str) -> bool:
        """Whether there is an operation at a path, by whatever method."""
        path = "/" + path.strip("/")
        return path in self._operations or self._with_ids(path)[0] is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await send({"type": "websocket.close"})  # type: ignore[typeddict-item]  # a server gives the code and reason.
            return
        request = _asked(scope)
        began = 0.0 if self._log is None else time.perf_counter()
        self._running += 1
        try:
            with self._deadlines.within(self._limits.body_seconds_max) as deadline:
                operation = await self._checked(request, scope, receive)
                deadline.prolong(self._limits.request_seconds_max)
                reply = await operation.handler(request)
        except Refusal as refusal:
            reply = problem_reply(refusal, request)
        except (StorageUnavailable, TimeoutError) as error:
            too_late = _too_late(request)
            reply = problem_reply(too_late, request)
            self._log_outage(too_late, request, error)
        except ClientGone:
            return
        except Exception:
            route = self._route(request.path)
            logger.exception("request_failed", extra={"request_id": request.request_id, "route": route})
            detail = "Something went wrong here. The same request, with the same key, may be sent again."
            reply = problem_reply(HttpRefusal("internal_error", detail), request)
        finally:
            self._running -= 1
        await _send(reply, request, scope, send)
        if self._log is not None:
            self._log.add(request, reply, route=self._route(request.path), seconds=time.perf_counter() - began)

    def _route(self, path: str) -> str:
        """The template of a path, for logs: the path itself may have anything in it."""
        methods = (None if ANY_ID in path else self._operations.get(path)) or self._with_ids(path)[0]
        return next(iter(methods.values())).path if methods else ""

    def _log_outage(self, refusal: HttpRefusal, request: Request, error: Exception) -> None:
        """Tell the operator, in one line and once a second at most: everybody who asks meets the same outage."""
        now = time.monotonic()
        if not request.arriving and now - self._outage_logged_at >= 1:
            self._outage_logged_at = now
            told = {"request_id": request.request_id, "route": self._route(request.path), "cause": cause_of(error)}
            logger.warning(refusal.code, extra=told)

    async def _checked(self, request: Request, scope: Scope, receive: Receive) -> Operation:
        """The operation that is asked for, once it is clear that the caller may ask it, and has asked well."""
        if sum(map(len, request.headers.values())) > HEADERS_BYTES_MAX:
            raise HttpRefusal("headers_too_large", f"The headers may have {HEADERS_BYTES_MAX} bytes.")
        if len(request.headers) != len(scope["headers"]):  # type: ignore[arg-type]  # servers give lists.
            refuse_repeated(scope["headers"])
        operation = self._find(request)
        if operation.roles:
            if self._running > self._limits.requests_max:
                raise Overloaded("Too many requests are running.")
            request.signed_in = await request.gateway.access.authenticate(bearer_token(request.headers))
            if request.signed_in.role not in operation.roles:
                raise RoleForbidden(f"A {request.signed_in.role} may not do this.")
        key = idempotency_key(request.headers, required=operation.idempotency is Idempotency.REQUIRED)
        if operation.idempotency is not Idempotency.NONE:
            request.idempotency_key = key
        if operation.query is not None:
            request.query = decode_query(scope["query_string"], operation.query)
        elif scope["query_string"] and request.method != "OPTIONS":  # Before a request, browsers ask at its whole URL.
            decode_query(scope["query_string"], NoQuery)
        if operation.body is not None:
            size_max = operation.body_bytes_max or self._limits.body_bytes_max
            request.body = await read_body(request, receive, operation, self._decoders[operation.body], size_max)
        return operation

    def _find(self, request: Request) -> Operation:
        # No path has the placeholder of ids in it: it would be found, with no id.
        methods = None if ANY_ID in request.path else self._operations.get(request.path)
        if methods is None:
            methods, request.path_id, request.path_id_second = self._with_ids(request.path)
        if methods is None:
            raise HttpRefusal("not_found", "There is nothing at this path.")
        operation = methods.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            allowed = sorted([*methods, "OPTIONS", *(method for method in ("HEAD",) if "GET" in methods)])
            if request.method == "OPTIONS":
                return _what_is_allowed(allowed)
            raise HttpRefusal("method_not_allowed", f"This path takes {', '.join(allowed)}.", allowed_methods=allowed)
        return operation

    def _with_ids(self, path: str) -> tuple[dict[str, Operation] | None, str, str]:
        """What there is at a path such as "/payments/pay_1/capture" or "/rates/USD/EUR", and the ids in it."""
        first, _, rest = path[1:].partition("/")
        path_id, slash, action = rest.partition("/")
        if not _may_be_id(path_id):
            return None, "", ""
        methods = self._operations.get(f"/{first}/{ANY_ID}{slash}{action}")
        if methods is None and "/" not in action and _may_be_id(action):
            return self._operations.get(f"/{first}/{ANY_ID}/{ANY_ID}"), path_id, action
        return methods, path_id, ""


def _may_be_id(segment: str) -> bool:
    """Whether a segment of a path may be an id: there is nothing at a path with another one."""
    return 0 < len(segment) <= ID_LENGTH_MAX and not FORBIDDEN_TEXT.search(segment)


def _too_late(request: Request) -> HttpRefusal:
    if request.arriving:
        return HttpRefusal("request_timeout", "The body took too long to arrive.")
    return HttpRefusal(
        "storage_unavailable",
        "The storage did not answer in time. The same request, with the same key, may be sent again.",
    )


def _asked(scope: Any) -> Request:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    own_id = headers.get(b"request-id", b"")
    gateway: Gateway = scope["litestar_app"].state["gateway"]
    client = scope["client"]
    return Request(
        gateway=gateway,
        method=scope["method"],
        path="/" + scope["path"].strip("/"),  # Litestar hands a mounted application its path without the first slash.
        raw_path=scope.get("raw_path", b""),
        scheme=scope.get("scheme", "http"),
        request_id=own_id.decode() if REQUEST_ID.fullmatch(own_id) else fresh_request_id(),
        headers=headers,
        address=client[0][:ADDRESS_LENGTH_MAX] if client else "unknown",
    )


def _what_is_allowed(methods: list[str]) -> Operation:
    """The operation that answers OPTIONS for a path."""

    async def handle(_: Request) -> Response:
        return Response(status=204, headers=[(b"allow", ", ".join(methods).encode())])

    return Operation(method="OPTIONS", path="", name="", tag="", summary="", handler=handle, roles=ANYONE, status=204)


async def _send(reply: Response, request: Request, scope: Any, send: Send) -> None:
    headers = [
        (b"request-id", request.request_id.encode()),
        (b"cache-control", reply.cache_control),
        NO_SNIFFING,
        *reply.headers,
    ]
    if reply.body:
        headers += [(b"content-type", reply.content_type), (b"content-length", str(len(reply.body)).encode())]
    if reply.content_encoding is not None:
        headers.append((b"content-encoding", reply.content_encoding))
        # Litestar's compression, if it wraps this application, would compress what is compressed once more.
        ScopeState.from_scope(scope).is_cached = True
    body = b"" if request.method == "HEAD" else reply.body
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
