"""Failures: errors of a request as responses, and what is logged of them."""

import logging
import time

from gateway.adapters.http.messages import AnyRequest, Response
from gateway.adapters.http.problems import HttpRefusal, problem_response
from gateway.application.causes import cause_of
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.errors import Refusal

logger = logging.getLogger(__name__)


class Failures:
    """Answers errors with problems."""

    def __init__(self) -> None:
        self._outage_logged_at = 0.0

    def response(self, error: Exception, request: AnyRequest) -> Response:
        """The response to a request that ended with an error. A bug is logged, and so is an outage."""
        if isinstance(error, Refusal):
            return problem_response(error, request)
        if isinstance(error, (StorageUnavailable, TimeoutError)):
            timeout = _timeout(request)
            self._log_outage(timeout, request, error)
            return problem_response(timeout, request)
        extra = {"request_id": request.request_id, "route": request.route}
        logger.error("request_failed", exc_info=error, extra=extra)
        detail = "Something went wrong here. The same request, with the same key, may be sent again."
        return problem_response(HttpRefusal("internal_error", detail), request)

    def _log_outage(self, refusal: HttpRefusal, request: AnyRequest, error: Exception) -> None:
        """Log a warning, once a second at most: an outage affects all requests."""
        now = time.monotonic()
        if not request.arriving and now - self._outage_logged_at >= 1:
            self._outage_logged_at = now
            extra = {"request_id": request.request_id, "route": request.route, "cause": cause_of(error)}
            logger.warning(refusal.code, extra=extra)


def _timeout(request: AnyRequest) -> HttpRefusal:
    if request.arriving:
        return HttpRefusal("request_timeout", "The body took too long to arrive.")
    return HttpRefusal(
        "storage_unavailable",
        "The storage did not answer in time. The same request, with the same key, may be sent again.",
    )
