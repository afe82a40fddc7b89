"""Deliveries of webhooks: what became of them, and events that are delivered once more."""

from typing import Any, Final

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import AnyOperation, Body, ListView, Operation, json_response
from gateway.adapters.http.resources.fields import IdText, Instant, PageQuery
from gateway.adapters.http.resources.webhook_endpoints import EXAMPLE_ENDPOINT, EXAMPLE_TEST, TAG, endpoint_id
from gateway.application.ports.delivery_records import DeliveryId, DeliveryOutcome
from gateway.application.queries import Page
from gateway.application.views.webhook_deliveries import (
    DeliveryStatus,
    DeliveryView,
    RedeliveryView,
    ReplayView,
    delivery_view,
    redelivery_view,
    replay_view,
)
from gateway.application.webhook_deliveries import ALL_OUTCOMES
from gateway.application.webhooks import endpoint_owner
from gateway.domain.event import EventId
from gateway.domain.webhook_endpoint import EndpointId


class DeliveriesQuery(PageQuery, frozen=True, kw_only=True):
    """Which deliveries."""

    status: DeliveryStatus | None = None


class RedeliverBody(Body, frozen=True, kw_only=True):
    """To which endpoint; if left out, to all enabled endpoints of the caller that want the event."""

    endpoint_id: IdText[EndpointId] | None = None


class ReplayBody(Body, frozen=True, kw_only=True, rename={"created_from": "from", "created_to": "to"}):
    """The time range of the events: from ≤ created < to."""

    created_from: Instant
    created_to: Instant


async def find_deliveries(request: Request[None, DeliveriesQuery], before: DeliveryId | None) -> Page[DeliveryView]:
    """A page of the deliveries to an endpoint of the caller's."""
    query = request.query
    page = await request.gateway.deliveries.of_endpoint(
        request.caller, endpoint_id(request), outcomes_of(query.status), before=before, limit=query.limit
    )
    return page.map(delivery_view)


def outcomes_of(status: DeliveryStatus | None) -> tuple[DeliveryOutcome | None, ...]:
    """The outcomes that have a status."""
    if status is None:
        return ALL_OUTCOMES
    return (None,) if status == "pending" else (DeliveryOutcome(status),)


async def redeliver(request: Request[RedeliverBody]) -> Response:
    """Deliver an event to endpoints of the caller once more."""
    event_id = EventId(request.path_ids["event_id"])
    endpoint_ids = await request.gateway.deliveries.redeliver(
        event_id, endpoint_id=request.body.endpoint_id, owner_id=endpoint_owner(request.caller)
    )
    return json_response(202, redelivery_view(event_id, endpoint_ids))


async def replay(request: Request[ReplayBody]) -> Response:
    """Deliver the events of a time range to an endpoint of the caller's once more."""
    requested = await request.gateway.deliveries.replay(
        endpoint_id(request),
        created_from=request.body.created_from,
        created_to=request.body.created_to,
        owner_id=endpoint_owner(request.caller),
    )
    return json_response(202, replay_view(requested))


EXAMPLE_DELIVERY: Final[dict[str, Any]] = {
    "id": "dlv_01kc3x0m5fe7v8qj2r4n6p9stn",
    "object": "delivery",
    "endpoint_id": EXAMPLE_ENDPOINT["id"],
    "event_id": EXAMPLE_TEST["event_id"],
    "event_type": "payment.captured",
    "status": "pending",
    "attempts": [
        {"at": "2026-01-02T03:04:05.678901Z", "status": 500, "error": None, "latency_ms": 84},
    ],
    "next_attempt_at": "2026-01-02T03:04:10.762901Z",
    "created_at": "2026-01-02T03:04:05.678901Z",
}
EXAMPLE_RANGE: Final = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on deliveries."""
    return (
        Operation(
            method="GET",
            path="/webhook-endpoints/{endpoint_id}/deliveries",
            name="listDeliveries",
            tag=TAG,
            summary="List the deliveries to a webhook endpoint of the caller's, with all attempts",
            handler=listing(cursors, find_deliveries),
            query=DeliveriesQuery,
            result=ListView[DeliveryView],
            codes=("webhook_endpoint_not_found", "cursor_invalid", "cursor_filter_mismatch"),
            example_result={"object": "list", "data": [EXAMPLE_DELIVERY], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="POST",
            path="/webhook-endpoints/{endpoint_id}/replay",
            name="replayEvents",
            tag=TAG,
            summary="Deliver the events of a time range to a webhook endpoint once more",
            handler=replay,
            status=202,
            body=ReplayBody,
            result=ReplayView,
            codes=("webhook_endpoint_not_found", "webhook_endpoint_disabled", "replay_limit_reached"),
            example=EXAMPLE_RANGE,
            example_result={
                "id": "rpl_01kc3x0m5fe7v8qj2r4n6p9stp",
                "object": "webhook_replay",
                "endpoint_id": EXAMPLE_ENDPOINT["id"],
                **EXAMPLE_RANGE,
                "created_at": "2026-01-02T03:04:05.678901Z",
            },
        ),
        Operation(
            method="POST",
            path="/events/{event_id}/redeliver",
            name="redeliverEvent",
            tag=TAG,
            summary="Deliver an event once more, to all endpoints of the caller that want it or to one of them",
            handler=redeliver,
            status=202,
            body=RedeliverBody,
            result=RedeliveryView,
            codes=("event_not_found", "webhook_endpoint_not_found", "webhook_endpoint_disabled"),
            example={"endpoint_id": EXAMPLE_ENDPOINT["id"]},
            example_result={
                "object": "redelivery",
                "event_id": EXAMPLE_TEST["event_id"],
                "endpoint_ids": [EXAMPLE_ENDPOINT["id"]],
            },
        ),
    )
