"""A subscription: a function of this process that is called with each event after its commit."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from gateway.application.causes import cause_of
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.ports.events import EventFeed, FeedEvent
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.limits import EVENTS_PER_READ_MAX

logger = logging.getLogger(__name__)

EventCallback = Callable[[FeedEvent], Awaitable[None]]


class Subscription:
    """Calls a function with the events behind a position. Made by `Events.on_commit`.

    Attributes:
        position: The position of the last event that the function was called with. A later subscription goes on there.
    """

    def __init__(
        self,
        feed: EventFeed,
        commits: CommitSignal,
        callback: EventCallback,
        *,
        position: int,
        poll_seconds: float,
    ) -> None:
        self.position = position
        self._feed = feed
        self._commits = commits
        self._callback = callback
        self._poll_seconds = poll_seconds
        self._task: asyncio.Task[None] | None = None
        self._is_calling = False
        self._is_stopping = False

    def start(self) -> None:
        """Begin to call the function."""
        self._task = asyncio.create_task(self._run_logged(), name="event-subscription")

    async def stop(self) -> None:
        """Call the function no more, and wait for the running call."""
        self._is_stopping = True
        if self._task is None:
            return
        if not self._is_calling:
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _run_logged(self) -> None:
        try:
            await self._run()
        except Exception:
            logger.exception("event_subscription_failed")
            raise

    async def _run(self) -> None:
        while not self._is_stopping:
            seen = self._commits.commits
            events = await self._read()
            for event in events:
                await self._call(event)
                if self._is_stopping:
                    return
            if len(events) < EVENTS_PER_READ_MAX:
                await self._commits.wait(self._poll_seconds, seen=seen)

    async def _read(self) -> Sequence[FeedEvent]:
        try:
            return await self._feed.read(after=self.position, limit=EVENTS_PER_READ_MAX)
        except StorageUnavailable as unavailable:
            logger.warning("event_subscription_waits", extra={"cause": cause_of(unavailable)})
            await asyncio.sleep(self._poll_seconds)
            return ()

    async def _call(self, event: FeedEvent) -> None:
        self._is_calling = True
        try:
            await self._callback(event)
        except Exception:
            logger.exception("event_callback_failed", extra={"event_id": event.id, "event_type": event.type.value})
        finally:
            self._is_calling = False
        self.position = event.position
