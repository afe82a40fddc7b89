"""The queues of waiting deliveries: one for each endpoint, which one worker at a time has on lease."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gateway import DeliveryOutcome, EndpointId
from gateway.ports import (
    AHEAD_MAX,
    VOID_LEASES,
    Delivery,
    DueDelivery,
    Lease,
    Predecessor,
    QueueState,
    Recording,
    WorkerId,
)
from lmdb_storage.database import Database, first
from lmdb_storage.records import DELIVERIES, ENDPOINTS, EVENTS, QUEUES, KeptDelivery, Queue
from lmdb_storage.tables import Txn, behind, moment, name, number

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class LmdbQueues:
    """The port `DeliveryQueues`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(
        self, worker: WorkerId, *, now: datetime, until: datetime, fast_max: int, slow_max: int
    ) -> Sequence[Lease]:
        """As the port says."""

        def write(txn: Txn) -> list[Lease]:
            leases: list[Lease] = []
            room = {False: fast_max, True: slow_max}
            for queue in list(QUEUES.until(txn, "due", behind(moment(now)))):
                if room[queue.is_slow] > 0 and may_be_leased(queue, now, until):
                    room[queue.is_slow] -= 1
                    queue.leased_by, queue.leased_until = worker, until
                    queue.paused_until = queue.paused_at = None
                    QUEUES.put(txn, queue)
                    leases.append(
                        Lease(endpoint_id=queue.endpoint_id, failing_since=queue.failing_since, is_slow=queue.is_slow)
                    )
            return leases

        return await self._database.write(write)

    async def renew(
        self, worker: WorkerId, endpoint_ids: Collection[EndpointId], *, until: datetime
    ) -> Collection[EndpointId]:
        """As the port says."""

        def write(txn: Txn) -> list[EndpointId]:
            queues = held(txn, worker, endpoint_ids)
            for queue in queues:
                queue.leased_until = until
                QUEUES.put(txn, queue)
            return [queue.endpoint_id for queue in queues]

        return await self._database.write(write)

    async def release(
        self, worker: WorkerId, endpoint_ids: Collection[EndpointId], *, now: datetime
    ) -> Sequence[tuple[EndpointId, datetime]]:
        """As the port says."""

        def write(txn: Txn) -> list[tuple[EndpointId, datetime]]:
            due: list[tuple[EndpointId, datetime]] = []
            for queue in held(txn, worker, endpoint_ids):
                queue.leased_by = queue.leased_until = None
                following = next((each.delivery.due_at for each in waiting(txn, queue.endpoint_id)), None)
                queue.due_at, queue.planned_at = None if following is None else max(following, now), now
                QUEUES.put(txn, queue)
                if queue.due_at is not None:
                    due.append((queue.endpoint_id, max(queue.due_at, queue.paused_until or queue.due_at)))
            return due

        return await self._database.write(write)

    async def due(self, endpoint_id: EndpointId, *, now: datetime, limit: int) -> Sequence[DueDelivery]:
        """As the port says."""
        with self._database.snapshot() as txn:
            queue = (kept.delivery for kept in waiting(txn, endpoint_id))
            return [
                DueDelivery(
                    delivery=each,
                    due_at=due_at_of(each),
                    event=EVENTS.get(txn, number(each.position)),
                    predecessor=predecessor(txn, each),
                )
                for each in first((each for each in queue if due_at_of(each) <= now), limit)
            ]

    async def record(
        self, worker: WorkerId, recordings: Sequence[Recording], states: Sequence[QueueState] = ()
    ) -> None:
        """As the port says."""

        def write(txn: Txn) -> None:
            for recording in recordings:
                note(txn, recording)
            by_endpoint = {state.endpoint_id: state for state in states}
            for queue in held(txn, worker, by_endpoint):
                state = by_endpoint[queue.endpoint_id]
                queue.failing_since, queue.is_slow = state.failing_since, state.is_slow
                queue.paused_until, queue.paused_at = state.paused_until, state.paused_at
                QUEUES.put(txn, queue)

        await self._database.write(write)

    async def plan_anew(self, *, now: datetime, limit: int) -> Collection[EndpointId]:
        """As the port says."""
        return await self._database.write(lambda txn: plan_anew(txn, now, limit))

    async def abandoned(self, *, limit: int) -> Sequence[EndpointId]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return first((each.endpoint_id for each in QUEUES.all(txn) if is_abandoned(txn, each.endpoint_id)), limit)

    async def cancel(self, endpoint_id: EndpointId, *, now: datetime, limit: int) -> int:
        """As the port says."""

        def write(txn: Txn) -> int:
            canceled = first(waiting(txn, endpoint_id), limit)
            for kept in canceled:
                ended = replace(kept.delivery, due_at=None, ended_at=now, outcome=DeliveryOutcome.CANCELED)
                DELIVERIES.put(txn, KeptDelivery(ended, None))
            queue = QUEUES.get(txn, endpoint_id)
            if queue is not None and not DELIVERIES.has(txn, "due", name(endpoint_id)):
                queue.due_at = None
                QUEUES.put(txn, queue)
            return len(canceled)

        return await self._database.write(write)


def may_be_leased(queue: Queue, now: datetime, until: datetime) -> bool:
    """Whether an endpoint is due, not paused, and not held by a worker. Plans of clocks that were ahead are void."""
    is_due = queue.due_at is not None and queue.due_at <= now
    is_paused = queue.paused_until is not None and queue.paused_until > now and not is_ahead(queue.paused_at, now)
    is_held = queue.leased_until is not None and now < queue.leased_until <= now + VOID_LEASES * (until - now)
    return is_due and not is_paused and not is_held


def is_ahead(planned_at: datetime | None, now: datetime) -> bool:
    """Whether a plan was made by a clock that was ahead."""
    return planned_at is not None and planned_at >= now + AHEAD_MAX


def held(txn: Txn, worker: WorkerId, endpoint_ids: Iterable[EndpointId]) -> list[Queue]:
    """The queues that the worker holds."""
    return [queue for queue in QUEUES.found(txn, endpoint_ids) if queue.leased_by == worker]


def waiting(txn: Txn, endpoint_id: EndpointId) -> Iterator[KeptDelivery]:
    """The waiting deliveries of an endpoint, in the order of `due_at` and then of their positions."""
    return DELIVERIES.those(txn, "due", name(endpoint_id))


def due_at_of(delivery: Delivery) -> datetime:
    """When a waiting delivery is due."""
    return delivery.due_at or _END_OF_TIME


def enqueue(txn: Txn, delivery: Delivery, planned_at: datetime) -> None:
    """Let a delivery wait, and its endpoint be due no later."""
    queue = QUEUES.get(txn, delivery.endpoint_id) or Queue(delivery.endpoint_id)
    due_at = due_at_of(delivery)
    if queue.due_at is None or queue.due_at > due_at:
        queue.due_at, queue.planned_at = due_at, planned_at
        QUEUES.put(txn, queue)
    DELIVERIES.put(txn, KeptDelivery(delivery, planned_at))


def predecessor(txn: Txn, delivery: Delivery) -> Predecessor | None:
    """The delivery of the same object with the highest position before that of this one."""
    of_object = name(delivery.endpoint_id, delivery.object_id)
    for kept in DELIVERIES.newest_of(txn, "object", of_object, number(delivery.position)):
        found = kept.delivery
        return Predecessor(id=found.id, due_at=due_at_of(found), created_at=found.created_at)
    return None


def note(txn: Txn, recording: Recording) -> None:
    """What has become of a delivery, unless another worker knows better."""
    kept = DELIVERIES.get(txn, recording.delivery_id)
    if kept is None or kept.delivery.due_at is None:
        return
    if kept.delivery.due_at == recording.due_before or recording.outcome is DeliveryOutcome.DELIVERED:
        after = replace(
            kept.delivery,
            due_at=recording.due_at,
            ended_at=recording.ended_at,
            outcome=recording.outcome,
            attempts=recording.attempts,
        )
        DELIVERIES.put(txn, KeptDelivery(after, None if after.due_at is None else recording.planned_at))


def plan_anew(txn: Txn, now: datetime, limit: int) -> Collection[EndpointId]:
    """Let the plans of clocks that were ahead begin anew."""
    void = first(DELIVERIES.since(txn, "planned", moment(now + AHEAD_MAX)), limit)
    for kept in void:
        waits = due_at_of(kept.delivery) - (kept.planned_at or now)
        created_at = min(kept.delivery.created_at, now)
        DELIVERIES.put(txn, KeptDelivery(replace(kept.delivery, due_at=now + waits, created_at=created_at), now))
    late = (queue for queue in QUEUES.since(txn, "planned", moment(now + AHEAD_MAX)) if queue.due_at is not None)
    endpoint_ids = {*(kept.delivery.endpoint_id for kept in void), *(each.endpoint_id for each in first(late, limit))}
    for queue in QUEUES.found(txn, endpoint_ids):
        queue.due_at, queue.planned_at = min(queue.due_at or now, now), now
        QUEUES.put(txn, queue)
    return endpoint_ids


def is_abandoned(txn: Txn, endpoint_id: EndpointId) -> bool:
    """Whether deliveries wait for an endpoint that is disabled or deleted."""
    endpoint = ENDPOINTS.get(txn, endpoint_id)
    is_enabled = endpoint is not None and endpoint.enabled
    return not is_enabled and DELIVERIES.has(txn, "due", name(endpoint_id))
