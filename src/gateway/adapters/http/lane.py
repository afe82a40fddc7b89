"""The lane: a usual `POST /payments` becomes a submission at once, without a task and without ASGI's messages.

Usual is a request about which there is nothing to find out: who pays is known, and all of it is there and valid. For
any other request the lane answers `None`, and nothing has happened: the request goes to the endpoint, which decides or
refuses. The lane has no rules of its own. It calls what the endpoint calls, so both give the same response, to the byte
(docs/decisions/0038-a-lane-for-payments.md).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from gateway.adapters.http.authorization import is_permitted
from gateway.adapters.http.endpoint import Endpoint
from gateway.adapters.http.headers import bearer_token, idempotency_key, read_headers, require_json
from gateway.adapters.http.messages import AnyRequest, Header, Response
from gateway.adapters.http.rate_limiting import BODY_BYTES_PER_REQUEST, count_request
from gateway.adapters.http.responses import response_headers
from gateway.adapters.http.submissions import Submitting, stored_response
from gateway.application.engine.submission import Answer, CommandSubmission
from gateway.application.gateway import Gateway

METHOD: Final = "POST"
PATH: Final = "/payments"
TARGET: Final = PATH.encode()
"""The target of a usual request."""

USUAL_HEADERS: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"authorization",
        b"connection",
        b"content-length",
        b"content-type",
        b"forwarded",
        b"host",
        b"idempotency-key",
        b"request-id",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
    }
)
"""None of them changes a payment, beside those that are read here. `Origin` and `Transfer-Encoding` are not usual."""


class Lane:
    """The lane of one application.

    Attributes:
        gateway: The open gateway; `None` before the start.
        taken: The requests that were taken, for tests.
    """

    def __init__(self, endpoint: Endpoint, further_headers: Sequence[Header]) -> None:
        """A lane beside an endpoint.

        Args:
            endpoint: Its operation, limits, deadlines, log and failures are the lane's, too.
            further_headers: What the application adds to each response to a usual request.
        """
        match = endpoint.find(PATH)
        operation = None if match is None else match.operations.get(METHOD)
        if match is None or operation is None:
            raise LookupError(f"There is no operation for {METHOD} {PATH}.")
        handler, decoder = operation.handler, operation.body_decoder
        if not isinstance(handler, Submitting) or decoder is None:
            raise TypeError(f"{operation.name} does not submit a command that is made of its body.")
        if operation.body is None or operation.body.texts_checked_with_form:
            raise TypeError(f"The texts of {operation.name} are checked with the form of its body.")
        self.gateway: Gateway | None = None
        self.taken = 0
        self.endpoint = endpoint
        self.further_headers = further_headers
        self._match = match
        self._operation = operation
        self._decoder = decoder
        self._submission: Callable[[AnyRequest], CommandSubmission] = cast("Any", handler).submission
        self._body_bytes_max = min(BODY_BYTES_PER_REQUEST, endpoint.limits.body_bytes_max)

    def take(self, scope: Any, raw: bytes) -> "LanePayment | None":
        """Submit a payment, if its request is usual. Otherwise `None`, and nothing has happened.

        Args:
            scope: ASGI's, of a request for `METHOD` and `TARGET`.
            raw: The whole body.
        """
        gateway, endpoint = self.gateway, self.endpoint
        if gateway is None or endpoint.running >= endpoint.limits.requests_max or len(raw) > self._body_bytes_max:
            return None
        try:
            request = self._request(gateway, scope, raw)
            if request is None:
                return None
            submission = self._submission(request)
            gateway.executor.check_room(request.caller.user_id, submission.size)
        except Exception:  # noqa: BLE001 - a refusal or a bug: the endpoint meets it again, and answers it.
            return None
        if (drawn := count_request(request, self._operation)) is not None:
            drawn.close()  # Tokens would have to be drawn first. None was taken.
            return None
        self.taken += 1
        return LanePayment(self, request, gateway.executor.submit(submission))

    def _request(self, gateway: Gateway, scope: Any, raw: bytes) -> AnyRequest | None:
        """The request, with all that the endpoint would set; `None` if it is not usual.

        Raises:
            Exception: It is not valid.
        """
        headers, headers_bytes = read_headers(scope)
        # Repeated headers count, too.
        if len(headers) != len(scope["headers"]) or not headers.keys() <= USUAL_HEADERS:
            return None
        caller = gateway.access.caller_at_once(bearer_token(headers))
        operation = self._operation
        if caller is None or not is_permitted(caller, operation.roles, operation.scope, operation.members):
            return None
        key = idempotency_key(headers, required=True)
        require_json(headers)
        # As `decode_body`: the rules look for forbidden characters in the texts of a payment.
        body = self._decoder.decode(raw)
        request = self.endpoint.request(gateway, scope, PATH, self._match, headers, headers_bytes)
        request.success_status = self._operation.status
        request.signed_in = caller
        request.idempotency_key = key
        request.body = body
        return request


class LanePayment:
    """A payment in the lane, from its submission to its response.

    Attributes:
        answer: Done with the answer. Cancelled at the deadline, or by a server that ends; the commit goes on.
    """

    __slots__ = ("_began", "_ends_at", "_lane", "_request", "_response", "answer")

    def __init__(self, lane: Lane, request: AnyRequest, answer: asyncio.Future[Answer]) -> None:
        endpoint = lane.endpoint
        self.answer = answer
        self._lane = lane
        self._request = request
        self._response: Response | None = None
        self._began = 0.0 if endpoint.log is None else time.perf_counter()
        self._ends_at = time.monotonic() + endpoint.limits.request_seconds_max
        endpoint.running += 1
        endpoint.deadlines.add(self)

    def enforce(self, now: float) -> None:
        """Give up waiting, if the deadline is over."""
        if now >= self._ends_at:
            self.answer.cancel()

    def end(self) -> tuple[int, list[Header], bytes]:
        """The status, headers and body of the response. Call it once, when the answer is done."""
        endpoint = self._lane.endpoint
        endpoint.running -= 1
        endpoint.deadlines.running.discard(self)
        try:
            response = stored_response(self.answer.result())
        except asyncio.CancelledError:
            response = endpoint.failures.response(TimeoutError(), self._request)
        except Exception as error:  # noqa: BLE001 - bugs are logged there.
            response = endpoint.failures.response(error, self._request)
        self._response = response
        headers = response_headers(response, self._request)
        headers += self._lane.further_headers
        return response.status, headers, response.body

    def log(self) -> None:
        """Log the request. Call it when the response is sent."""
        log = self._lane.endpoint.log
        if log is not None and self._response is not None:
            log.add(self._request, self._response, seconds=time.perf_counter() - self._began)
