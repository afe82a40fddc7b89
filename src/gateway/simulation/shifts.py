"""Shifts: when workers deliver webhooks, and what owners ask them to deliver once more."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final, cast

from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.ports.deliveries import Deliveries
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.application.webhook_deliveries import WebhookDeliveries
from gateway.domain.errors import Refusal
from gateway.domain.event import EventId
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.webhook_endpoint import EndpointId
from gateway.simulation.clock import VirtualClock
from gateway.simulation.delivery_ledger import DeliveryLedger
from gateway.simulation.feed_readers import Feed
from gateway.simulation.identifiers import CountedIdentifiers
from gateway.simulation.model import Refused
from gateway.simulation.receivers import Receivers
from gateway.simulation.violation import Violation
from gateway.simulation.workers import DeliveryBooks, Disable, Shift, Wire, Worker
from gateway.simulation.world import World

BEGIN_PERCENT: Final = 0.5
"""How often a shift begins."""
STEPS_MAX: Final = 6
"""How many steps a shift lasts at most."""
SECONDS_MAX: Final = (1.0, 20.0, 120.0)
"""How much time passes before a step of a shift."""
DRAIN_PERCENT: Final = 10
"""How often a shift ends with healthy receivers, and goes on until nothing waits."""
ASK_PERCENT: Final = 0.8
REPLAYS_MAX: Final = 4
RECENT_EVENTS: Final = 100

NO_EVENT: Final = EventId("evt_none")


@dataclass(slots=True, kw_only=True)
class Shifts:
    """The deliveries of a history. All chance comes from `random`."""

    random: Random
    storage: Storage
    clock: VirtualClock
    world: World
    feed: Feed
    identifiers: CountedIdentifiers
    disable: Disable
    note: Callable[[bytes], None]
    is_faulty: bool
    left: int = 0
    """How many steps the present shift still lasts."""
    books: DeliveryBooks = field(init=False)
    shift: Shift = field(init=False)

    def __post_init__(self) -> None:
        self.books = DeliveryBooks(DeliveryLedger(self.world.model, self.feed))
        self.shift = Shift(
            random=self.random,
            storage=self.storage,
            clock=self.clock,
            identifiers=self.identifiers,
            receivers=Receivers(self.random, self.clock, self.books.deliveries, self.note),
            books=self.books,
            disable=self._disable,
            is_faulty=self.is_faulty,
        )

    async def pass_time(self) -> bool:
        """Let time pass before a step. Returns false if no worker is there, and no time has passed."""
        if not self.left:
            if self.random.random() * 100 >= BEGIN_PERCENT:
                return False
            self.left = self.random.randint(1, STEPS_MAX)
        await self.shift.pass_time(self.random.random() * self.random.choice(SECONDS_MAX))
        return True

    async def after_step(self, committed: Sequence[Changes]) -> list[Violation]:
        """Learn from the commits of a step. End the shift if it is over. Returns what was found since the last step."""
        for changes in committed:
            written = (*changes.webhook_endpoints_new, *changes.webhook_endpoints_changed)
            self.books.deliveries.look_at([*(each.id for each in written), *changes.webhook_endpoints_deleted])
        if self.left:
            self.left -= 1
            if not self.left:
                await self._end()
        return self.books.taken()

    async def drain(self) -> list[Violation]:
        """Deliver all that waits, to healthy receivers."""
        self.left = 0
        return await self.shift.drain()

    async def close(self) -> None:
        """Kill all workers."""
        await self.shift.end()

    async def ask(self) -> str | None:
        """Now and then an owner has events delivered once more. Returns the code of the outcome, if one has asked."""
        if self.random.random() * 100 >= ASK_PERCENT or not self.feed.events:
            return None
        outcome, must = await (self._redeliver() if self.random.random() < 0.6 else self._replay())  # noqa: PLR2004
        if outcome != must:
            self.books.deliveries.found.append(
                Violation("webhook_request", f"It came to {outcome!r}; it must be {must!r}.")
            )
        self.note(repr(outcome).encode())
        return outcome if isinstance(outcome, str) else "success"

    async def _redeliver(self) -> tuple[object, object]:
        told = self.random.choice(self.feed.events[-RECENT_EVENTS:])
        event_id = NO_EVENT if self.random.random() < 0.05 else told.id  # noqa: PLR2004
        endpoint_id = None if self.random.random() < 0.3 else self.world.endpoint()  # noqa: PLR2004
        owner = self._owner(endpoint_id)
        must = self._of_rules(lambda: self._receiving(event_id, endpoint_id, owner))
        if endpoint_id is not None:
            self.books.deliveries.asked.add((endpoint_id, event_id))
        try:
            found = await self._service().redeliver(event_id, endpoint_id=endpoint_id, owner_id=owner)
        except Refusal as refusal:
            return refusal.code, must
        return sorted(found), must

    async def _replay(self) -> tuple[object, object]:
        endpoint_id = self.world.endpoint()
        owner = self._owner(endpoint_id)
        first = self.random.choice(self.feed.events[-RECENT_EVENTS:]).created_at
        until = first + timedelta(hours=self.random.choice((1, 24)))
        must = self._of_rules(lambda: self._replaying(endpoint_id, owner))
        if self.random.random() < 0.2:  # noqa: PLR2004
            for _ in range(REPLAYS_MAX + 1):
                with suppress(Refusal):
                    await self._service().replay(endpoint_id, created_from=first, created_to=until, owner_id=owner)
            must = self._of_rules(lambda: self._replaying(endpoint_id, owner))
        try:
            await self._service().replay(endpoint_id, created_from=first, created_to=until, owner_id=owner)
        except Refusal as refusal:
            return refusal.code, must
        return [endpoint_id], must

    def _owner(self, endpoint_id: EndpointId | None) -> UserId | None:
        endpoint = self.world.model.endpoints.get(endpoint_id) if endpoint_id else None
        if endpoint is None or self.random.random() < 0.2:  # noqa: PLR2004
            return self.random.choice((None, SYSTEM, *self.world.merchants))
        return endpoint.owner

    def _of_rules(self, rule: Callable[[], list[EndpointId]]) -> object:
        try:
            return rule()
        except Refused as refused:
            return refused.code

    def _receiving(self, event_id: EventId, endpoint_id: EndpointId | None, owner: UserId | None) -> list[EndpointId]:
        """The endpoints that get an event once more."""
        told = self.feed.by_id.get(event_id)
        if told is None or owner not in {None, SYSTEM, told.merchant}:
            raise Refused("event_not_found")
        if endpoint_id is not None:
            if self.world.model.endpoint(endpoint_id, owner).disabled:
                raise Refused("webhook_endpoint_disabled")
            return [endpoint_id]
        return sorted(
            each.id
            for each in self.world.model.endpoints.values()
            if not (each.disabled or each.deleted)
            and owner in {None, each.owner}
            and each.wants(told.type, told.object_id, told.merchant)
        )

    def _replaying(self, endpoint_id: EndpointId, owner: UserId | None) -> list[EndpointId]:
        if self.world.model.endpoint(endpoint_id, owner).disabled:
            raise Refused("webhook_endpoint_disabled")
        if sum(each.endpoint_id == endpoint_id for each in self.books.replays.values()) >= REPLAYS_MAX:
            raise Refused("replay_limit_reached")
        return [endpoint_id]

    def _service(self) -> WebhookDeliveries:
        user = Worker(self.random, is_faulty=False, is_mortal=False)
        wire = Wire(self.storage.deliveries, user, self.books, self.clock)
        return WebhookDeliveries(
            stored=cast("Deliveries", wire),
            endpoints=self.storage.webhook_endpoints,
            feed=self.storage.events,
            clock=self.clock,
            identifiers=self.identifiers,
        )

    async def _disable(self, command: DisableWebhookEndpoint) -> bool:
        self.books.deliveries.failures.disabled(command, self.clock.now)
        return await self.disable(command)

    async def _end(self) -> None:
        if self.random.random() * 100 < DRAIN_PERCENT:
            found = await self.shift.drain()
            self.books.deliveries.found.extend(found)
        else:
            await self.shift.end()
