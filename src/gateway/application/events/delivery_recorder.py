"""Records the results of deliveries in groups: while one group is written, the next one gathers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Final

from gateway.application.causes import cause_of
from gateway.application.ports.clock import Clock
from gateway.application.ports.deliveries import DeliveryQueues
from gateway.application.ports.delivery_records import DeliveryId, QueueState, Recording, WorkerId
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.webhook_endpoint import EndpointId

logger = logging.getLogger(__name__)

RECORDINGS_PER_GROUP_MAX: Final = 1_000
GROUP_SECONDS_MIN: Final = 0.02
"""From the beginning of one group to the beginning of the next: groups are larger, and the database has less to do."""
AWAY_SECONDS: Final = 0.5
"""How long to wait before a group is written again, if the storage is away."""

Recorded = Callable[[DeliveryId], None]


class DeliveryRecorder:
    """Writes results and gives leases back, for all endpoints of a worker. A lease is given back behind its results."""

    def __init__(self, deliveries: DeliveryQueues, worker: WorkerId, clock: Clock) -> None:
        self._deliveries = deliveries
        self._clock = clock
        self._worker = worker
        self._results: list[tuple[Recording, Recorded]] = []
        self._states: dict[EndpointId, QueueState] = {}
        self._releases: dict[EndpointId, asyncio.Future[datetime | None]] = {}
        self._writing: asyncio.Task[None] | None = None

    def record(self, recording: Recording, recorded: Recorded) -> None:
        """Write a result soon; `recorded` is called afterwards."""
        self._results.append((recording, recorded))
        self._begin()

    def set_state(self, state: QueueState) -> None:
        """Write what is known of a receiver soon."""
        self._states[state.endpoint_id] = state
        self._begin()

    async def release(self, endpoint_id: EndpointId) -> datetime | None:
        """Give a lease back, once everything before is written.

        Returns:
            When the endpoint may be leased again; `None` if no delivery waits.
        """
        released: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
        self._releases[endpoint_id] = released
        self._begin()
        return await released

    async def close(self, seconds_max: float) -> None:
        """Write what is left, for at most so long."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=seconds_max)
            self.abort()

    def abort(self) -> None:
        """Forget what is not written: the deliveries are still due, and their leases run out."""
        if self._writing is not None:
            self._writing.cancel()
        for released in self._releases.values():
            released.cancel()

    def _begin(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="webhook-recorder")

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._results or self._states or self._releases:
            began = loop.time()
            await self._write_results()
            if not self._results and not self._states:
                await self._release()
            if self._results or self._states or self._releases:
                await asyncio.sleep(began + GROUP_SECONDS_MIN - loop.time())

    async def _write_results(self) -> None:
        results, self._results = self._results[:RECORDINGS_PER_GROUP_MAX], self._results[RECORDINGS_PER_GROUP_MAX:]
        states, self._states = list(self._states.values()), {}
        if not results and not states:
            return
        recordings = [recording for recording, _ in results]
        await until_stored(lambda: self._deliveries.record(self._worker, recordings, states))
        for recording, recorded in results:
            recorded(recording.delivery_id)

    async def _release(self) -> None:
        releases, self._releases = self._releases, {}
        if not releases:
            return
        due: dict[EndpointId, datetime] = {}

        async def release(endpoint_ids: Collection[EndpointId] = tuple(releases)) -> None:
            due.update(await self._deliveries.release(self._worker, endpoint_ids, now=self._clock()))

        try:
            await until_stored(release)
        finally:
            for endpoint_id, released in releases.items():
                if not released.done():
                    released.set_result(due.get(endpoint_id))


async def until_stored(write: Callable[[], Awaitable[None]]) -> None:
    """Write, again and again while the storage is away. What is written may be written twice."""
    while True:
        try:
            await write()
        except StorageUnavailable as unavailable:
            logger.warning("webhook_recorder_waits", extra={"cause": cause_of(unavailable)})
        except Exception:
            # A bug. Without its results, a delivery would be sent over and over: nothing goes on until it is mended.
            logger.exception("webhook_recorder_failed")
        else:
            return
        await asyncio.sleep(AWAY_SECONDS)
