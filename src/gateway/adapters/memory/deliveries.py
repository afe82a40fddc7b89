"""Deliveries in dictionaries: the fan-out, the queues, and the lists."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.adapters.memory.delivery_queue import due_at_of
from gateway.adapters.memory.delivery_queues import MemoryDeliveryQueues
from gateway.application.ports.deliveries import WEBHOOKS, Deliveries
from gateway.application.ports.delivery_records import (
    WAITING_COUNTED_MAX,
    Backlog,
    Candidates,
    Delivery,
    DeliveryId,
    DeliveryOutcome,
    EventHead,
    Replay,
)
from gateway.domain.event import Event
from gateway.domain.webhook_endpoint import EndpointId


class MemoryDeliveries(MemoryDeliveryQueues, Deliveries):
    """See the port. No method awaits anything, so each is one step."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self._replays = database.webhook_replays

    @override
    async def candidates(self, *, after: int, limit: int) -> Candidates:
        enabled = [endpoint for endpoint in self._database.webhook_endpoints.values() if endpoint.enabled]
        if not enabled:
            newest = max(after, self._database.newest_position)
            return Candidates(events=(), until=newest, any_enabled=False)
        looked_at = list(self._database.events_after(after, limit))
        all_merchants = any(endpoint.all_merchants for endpoint in enabled)
        owners = {endpoint.owner_id for endpoint in enabled}
        heads = [_head(event, position) for position, event in looked_at]
        return Candidates(
            events=[head for head in heads if all_merchants or head.merchant_id in owners],
            until=heads[-1].position if heads else max(after, self._database.newest_position),
        )

    @override
    async def enqueue(self, deliveries: Sequence[Delivery], *, after: int, until: int) -> bool:
        if self._database.event_cursors.get(WEBHOOKS, 0) != after:
            return False
        self._database.event_cursors[WEBHOOKS] = until
        for delivery in deliveries:
            self._enqueue(delivery, delivery.created_at)
        return True

    @override
    async def add(self, deliveries: Sequence[Delivery]) -> int:
        added = 0
        for delivery in deliveries:
            queue = self._queues.get(delivery.endpoint_id)
            of_object = () if queue is None else queue.of_object.get(delivery.object_id, {}).values()
            waiting = [each for each in of_object if each.event_id == delivery.event_id]
            for each in waiting:
                if due_at_of(each) > due_at_of(delivery):
                    self._enqueue(replace(each, due_at=delivery.due_at), delivery.created_at)
            if not waiting:
                self._enqueue(delivery, delivery.created_at)
                added += 1
        return added

    @override
    async def request_replay(self, replay: Replay, *, limit: int) -> bool:
        if sum(each.endpoint_id == replay.endpoint_id for each in self._replays.values()) >= limit:
            return False
        self._replays[replay.id] = replay
        return True

    @override
    async def replays(self, *, limit: int) -> Sequence[Replay]:
        return [self._replays[id_] for id_ in sorted(self._replays)[:limit]]

    @override
    async def enqueue_replay(self, replay: Replay, deliveries: Sequence[Delivery], *, until: int | None) -> bool:
        if self._replays.get(replay.id) != replay:
            return False
        await self.add(deliveries)
        if until is None:
            del self._replays[replay.id]
        else:
            self._replays[replay.id] = replace(replay, after_position=until)
        return True

    @override
    async def deliveries(
        self,
        endpoint_id: EndpointId,
        outcomes: Collection[DeliveryOutcome | None],
        *,
        before: DeliveryId | None,
        limit: int,
    ) -> Sequence[Delivery]:
        found = [
            each
            for each in self._deliveries.values()
            if each.endpoint_id == endpoint_id and each.outcome in outcomes and (before is None or each.id < before)
        ]
        return sorted(found, key=lambda each: each.id, reverse=True)[:limit]

    @override
    async def backlog(self) -> Backlog:
        waiting = [each.created_at for queue in self._queues.values() for each in queue.waiting.values()]
        return Backlog(waiting=min(len(waiting), WAITING_COUNTED_MAX), oldest_at=min(waiting, default=None))

    @override
    async def purge(self, *, ended_before: datetime, limit: int) -> int:
        old = [
            each for each in self._deliveries.values() if each.ended_at is not None and each.ended_at < ended_before
        ][:limit]
        for delivery in old:
            del self._deliveries[delivery.id]
        return len(old)


def _head(event: Event, position: int) -> EventHead:
    return EventHead(
        position=position,
        id=event.id,
        type=event.type,
        object_id=event.object.id,
        merchant_id=event.merchant_id,
    )
