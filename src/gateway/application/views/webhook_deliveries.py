"""Deliveries of webhooks, as the owners of endpoints see them: never what a receiver has written."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.application.ports.delivery_records import Attempt, Delivery, Replay
from gateway.application.views.times import Instant

DeliveryStatus = Literal["pending", "delivered", "failed", "canceled"]


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. `status` is null if no response came; `error` is null if a whole response came."""

    at: Instant
    status: int | None
    error: str | None
    latency_ms: int


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one endpoint. `next_attempt_at` is null unless it is pending."""

    id: str
    object: Literal["delivery"] = "delivery"
    endpoint_id: str
    event_id: str
    event_type: str
    status: DeliveryStatus
    attempts: list[AttemptView]
    next_attempt_at: Instant | None
    created_at: Instant


class RedeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is delivered once more, and the endpoints that get it."""

    object: Literal["redelivery"] = "redelivery"
    event_id: str
    endpoint_ids: list[str]


class ReplayView(msgspec.Struct, frozen=True, kw_only=True, rename={"created_from": "from", "created_to": "to"}):
    """A time range whose events are delivered once more: from ≤ created < to."""

    id: str
    object: Literal["webhook_replay"] = "webhook_replay"
    endpoint_id: str
    created_from: Instant
    created_to: Instant
    created_at: Instant


def delivery_view(delivery: Delivery) -> DeliveryView:
    """A delivery as the owner of its endpoint sees it."""
    return DeliveryView(
        id=delivery.id,
        endpoint_id=delivery.endpoint_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type.value,
        status="pending" if delivery.outcome is None else delivery.outcome.value,
        attempts=[attempt_view(attempt) for attempt in delivery.attempts],
        next_attempt_at=delivery.due_at,
        created_at=delivery.created_at,
    )


def attempt_view(attempt: Attempt) -> AttemptView:
    """One attempt."""
    return AttemptView(at=attempt.at, status=attempt.status, error=attempt.error, latency_ms=attempt.latency_ms)


def redelivery_view(event_id: str, endpoint_ids: Sequence[str]) -> RedeliveryView:
    """An event that is delivered once more."""
    return RedeliveryView(event_id=event_id, endpoint_ids=list(endpoint_ids))


def replay_view(replay: Replay) -> ReplayView:
    """A replay that was requested."""
    return ReplayView(
        id=replay.id,
        endpoint_id=replay.endpoint_id,
        created_from=replay.created_from,
        created_to=replay.created_to,
        created_at=replay.created_at,
    )
