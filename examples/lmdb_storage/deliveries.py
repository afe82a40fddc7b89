"""Deliveries of events to webhook endpoints: the fan-out, the lists. `queues.py` has the queues."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from gateway import DeliveryId, DeliveryOutcome, EndpointId, Replay
from gateway.ports import WAITING_COUNTED_MAX, WEBHOOKS, Backlog, Candidates, Delivery, EventHead
from lmdb_storage.database import first
from lmdb_storage.feed import cursor
from lmdb_storage.queues import LmdbQueues, due_at_of, enqueue
from lmdb_storage.records import CURSORS, DELIVERIES, ENDPOINTS, EVENTS, REPLAYS, Cursor
from lmdb_storage.tables import Txn, moment, name, number
from lmdb_storage.unit_of_work import newest_position


class LmdbDeliveries(LmdbQueues):
    """The port `Deliveries`."""

    async def candidates(self, *, after: int, limit: int) -> Candidates:
        """As the port says."""
        with self._database.snapshot() as txn:
            newest = max(after, newest_position(txn))
            if not ENDPOINTS.has(txn, "enabled", b""):
                return Candidates(events=(), until=newest, any_enabled=False)
            all_merchants = ENDPOINTS.has(txn, "all_merchants", b"all")
            events = first(EVENTS.all(txn, first=number(after + 1)), limit)
            wanted = [
                EventHead(
                    position=event.position,
                    id=event.id,
                    type=event.type,
                    object_id=event.object_id,
                    merchant_id=event.merchant_id,
                )
                for event in events
                if all_merchants
                or (event.merchant_id is not None and ENDPOINTS.has(txn, "enabled", name(event.merchant_id)))
            ]
            return Candidates(events=wanted, until=events[-1].position if events else newest)

    async def enqueue(self, deliveries: Sequence[Delivery], *, after: int, until: int) -> bool:
        """As the port says."""

        def write(txn: Txn) -> bool:
            if (cursor(txn, WEBHOOKS) or 0) != after:
                return False
            CURSORS.put(txn, Cursor(WEBHOOKS, until))
            for delivery in deliveries:
                enqueue(txn, delivery, delivery.created_at)
            return True

        return await self._database.write(write)

    async def add(self, deliveries: Sequence[Delivery]) -> int:
        """As the port says."""
        return await self._database.write(lambda txn: add(txn, deliveries))

    async def request_replay(self, replay: Replay, *, limit: int) -> bool:
        """As the port says."""

        def write(txn: Txn) -> bool:
            if sum(1 for _ in REPLAYS.those(txn, "endpoint", name(replay.endpoint_id))) >= limit:
                return False
            REPLAYS.add(txn, replay)
            return True

        return await self._database.write(write)

    async def replays(self, *, limit: int) -> Sequence[Replay]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return first(REPLAYS.all(txn), limit)

    async def enqueue_replay(self, replay: Replay, deliveries: Sequence[Delivery], *, until: int | None) -> bool:
        """As the port says."""

        def write(txn: Txn) -> bool:
            if REPLAYS.get(txn, replay.id) != replay:
                return False
            add(txn, deliveries)
            if until is None:
                REPLAYS.delete(txn, replay)
            else:
                REPLAYS.put(txn, replace(replay, after_position=until))
            return True

        return await self._database.write(write)

    async def deliveries(
        self,
        endpoint_id: EndpointId,
        outcomes: Collection[DeliveryOutcome | None],
        *,
        before: DeliveryId | None,
        limit: int,
    ) -> Sequence[Delivery]:
        """As the port says."""
        with self._database.snapshot() as txn:
            found = (kept.delivery for kept in DELIVERIES.newest_of(txn, "endpoint", name(endpoint_id), before))
            return first((each for each in found if each.outcome in outcomes), limit)

    async def backlog(self) -> Backlog:
        """As the port says."""
        with self._database.snapshot() as txn:
            waiting = first(DELIVERIES.since(txn, "made", b""), WAITING_COUNTED_MAX)
            return Backlog(waiting=len(waiting), oldest_at=waiting[0].delivery.created_at if waiting else None)

    async def purge(self, *, ended_before: datetime, limit: int) -> int:
        """As the port says."""

        def write(txn: Txn) -> int:
            old = first(DELIVERIES.until(txn, "ended", moment(ended_before)), limit)
            for kept in old:
                DELIVERIES.delete(txn, kept)
            return len(old)

        return await self._database.write(write)


def add(txn: Txn, deliveries: Sequence[Delivery]) -> int:
    """Add deliveries of events that may wait already."""
    added = 0
    for delivery in deliveries:
        same_object = name(delivery.endpoint_id, delivery.object_id)
        of_object = [kept.delivery for kept in DELIVERIES.those(txn, "object", same_object)]
        waiting = [each for each in of_object if each.event_id == delivery.event_id]
        for each in waiting:
            if due_at_of(each) > due_at_of(delivery):
                enqueue(txn, replace(each, due_at=delivery.due_at), delivery.created_at)
        if not waiting:
            enqueue(txn, delivery, delivery.created_at)
            added += 1
    return added
