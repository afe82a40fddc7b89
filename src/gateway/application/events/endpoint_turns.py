"""The turns of a worker: it leases endpoints with due deliveries, and delivers to several of them at once."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from heapq import heappop, heappush

from gateway.application.events.alarm import Alarm
from gateway.application.events.endpoint_turn import EndpointTurn
from gateway.application.events.turn_tools import TurnTools
from gateway.application.ports.delivery_records import WorkerId
from gateway.domain.webhook_endpoint import EndpointId

logger = logging.getLogger(__name__)


class EndpointTurns:
    """Fair to all endpoints: each has a bounded number of requests, and slow ones have at most half of the places."""

    def __init__(self, worker: WorkerId, tools: TurnTools) -> None:
        self._worker = worker
        self._tools = tools
        self._lease_time = timedelta(seconds=tools.limits.lease_seconds)
        self._turns: dict[EndpointId, EndpointTurn] = {}
        """The running turns, the oldest first."""
        self._tasks: dict[asyncio.Task[datetime | None], EndpointTurn] = {}
        self._looked_at = 0.0
        self._due: list[datetime] = []
        """A heap: when endpoints that had a turn are due again."""
        self.alarm = Alarm()
        """Rings when an endpoint may be due."""

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return sum(turn.in_flight for turn in self._turns.values())

    def look_again(self, endpoint_ids: Iterable[EndpointId]) -> None:
        """There are new deliveries of these endpoints."""
        for endpoint_id in endpoint_ids:
            if endpoint_id in self._turns:
                self._turns[endpoint_id].look_again()
        self.alarm.ring()

    async def begin(self) -> None:
        """Lease as many endpoints as there are places for, and begin their turns.

        Raises:
            StorageUnavailable: The storage is away.
        """
        self._look_again_if_due()
        fast_max, slow_max = self._places()
        if not fast_max or not slow_max:
            self._end_oldest(slow=not slow_max, fast=not fast_max)
        if not (fast_max or slow_max):
            return
        now = self._tools.clock()
        until = now + self._lease_time
        leases = await self._tools.queues.lease(
            self._worker, now=now, until=until, fast_max=fast_max, slow_max=slow_max
        )
        for lease in leases:
            self._begin(EndpointTurn(lease, until, self._tools))

    async def renew(self) -> None:
        """Let the leases last longer. A turn whose endpoint another worker holds is ended.

        Raises:
            StorageUnavailable: The storage is away.
        """
        turns = dict(self._turns)
        if not turns:
            return
        until = self._tools.clock() + self._lease_time
        renewed = await self._tools.queues.renew(self._worker, turns.keys(), until=until)
        for endpoint_id, turn in turns.items():
            if endpoint_id in renewed:
                turn.lease_until = until
            else:
                logger.warning("webhook_lease_lost", extra={"endpoint_id": endpoint_id})
                turn.end()

    async def wait(self) -> None:
        """Wait until an endpoint may be due, at most for the polling interval."""
        now = self._tools.clock()
        while self._due and self._due[0] <= now:
            heappop(self._due)
        seconds = self._tools.limits.poll_seconds
        if self._due:
            seconds = min(seconds, (self._due[0] - now).total_seconds())
        await self.alarm.wait(seconds)

    async def close(self, seconds_max: float) -> None:
        """End all turns. Requests that are still in flight after so many seconds are canceled."""
        for turn in self._turns.values():
            turn.end()
        for abort in (False, True):
            if abort:
                for turn in self._turns.values():
                    turn.abort()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=seconds_max)

    def abort(self) -> None:
        """Leave everything as it is. Leases run out."""
        for task in self._tasks:
            task.cancel()

    def _look_again_if_due(self) -> None:
        """Other processes make deliveries too, and tell nobody."""
        now = asyncio.get_running_loop().time()
        if now >= self._looked_at + self._tools.limits.poll_seconds:
            self._looked_at = now
            for turn in self._turns.values():
                turn.look_again()

    def _places(self) -> tuple[int, int]:
        """How many further endpoints there are places for: fast ones, slow ones.

        Half of the places are for slow endpoints. An endpoint that becomes slow during its turn
        may keep a fast place until the turn ends.
        """
        slow_places = self._tools.limits.endpoints_max // 2
        fast_places = self._tools.limits.endpoints_max - slow_places
        slow = sum(turn.is_slow for turn in self._turns.values())
        fast = len(self._turns) - slow
        return max(fast_places - fast - max(slow - slow_places, 0), 0), max(slow_places - slow, 0)

    def _end_oldest(self, *, slow: bool, fast: bool) -> None:
        """End the turns that have lasted long enough, where there is no place for others."""
        latest = asyncio.get_running_loop().time() - self._tools.limits.turn_seconds
        for turn in self._turns.values():
            if turn.began <= latest and (slow if turn.is_slow else fast):
                turn.end()

    def _begin(self, turn: EndpointTurn) -> None:
        self._turns[turn.endpoint_id] = turn
        task = asyncio.create_task(turn.run(), name=f"webhook-turn-{turn.endpoint_id}")
        self._tasks[task] = turn
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[datetime | None]) -> None:
        turn = self._tasks.pop(task)
        endpoint_id = turn.endpoint_id
        # The lease was given back before this, and perhaps taken for the next turn already.
        if self._turns.get(endpoint_id) is turn:
            del self._turns[endpoint_id]
        self.alarm.ring()
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            # The lease runs out, and so the turn is not tried again at once.
            logger.error("webhook_turn_failed", exc_info=error, extra={"endpoint_id": endpoint_id})
            return
        due_at = task.result()
        if due_at is not None:
            heappush(self._due, due_at)
