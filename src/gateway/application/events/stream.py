"""A stream of events: first what is in the feed already, and then what the hub hands over."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway.application.ports.events import EventFeed, EventFilter, FeedEvent

EVENTS_PER_STEP_MAX: Final = 50


class Hub(Protocol):
    """What a stream needs to know of the hub."""

    @property
    def position(self) -> int:
        """The position of the last event that was handed over."""
        ...


class StreamEnded(Exception):  # noqa: N818 - the name says what happened.
    """The stream has ended; its reader may go on from the last position in another one. The text is a stable word."""


class EventStream:
    """The events of one reader, in the order of positions: nothing is skipped, and nothing comes twice."""

    def __init__(self, hub: Hub, feed: EventFeed, where: EventFilter, *, after: int | None, waiting_max: int) -> None:
        """A stream behind `after`, or behind the last event that the hub has handed over."""
        self.on_close: Callable[[], None] = lambda: None
        self._hub = hub
        self._feed = feed
        self._where = where
        self._waiting_max = waiting_max
        self._handed_over = hub.position
        """Later events come from the hub. Those until here are read from the feed."""
        self._position = hub.position if after is None else after
        self._waiting = deque[FeedEvent]()
        self._overflowed = False
        self._ended = ""
        self._woken = asyncio.Event()
        self._is_open = True

    @property
    def position(self) -> int:
        """Up to here, all events were returned."""
        return self._position

    async def next(self, seconds: float) -> Sequence[FeedEvent]:
        """The next events; none if there are none within `seconds`.

        Raises:
            StreamEnded: `too_slow`: more events wait than may. `internal_error`: the hub has failed.
            StorageUnavailable: The storage is away.
        """
        if self._ended:
            raise StreamEnded(self._ended)
        if self._position < self._handed_over:
            return await self._from_feed()
        if not self._waiting and not self._overflowed:
            await self._wait(seconds)
        if self._overflowed:
            raise StreamEnded("too_slow")
        events: list[FeedEvent] = []
        while self._waiting and len(events) < EVENTS_PER_STEP_MAX:
            event = self._waiting.popleft()
            # The feed may have told it before the hub did.
            if event.position > self._position:
                events.append(event)
        if events:
            self._position = events[-1].position
        return events

    def offer(self, event: FeedEvent) -> None:
        """Take an event from the hub."""
        if self._overflowed or not self._where.matches(event):
            return
        if len(self._waiting) >= self._waiting_max:
            self._overflowed = True
            self._waiting.clear()
        else:
            self._waiting.append(event)
        self._woken.set()

    def end(self, reason: str) -> None:
        """Let the reader know that nothing more comes."""
        self._ended = reason
        self._woken.set()

    def close(self) -> None:
        """Leave the hub."""
        if self._is_open:
            self._is_open = False
            self.on_close()

    async def _from_feed(self) -> Sequence[FeedEvent]:
        found = await self._feed.find_after(self._where, after=self._position, limit=EVENTS_PER_STEP_MAX)
        self._position = found.position
        if self._overflowed:
            # More has happened meanwhile than can wait: that is read from the feed as well.
            self._overflowed = False
            self._handed_over = self._hub.position
        return found.events

    async def _wait(self, seconds: float) -> None:
        self._woken.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
