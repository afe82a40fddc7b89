"""Deliveries of events to webhook endpoints: made by the fan-out, sent by the holder of an endpoint's lease, listed."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from gateway.application.ports.delivery_records import (
    Backlog,
    Candidates,
    Delivery,
    DeliveryId,
    DeliveryOutcome,
    DueDelivery,
    Lease,
    QueueState,
    Recording,
    Replay,
    WorkerId,
)
from gateway.domain.webhook_endpoint import EndpointId

WEBHOOKS: Final = "webhooks"
"""The name of the fan-out's cursor among the cursors of the feed."""

EVENTS_PER_FAN_OUT_MAX: Final = 500
DUE_PER_LOAD_MAX: Final = 2_048

VOID_LEASES: Final = 10
"""A lease that ends later than after so many times its length is void. Fewer, and a call to take leases that has hung
for a while would take an endpoint from its holder."""

AHEAD_MAX: Final = timedelta(seconds=15)
"""What was planned so long after the present moment, or later, was planned by a clock that was ahead, and is void. Half
a lease: the clocks of workers differ by less."""


class DeliveryFanOut(Protocol):
    """Turns events into deliveries."""

    async def candidates(self, *, after: int, limit: int) -> Candidates:
        """The next events of the feed that an endpoint may want.

        Every event that was committed before the call has a position by then. Endpoints are read after the events or
        together with them: an endpoint that was committed before an event is seen. Without an enabled endpoint, there
        is no event, `until` is the end of the feed, and `any_enabled` is false.

        Args:
            after: The position of the last event that was looked at.
            limit: How many events are looked at, at most.
        """
        ...

    async def enqueue(self, deliveries: Sequence[Delivery], *, after: int, until: int) -> bool:
        """Add deliveries and move the cursor `WEBHOOKS`, in one transaction.

        Returns:
            Whether it was done. It is not, if the cursor is no longer at `after` (0: it may also be missing).
        """
        ...

    async def add(self, deliveries: Sequence[Delivery]) -> int:
        """Add deliveries of events that were delivered before.

        Where the event waits already, its delivery stays the only one, and becomes due when the new one would be, if
        that is earlier.

        Returns:
            How many were added.
        """
        ...

    async def request_replay(self, replay: Replay, *, limit: int) -> bool:
        """Add a replay. False if the endpoint has `limit` replays that are not done; then nothing is added."""
        ...

    async def replays(self, *, limit: int) -> Sequence[Replay]:
        """Replays that are not done, the oldest first."""
        ...

    async def enqueue_replay(self, replay: Replay, deliveries: Sequence[Delivery], *, until: int | None) -> bool:
        """As `add`, and move the replay to `until`, or delete it if that is `None`, in one transaction.

        Returns:
            Whether it was done. It is not, if the replay is no longer at `replay.after_position`.
        """
        ...


class DeliveryQueues(Protocol):
    """One queue of waiting deliveries for each endpoint. One worker at a time delivers to it: the holder of its lease.

    Moments come from the callers' clocks.
    """

    async def lease(
        self, worker: WorkerId, *, now: datetime, until: datetime, fast_max: int, slow_max: int
    ) -> Sequence[Lease]:
        """Lease endpoints with a due delivery, those first that wait the longest.

        Concurrent calls never get the same endpoint.
        Endpoints that are paused, or that another worker holds, are left out. A lease that ends later than
        `VOID_LEASES` times `until - now` from now is void: a clock was set back. So is a pause that was decided
        `AHEAD_MAX` from now or later.

        Args:
            worker: Who takes the leases.
            now: The present moment.
            until: When the leases end.
            fast_max: How many endpoints at most that are not slow.
            slow_max: How many slow endpoints at most.
        """
        ...

    async def renew(
        self, worker: WorkerId, endpoint_ids: Collection[EndpointId], *, until: datetime
    ) -> Collection[EndpointId]:
        """Let leases last until a later moment. Returns the endpoints that the worker still holds."""
        ...

    async def release(
        self, worker: WorkerId, endpoint_ids: Collection[EndpointId], *, now: datetime
    ) -> Sequence[tuple[EndpointId, datetime]]:
        """Give leases back. A delivery that is enqueued meanwhile is not forgotten.

        An endpoint with further due deliveries comes behind the endpoints that are due already.

        Returns:
            The endpoints that the worker held and that have waiting deliveries, and when each may be leased again.
        """
        ...

    async def due(self, endpoint_id: EndpointId, *, now: datetime, limit: int) -> Sequence[DueDelivery]:
        """The deliveries of an endpoint that are due, in the order of `due_at` and then of their positions.

        Args:
            endpoint_id: The endpoint.
            now: The present moment.
            limit: How many at most: 1 … `DUE_PER_LOAD_MAX`.
        """
        ...

    async def record(
        self, worker: WorkerId, recordings: Sequence[Recording], states: Sequence[QueueState] = ()
    ) -> None:
        """Record what became of deliveries, and what is known of receivers, in one transaction.

        A delivery that has ended stays as it is. One whose `due_at` is no longer `due_before` was attempted by another
        worker meanwhile; it stays as it is, unless it was delivered now. The state of an endpoint that the worker no
        longer holds stays as it is.
        """
        ...

    async def plan_anew(self, *, now: datetime, limit: int) -> Collection[EndpointId]:
        """Let the plans of clocks that were ahead begin anew: those that were made `AHEAD_MAX` from now or later.

        A delivery then waits from now on for as long as it was to wait from its planning on: one that was due at once
        is due at once. It was made no later than now. An endpoint whose next turn was planned so is due.

        Args:
            now: The present moment.
            limit: How many deliveries at most, and how many endpoints.

        Returns:
            The endpoints that may be due; empty if there are no such plans.
        """
        ...

    async def abandoned(self, *, limit: int) -> Sequence[EndpointId]:
        """Endpoints that are disabled or deleted and have waiting deliveries."""
        ...

    async def cancel(self, endpoint_id: EndpointId, *, now: datetime, limit: int) -> int:
        """End waiting deliveries of an endpoint as canceled, at most `limit`. Returns how many."""
        ...


class DeliveryRecords(Protocol):
    """Deliveries, as they are listed, counted and deleted."""

    async def deliveries(
        self,
        endpoint_id: EndpointId,
        outcomes: Collection[DeliveryOutcome | None],
        *,
        before: DeliveryId | None,
        limit: int,
    ) -> Sequence[Delivery]:
        """The deliveries of an endpoint, newest first.

        Args:
            endpoint_id: The endpoint.
            outcomes: Which ones; `None` stands for those that wait.
            before: The id of the last delivery of the page before.
            limit: How many at most.
        """
        ...

    async def backlog(self) -> Backlog:
        """What waits, of all endpoints."""
        ...

    async def purge(self, *, ended_before: datetime, limit: int) -> int:
        """Delete deliveries that ended before a moment, at most `limit`. Returns how many."""
        ...


class Deliveries(DeliveryFanOut, DeliveryQueues, DeliveryRecords, Protocol):
    """All of it. Every method is a short transaction of its own, and raises `StorageUnavailable`."""
