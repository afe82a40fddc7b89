"""The relay: publishes every event of the feed to a sink, in order.

The cursor of the sink holds the position of the last event that was acknowledged. It moves after the acknowledgement:
a crash in between makes the next relay publish some events again, and loses none.

Several workers may run a relay of the same name. One of them is active: the one that moved the cursor last. The others
watch the cursor. If it stands still before a waiting event for `takeover_seconds`, a watching relay becomes active. A
relay that finds the cursor moved by another one watches again. Two relays may be active for a moment; they then publish
the same events, which the sink recognises by their ids.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import random

from gateway.application.causes import cause_of
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.event_sink import EventSink, SinkUnavailable
from gateway.application.ports.events import EventFeed, FeedEvent
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.waiting import wait_for_stop
from gateway.domain.immutable import immutable

logger = logging.getLogger(__name__)


class FirstEvent(StrEnum):
    """Where the feed is read from when a sink is used for the first time.

    Attributes:
        OLDEST: At the oldest event that is stored.
        NEWEST: After the newest event: only later events are published.
    """

    OLDEST = "oldest"
    NEWEST = "newest"


@immutable
class RelayLimits:
    """How much is published at once, and how long a relay waits.

    Attributes:
        group_size: How many events are published before their acknowledgement is awaited: 1 … `EVENTS_PER_READ_MAX`.
        poll_seconds: How often the feed is read while no event of this process wakes the relay.
        publish_seconds_max: How long the sink may take to acknowledge a group.
        takeover_seconds: How long the cursor of another worker may stand still before a waiting event. A relay waits up
            to twice as long, at random.
        backoff_seconds_min: The first wait after an error; it doubles with each further error.
        backoff_seconds_max: The longest wait after an error.
    """

    group_size: int = 500
    poll_seconds: float = 0.2
    publish_seconds_max: float = 60.0
    takeover_seconds: float = 2.0
    backoff_seconds_min: float = 0.25
    backoff_seconds_max: float = 30.0


@immutable
class RelayStatus:
    """How a relay is.

    Attributes:
        feed_lag: How many positions of the feed are not acknowledged; 0 before the first event is published.
        active: Whether this relay publishes. Otherwise it watches another one.
        cause: Why it waits for the sink or the storage; empty if it does not.
    """

    feed_lag: int
    active: bool
    cause: str


@dataclass(slots=True, kw_only=True)
class EventRelay:
    """Publishes the feed to one sink.

    Attributes:
        name: The name of the sink: of its cursor, and in the log.
        commits: Wakes the relay after each commit of this process with events.
        first_event: Where it begins if the sink has no cursor yet.
        chance: Returns random numbers, 0 ≤ number < 1.
    """

    name: str
    sink: EventSink
    feed: EventFeed
    cursors: EventCursors
    commits: CommitSignal = field(default_factory=CommitSignal)
    first_event: FirstEvent = FirstEvent.NEWEST
    limits: RelayLimits = field(default_factory=RelayLimits)
    chance: Callable[[], float] = random

    _active: bool = field(default=False, init=False)
    _position: int | None = field(default=None, init=False)
    """Where the cursor was when this relay last saw or moved it."""
    _acknowledged: int = field(default=0, init=False)
    """The position of the last event that the sink acknowledged to this relay. The cursor may be behind it."""
    _failures: int = field(default=0, init=False)
    _cause: str = field(default="", init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a group that is being published is finished.

        An unavailable sink or storage is waited for. It is logged once, and again if the cause changes.
        """
        while not stop.is_set():
            try:
                await self._step(stop)
            except (SinkUnavailable, StorageUnavailable) as unavailable:
                self._failed(cause_of(unavailable))
                await wait_for_stop(stop, self._backoff_seconds())

    async def status(self) -> RelayStatus:
        """How this relay is.

        Raises:
            StorageUnavailable: The storage is away.
        """
        newest = await self.feed.newest()
        position = await self.cursors.position(self.name)
        lag = 0 if position is None else max(newest - position, 0)
        return RelayStatus(feed_lag=lag, active=self._active, cause=self._cause)

    async def _step(self, stop: asyncio.Event) -> None:
        position = await self._seen_position()
        commits = self.commits.commits
        events = await self.feed.read(after=position, limit=self.limits.group_size if self._active else 1)
        if not events:
            self._succeeded()
            await self.commits.wait(self.limits.poll_seconds, seen=commits)
        elif self._active:
            await self._publish(events, position)
            self._succeeded()
        else:
            await self._watch(position, stop)

    async def _seen_position(self) -> int:
        """The position of the cursor. If another relay moved it, this one is not active."""
        while (position := await self.cursors.position(self.name)) is None:
            first = await self.feed.newest() if self.first_event is FirstEvent.NEWEST else 0
            if await self.cursors.move(self.name, expected=None, to=first):
                logger.info("event_relay_begins", extra={"sink": self.name, "position": first})
        if position != self._position:
            self._active = False
            self._position = self._acknowledged = position
        return position

    async def _watch(self, position: int, stop: asyncio.Event) -> None:
        """Become active if the cursor stands still, though an event waits."""
        await wait_for_stop(stop, self.limits.takeover_seconds * (1 + self.chance()))
        if not stop.is_set():
            self._active = await self.cursors.position(self.name) == position

    async def _publish(self, events: Sequence[FeedEvent], position: int) -> None:
        # If only moving the cursor failed last time, the events are not published again.
        waiting = [event for event in events if event.position > self._acknowledged]
        if waiting:
            await self._published(waiting)
            self._acknowledged = waiting[-1].position
        if await self.cursors.move(self.name, expected=position, to=self._acknowledged):
            self._position = self._acknowledged

    async def _published(self, events: Sequence[FeedEvent]) -> None:
        seconds = self.limits.publish_seconds_max
        try:
            async with asyncio.timeout(seconds):
                await self.sink.publish(events)
        except TimeoutError:
            raise SinkUnavailable(f"{len(events)} events were not acknowledged within {seconds:g} s.") from None

    def _failed(self, cause: str) -> None:
        self._failures += 1
        if cause != self._cause:
            self._cause = cause
            logger.warning("event_relay_waits", extra={"sink": self.name, "cause": cause})

    def _succeeded(self) -> None:
        if self._failures:
            logger.info("event_relay_goes_on", extra={"sink": self.name, "failures": self._failures})
            self._failures, self._cause = 0, ""

    def _backoff_seconds(self) -> float:
        longest = min(self.limits.backoff_seconds_max, self.limits.backoff_seconds_min * 2.0 ** min(self._failures, 30))
        # Between half of it and all of it: workers do not come back in step.
        return longest * (1 + self.chance()) / 2
