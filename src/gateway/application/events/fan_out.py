"""Fan-out: makes deliveries of events, behind the feed: a payment costs the same with any number of endpoints."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from gateway.application.ports.clock import Clock
from gateway.application.ports.deliveries import EVENTS_PER_FAN_OUT_MAX, WEBHOOKS, DeliveryFanOut
from gateway.application.ports.delivery_records import Delivery, DeliveryId, EventHead
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.events import FeedEvent
from gateway.application.ports.identifiers import Identifiers, NewId
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint


@immutable
class FannedOut:
    """What a step of the fan-out has done.

    Attributes:
        endpoint_ids: The endpoints of the new deliveries, each once.
        queued: How many deliveries are new.
        moved: Whether the cursor was moved.
        overtaken: Whether another worker moved it first; then nothing was done.
        any_enabled: Whether there is an enabled endpoint, if the cursor was moved.
    """

    endpoint_ids: Collection[EndpointId] = ()
    queued: int = 0
    moved: bool = False
    overtaken: bool = False
    any_enabled: bool = True


class FanOut:
    """Goes through the feed from a cursor of its own. Of several at once, one moves the cursor."""

    def __init__(
        self,
        deliveries: DeliveryFanOut,
        cursors: EventCursors,
        endpoints: WebhookEndpoints,
        clock: Clock,
        identifiers: Identifiers,
    ) -> None:
        self._deliveries = deliveries
        self._cursors = cursors
        self._endpoints = endpoints
        self._clock = clock
        self._identifiers = identifiers
        self._after: int | None = None

    async def step(self) -> FannedOut:
        """Make deliveries of the next events, and move the cursor behind them.

        Raises:
            StorageUnavailable: The storage is away. Whether the cursor was moved may be unknown.
        """
        after, self._after = self._after, None
        if after is None:
            after = await self._cursors.position(WEBHOOKS) or 0
        # Endpoints are read after the events: an endpoint that was there before an event is seen.
        found = await self._deliveries.candidates(after=after, limit=EVENTS_PER_FAN_OUT_MAX)
        if found.until <= after:
            self._after = after
            return FannedOut()
        merchants = {event.merchant_id for event in found.events if event.merchant_id is not None}
        endpoints = await self._endpoints.enabled_for(merchants) if found.events else ()
        now = self._clock()
        new = new_deliveries(found.events, endpoints, now, self._identifiers.of(now))
        if not await self._deliveries.enqueue(new, after=after, until=found.until):
            return FannedOut(overtaken=True)
        self._after = found.until
        return FannedOut(
            endpoint_ids=tuple(dict.fromkeys(each.endpoint_id for each in new)),
            queued=len(new),
            moved=True,
            any_enabled=found.any_enabled,
        )


def new_deliveries(
    events: Iterable[EventHead], endpoints: Sequence[WebhookEndpoint], now: datetime, new_id: NewId
) -> list[Delivery]:
    """The deliveries of events to the endpoints that want them. Events from before an endpoint are not delivered to it.

    Args:
        events: The events, lowest position first.
        endpoints: The endpoints of the events' merchants, and the endpoints for all merchants.
        now: The present moment: the deliveries are due at once.
        new_id: Makes ids of the present moment.
    """
    of_all = [endpoint for endpoint in endpoints if endpoint.all_merchants]
    of_owner: dict[UserId, list[WebhookEndpoint]] = {}
    for endpoint in endpoints:
        if not endpoint.all_merchants:
            of_owner.setdefault(endpoint.owner_id, []).append(endpoint)
    return [
        new_delivery(event, endpoint.id, now, new_id)
        for event in events
        for endpoint in (*(of_owner.get(event.merchant_id, ()) if event.merchant_id else ()), *of_all)
        if event.position > endpoint.after_position and is_wanted(event, endpoint)
    ]


def is_wanted(event: EventHead | FeedEvent, endpoint: WebhookEndpoint) -> bool:
    """Whether an event is sent to an endpoint."""
    return endpoint.wants(event.type, event.object_id, event.merchant_id)


def new_delivery(event: EventHead | FeedEvent, endpoint_id: EndpointId, now: datetime, new_id: NewId) -> Delivery:
    """A delivery that is due at once."""
    return Delivery(
        id=DeliveryId(new_id("dlv")),
        endpoint_id=endpoint_id,
        event_id=event.id,
        position=event.position,
        event_type=event.type,
        object_id=event.object_id,
        created_at=now,
        due_at=now,
    )
