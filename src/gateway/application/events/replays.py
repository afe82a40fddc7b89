"""Replays: the events of a time range, delivered to an endpoint once more, in steps."""

from typing import Final

from gateway.application.events.fan_out import is_wanted, new_delivery
from gateway.application.ports.clock import Clock
from gateway.application.ports.deliveries import EVENTS_PER_FAN_OUT_MAX, WEBHOOKS, DeliveryFanOut
from gateway.application.ports.delivery_records import Replay
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.events import EventFeed, EventFilter
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.domain.immutable import immutable
from gateway.domain.webhook_endpoint import EndpointId

REPLAYS_PER_STEP_MAX: Final = 16


@immutable
class Replayed:
    """What a step has done. As `FannedOut`."""

    endpoint_ids: tuple[EndpointId, ...] = ()
    queued: int = 0


class Replays:
    """Works on the replays that were requested. Several may do so at once: each step is done once."""

    def __init__(
        self,
        feed: EventFeed,
        deliveries: DeliveryFanOut,
        cursors: EventCursors,
        endpoints: WebhookEndpoints,
        clock: Clock,
        identifiers: Identifiers,
    ) -> None:
        self._feed = feed
        self._deliveries = deliveries
        self._cursors = cursors
        self._endpoints = endpoints
        self._clock = clock
        self._identifiers = identifiers

    async def step(self) -> Replayed | None:
        """Queue the next events of each replay; `None` if there is no replay.

        Raises:
            StorageUnavailable: The storage is away.
        """
        replays = await self._deliveries.replays(limit=REPLAYS_PER_STEP_MAX)
        if not replays:
            return None
        queued = [(replay.endpoint_id, await self._continue(replay)) for replay in replays]
        return Replayed(
            endpoint_ids=tuple(endpoint_id for endpoint_id, count in queued if count),
            queued=sum(count for _, count in queued),
        )

    async def _continue(self, replay: Replay) -> int:
        endpoint = await self._endpoints.endpoint(replay.endpoint_id)
        if endpoint is None or not endpoint.enabled:
            await self._deliveries.enqueue_replay(replay, (), until=None)
            return 0
        # The fan-out is about to deliver the events behind its cursor: not those once more.
        fanned_out = await self._cursors.position(WEBHOOKS) or 0
        where = EventFilter(
            merchant_id=None if endpoint.all_merchants else endpoint.owner_id,
            created_after=replay.created_from,
            created_before=replay.created_to,
        )
        past = await self._feed.find_after(where, after=replay.after_position, limit=EVENTS_PER_FAN_OUT_MAX)
        now = self._clock()
        new_id = self._identifiers.of(now)
        deliveries = [
            new_delivery(event, endpoint.id, now, new_id)
            for event in past.events
            if event.position <= fanned_out and is_wanted(event, endpoint)
        ]
        until = past.position if past.has_more else None
        done = await self._deliveries.enqueue_replay(replay, deliveries, until=until)
        return len(deliveries) if done else 0
