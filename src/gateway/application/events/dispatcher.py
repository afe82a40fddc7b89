"""The dispatcher: delivers events to webhook endpoints, beside other dispatchers on the same storage.

Five jobs run at the same time: the fan-out makes deliveries of events; the leases give turns to endpoints with due
deliveries; the renewal keeps the leases; the sweep asks for the time that all workers share, plans anew what a clock
that was ahead has planned, cancels what disabled endpoints left, and works on replays; the report logs counts.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from random import random
from typing import Final

from gateway.application.causes import cause_of
from gateway.application.events.cancellation import cancel_waiting
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.delivery_counts import DeliveryCounts
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.delivery_recorder import DeliveryRecorder
from gateway.application.events.endpoint_turns import EndpointTurns
from gateway.application.events.fan_out import FanOut
from gateway.application.events.replays import Replays
from gateway.application.events.turn_tools import Disable, TurnTools
from gateway.application.ports.clock import Clock
from gateway.application.ports.deliveries import WEBHOOKS
from gateway.application.ports.delivery_records import WorkerId
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.ports.webhook_sender import WebhookSender
from gateway.application.shared_clock import synchronize
from gateway.application.waiting import wait_for_stop
from gateway.domain.immutable import immutable

logger = logging.getLogger(__name__)

AWAY_SECONDS: Final = 1.0
"""How long a job waits after the storage was away."""
FAN_OUT_SECONDS_MIN: Final = 0.02
"""From the beginning of one step of the fan-out to the beginning of the next: steps are larger, and cost less."""
WITHOUT_ENDPOINTS_SECONDS: Final = 0.5
"""How long the fan-out waits after a step that found no enabled endpoint, whatever is committed: it only moves its
cursor, and a payment costs as much as without a worker. The first event of the first endpoint waits as long."""
OVERTAKEN_SECONDS: Final = 1.0
"""How long the fan-out waits after another worker's fan-out was faster: one of them goes on, the others watch."""
ABANDONED_PER_SWEEP_MAX: Final = 100
PLANNED_PER_STEP_MAX: Final = 1_000


@immutable
class DispatcherStatus:
    """How a dispatcher and its queues are.

    Attributes:
        feed_lag: How many positions of the feed the fan-out has not looked at.
        oldest_delivery_seconds: The age of the delivery that waits the longest; 0 if none waits.
        deliveries_in_flight: How many requests this dispatcher has in flight.
        deliveries_waiting: How many deliveries wait, of all endpoints: at most 10,000 are counted.
    """

    feed_lag: int
    oldest_delivery_seconds: float
    deliveries_in_flight: int
    deliveries_waiting: int


class Dispatcher:
    """Delivers events."""

    def __init__(
        self,
        *,
        storage: Storage,
        sender: WebhookSender,
        disable: Disable,
        commits: CommitSignal,
        clock: Clock,
        identifiers: Identifiers,
        limits: DeliveryLimits | None = None,
        chance: Callable[[], float] = random,
    ) -> None:
        """A dispatcher that has not begun.

        Args:
            storage: The events, the endpoints and the queues.
            sender: Sends webhooks.
            disable: Disables an endpoint.
            commits: Told after each commit of this process with events.
            clock: Tells the time: the same to all workers.
            identifiers: Makes the ids of deliveries, and the name of this worker.
            limits: The schedule, and how much is done at once.
            chance: Returns random numbers, 0 ≤ number < 1.
        """
        self._storage = storage
        self._commits = commits
        self._clock = clock
        self._limits = limits or DeliveryLimits()
        self._counts = DeliveryCounts()
        worker = WorkerId(identifiers("wrk"))
        self._recorder = DeliveryRecorder(storage.deliveries, worker, clock)
        tools = TurnTools(
            queues=storage.deliveries,
            endpoints=storage.webhook_endpoints,
            sender=sender,
            recorder=self._recorder,
            disable=disable,
            clock=clock,
            random=chance,
            limits=self._limits,
            counts=self._counts,
            may_send=lambda: self._turns.in_flight < self._limits.sends_max,
        )
        self._turns = EndpointTurns(worker, tools)
        sources = (storage.deliveries, storage.event_cursors, storage.webhook_endpoints, clock, identifiers)
        self._fan_out = FanOut(*sources)
        self._replays = Replays(storage.events, *sources)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop. Requests in flight are awaited for a while, and all leases are given back."""
        if not await self._first_synchronization(stop):
            return
        jobs = [
            asyncio.create_task(self._repeat(stop, job), name=f"webhook-{name}")
            for name, job in (
                ("fan-out", partial(self._fan_out_once, stop)),
                ("leases", self._begin_turns),
                ("renewal", partial(self._every, self._limits.lease_seconds / 3, self._turns.renew)),
                ("sweep", partial(self._every, self._limits.sweep_seconds, self._sweep)),
                ("report", partial(self._every, self._limits.report_seconds, self._report)),
            )
        ]
        try:
            await stop.wait()
            self._commits.notify()
            self._turns.alarm.ring()
            await asyncio.gather(*jobs[:2])
            await self._turns.close(self._limits.stop_seconds)
            await self._recorder.close(self._limits.stop_seconds)
            await self._report()
        finally:
            for job in jobs:
                job.cancel()
            self._turns.abort()
            self._recorder.abort()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def status(self) -> DispatcherStatus:
        """How the dispatcher and its queues are.

        Raises:
            StorageUnavailable: The storage is away.
        """
        newest = await self._storage.events.newest()
        position = await self._storage.event_cursors.position(WEBHOOKS) or 0
        backlog = await self._storage.deliveries.backlog()
        age = timedelta() if backlog.oldest_at is None else self._clock() - backlog.oldest_at
        return DispatcherStatus(
            feed_lag=max(newest - position, 0),
            oldest_delivery_seconds=max(age.total_seconds(), 0.0),
            deliveries_in_flight=self._turns.in_flight,
            deliveries_waiting=backlog.waiting,
        )

    async def _first_synchronization(self, stop: asyncio.Event) -> bool:
        """Whether the clock could ask for the time before the dispatcher was told to stop."""
        while not stop.is_set():
            try:
                await synchronize(self._clock)
            except StorageUnavailable as unavailable:
                logger.warning("webhook_dispatcher_waits", extra={"cause": cause_of(unavailable)})
                await wait_for_stop(stop, AWAY_SECONDS)
            else:
                return True
        return False

    async def _repeat(self, stop: asyncio.Event, job: Callable[[], Awaitable[None]]) -> None:
        while not stop.is_set():
            try:
                await job()
                continue
            except StorageUnavailable as unavailable:
                logger.warning("webhook_dispatcher_waits", extra={"cause": cause_of(unavailable)})
            except Exception:
                logger.exception("webhook_dispatcher_failed")
            await wait_for_stop(stop, AWAY_SECONDS)

    async def _every(self, seconds: float, job: Callable[[], Awaitable[None]]) -> None:
        await job()
        await asyncio.sleep(seconds)

    async def _fan_out_once(self, stop: asyncio.Event) -> None:
        seen, began = self._commits.commits, asyncio.get_running_loop().time()
        done = await self._fan_out.step()
        if done.queued:
            self._counts.queued += done.queued
            self._turns.look_again(done.endpoint_ids)
        if done.overtaken:
            await wait_for_stop(stop, OVERTAKEN_SECONDS)
        elif not done.any_enabled:
            await wait_for_stop(stop, WITHOUT_ENDPOINTS_SECONDS)
        elif done.moved:
            await asyncio.sleep(began + FAN_OUT_SECONDS_MIN - asyncio.get_running_loop().time())
        else:
            await self._commits.wait(self._limits.poll_seconds, seen=seen)

    async def _begin_turns(self) -> None:
        await self._turns.begin()
        await self._turns.wait()

    async def _sweep(self) -> None:
        deliveries = self._storage.deliveries
        # First, since a clock that stood still takes all plans for those of a clock that was ahead.
        await synchronize(self._clock)
        while planned := await deliveries.plan_anew(now=self._clock(), limit=PLANNED_PER_STEP_MAX):
            logger.warning("webhooks_planned_anew", extra={"endpoints": len(planned)})
            self._turns.look_again(planned)
        for endpoint_id in await deliveries.abandoned(limit=ABANDONED_PER_SWEEP_MAX):
            self._counts.canceled += await cancel_waiting(deliveries, endpoint_id, self._clock)
        while (replayed := await self._replays.step()) is not None:
            self._counts.queued += replayed.queued
            self._turns.look_again(replayed.endpoint_ids)

    async def _report(self) -> None:
        counts = self._counts.taken()
        if counts:
            logger.info("webhooks_delivered", extra=counts)
