"""Webhooks in virtual time: events, endpoints, receivers that do as they are told, and dispatchers."""

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.system.identifiers import TimeOrderedIds
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.dispatcher import Dispatcher
from gateway.application.ports.delivery_records import Delivery, DeliveryOutcome
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.application.ports.webhook_sender import (
    WebhookError,
    WebhookMessage,
    WebhookNotSent,
    WebhookResponse,
    WebhookSender,
)
from gateway.contracts.records import a_payment, an_event, commit, identifier, user_id
from gateway.domain.event import Event, EventId
from gateway.domain.event_type import EventType
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId, WebhookEndpoint
from support.virtual_time import BEGINNING, LoopClock

MERCHANT = user_id(2)
DAY = 86_400.0

OK = WebhookResponse(status=200, error=None, retry_after_seconds=None, latency_ms=1)
"""A response that takes no time."""


def answering(status: int, *, retry_after_seconds: float | None = None) -> WebhookResponse:
    """A response that takes no time."""
    return replace(OK, status=status, retry_after_seconds=retry_after_seconds)


FAILED = answering(500)
TIMED_OUT = WebhookResponse(status=None, error=WebhookError.TIMEOUT, retry_after_seconds=None, latency_ms=15_000)

Behaviour = Callable[[WebhookMessage, int], tuple[WebhookResponse, float]]
"""What a receiver does with a message, given the number of earlier attempts of this event: the response, and how many
seconds it takes."""


def always(response: WebhookResponse, seconds: float = 0.0) -> Behaviour:
    """Always the same."""
    return lambda _message, _attempts: (response, seconds)


def failing_first(times: int, response: WebhookResponse = FAILED) -> Behaviour:
    """Each event fails so often, and then succeeds."""
    return lambda _message, attempts: (response if attempts < times else OK, 0.0)


def not_sent_first(times: int, behaviour: Behaviour | None = None) -> Behaviour:
    """The gateway has no room to send each event so often: nothing is received. Then the receiver behaves as given.

    Without a behaviour, it takes every event.
    """

    def behave(message: WebhookMessage, attempts: int) -> tuple[WebhookResponse, float]:
        if attempts < times:
            raise WebhookNotSent("There is no room.")
        return (behaviour or always(OK))(message, attempts - times)

    return behave


@dataclass(frozen=True)
class Received:
    """What arrived, and when it arrived, in seconds since the beginning."""

    seconds: float
    url: str
    event_id: str
    secrets: tuple[str, ...]
    body: bytes
    response: WebhookResponse
    worker: int


class Receivers:
    """All receivers: what they have received, and how each behaves."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.behaviours: dict[str, Behaviour] = {}
        self.attempts: dict[tuple[str, str], int] = defaultdict(int)
        self.in_flight: dict[str, int] = defaultdict(int)
        self.in_flight_max: dict[str, int] = defaultdict(int)

    def of(self, endpoint: WebhookEndpoint) -> list[Received]:
        """What arrived at this endpoint."""
        return [each for each in self.received if each.url == endpoint.url]

    def times(self, endpoint: WebhookEndpoint) -> list[float]:
        """When requests arrived at this endpoint."""
        return [each.seconds for each in self.of(endpoint)]

    def taken(self, endpoint: WebhookEndpoint) -> list[str]:
        """The events that this endpoint has answered with 2xx, in order."""
        return [each.event_id for each in self.of(endpoint) if each.response.success]


class FakeSender(WebhookSender):
    """The port, without a network."""

    def __init__(self, receivers: Receivers, worker: int = 0) -> None:
        self._receivers = receivers
        self._worker = worker

    async def check(self, url: str, *, owner_id: UserId) -> None:
        """Every URL is good."""

    async def send(self, message: WebhookMessage) -> WebhookResponse:
        """Have the receiver of the URL answer."""
        receivers, url = self._receivers, message.url
        attempts = receivers.attempts[url, message.event_id]
        receivers.attempts[url, message.event_id] += 1
        response, seconds = receivers.behaviours.get(url, always(OK))(message, attempts)
        receivers.received.append(
            Received(
                seconds=asyncio.get_running_loop().time(),
                url=url,
                event_id=message.event_id,
                secrets=message.secrets,
                body=message.body,
                response=response,
                worker=self._worker,
            )
        )
        receivers.in_flight[url] += 1
        receivers.in_flight_max[url] = max(receivers.in_flight_max[url], receivers.in_flight[url])
        try:
            await asyncio.sleep(seconds)
        finally:
            receivers.in_flight[url] -= 1
        return replace(response, latency_ms=round(seconds * 1000))


@dataclass
class WebhookScene:
    """A storage in memory with events, endpoints and receivers."""

    limits: DeliveryLimits = field(default_factory=DeliveryLimits)
    chance: Callable[[], float] = lambda: 0.5
    """0.5 lets every time between two attempts be exactly as the schedule says."""
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    receivers: Receivers = field(default_factory=Receivers)
    commits: CommitSignal = field(default_factory=CommitSignal)
    clock: LoopClock = field(default_factory=LoopClock)
    disabled: list[tuple[float, EndpointId, DisabledReason]] = field(
        default_factory=list[tuple[float, EndpointId, DisabledReason]]
    )
    storage: Storage = field(init=False)

    def __post_init__(self) -> None:
        self.storage = memory_storage(self.database)
        self.identifiers = TimeOrderedIds(self.clock)
        self._numbers = count(1)
        self._workers = count(1)

    def endpoint(self, behaviour: Behaviour | None = None, **fields: Any) -> WebhookEndpoint:
        """A new endpoint of the merchant, for all events, whose receiver takes them all unless told otherwise."""
        number = next(self._numbers)
        endpoint = WebhookEndpoint(
            id=EndpointId(identifier("whe", number)),
            owner_id=MERCHANT,
            all_merchants=False,
            url=f"https://receiver-{number}.example/webhooks",
            events=("*",),
            description=None,
            disabled_reason=None,
            secret="whsec_" + base64.b64encode(number.to_bytes(32, "big")).decode(),
            created_at=self.clock(),
            updated_at=self.clock(),
        )
        endpoint = replace(endpoint, **fields)
        self.receivers.behaviours[endpoint.url] = behaviour or always(OK)
        self.put(endpoint)
        return endpoint

    def put(self, endpoint: WebhookEndpoint) -> None:
        """Write an endpoint, as a command would."""
        self.database.webhook_endpoints[endpoint.id] = endpoint

    async def event(
        self,
        payment: int | None = None,
        *,
        type_: EventType = EventType.PAYMENT_CAPTURED,
        merchant_id: UserId | None = MERCHANT,
    ) -> Event:
        """Commit an event of a payment, of a payment of its own unless its number is given."""
        [event] = await self.events([payment], type_=type_, merchant_id=merchant_id)
        return event

    async def events(
        self,
        payments: Sequence[int | None],
        *,
        type_: EventType = EventType.PAYMENT_CAPTURED,
        merchant_id: UserId | None = MERCHANT,
    ) -> list[Event]:
        """Commit events together."""
        new_id = self.identifiers.of(self.clock())
        events = [
            replace(
                an_event(1, a_payment(next(self._numbers) + 1_000_000 if payment is None else payment), type_),
                id=EventId(new_id("evt")),
                merchant_id=merchant_id,
                created_at=self.clock(),
            )
            for payment in payments
        ]
        await commit(self.storage, Changes(events_new=events))
        self.commits.notify()
        return events

    def dispatcher(self, *, storage: Storage | None = None, limits: DeliveryLimits | None = None) -> Dispatcher:
        """A dispatcher on the storage of the scene."""

        async def disable(endpoint_id: EndpointId, reason: DisabledReason, as_of: datetime) -> bool:
            before = self.database.webhook_endpoints[endpoint_id]
            after = before.disable(reason, now=self.clock(), as_of=as_of)
            if after is not before:
                self.disabled.append((asyncio.get_running_loop().time(), endpoint_id, reason))
                self.put(after)
            return not after.enabled

        return Dispatcher(
            storage=storage or self.storage,
            sender=FakeSender(self.receivers, next(self._workers)),
            disable=disable,
            commits=self.commits,
            clock=self.clock,
            identifiers=self.identifiers,
            limits=limits or self.limits,
            chance=self.chance,
        )

    @asynccontextmanager
    async def dispatching(self, dispatcher: Dispatcher | None = None) -> AsyncGenerator[Dispatcher]:
        """A dispatcher that runs meanwhile, and ends well."""
        dispatcher = dispatcher or self.dispatcher()
        stop = asyncio.Event()
        work = asyncio.create_task(dispatcher.run(stop))
        try:
            yield dispatcher
        finally:
            stop.set()
            await work

    async def deliveries(self, endpoint: WebhookEndpoint) -> list[Delivery]:
        """All deliveries of an endpoint, oldest first."""
        found = await self.storage.deliveries.deliveries(
            endpoint.id, [None, *DeliveryOutcome], before=None, limit=1_000_000
        )
        return list(found)[::-1]

    async def outcomes(self, endpoint: WebhookEndpoint) -> list[DeliveryOutcome | None]:
        """How the deliveries of an endpoint have ended, oldest first; `None` if they wait."""
        return [each.outcome for each in await self.deliveries(endpoint)]


def after(seconds: float) -> datetime:
    """So long after the beginning."""
    return BEGINNING + timedelta(seconds=seconds)
