"""The queue of one endpoint, in dictionaries."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from gateway.application.ports.deliveries import AHEAD_MAX, VOID_LEASES
from gateway.application.ports.delivery_records import Delivery, DeliveryId, Predecessor, WorkerId

_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Queue:
    """An endpoint's waiting deliveries, the lease, and what is known of the receiver."""

    waiting: dict[DeliveryId, Delivery] = field(default_factory=dict[DeliveryId, Delivery])
    of_object: dict[str, dict[DeliveryId, Delivery]] = field(default_factory=dict[str, dict[DeliveryId, Delivery]])
    """The same, by object."""
    planned_at: dict[DeliveryId, datetime] = field(default_factory=dict[DeliveryId, datetime])
    """When it was decided when each is due."""
    due_at: datetime | None = None
    due_planned_at: datetime | None = None
    leased_by: WorkerId | None = None
    leased_until: datetime | None = None
    paused_until: datetime | None = None
    paused_at: datetime | None = None
    failing_since: datetime | None = None
    is_slow: bool = False

    def put(self, delivery: Delivery, planned_at: datetime | None) -> None:
        """Add a waiting delivery, or replace it."""
        self.waiting[delivery.id] = delivery
        if planned_at is not None:
            self.planned_at[delivery.id] = planned_at
        self.of_object.setdefault(delivery.object_id, {})[delivery.id] = delivery

    def remove(self, delivery: Delivery) -> None:
        """Take out a delivery that has ended."""
        del self.waiting[delivery.id]
        self.planned_at.pop(delivery.id, None)
        of_object = self.of_object[delivery.object_id]
        del of_object[delivery.id]
        if not of_object:
            del self.of_object[delivery.object_id]

    def first_due_at(self) -> datetime | None:
        """When the first delivery is due."""
        return min((due_at_of(each) for each in self.waiting.values()), default=None)

    def predecessor(self, delivery: Delivery) -> Predecessor | None:
        """The delivery of the same object with the highest position before that of this one."""
        before = [each for each in self.of_object[delivery.object_id].values() if each.position < delivery.position]
        if not before:
            return None
        found = max(before, key=lambda each: each.position)
        return Predecessor(id=found.id, due_at=due_at_of(found), created_at=found.created_at)

    def may_be_leased(self, now: datetime, until: datetime) -> bool:
        """Whether it is due, not paused, and not held by a worker."""
        is_due = self.due_at is not None and self.due_at <= now
        is_paused = self.paused_until is not None and self.paused_until > now and not is_ahead(self.paused_at, now)
        is_held = self.leased_until is not None and now < self.leased_until <= now + VOID_LEASES * (until - now)
        return is_due and not is_paused and not is_held


def is_ahead(planned_at: datetime | None, now: datetime) -> bool:
    """Whether a plan was made by a clock that was ahead."""
    return planned_at is not None and planned_at >= now + AHEAD_MAX


def due_at_of(delivery: Delivery) -> datetime:
    """When a waiting delivery is due."""
    return delivery.due_at or _END_OF_TIME
