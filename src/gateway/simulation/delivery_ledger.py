"""The delivery ledger: what was queued for each endpoint, what arrived, and what must have, by rules of its own.

It is told of every call of a worker to the storage once the call has been written, and of every request to a receiver.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec

from gateway.application.ports.delivery_records import Delivery, DeliveryId, DeliveryOutcome, Recording
from gateway.application.ports.webhook_sender import WebhookMessage, WebhookResponse
from gateway.domain.event import EventId
from gateway.domain.webhook_endpoint import EndpointId
from gateway.simulation.clock import AHEAD
from gateway.simulation.failure_ledger import TURN_MAX, FailureLedger
from gateway.simulation.feed_readers import Feed, ToldEvent
from gateway.simulation.model import Model
from gateway.simulation.model_records import ModelEndpoint
from gateway.simulation.violation import Violation

ORDER: Final = timedelta(seconds=60)
"""How long the next event of an object waits for the event before it."""
ATTEMPTS_MAX: Final = 10


class _Body(msgspec.Struct):
    id: str
    type: str
    position: int
    sequence: int
    created_at: datetime
    data: dict[str, msgspec.Raw]


@dataclass(slots=True)
class Queued:
    """A delivery that waits.

    `taken` once a receiver has answered 2xx; `tries` counts the responses to it, `recorded` the recorded attempts.
    """

    id: DeliveryId
    event_id: EventId
    position: int
    created_at: datetime
    due_at: datetime
    planned_at: datetime
    number: int
    tries: int = 0
    recorded: int = 0
    taken: bool = False


@dataclass(slots=True)
class DeliveryLedger:
    """Finds violations, and keeps them until they are asked for."""

    model: Model
    feed: Feed
    found: list[Violation] = field(default_factory=list[Violation])
    waiting: dict[EndpointId, dict[str, dict[DeliveryId, Queued]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    """By endpoint and object."""
    places: dict[DeliveryId, tuple[EndpointId, str]] = field(default_factory=dict[DeliveryId, tuple[EndpointId, str]])
    exhausted: set[tuple[EndpointId, EventId]] = field(default_factory=set[tuple[EndpointId, EventId]])
    taken: dict[EndpointId, set[EventId]] = field(default_factory=lambda: defaultdict(set))
    bodies: dict[EventId, bytes] = field(default_factory=dict[EventId, bytes])
    asked: set[tuple[EndpointId, EventId]] = field(default_factory=set[tuple[EndpointId, EventId]])
    """What users had delivered to a certain endpoint, whatever its filters."""
    states: dict[EndpointId, tuple[str, tuple[str, ...], bool]] = field(
        default_factory=dict[EndpointId, tuple[str, tuple[str, ...], bool]]
    )
    filters: dict[EndpointId, set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    """All filters that an endpoint has had."""
    since: dict[EndpointId, int] = field(default_factory=dict[EndpointId, int])
    """The number of the first event that must arrive: what happened since the endpoint was last enabled or changed."""
    urls: dict[str, EndpointId] = field(default_factory=dict[str, EndpointId])
    failures: FailureLedger = field(init=False)
    numbers: int = 0

    def __post_init__(self) -> None:
        self.failures = FailureLedger(self.model, self._find)

    def look_at(self, endpoint_ids: Iterable[EndpointId]) -> None:
        """Endpoints have been created or changed."""
        for endpoint_id in endpoint_ids:
            endpoint = self.model.endpoints[endpoint_id]
            self.urls[endpoint.url] = endpoint_id
            self.filters[endpoint_id].add(endpoint.filters)
            state = (endpoint.disabled, endpoint.filters, endpoint.deleted)
            if self.states.get(endpoint_id) != state:
                self.states[endpoint_id] = state
                self.since[endpoint_id] = len(self.feed.events)
                self.failures.changed(endpoint_id)

    def queued(self, deliveries: Iterable[Delivery], *, once: bool, now: bool = False) -> None:
        """Deliveries were queued; with `once`, no second one of an event that waits: it becomes due with `now`."""
        self.numbers += 1
        for each in deliveries:
            waiting = self.waiting[each.endpoint_id][each.object_id]
            there = [other for other in waiting.values() if once and other.event_id == each.event_id]
            for other in there if now else ():
                if other.due_at > each.created_at:
                    other.due_at = other.planned_at = each.created_at
            if there:
                continue
            if not once and each.position <= self.model.endpoints[each.endpoint_id].after:
                self._find("webhook_early", f"{each.event_id} is for {each.endpoint_id}, which was created after it.")
            waiting[each.id] = Queued(
                id=each.id,
                event_id=each.event_id,
                position=each.position,
                created_at=each.created_at,
                due_at=each.created_at,
                planned_at=each.created_at,
                number=self.numbers,
            )
            self.places[each.id] = (each.endpoint_id, each.object_id)

    def recorded(self, recordings: Iterable[Recording], held: Collection[EndpointId]) -> None:
        """Results were recorded by a worker that holds these endpoints."""
        for each in recordings:
            place = self.places.get(each.delivery_id)
            if place is None:
                continue
            if each.outcome is DeliveryOutcome.DELIVERED and place[0] in held:
                self.failures.success_recorded(place[0])
            waiting = self.waiting[place[0]][place[1]]
            queued = waiting[each.delivery_id]
            if each.due_before != queued.due_at and each.outcome is not DeliveryOutcome.DELIVERED:
                continue
            if each.outcome is DeliveryOutcome.DELIVERED and queued.event_id not in self.taken[place[0]]:
                self._find("webhook_recorded", f"{each.delivery_id} is recorded as delivered, and was not.")
            self._failure_recorded(each, queued, place[0], held)
            if each.due_at is not None:
                queued.due_at, queued.planned_at = each.due_at, each.planned_at or queued.planned_at
                continue
            if each.outcome is DeliveryOutcome.FAILED:
                self.exhausted.add((place[0], queued.event_id))
                if queued.tries < ATTEMPTS_MAX:
                    self._find("webhook_attempts", f"{each.delivery_id} has failed after {queued.tries} attempts.")
            self._end(each.delivery_id)

    def _failure_recorded(
        self, recording: Recording, queued: Queued, endpoint_id: EndpointId, held: Collection[EndpointId]
    ) -> None:
        is_new, queued.recorded = len(recording.attempts) > queued.recorded, len(recording.attempts)
        if is_new and recording.outcome is not DeliveryOutcome.DELIVERED and endpoint_id in held:
            self.failures.failure_recorded(endpoint_id, recording.attempts[-1].at)

    def planned_anew(self, now: datetime) -> None:
        """A worker at this moment took what was planned after it for plans of a clock that was ahead."""
        for of_objects in self.waiting.values():
            for of_object in of_objects.values():
                for queued in of_object.values():
                    if queued.planned_at >= now + AHEAD:
                        queued.due_at, queued.planned_at = now + (queued.due_at - queued.planned_at), now
                        queued.created_at = min(queued.created_at, now)

    def canceled(self, endpoint_id: EndpointId, count: int, now: datetime) -> None:
        """So many deliveries of an endpoint were canceled, those first that are due first."""
        endpoint = self.model.endpoints[endpoint_id]
        queued = [each for of_object in self.waiting[endpoint_id].values() for each in of_object.values()]
        for each in sorted(queued, key=lambda each: (each.due_at, each.position))[:count]:
            self._end(each.id)
        if count and not (endpoint.disabled or endpoint.deleted):
            # It was enabled again while a worker was about to cancel what was left: that may be lost.
            self.since[endpoint_id] = len(self.feed.events)
            if now > endpoint.changed_at + TURN_MAX:
                self._find("webhook_canceled", f"What waits for {endpoint_id} was canceled, and it is enabled.")

    def arrived(self, message: WebhookMessage, now: datetime) -> EndpointId | None:
        """A request has arrived. Returns the endpoint."""
        endpoint, told = self._endpoint_of(message.url), self.feed.by_id.get(EventId(message.event_id))
        if endpoint is None or told is None:
            self._find("webhook_known", f"{message.event_id} came to {message.url}: one of them is unknown.")
            return None
        if not self._is_wanted(endpoint, told) and (endpoint.id, told.id) not in self.asked:
            self._find("webhook_wanted", f"{told.id} ({told.type}, {told.merchant}) came to {endpoint!r}.")
        self._compare_body(message.body, told)
        self._compare_secrets(message, endpoint, now)
        self._compare_order(endpoint.id, told, now)
        if (endpoint.disabled or endpoint.deleted) and now > endpoint.changed_at + TURN_MAX:
            self._find("webhook_disabled", f"{told.id} came to {endpoint.id}, which is disabled or deleted.")
        return endpoint.id

    def answered(self, endpoint_id: EndpointId, event_id: EventId, response: WebhookResponse, now: datetime) -> None:
        """A receiver has answered a request."""
        if response.success:
            self.taken[endpoint_id].add(event_id)
            self.failures.succeeded(endpoint_id)
        else:
            self.failures.failed(endpoint_id, response, now)
        for queued in self.waiting[endpoint_id][self.feed.by_id[event_id].object_id].values():
            if queued.event_id == event_id:
                queued.tries += 1
                queued.taken = queued.taken or response.success

    def next_due(self) -> list[tuple[datetime, EndpointId]]:
        """When each delivery that waits is due."""
        return [
            (queued.due_at, endpoint_id)
            for endpoint_id, of_objects in self.waiting.items()
            for of_object in of_objects.values()
            for queued in of_object.values()
        ]

    def settle(self) -> None:
        """Everything has become quiet, and every receiver was well: find what has not arrived."""
        for endpoint_id, since in self.since.items():
            endpoint = self.model.endpoints[endpoint_id]
            if endpoint.disabled or endpoint.deleted:
                continue
            for told in self.feed.events[since:]:
                is_wanted = endpoint.wants(told.type, told.object_id, told.merchant)
                done = told.id in self.taken[endpoint_id] or (endpoint_id, told.id) in self.exhausted
                if is_wanted and not done:
                    self._find("webhook_delivered", f"{told.id} ({told.type}) has not come to {endpoint_id}.")
            self.since[endpoint_id] = len(self.feed.events)

    def _end(self, delivery_id: DeliveryId) -> None:
        endpoint_id, object_id = self.places.pop(delivery_id)
        of_object = self.waiting[endpoint_id][object_id]
        del of_object[delivery_id]
        if not of_object:
            del self.waiting[endpoint_id][object_id]

    def _endpoint_of(self, url: str) -> ModelEndpoint | None:
        if url not in self.urls:
            self.urls.update({each.url: each.id for each in self.model.endpoints.values()})
        return self.model.endpoints[self.urls[url]] if url in self.urls else None

    def _is_wanted(self, endpoint: ModelEndpoint, told: ToldEvent) -> bool:
        """Whether the endpoint wants an event, or did by the filters that it had before."""
        if endpoint.wants(told.type, told.object_id, told.merchant):
            return True
        kind = f"{told.type.partition('.')[0]}.*"
        is_of_owner = endpoint.all_merchants or told.merchant == endpoint.owner
        past = {each for filters in self.filters[endpoint.id] for each in filters}
        return told.type != "endpoint.test" and is_of_owner and not past.isdisjoint({"*", kind, told.type})

    def _compare_body(self, body: bytes, told: ToldEvent) -> None:
        if self.bodies.setdefault(told.id, body) != body:
            self._find("webhook_same_bytes", f"{told.id} came with two bodies.")
        shown = msgspec.json.decode(body, type=_Body)
        facts = (shown.id, shown.type, shown.sequence, shown.created_at, bytes(shown.data["object"]))
        position = self.feed.positions.get(told.id, shown.position)
        if facts != (told.id, told.type, told.sequence, told.created_at, told.data) or shown.position != position:
            self._find("webhook_body", f"{told!r} came as {body!r}.")

    def _compare_secrets(self, message: WebhookMessage, endpoint: ModelEndpoint, now: datetime) -> None:
        is_loaded_before = now < endpoint.changed_at + TURN_MAX and bool({*message.secrets} & {*endpoint.secrets})
        if message.secrets != endpoint.signing(message.sent_at) and not is_loaded_before:
            self._find("webhook_signature", f"{message.event_id} is signed with other secrets than {endpoint.id} has.")

    def _compare_order(self, endpoint_id: EndpointId, told: ToldEvent, now: datetime) -> None:
        of_object = self.waiting[endpoint_id].get(told.object_id, {})
        own = next((each for each in of_object.values() if each.event_id == told.id), None)
        if own is None or told.id in self.taken[endpoint_id]:
            return
        before = [
            each
            for each in of_object.values()
            if each.position < own.position
            and each.number <= own.number
            and not each.taken
            and each.tries < ATTEMPTS_MAX
        ]
        last = max(before, key=lambda each: each.position, default=None)
        if last is not None and now < last.created_at + ORDER:
            self._find("webhook_order", f"{told.id} came to {endpoint_id} while {last.event_id} waits.")

    def _find(self, invariant: str, detail: str) -> None:
        self.found.append(Violation(invariant, detail))
