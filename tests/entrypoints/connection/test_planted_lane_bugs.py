"""Planted bugs of the lane: each breaks one thing in the real code, and a test of the lane must find it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from entrypoints.connection import test_lane as found_by
from gateway.adapters.http import lane as broken
from gateway.adapters.http.submissions import Submitting
from gateway.application.access.authentication import Authentication
from gateway.application.access.revocations import Revocations
from gateway.application.ports.batch_records import AnswerKey
from gateway.contracts.records import user_id
from gateway.entrypoints.connection.lane_protocol import LaneProtocol
from gateway.entrypoints.connection.repeated_head import RepeatedHead

Plant = Callable[[pytest.MonkeyPatch], None]


def the_key_is_no_part_of_the_submission(patch: pytest.MonkeyPatch) -> None:
    """Each request is a new one."""
    submission = Submitting.submission

    def without_key(self: Submitting[Any], request: Any) -> Any:
        request.idempotency_key = None
        return submission(self, request)

    patch.setattr(Submitting, "submission", without_key)


def the_caller_is_no_part_of_the_key(patch: pytest.MonkeyPatch) -> None:
    """Two users may not choose the same key."""
    submission = Submitting.submission

    def of_anybody(self: Submitting[Any], request: Any) -> Any:
        made: Any = submission(self, request)
        object.__setattr__(made, "key", AnswerKey(user_id(1), made.key.key))
        return made

    patch.setattr(Submitting, "submission", of_anybody)


def requests_do_not_count_for_the_rate_limit(patch: pytest.MonkeyPatch) -> None:
    """All of the limit is always left."""

    def count_request(request: Any, _operation: Any) -> None:
        limiter = request.gateway.rate_limits.requests
        if limiter is not None:
            request.rate_limit, request.rate_left = limiter.limit, limiter.limit.count

    patch.setattr(broken, "count_request", count_request)


def sessions_do_not_end(patch: pytest.MonkeyPatch) -> None:
    """A token is good until it expires."""

    def caller_at_once(self: Any, access_token: str) -> Any:
        return self._known.get(access_token)

    patch.setattr(Authentication, "caller_at_once", caller_at_once)


def revocations_are_never_read_again(patch: pytest.MonkeyPatch) -> None:
    """The list of the first request is taken for fresh."""
    patch.setattr(Revocations, "is_fresh", lambda self, _now: self._read_at is not None)


def an_origin_is_usual(patch: pytest.MonkeyPatch) -> None:
    """A script of an allowed origin does not get its headers."""
    patch.setattr(broken, "USUAL_HEADERS", broken.USUAL_HEADERS | {b"origin"})


def chunks_are_usual(patch: pytest.MonkeyPatch) -> None:
    """Only what is counted has a length."""
    patch.setattr(broken, "USUAL_HEADERS", broken.USUAL_HEADERS | {b"transfer-encoding"})


def caches_are_told_nothing(patch: pytest.MonkeyPatch) -> None:
    """`Vary` is missing."""
    patch.setattr(broken.Lane, "__init__", _without_further_headers(broken.Lane.__init__))


def _without_further_headers(init: Any) -> Any:
    def without(self: Any, endpoint: Any, _further_headers: Any) -> None:
        init(self, endpoint, [])

    return without


def nothing_is_logged(patch: pytest.MonkeyPatch) -> None:
    """The access log has gaps."""
    patch.setattr(broken.LanePayment, "log", lambda _self: None)


def requests_are_not_counted_as_running(patch: pytest.MonkeyPatch) -> None:
    """There may be any number of them."""
    init = broken.LanePayment.__init__

    def uncounted(self: Any, lane: Any, request: Any, answer: Any) -> None:
        init(self, lane, request, answer)
        lane.endpoint.running -= 1

    patch.setattr(broken.LanePayment, "__init__", uncounted)


def requests_are_counted_as_running_for_ever(patch: pytest.MonkeyPatch) -> None:
    """After `requests_max` of them, all are refused."""
    end = broken.LanePayment.end

    def counted(self: Any) -> Any:
        self._lane.endpoint.running += 1
        return end(self)

    patch.setattr(broken.LanePayment, "end", counted)


def the_lane_is_closed(patch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong but the speed."""
    patch.setattr(broken.Lane, "take", lambda _self, _scope, _raw: None)


def layers_are_passed_by(patch: pytest.MonkeyPatch) -> None:
    """What wraps the application does not see payments."""
    patch.setattr("gateway.entrypoints.connection.lane_protocol.lane_of", lambda app: app.state["lane"][0])


def a_server_that_ends_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """Payments in the lane are unknown to the server."""
    start = LaneProtocol.start_in_lane

    def unknown(self: Any, cycle: Any, payment: Any) -> None:
        start(self, cycle, payment)
        self.tasks.clear()

    patch.setattr(LaneProtocol, "start_in_lane", unknown)


def reserved_connections_pay(patch: pytest.MonkeyPatch) -> None:
    """The bound on connections does not hold for payments."""
    patch.setattr(LaneProtocol, "use_no_lane", lambda _self: None)


def the_length_of_a_repeated_head_is_not_read(patch: pytest.MonkeyPatch) -> None:
    """The body is whatever follows the head."""
    read = RepeatedHead.read

    def without_length(self: Any, data: bytes) -> Any:
        head, end, body = data.partition(b"\r\n\r\n")
        return read(self, re.sub(rb"Content-Length: [0-9]+", b"Content-Length: %d" % len(body), head) + end + body)

    patch.setattr(RepeatedHead, "read", without_length)


def a_repeated_head_begins_beside_another_request(patch: pytest.MonkeyPatch) -> None:
    """Responses of a connection lose their order."""
    take_repeated = LaneProtocol.take_repeated

    def beside(self: Any, data: bytes) -> bool:
        complete = self.cycle is not None and not self.cycle.response_complete
        if complete:
            self.cycle.response_complete = True
        taken = take_repeated(self, data)
        if complete and not taken:
            self.cycle.response_complete = False
        return taken

    patch.setattr(LaneProtocol, "take_repeated", beside)


async def the_bytes() -> None:
    """The comparison of random requests, without origins and with some."""
    for origins in ((), ("https://shop.example",)):
        await found_by.test_the_lane_changes_no_byte(origins)


FOUND_BY: dict[Plant, Callable[[], Awaitable[None]]] = {
    the_key_is_no_part_of_the_submission: the_bytes,
    the_caller_is_no_part_of_the_key: the_bytes,
    requests_do_not_count_for_the_rate_limit: found_by.test_requests_in_the_lane_count_for_the_rate_limit,
    sessions_do_not_end: found_by.test_a_token_is_refused_as_soon_as_without_the_lane,
    revocations_are_never_read_again: found_by.test_a_token_is_refused_as_soon_as_without_the_lane,
    an_origin_is_usual: lambda: found_by.test_the_lane_changes_no_byte_of_one_unusual_request(("*",)),
    chunks_are_usual: lambda: found_by.test_an_unusual_request_does_not_take_the_lane("chunks"),
    caches_are_told_nothing: the_bytes,
    nothing_is_logged: the_bytes,
    requests_are_not_counted_as_running: found_by.test_payments_in_the_lane_count_as_running_requests,
    requests_are_counted_as_running_for_ever: found_by.test_payments_in_the_lane_count_as_running_requests,
    the_lane_is_closed: the_bytes,
    the_length_of_a_repeated_head_is_not_read: found_by.test_the_lane_changes_no_byte_of_requests_whose_heads_repeat,
    a_repeated_head_begins_beside_another_request: found_by.test_a_repeated_head_waits_for_the_response_before_it,
    reserved_connections_pay: found_by.test_a_reserved_connection_has_no_lane,
    layers_are_passed_by: found_by.test_the_lane_is_off_with_layers_with_a_wrapper_and_by_its_setting,
    a_server_that_ends_does_not_wait: found_by.test_a_server_that_ends_waits_for_the_lane_and_closes_its_connections,
}


@pytest.mark.parametrize("plant", FOUND_BY, ids=lambda plant: plant.__name__)
async def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_by, "CONNECTIONS", 160)
    plant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await FOUND_BY[plant]()
