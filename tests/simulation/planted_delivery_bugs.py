"""Planted bugs in the delivery of webhooks: each loses, doubles, mixes up or misdirects what receivers get."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count

import pytest

from gateway.adapters.memory.delivery_queue import Queue
from gateway.adapters.memory.delivery_queues import MemoryDeliveryQueues
from gateway.application.events import endpoint_turn, fan_out, receiver
from gateway.application.events.delivery_window import DeliveryWindow, Postponed
from gateway.application.events.fan_out import FannedOut, FanOut
from gateway.application.ports.deliveries import EVENTS_PER_FAN_OUT_MAX, WEBHOOKS
from gateway.application.ports.delivery_records import Delivery, DueDelivery, EventHead, QueueState, Recording, WorkerId
from gateway.application.ports.events import FeedEvent
from gateway.application.ports.identifiers import NewId
from gateway.application.views.events import event_view_json
from gateway.domain.event_type import EventType
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import WebhookEndpoint
from simulation.planted_bugs import Plant


def the_cursor_moves_before_the_deliveries_are_written(patch: pytest.MonkeyPatch) -> None:
    """Two transactions: who dies between them, or cannot write, loses deliveries."""

    async def step(self: FanOut) -> FannedOut:
        position = await self._cursors.position(WEBHOOKS)
        found = await self._deliveries.candidates(after=position or 0, limit=EVENTS_PER_FAN_OUT_MAX)
        merchants = {event.merchant_id for event in found.events if event.merchant_id is not None}
        endpoints = await self._endpoints.enabled_for(merchants)
        now = self._clock()
        new = fan_out.new_deliveries(found.events, endpoints, now, self._identifiers.of(now))
        if found.until == position or not await self._cursors.move(WEBHOOKS, expected=position, to=found.until):
            return FannedOut()
        await self._deliveries.add(new)
        return FannedOut(endpoint_ids=tuple(dict.fromkeys(each.endpoint_id for each in new)), moved=True)

    patch.setattr(FanOut, "step", step)


def whoever_records_is_believed(patch: pytest.MonkeyPatch) -> None:
    """The lease is not checked: a worker that hung overwrites what the next holder has found out."""
    record = MemoryDeliveryQueues.record

    async def record_of_anybody(
        self: MemoryDeliveryQueues, worker: WorkerId, recordings: Sequence[Recording], states: Sequence[QueueState] = ()
    ) -> None:
        await record(self, worker, recordings)
        for state in states:
            queue = self._queues.get(state.endpoint_id)
            if queue is not None:
                queue.failing_since, queue.paused_until = state.failing_since, state.paused_until
                queue.is_slow = state.is_slow

    patch.setattr(MemoryDeliveryQueues, "record", record_of_anybody)


def a_pause_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What a receiver asks for with `Retry-After` ends with the turn."""
    record = MemoryDeliveryQueues.record

    async def record_without(
        self: MemoryDeliveryQueues, worker: WorkerId, recordings: Sequence[Recording], states: Sequence[QueueState] = ()
    ) -> None:
        await record(self, worker, recordings, [replace(state, paused_until=None) for state in states])

    patch.setattr(MemoryDeliveryQueues, "record", record_without)


def the_next_event_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """A failure lets the next event of the object go at once."""

    def failed(self: DeliveryWindow, due: DueDelivery, due_at: datetime, *, now: datetime) -> list[Postponed]:
        del due_at, now
        self._next_of(due.delivery.object_id)
        return []

    patch.setattr(DeliveryWindow, "failed", failed)


def a_body_is_encoded_anew(patch: pytest.MonkeyPatch) -> None:
    """Each attempt encodes the event, and not always with the same spaces."""
    numbers = count()

    def encoded(event: FeedEvent) -> bytes:
        body = event_view_json(event)
        return body.replace(b"{", b"{ ", 1) if next(numbers) % 3 == 0 else body

    patch.setattr(endpoint_turn, "event_view_json", encoded)


def a_lease_of_a_dead_worker_lasts(patch: pytest.MonkeyPatch) -> None:
    """What a killed worker held is nobody's any more."""
    may_be_leased = Queue.may_be_leased

    def may_never(self: Queue, now: datetime, until: datetime) -> bool:
        return self.leased_by is None and may_be_leased(self, now, until)

    patch.setattr(Queue, "may_be_leased", may_never)


def refund_means_refunded_too(patch: pytest.MonkeyPatch) -> None:
    """`in` for `==`: the filter `refund.*` lets `payment.refunded` in."""
    wants = WebhookEndpoint.wants

    def wants_more(self: WebhookEndpoint, event_type: EventType, object_id: str, merchant_id: UserId | None) -> bool:
        is_like = any(each.endswith(".*") and each[:-2] in event_type.value for each in self.events)
        is_owner = self.all_merchants or merchant_id == self.owner_id
        return wants(self, event_type, object_id, merchant_id) or (self.enabled and is_owner and is_like)

    patch.setattr(WebhookEndpoint, "wants", wants_more)


def a_receiver_that_is_gone_is_asked_again(patch: pytest.MonkeyPatch) -> None:
    """410 is a failure as any other."""
    patch.setattr(receiver, "is_gone", lambda response: False)  # noqa: ARG005 - that is the bug.


def endpoints_are_disabled_at_once(patch: pytest.MonkeyPatch) -> None:
    """The second failure is taken for the end of five days."""
    patch.setattr(receiver, "must_be_disabled", lambda failing_since, now, limits: now > failing_since)  # noqa: ARG005


def endpoints_fail_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Nobody counts the days."""
    patch.setattr(receiver, "must_be_disabled", lambda failing_since, now, limits: False)  # noqa: ARG005 - it does nothing.


def merchants_get_the_events_of_others(patch: pytest.MonkeyPatch) -> None:
    """Every endpoint is taken for one of the operators."""
    new_deliveries = fan_out.new_deliveries

    def for_everybody(
        events: Iterable[EventHead], endpoints: Sequence[WebhookEndpoint], now: datetime, new_id: NewId
    ) -> list[Delivery]:
        of_all = [replace(endpoint, all_merchants=True) for endpoint in endpoints]
        return new_deliveries(events, of_all, now, new_id)

    patch.setattr(fan_out, "new_deliveries", for_everybody)


def endpoints_get_the_events_of_before(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at where an endpoint begins in the feed."""
    new_deliveries = fan_out.new_deliveries

    def from_the_beginning(
        events: Iterable[EventHead], endpoints: Sequence[WebhookEndpoint], now: datetime, new_id: NewId
    ) -> list[Delivery]:
        return new_deliveries(events, [replace(endpoint, after_position=0) for endpoint in endpoints], now, new_id)

    patch.setattr(fan_out, "new_deliveries", from_the_beginning)


def endpoints_begin_where_the_fan_out_is(patch: pytest.MonkeyPatch) -> None:
    """What is committed before the fan-out has seen an endpoint is taken for what was there before it."""
    new_deliveries = fan_out.new_deliveries
    seen = set[str]()

    def from_here(
        events: Sequence[EventHead], endpoints: Sequence[WebhookEndpoint], now: datetime, new_id: NewId
    ) -> list[Delivery]:
        last = events[-1].position if events else 0
        late = [
            endpoint if endpoint.id in seen else replace(endpoint, after_position=max(last, endpoint.after_position))
            for endpoint in endpoints
        ]
        seen.update(endpoint.id for endpoint in endpoints)
        return new_deliveries(events, late, now, new_id)

    patch.setattr(fan_out, "new_deliveries", from_here)


def old_secrets_sign(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the clock."""

    def signing_secrets(self: WebhookEndpoint, now: datetime) -> tuple[str, ...]:
        del now
        return (self.secret,) if self.previous_secret is None else (self.secret, self.previous_secret)

    patch.setattr(WebhookEndpoint, "signing_secrets", signing_secrets)


PLANTED: Mapping[Plant, str] = {
    the_cursor_moves_before_the_deliveries_are_written: "webhook_delivered",
    whoever_records_is_believed: "webhook_lease",
    a_pause_is_forgotten: "webhook_lease",
    the_next_event_does_not_wait: "webhook_order",
    a_body_is_encoded_anew: "webhook_same_bytes",
    a_lease_of_a_dead_worker_lasts: "webhook_waits",
    refund_means_refunded_too: "webhook_wanted",
    a_receiver_that_is_gone_is_asked_again: "webhook_disabled",
    endpoints_are_disabled_at_once: "webhook_disabled",
    endpoints_fail_for_ever: "webhook_disabled",
    merchants_get_the_events_of_others: "webhook_wanted",
    old_secrets_sign: "webhook_signature",
    endpoints_get_the_events_of_before: "webhook_early",
    endpoints_begin_where_the_fan_out_is: "webhook_delivered",
}
"""Each with the invariant that it breaks first, or one of them."""
