"""Problems that a server answers by itself: the request does not reach the endpoint."""

from collections.abc import Iterable
from typing import NamedTuple

from gateway.adapters.http.messages import Header
from gateway.adapters.http.problems import KINDS, PROBLEM_JSON, HttpRefusal, problem_document, problem_headers
from gateway.adapters.http.request_ids import REQUEST_ID, fresh_request_id
from gateway.adapters.http.responses import NO_SNIFFING


class EarlyProblem(NamedTuple):
    """A response that is the last one of its connection."""

    status: int
    headers: list[Header]
    body: bytes


def early_problem(refusal: HttpRefusal, headers: Iterable[Header], path: str = "") -> EarlyProblem:
    """A refusal as a response, with the same members and headers as the endpoint's, and `Connection: close`.

    Args:
        refusal: The code and the detail.
        headers: Of the request, with names in lower case, as far as they have arrived.
        path: Of the request; empty if it is not known.
    """
    own_id = next((value for name, value in headers if name == b"request-id" and REQUEST_ID.fullmatch(value)), None)
    request_id = fresh_request_id() if own_id is None else own_id.decode()
    body = problem_document(refusal, path, request_id, refusal.facts)
    return EarlyProblem(
        KINDS[refusal.code].status,
        [
            (b"request-id", request_id.encode()),
            (b"cache-control", b"no-store"),
            NO_SNIFFING,
            *problem_headers(refusal.code, refusal.facts),
            (b"content-type", PROBLEM_JSON),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ],
        body,
    )
