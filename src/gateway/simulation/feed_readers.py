"""Readers of the event feed: each sees every event once, in one order, with the record as it was then."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Final

import msgspec

from gateway.application.ports.events import EventFeed, FeedEvent
from gateway.domain.account import AccountKey
from gateway.domain.event import Event, EventId
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId
from gateway.simulation.expected_writes import ExpectedEvent
from gateway.simulation.model_records import ModelAccount, ModelCustomer, ModelEndpoint, ModelKey, ModelPayment
from gateway.simulation.violation import Violation

LIMITS: Final = (1, 2, 7, 100, 1_000)
"""How many events a reader asks for."""

READS_PERCENT: Final = 2
"""How often the reader that pauses reads."""


@immutable
class ToldEvent:
    """A committed event, as it must be told."""

    id: EventId
    type: str
    object_id: str
    sequence: int
    merchant: UserId | None
    created_at: datetime
    data: bytes = field(repr=False)


@dataclass(slots=True)
class Feed:
    """The events of all commits, and the position of each once a reader has seen it."""

    events: list[ToldEvent] = field(default_factory=list[ToldEvent])
    by_id: dict[EventId, ToldEvent] = field(default_factory=dict[EventId, ToldEvent])
    positions: dict[EventId, int] = field(default_factory=dict[EventId, int])
    subjects: dict[EventId, object] = field(default_factory=dict[EventId, object])
    """The records that the events are about, until a reader has seen the event."""
    sequences: dict[str, int] = field(default_factory=dict[str, int])
    """The sequence of the last event of each object."""

    def learn(
        self, written: Collection[Event], expected: Collection[ExpectedEvent], now: datetime
    ) -> Iterator[Violation]:
        """Learn of the events of a commit."""
        for event, must in zip(written, expected, strict=False):
            object_id = event.object.id
            sequence = self.sequences.get(object_id, 0) + 1
            # Accounts count the changes of their balances, too: these have no events.
            is_account = must.type.startswith("account.")
            if event.sequence != sequence and not (is_account and event.sequence > sequence):
                detail = f"{event.id} is number {event.sequence} of {object_id}; it must be {sequence}."
                yield Violation("event_sequence", detail)
            self.sequences[object_id] = event.sequence
            told = ToldEvent(
                id=event.id,
                type=must.type,
                object_id=object_id,
                sequence=event.sequence,
                merchant=event.merchant_id,
                created_at=now,
                data=event.data,
            )
            self.subjects[told.id] = must.subject
            self.events.append(told)
            self.by_id[told.id] = told


class FeedReader:
    """Goes on from the position of the last event that it has seen, as a client does after a pause or a restart."""

    def __init__(self, name: str, source: EventFeed, feed: Feed, *, in_order: bool) -> None:
        self._name = name
        self._source = source
        self._feed = feed
        self._in_order = in_order
        self._position = 0
        self._seen = set[EventId]()

    async def catch_up(self, random: Random) -> list[Violation]:
        """Read until nothing is left. Then every committed event was seen."""
        found: list[Violation] = []
        while len(self._seen) != len(self._feed.events):
            limit = LIMITS[int(random.random() * len(LIMITS))]
            events = await self._source.read(after=self._position, limit=limit)
            for event in events:
                found.extend(self._see(event))
            if len(events) < limit or found:
                break
        if len(self._seen) != len(self._feed.events) and not found:
            missing = next(each.id for each in self._feed.events if each.id not in self._seen)
            found.append(Violation("feed_complete", f"{self._name} has not seen {missing}, which was committed."))
        return found

    def _see(self, event: FeedEvent) -> Iterator[Violation]:
        told = self._feed.by_id.get(event.id)
        if told is None or event.id in self._seen:
            yield Violation("feed_once", f"{self._name} has seen {event.id}, which is not new.")
            return
        position = self._feed.positions.setdefault(event.id, event.position)
        if event.position <= self._position or event.position != position:
            yield Violation("feed_order", f"{self._name} has seen {event.id} at {event.position}, not {position}.")
        if self._in_order and self._feed.events[len(self._seen)] is not told:
            yield Violation("feed_order", f"{self._name} has seen {event.id} out of the order of commits.")
        self._position = event.position
        self._seen.add(event.id)
        if event.id in self._feed.subjects:
            yield from _difference(event, told, _shown(self._feed.subjects.pop(event.id)))


def _difference(event: FeedEvent, told: ToldEvent, fields: dict[str, Any]) -> Iterator[Violation]:
    """The difference between an event of the feed and what it must tell."""
    facts = (event.type.value, event.object_id, event.sequence, event.merchant_id, event.created_at)
    must = (told.type, told.object_id, told.sequence, told.merchant, told.created_at)
    if facts != must:
        yield Violation("feed_event", f"{event.id} tells {facts}; it must be {must}.")
    shown: dict[str, Any] = msgspec.json.decode(event.data)
    if any(shown.get(name) != value for name, value in fields.items()):
        yield Violation("feed_snapshot", f"{event.id} shows {shown}; it must have {fields}.")


def _shown(subject: object) -> dict[str, Any]:
    """What the JSON of a record must contain."""
    shown: dict[str, Any] = {}
    match subject:
        case ModelPayment():
            shown = _shown_payment(subject)
        case ModelEndpoint():
            shown = _shown_endpoint(subject)
        case ModelKey() | ModelCustomer():
            shown = _shown_key(subject) if isinstance(subject, ModelKey) else _shown_customer(subject)
        case (AccountKey() as key, ModelAccount() as account):
            shown = _shown_account(key, account)
        case ("refund", int(amount), int(fee)):
            shown = {"amount": amount, "fee_refunded": fee}
        case (str(), int(amount)):
            shown = {"amount": amount}
        case (str() as user, str() as status, dict()):
            shown = {"id": user, "status": status}
        case _:
            pass
    return shown


def _shown_payment(payment: ModelPayment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "status": payment.status,
        "amount": payment.amount,
        "currency": payment.currency,
        "amount_capturable": payment.held,
        "amount_captured": payment.captured,
        "amount_refunded": payment.refunded,
        "fee_amount": payment.charged - payment.fee_returned,
        "customer_id": payment.customer,
        "merchant_id": payment.merchant,
        "reference": payment.reference,
        "failure_code": payment.failure,
        "version": payment.version,
        "quote_id": payment.quote,
    }


def _shown_endpoint(endpoint: ModelEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": list(endpoint.filters),
        "description": endpoint.description,
        "enabled": not endpoint.disabled,
        "disabled_reason": endpoint.disabled or None,
    }


def _shown_key(key: ModelKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "owner_id": key.owner,
        "name": key.name,
        "replaced_by": key.replaced_by,
        "last_used_at": None,
        "requests_per_minute": key.requests_per_minute,
    }


def _shown_customer(customer: ModelCustomer) -> dict[str, Any]:
    return {
        "id": customer.id,
        "merchant_id": customer.merchant,
        "name": customer.name,
        "email": customer.email,
        "external_id": customer.external_id,
    }


def _shown_account(key: AccountKey, account: ModelAccount) -> dict[str, Any]:
    return {
        "owner_id": key.owner_id,
        "kind": key.kind.value,
        "currency": key.currency,
        "balance": {
            "posted": account.posted,
            "held": account.held,
            "available": account.available,
            "incoming": account.incoming,
        },
        "status": account.status,
        "version": account.version,
    }
