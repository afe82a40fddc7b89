"""Records of deliveries: of events on their way to webhook endpoints, of leases and of replays."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from gateway.application.ports.events import FeedEvent
from gateway.domain.event import EventId
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId

DeliveryId = NewType("DeliveryId", str)
ReplayId = NewType("ReplayId", str)
WorkerId = NewType("WorkerId", str)

WAITING_COUNTED_MAX: Final = 10_000
"""`Backlog.waiting` counts no further."""


class DeliveryOutcome(StrEnum):
    """How a delivery has ended.

    Attributes:
        DELIVERED: The receiver has taken the event.
        FAILED: Every attempt of the schedule has failed.
        CANCELED: The endpoint was disabled or deleted, or the event is no longer kept.
    """

    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELED = "canceled"


@immutable
class Attempt:
    """One attempt to deliver an event.

    Attributes:
        at: When it began.
        status: The HTTP status of the response; `None` if none came.
        error: The word of `WebhookError` for what went wrong; `None` if a whole response came.
        latency_ms: How long it took, in milliseconds.
    """

    at: datetime
    status: int | None
    error: str | None
    latency_ms: int


@immutable
class Delivery:
    """One event on its way to one endpoint. It waits until it has ended.

    Attributes:
        position: The position of the event in the feed.
        object_id: The object that the event is about. The deliveries of one object to one endpoint are made in the
            order of their positions.
        due_at: When it may be attempted next; `None` once it has ended.
        ended_at: When it ended; `None` while it waits.
        outcome: How it ended; `None` while it waits.
        attempts: All attempts, the first one first.
    """

    id: DeliveryId
    endpoint_id: EndpointId
    event_id: EventId
    position: int
    event_type: EventType
    object_id: str
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None = None
    outcome: DeliveryOutcome | None = None
    attempts: tuple[Attempt, ...] = ()


@immutable
class EventHead:
    """An event of the feed without its data: what decides who gets it."""

    position: int
    id: EventId
    type: EventType
    object_id: str
    merchant_id: UserId | None


@immutable
class Candidates:
    """Events that an endpoint may want.

    Attributes:
        events: Those of merchants with an enabled endpoint at least; lowest position first.
        until: The position up to which the feed was looked at.
        any_enabled: Whether there is an enabled endpoint, of whichever merchant.
    """

    events: Sequence[EventHead]
    until: int
    any_enabled: bool = True


@immutable
class Lease:
    """The right to deliver to an endpoint until a moment.

    Attributes:
        failing_since: The first failure since the last success; `None` after a success.
        is_slow: Whether the last holder found that the endpoint fails or is slow.
    """

    endpoint_id: EndpointId
    failing_since: datetime | None
    is_slow: bool


@immutable
class Predecessor:
    """The delivery that waits right before another one of the same object and endpoint."""

    id: DeliveryId
    due_at: datetime
    created_at: datetime


@immutable
class DueDelivery:
    """A delivery that is due.

    Attributes:
        due_at: Since when.
        event: What to send; `None` if the event is no longer kept.
        predecessor: `None` if no earlier delivery of the same object to this endpoint waits.
    """

    delivery: Delivery
    due_at: datetime
    event: FeedEvent | None
    predecessor: Predecessor | None


@immutable
class Recording:
    """What becomes of a delivery.

    Attributes:
        due_before: When the delivery was due by the reading on which this is based.
        due_at: When it is due next; `None` if it has ended.
        planned_at: When `due_at` was decided, by the same clock; `None` if it has ended.
        attempts: All attempts, with those that are new.
    """

    delivery_id: DeliveryId
    due_before: datetime
    due_at: datetime | None
    planned_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: DeliveryOutcome | None = None
    attempts: tuple[Attempt, ...]


@immutable
class QueueState:
    """What is known of an endpoint's receiver. As `Lease`.

    Attributes:
        paused_until: Nothing is sent to the endpoint until then.
        paused_at: When that was decided, by the same clock.
    """

    endpoint_id: EndpointId
    failing_since: datetime | None
    paused_until: datetime | None
    paused_at: datetime | None = None
    is_slow: bool


@immutable
class Replay:
    """A request to deliver the events of a time range again: `created_from` ≤ created at < `created_to`.

    Attributes:
        after_position: The position of the last event that was looked at; 0 at first.
    """

    id: ReplayId
    endpoint_id: EndpointId
    created_from: datetime
    created_to: datetime
    after_position: int = 0
    created_at: datetime


@immutable
class Backlog:
    """What waits.

    Attributes:
        waiting: How many deliveries wait: at most `WAITING_COUNTED_MAX`.
        oldest_at: When the delivery that waits the longest was made; `None` if none waits.
    """

    waiting: int
    oldest_at: datetime | None
