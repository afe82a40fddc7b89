"""Deliveries of webhooks: what became of them, and how an owner has events delivered again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, cast

from gateway.application.access.caller import Caller
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.events.delivery_limits import REPLAYS_PER_ENDPOINT_MAX
from gateway.application.events.fan_out import is_wanted, new_delivery
from gateway.application.ports.clock import Clock
from gateway.application.ports.deliveries import Deliveries
from gateway.application.ports.delivery_records import Delivery, DeliveryId, DeliveryOutcome, Replay, ReplayId
from gateway.application.ports.events import EventFeed, FeedEvent
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.application.queries import Page, check_page, page_of
from gateway.application.webhooks import endpoint_owner
from gateway.domain.checks import check_id, check_instant
from gateway.domain.errors import EventNotFound, invalid
from gateway.domain.event import EventId
from gateway.domain.limits import EVENTS_DAYS_DEFAULT, LIST_LIMIT_DEFAULT
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint, must_be_enabled, must_be_owned
from gateway.domain.webhook_errors import ReplayLimitReached, WebhookEndpointNotFound

ALL_OUTCOMES: Final[tuple[DeliveryOutcome | None, ...]] = (None, *DeliveryOutcome)
"""`None` stands for deliveries that wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDeliveries:
    """The deliveries to the webhook endpoints of an owner.

    `owner_id` is the owner that an endpoint must have: a merchant, or `system` for the endpoints of the operators. A
    trusted program may leave it out.

    Arguments that are not valid are refused with `InvalidInput`. Every method raises `StorageUnavailable` when the
    storage is away.
    """

    stored: Deliveries
    endpoints: WebhookEndpoints
    feed: EventFeed
    clock: Clock
    identifiers: Identifiers
    retention: timedelta = timedelta(days=EVENTS_DAYS_DEFAULT)
    """Older events are not delivered again, whether or not they were deleted."""
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def of_endpoint(
        self,
        caller: Caller,
        endpoint_id: EndpointId,
        outcomes: Collection[DeliveryOutcome | None] = ALL_OUTCOMES,
        *,
        before: DeliveryId | None = None,
        limit: int = LIST_LIMIT_DEFAULT,
    ) -> Page[Delivery]:
        """The deliveries to an endpoint of the caller's, with all their attempts, newest first.

        Args:
            caller: Who asks.
            endpoint_id: The endpoint.
            outcomes: Which deliveries; `None` stands for those that wait.
            before: The id of the last delivery of the page before.
            limit: How many at most.

        Raises:
            RoleForbidden: The caller is a customer.
            WebhookEndpointNotFound: The caller has no such endpoint.
        """
        self.loop.check()
        owner_id = endpoint_owner(caller)
        check_page(before, limit)
        _check_outcomes(outcomes)
        endpoint = await self._endpoint(endpoint_id, owner_id)
        found = await self.stored.deliveries(endpoint.id, outcomes, before=before, limit=limit + 1)
        return page_of(found, limit)

    async def redeliver(
        self, event_id: EventId, *, endpoint_id: EndpointId | None = None, owner_id: UserId | None = None
    ) -> Sequence[EndpointId]:
        """Deliver an event once more. Where it waits already, it is attempted at once, and not queued a second time.

        Args:
            event_id: The event. A merchant may have the events delivered that concern them.
            endpoint_id: An endpoint, whatever its filters. If left out, every enabled endpoint of the owner that wants
                the event.
            owner_id: The owner of the endpoints.

        Returns:
            The endpoints that get the event.

        Raises:
            EventNotFound: There is no such event that concerns the owner.
            WebhookEndpointNotFound: There is no such endpoint of this owner.
            WebhookEndpointDisabled: It is disabled.
        """
        self.loop.check()
        check_id("event_id", event_id)
        if owner_id is not None:
            check_id("owner_id", owner_id)
        event = await self.feed.event(event_id)
        now = self.clock()
        if (
            event is None
            or owner_id not in {None, SYSTEM, event.merchant_id}
            or event.created_at < now - self.retention
        ):
            raise EventNotFound("There is no such event.")
        targets = await self._targets(event, endpoint_id, owner_id)
        new_id = self.identifiers.of(now)
        await self.stored.add([new_delivery(event, endpoint.id, now, new_id) for endpoint in targets])
        return [endpoint.id for endpoint in targets]

    async def replay(
        self,
        endpoint_id: EndpointId,
        *,
        created_from: datetime,
        created_to: datetime,
        owner_id: UserId | None = None,
    ) -> Replay:
        """Deliver the events of a time range once more to an endpoint that wants them: from ≤ created < to.

        They are queued by a worker, step by step. Events that are no longer shown are left out: the range of the
        replay that is returned begins later then.

        Raises:
            InvalidInput: The range is empty.
            WebhookEndpointNotFound: There is no such endpoint of this owner.
            WebhookEndpointDisabled: It is disabled.
            ReplayLimitReached: Four replays of the endpoint are not done.
        """
        self.loop.check()
        check_instant("created_from", created_from)
        check_instant("created_to", created_to)
        if created_to <= created_from:
            raise invalid("created_to", "value_invalid", "The range ends before it begins.")
        endpoint = await self._endpoint(endpoint_id, owner_id)
        must_be_enabled(endpoint)
        now = self.clock()
        replay = Replay(
            id=ReplayId(self.identifiers.of(now)("rpl")),
            endpoint_id=endpoint.id,
            # Housekeeping keeps the events that a replay needs: it may not need those that are being deleted.
            created_from=min(max(created_from, now - self.retention), created_to),
            created_to=created_to,
            created_at=now,
        )
        if not await self.stored.request_replay(replay, limit=REPLAYS_PER_ENDPOINT_MAX):
            raise ReplayLimitReached(
                f"The endpoint has {REPLAYS_PER_ENDPOINT_MAX} replays that are not done. Wait for one of them to end."
            )
        return replay

    async def _targets(
        self, event: FeedEvent, endpoint_id: EndpointId | None, owner_id: UserId | None
    ) -> Sequence[WebhookEndpoint]:
        if endpoint_id is not None:
            endpoint = await self._endpoint(endpoint_id, owner_id)
            must_be_enabled(endpoint)
            return [endpoint]
        merchants = () if event.merchant_id is None else (event.merchant_id,)
        return [
            endpoint
            for endpoint in await self.endpoints.enabled_for(merchants)
            if owner_id in {None, endpoint.owner_id} and is_wanted(event, endpoint)
        ]

    async def _endpoint(self, endpoint_id: EndpointId, owner_id: UserId | None) -> WebhookEndpoint:
        check_id("endpoint_id", endpoint_id)
        if owner_id is not None:
            check_id("owner_id", owner_id)
        endpoint = await self.endpoints.endpoint(endpoint_id)
        if endpoint is None:
            raise WebhookEndpointNotFound("There is no such webhook endpoint.")
        must_be_owned(endpoint, owner_id)
        return endpoint


def _check_outcomes(outcomes: object) -> None:
    """Refuse what is no collection of outcomes."""
    is_collection = isinstance(outcomes, Collection) and not isinstance(outcomes, str | bytes)
    if not is_collection or not all(map(_is_outcome, cast("Collection[object]", outcomes))):
        raise invalid(
            "outcomes", "value_invalid", "Outcomes are delivered, failed, canceled, and None for those that wait."
        )


def _is_outcome(given: object) -> bool:
    return given is None or isinstance(given, DeliveryOutcome)
