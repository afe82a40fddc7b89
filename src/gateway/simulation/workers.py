"""Workers that deliver webhooks: two at a time, on a storage that fails; they stall, are killed, and come anew."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, NoReturn, cast

from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.dispatcher import Dispatcher
from gateway.application.ports.deliveries import WEBHOOKS, Deliveries
from gateway.application.ports.delivery_records import Delivery, Replay
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.events import EventFeed
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId
from gateway.simulation.clock import VirtualClock
from gateway.simulation.delivery_ledger import DeliveryLedger
from gateway.simulation.identifiers import CountedIdentifiers
from gateway.simulation.lease_ledger import LeaseLedger
from gateway.simulation.receivers import Receivers, ReceiversSender
from gateway.simulation.violation import Violation

LIMITS: Final = DeliveryLimits(poll_seconds=5.0, sweep_seconds=10.0, report_seconds=3_600.0)
"""As a worker has them by default, but that it looks for news less often: that is what idle workers cost here."""

WORKERS: Final = 2
CALLS_THAT_FAIL_PERCENT: Final = 3
STALL_SECONDS_MAX: Final = 90.0
"""The longest time that a worker hangs: three leases."""

DRAIN_SECONDS: Final = 6.0
DRAIN_ROUNDS_MAX: Final = 400

Disable = Callable[[DisableWebhookEndpoint], Awaitable[bool]]


@dataclass(slots=True)
class DeliveryBooks:
    """What is known of deliveries, of leases, and of replays that are not done."""

    deliveries: DeliveryLedger
    leases: LeaseLedger = field(default_factory=LeaseLedger)
    replays: dict[str, Replay] = field(default_factory=dict[str, Replay])

    def taken(self) -> list[Violation]:
        """The violations that were found since the last call."""
        found = [*self.deliveries.found, *self.leases.found]
        self.deliveries.found, self.leases.found = [], []
        return found


class Wire:
    """A port of the storage, as one worker reaches it. Calls that have been written are told to the books."""

    def __init__(self, inner: object, worker: "Worker", books: DeliveryBooks, clock: VirtualClock) -> None:
        self._inner = inner
        self._worker = worker
        self._books = books
        self._clock = clock

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """The method of this name."""
        method: Callable[..., Awaitable[Any]] = getattr(self._inner, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._worker.before_call()
            result = await method(*arguments, **named)
            self._observe(name, arguments, named, result)
            self._worker.after_call()
            return result

        return call

    def _observe(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> None:
        deliveries, leases = self._books.deliveries, self._books.leases
        match name:
            case "enqueue" if result:
                deliveries.queued(arguments[0], once=False)
            case "add":
                deliveries.queued(arguments[0], once=True, now=True)
            case "request_replay" if result:
                self._books.replays[arguments[0].id] = arguments[0]
            case "enqueue_replay" if result:
                replay, new = cast("tuple[Replay, Collection[Delivery]]", arguments)
                deliveries.queued(new, once=True)
                if named["until"] is None:
                    del self._books.replays[replay.id]
            case "lease":
                deliveries.failures.leased(result)
            case "plan_anew":
                deliveries.planned_anew(named["now"])
            case "cancel":
                deliveries.canceled(arguments[0], result, self._clock.now)
            case "record":
                worker, recordings, *states = arguments
                held = leases.of(worker)
                deliveries.recorded(recordings, held)
                deliveries.failures.states_recorded(states[0] if states else (), held)
            case _:
                pass
        self._observe_leases(name, arguments, named, result)

    def _observe_leases(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> None:
        leases = self._books.leases
        match name:
            case "record":
                worker, _, *states = arguments
                leases.recorded(worker, states[0] if states else ())
            case "lease":
                leases.leased(arguments[0], result, now=named["now"], until=named["until"])
            case "renew":
                leases.renewed(arguments[0], result, until=named["until"])
            case "release":
                leases.released(*arguments)
            case _:
                pass


class Worker:
    """A process with a dispatcher. It may die in any call of the storage, before or after that was written."""

    def __init__(self, random: Random, *, is_faulty: bool, is_mortal: bool) -> None:
        self.is_dead = False
        self.commits = CommitSignal()
        self.task: asyncio.Task[None] | None = None
        self.stop = asyncio.Event()
        self._random = random
        self._is_faulty = is_faulty
        self._is_mortal = is_mortal
        self._stalled_until = 0.0

    def must_live(self) -> None:
        """Go no further if the worker was killed: nothing that it would still do happens."""
        if self.is_dead:
            raise asyncio.CancelledError

    async def before_call(self) -> None:
        """Let a call meet a fault before it is made."""
        self.must_live()
        loop, dice = asyncio.get_running_loop(), self._random.random() * 100
        if self._is_faulty and dice < 1:
            self._stalled_until = loop.time() + self._random.random() * STALL_SECONDS_MAX
        elif self._is_faulty and dice < CALLS_THAT_FAIL_PERCENT:
            raise StorageUnavailable("The storage is away.")
        if self._stalled_until > loop.time():
            await asyncio.sleep(self._stalled_until - loop.time())
            self.must_live()
        self._may_die()

    def after_call(self) -> None:
        """Let a call meet a fault after it was written."""
        self.must_live()
        self._may_die()
        if self._is_faulty and self._random.random() * 100 < 1:
            raise StorageUnavailable("The storage has not answered.")

    async def end(self, *, kill: bool) -> None:
        """Kill the worker, or let it stop as it is told to."""
        self.is_dead = self.is_dead or kill
        self.stop.set()
        if self.task is not None:
            if self.is_dead:
                self.task.cancel()
            await asyncio.wait([self.task])

    def _may_die(self) -> None:
        if self._is_mortal and self._random.random() * 1_000 < 1:
            self.is_dead = True
            self._die()

    def _die(self) -> NoReturn:
        raise asyncio.CancelledError


@dataclass(slots=True, kw_only=True)
class Shift:
    """The workers that deliver during some steps of a history."""

    random: Random
    storage: Storage
    clock: VirtualClock
    identifiers: CountedIdentifiers
    receivers: Receivers
    books: DeliveryBooks
    disable: Disable
    is_faulty: bool
    workers: list[Worker] = field(default_factory=list[Worker])

    async def pass_time(self, seconds: float) -> None:
        """Let the workers work for a while. Some are killed, and others come in their places."""
        self.receivers.change()
        while len(self.workers) < WORKERS:
            self.workers.append(self._new_worker(is_mortal=True))
        for worker in self.workers:
            if self.random.random() < 0.5:  # noqa: PLR2004 - half of them live in the process that commits.
                worker.commits.notify()
        await asyncio.sleep(seconds)
        for worker in [each for each in self.workers if each.is_dead or self.random.random() * 100 < 10]:  # noqa: PLR2004
            await worker.end(kill=True)
            self.workers.remove(worker)

    async def end(self) -> None:
        """The workers go home, most of them at once."""
        for worker in self.workers:
            await worker.end(kill=self.random.random() < 0.7)  # noqa: PLR2004
        self.workers.clear()

    async def drain(self) -> list[Violation]:
        """Let all receivers be well, and time go on until nothing waits. Returns what is found."""
        await self.end()
        self.receivers.healed = True
        self.workers.append(self._new_worker(is_mortal=False))
        try:
            for _ in range(DRAIN_ROUNDS_MAX):
                await asyncio.sleep(DRAIN_SECONDS)
                if await self._is_done():
                    self.books.deliveries.settle()
                    return self.books.taken()
                self._skip_to_next_delivery()
        finally:
            await self.end()
            self.receivers.healed = False
        waiting = self.books.deliveries.next_due()[:3]
        return [*self.books.taken(), Violation("webhook_waits", f"It goes on waiting for ever: {waiting}.")]

    async def _is_done(self) -> bool:
        if self.books.deliveries.next_due() or self.books.replays:
            return False
        position = await self.storage.event_cursors.position(WEBHOOKS) or 0
        backlog = await self.storage.deliveries.backlog()
        return position >= await self.storage.events.newest() and not backlog.waiting

    def _skip_to_next_delivery(self) -> None:
        now, leases = self.clock.now, self.books.leases
        due = [max(at, leases.paused_until(whose, now)) for at, whose in self.books.deliveries.next_due()]
        if due and min(due) > now + timedelta(seconds=2 * DRAIN_SECONDS):
            self.clock.wait_until(min(due))

    def _new_worker(self, *, is_mortal: bool) -> Worker:
        worker = Worker(self.random, is_faulty=self.is_faulty, is_mortal=is_mortal)

        def wired(port: object) -> Wire:
            return Wire(port, worker, self.books, self.clock)

        async def disable(endpoint_id: EndpointId, reason: DisabledReason, as_of: datetime) -> bool:
            worker.must_live()
            is_disabled = await self.disable(
                DisableWebhookEndpoint(endpoint_id=endpoint_id, reason=reason, as_of=as_of)
            )
            worker.must_live()
            return is_disabled

        storage = self.storage
        dispatcher = Dispatcher(
            storage=replace(
                storage,
                events=cast("EventFeed", wired(storage.events)),
                event_cursors=cast("EventCursors", wired(storage.event_cursors)),
                webhook_endpoints=cast("WebhookEndpoints", wired(storage.webhook_endpoints)),
                deliveries=cast("Deliveries", wired(storage.deliveries)),
            ),
            sender=ReceiversSender(self.receivers, worker.must_live),
            disable=disable,
            commits=worker.commits,
            clock=self.clock,
            identifiers=self.identifiers,
            limits=LIMITS,
            chance=self.random.random,
        )
        worker.task = asyncio.create_task(dispatcher.run(worker.stop), name="webhook-worker")
        return worker
