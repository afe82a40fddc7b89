"""The queues of waiting deliveries in dictionaries."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import nsmallest

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.adapters.memory.delivery_queue import Queue, due_at_of, is_ahead
from gateway.application.ports.deliveries import DeliveryQueues
from gateway.application.ports.delivery_records import (
    Delivery,
    DeliveryOutcome,
    DueDelivery,
    Lease,
    QueueState,
    Recording,
    WorkerId,
)
from gateway.application.ports.events import FeedEvent
from gateway.domain.webhook_endpoint import EndpointId


class MemoryDeliveryQueues(DeliveryQueues):
    """See the port. No method awaits anything, so each is one step."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._queues = database.delivery_queues
        self._deliveries = database.deliveries

    @override
    async def lease(
        self, worker: WorkerId, *, now: datetime, until: datetime, fast_max: int, slow_max: int
    ) -> Sequence[Lease]:
        free = [(id_, queue) for id_, queue in self._queues.items() if queue.may_be_leased(now, until)]
        leases: list[Lease] = []
        for is_slow, limit in ((False, fast_max), (True, slow_max)):
            candidates = [each for each in free if each[1].is_slow is is_slow]
            for endpoint_id, queue in nsmallest(limit, candidates, key=lambda each: (each[1].due_at, each[0])):
                queue.leased_by, queue.leased_until = worker, until
                queue.paused_until = queue.paused_at = None
                leases.append(Lease(endpoint_id=endpoint_id, failing_since=queue.failing_since, is_slow=queue.is_slow))
        return leases

    @override
    async def renew(
        self, worker: WorkerId, endpoint_ids: Collection[EndpointId], *, until: datetime
    ) -> Collection[EndpointId]:
        held = self._held(worker, endpoint_ids)
        for queue in held.values():
            queue.leased_until = until
        return held.keys()

    @override
    async def release(
        self, worker: WorkerId, endpoint_ids: Collection[EndpointId], *, now: datetime
    ) -> Sequence[tuple[EndpointId, datetime]]:
        due: list[tuple[EndpointId, datetime]] = []
        for endpoint_id, queue in self._held(worker, endpoint_ids).items():
            queue.leased_by = queue.leased_until = None
            first = queue.first_due_at()
            queue.due_at, queue.due_planned_at = None if first is None else max(first, now), now
            if queue.due_at is not None:
                due.append((endpoint_id, max(queue.due_at, queue.paused_until or queue.due_at)))
        return due

    @override
    async def due(self, endpoint_id: EndpointId, *, now: datetime, limit: int) -> Sequence[DueDelivery]:
        queue = self._queues.get(endpoint_id, Queue())
        due = (each for each in queue.waiting.values() if due_at_of(each) <= now)
        first = nsmallest(limit, due, key=lambda each: (due_at_of(each), each.position))
        return [
            DueDelivery(
                delivery=each, due_at=due_at_of(each), event=self._event(each), predecessor=queue.predecessor(each)
            )
            for each in first
        ]

    @override
    async def record(
        self, worker: WorkerId, recordings: Sequence[Recording], states: Sequence[QueueState] = ()
    ) -> None:
        for recording in recordings:
            before = self._deliveries.get(recording.delivery_id)
            if before is None or before.due_at is None:
                continue
            if before.due_at == recording.due_before or recording.outcome is DeliveryOutcome.DELIVERED:
                after = replace(
                    before,
                    due_at=recording.due_at,
                    ended_at=recording.ended_at,
                    outcome=recording.outcome,
                    attempts=recording.attempts,
                )
                self._write(after, recording.planned_at)
        for state in states:
            queue = self._queues.get(state.endpoint_id)
            if queue is not None and queue.leased_by == worker:
                queue.failing_since = state.failing_since
                queue.paused_until, queue.paused_at = state.paused_until, state.paused_at
                queue.is_slow = state.is_slow

    @override
    async def plan_anew(self, *, now: datetime, limit: int) -> Collection[EndpointId]:
        void = [
            (queue.waiting[id_], planned_at)
            for queue in self._queues.values()
            for id_, planned_at in queue.planned_at.items()
            if is_ahead(planned_at, now)
        ]
        for delivery, planned_at in void[:limit]:
            due_at = now + (due_at_of(delivery) - planned_at)
            self._write(replace(delivery, due_at=due_at, created_at=min(delivery.created_at, now)), now)
        late = [id_ for id_, queue in self._queues.items() if is_ahead(queue.due_planned_at, now) and queue.due_at]
        endpoint_ids = {*(delivery.endpoint_id for delivery, _ in void[:limit]), *late[:limit]}
        for endpoint_id in endpoint_ids:
            queue = self._queues[endpoint_id]
            queue.due_at, queue.due_planned_at = min(queue.due_at or now, now), now
        return endpoint_ids

    @override
    async def abandoned(self, *, limit: int) -> Sequence[EndpointId]:
        endpoints = self._database.webhook_endpoints
        enabled = {id_ for id_, endpoint in endpoints.items() if endpoint.enabled}
        return [id_ for id_, queue in self._queues.items() if queue.waiting and id_ not in enabled][:limit]

    @override
    async def cancel(self, endpoint_id: EndpointId, *, now: datetime, limit: int) -> int:
        queue = self._queues.get(endpoint_id, Queue())
        first = sorted(queue.waiting.values(), key=lambda each: (due_at_of(each), each.position))[:limit]
        for each in first:
            self._write(replace(each, due_at=None, ended_at=now, outcome=DeliveryOutcome.CANCELED))
        if not queue.waiting:
            queue.due_at = None
        return len(first)

    def _held(self, worker: WorkerId, endpoint_ids: Iterable[EndpointId]) -> dict[EndpointId, Queue]:
        queues = {id_: self._queues[id_] for id_ in endpoint_ids if id_ in self._queues}
        return {id_: queue for id_, queue in queues.items() if queue.leased_by == worker}

    def _enqueue(self, delivery: Delivery, planned_at: datetime) -> None:
        queue = self._queues.setdefault(delivery.endpoint_id, Queue())
        due_at = due_at_of(delivery)
        if queue.due_at is None or queue.due_at > due_at:
            queue.due_at, queue.due_planned_at = due_at, planned_at
        self._write(delivery, planned_at)

    def _write(self, delivery: Delivery, planned_at: datetime | None = None) -> None:
        self._deliveries[delivery.id] = delivery
        queue = self._queues[delivery.endpoint_id]
        if delivery.due_at is None:
            queue.remove(delivery)
        else:
            queue.put(delivery, planned_at)

    def _event(self, delivery: Delivery) -> FeedEvent | None:
        event = self._database.event_at(delivery.position)
        if event is None:
            return None
        return FeedEvent(
            position=delivery.position,
            id=event.id,
            type=event.type,
            object_id=event.object.id,
            sequence=event.sequence,
            customer_id=event.customer_id,
            merchant_id=event.merchant_id,
            created_at=event.created_at,
            data=event.data,
        )
