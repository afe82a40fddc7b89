"""The one endpoint: finds the operation, checks who asks and what, runs it, and turns every refusal into a problem.

It is a plain ASGI application under Litestar, and not a set of Litestar handlers, because a payment spends most of its
time here: measured 51 µs a request instead of 130 (docs/decisions/0003).
"""

import logging
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import msgspec
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from gateway.adapters.http.deadlines import Deadlines
from gateway.adapters.http.decoding import FORBIDDEN_TEXT, decode_body, decode_query
from gateway.adapters.http.exchange import Asked, Reply
from gateway.adapters.http.operations import ANYONE, Idempotency, Operation
from gateway.adapters.http.problems import HttpRefusal, problem_reply
from gateway.application.errors import InvalidInput, Overloaded, RoleForbidden, TokenInvalid, TokenMissing
from gateway.application.gateway import Gateway
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.errors import Refusal

logger = logging.getLogger(__name__)

REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")
IDEMPOTENCY_KEY: Final = re.compile(rb"[\x21-\x7e]{1,255}")
COMMON_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
ANY_ID: Final = "{id}"
HEADERS_BYTES_MAX: Final = 16 * 1024
LENGTH_DIGITS_MAX: Final = 18
"""Of a Content-Length: reading thousands of digits as a number is refused by Python, with an error of its own."""


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


class ClientGone(Exception):  # noqa: N818 - the name says what happened.
    """Nobody waits for the answer any more."""


class Endpoint:
    """All operations as one ASGI application."""

    def __init__(self, operations: Iterable[Operation], limits: HttpLimits, *, root_path: str = "") -> None:
        self._limits = limits
        self._root_path = root_path
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await send({"type": "websocket.close"})  # type: ignore[typeddict-item]  # a server gives the code and reason.
            return
        asked = _asked(scope)
        self._running += 1
        try:
            with self._deadlines.within(self._limits.body_seconds_max) as deadline:
                operation = await self._checked(asked, scope, receive)
                deadline.prolong(self._limits.request_seconds_max)
                reply = await operation.handler(asked)
        except Refusal as refusal:
            reply = problem_reply(refusal, asked)
        except (StorageUnavailable, TimeoutError) as error:
            too_late = _too_late(asked)
            reply = problem_reply(too_late, asked)
            self._log_outage(too_late, asked, error)
        except ClientGone:
            return
        except Exception:
            logger.exception("request_failed", extra={"request_id": asked.request_id, "path": asked.path})
            detail = "Something went wrong here. The same request, with the same key, may be sent again."
            reply = problem_reply(HttpRefusal("internal_error", detail), asked)
        finally:
            self._running -= 1
        await _send(reply, asked, send)

    def _log_outage(self, refusal: HttpRefusal, asked: Asked, error: Exception) -> None:
        """Tell the operator, once a second at most: everybody who asks meets the same outage."""
        now = time.monotonic()
        if not asked.arriving and now - self._outage_logged_at >= 1:
            self._outage_logged_at = now
            logger.warning(refusal.code, extra={"request_id": asked.request_id, "path": asked.path}, exc_info=error)

    async def _checked(self, asked: Asked, scope: Scope, receive: Receive) -> Operation:
        """The operation that is asked for, once it is clear that the caller may ask it, and has asked well."""
        if sum(map(len, asked.headers.values())) > HEADERS_BYTES_MAX:
            raise HttpRefusal("headers_too_large", f"The headers may have {HEADERS_BYTES_MAX} bytes.")
        operation = self._find(asked)
        if operation.roles:
            if self._running > self._limits.requests_max:
                raise Overloaded("Too many requests are running.")
            asked.signed_in = await asked.gateway.access.authenticate(_bearer_token(asked.headers))
            if asked.signed_in.role not in operation.roles:
                raise RoleForbidden(f"A {asked.signed_in.role} may not do this.")
        if operation.idempotency is not Idempotency.NONE:
            asked.idempotency_key = _idempotency_key(
                asked.headers, required=operation.idempotency is Idempotency.REQUIRED
            )
        if operation.body_optional and operation.body is not None and not _brings_body(asked.headers):
            asked.body = operation.body()
        elif operation.body is not None:
            _require_json(asked.headers)
            size_max = operation.body_bytes_max or self._limits.body_bytes_max
            asked.arriving = True
            raw = await _read(asked.headers, receive, size_max)
            asked.arriving = False
            asked.body = decode_body(raw, self._decoders[operation.body])
        if operation.query is not None:
            asked.query = decode_query(scope["query_string"], operation.query)
        return operation

    def _find(self, asked: Asked) -> Operation:
        if self._root_path:
            below = asked.path.removeprefix(self._root_path)
            if below == asked.path or below[:1] not in {"", "/"}:
                raise HttpRefusal("not_found", "There is nothing at this path.")
            asked.path = below or "/"
        methods = self._operations.get(asked.path)
        if methods is None:
            # "/payments/pay_1/capture" is looked up as "/payments/{id}/capture".
            first, _, rest = asked.path[1:].partition("/")
            asked.path_id, slash, action = rest.partition("/")
            if asked.path_id and not FORBIDDEN_TEXT.search(asked.path_id):
                methods = self._operations.get(f"/{first}/{ANY_ID}{slash}{action}") or self._with_two_ids(asked, action)
        if methods is None:
            raise HttpRefusal("not_found", "There is nothing at this path.")
        operation = methods.get("GET" if asked.method == "HEAD" else asked.method)
        if operation is None:
            allowed = sorted([*methods, "OPTIONS", *(method for method in ("HEAD",) if "GET" in methods)])
            if asked.method == "OPTIONS":
                return _what_is_allowed(allowed)
            raise HttpRefusal("method_not_allowed", f"This path takes {', '.join(allowed)}.", allowed_methods=allowed)
        return operation

    def _with_two_ids(self, asked: Asked, second: str) -> dict[str, Operation] | None:
        """What there is at a path such as "/rates/USD/EUR"."""
        if not second or "/" in second or FORBIDDEN_TEXT.search(second):
            return None
        asked.path_id_second = second
        return self._operations.get(f"/{asked.path[1:].partition('/')[0]}/{ANY_ID}/{ANY_ID}")


def _brings_body(headers: dict[bytes, bytes]) -> bool:
    """Whether the headers say that there is a body, or ought to be one."""
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers or b"content-type" in headers


async def _read(headers: dict[bytes, bytes], receive: Receive, size_max: int) -> bytes:
    length = headers.get(b"content-length", b"")
    if length.isdigit() and (len(length) > LENGTH_DIGITS_MAX or int(length) > size_max):
        raise _too_large(size_max)
    body, more = await _chunk(receive)  # Nearly always the whole of it.
    while more and len(body) <= size_max:
        chunk, more = await _chunk(receive)
        body += chunk
    if len(body) > size_max:
        raise _too_large(size_max)
    return body


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    """The next part of the body, and whether there is more."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def _too_late(asked: Asked) -> HttpRefusal:
    if asked.arriving:
        return HttpRefusal("request_timeout", "The body took too long to arrive.")
    return HttpRefusal(
        "storage_unavailable",
        "The storage did not answer in time. The same request, with the same key, may be sent again.",
    )


def _asked(scope: Scope) -> Asked:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    own_id = headers.get(b"request-id", b"")
    gateway: Gateway = scope["litestar_app"].state["gateway"]
    client = scope["client"]
    return Asked(
        gateway=gateway,
        method=scope["method"],  # type: ignore[typeddict-item]  # only HTTP requests are mounted here.
        path="/" + scope["path"].strip("/"),  # Litestar hands a mounted application its path without the first slash.
        request_id=own_id.decode() if REQUEST_ID.fullmatch(own_id) else _request_id(),
        headers=headers,
        address=client[0] if client else "unknown",
    )


_process: Final = os.urandom(8).hex()
_requests: Final = count()


def _request_id() -> str:
    """Drawn at random once for the process, and then counted on: asking for random bytes each time is a system call."""
    return f"req_{_process}{next(_requests):08x}"


def _bearer_token(headers: dict[bytes, bytes]) -> str:
    credentials = headers.get(b"authorization")
    if not credentials:
        raise TokenMissing("Send an access token: `Authorization: Bearer …`.")
    scheme, _, token = credentials.partition(b" ")
    if scheme.lower() != b"bearer":
        raise TokenInvalid("The scheme of authorization is Bearer.")
    return token.strip().decode("latin-1")


def _idempotency_key(headers: dict[bytes, bytes], *, required: bool) -> str | None:
    key = headers.get(b"idempotency-key")
    if not key:
        if required:
            raise HttpRefusal(
                "idempotency_key_missing", "Send an Idempotency-Key: it makes this request safe to send again."
            )
        return None
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidInput("An Idempotency-Key has 1 to 255 visible ASCII characters.")
    return key.decode("ascii")


def _require_json(headers: dict[bytes, bytes]) -> None:
    media_type, _, parameters = headers.get(b"content-type", b"").partition(b";")
    charset = parameters.strip().lower()
    if media_type.strip().lower() != b"application/json" or charset not in {b"", b"charset=utf-8", b'charset="utf-8"'}:
        raise HttpRefusal("unsupported_media_type", "Send JSON in UTF-8, as `Content-Type: application/json`.")


def _too_large(size_max: int) -> HttpRefusal:
    return HttpRefusal("body_too_large", f"The body may have {size_max} bytes.", body_bytes_max=size_max)


def _what_is_allowed(methods: list[str]) -> Operation:
    """The operation that answers OPTIONS for a path."""

    async def handle(_: Asked) -> Reply:
        return Reply(status=204, headers=[(b"allow", ", ".join(methods).encode())])

    return Operation(method="OPTIONS", path="", name="", tag="", summary="", handler=handle, roles=ANYONE, status=204)


async def _send(reply: Reply, asked: Asked, send: Send) -> None:
    headers = [(b"request-id", asked.request_id.encode()), *COMMON_HEADERS, *reply.headers]
    if reply.body:
        headers += [(b"content-type", reply.content_type), (b"content-length", str(len(reply.body)).encode())]
    body = b"" if asked.method == "HEAD" else reply.body
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
