"""Events: what has changed, for readers in this process."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import cast

from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.subscription import EventCallback, Subscription
from gateway.application.ports.events import EventFeed, FeedEvent
from gateway.domain.checks import check_integer
from gateway.domain.errors import invalid
from gateway.domain.limits import EVENTS_PER_READ_MAX, POSITION_MAX

POLL_SECONDS = 0.2
"""How often `follow` looks for events of other processes, unless told otherwise."""
POLL_SECONDS_MIN = 0.001
POLL_SECONDS_MAX = 3_600


@dataclass(frozen=True, slots=True)
class Events:
    """The event feed. Positions are in commit order: going on from the last position misses no event.

    Both methods refuse arguments out of bounds with `InvalidInput`, and raise `StorageUnavailable` when the storage is
    away.

    Attributes:
        commits: Told after each commit of this gateway with events.
    """

    feed: EventFeed
    commits: CommitSignal = field(default_factory=CommitSignal, repr=False, compare=False)
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def read(self, *, after: int = 0, limit: int = 100) -> Sequence[FeedEvent]:
        """The first events after a position.

        Args:
            after: The position of the last event that is known; 0 begins with the oldest event.
            limit: How many events at most: 1 … 1,000.
        """
        self.loop.check()
        check_integer("after", after, 0, POSITION_MAX)
        check_integer("limit", limit, 1, EVENTS_PER_READ_MAX)
        return await self.feed.read(after=after, limit=limit)

    async def follow(self, *, after: int = 0, poll_seconds: float = POLL_SECONDS) -> AsyncGenerator[FeedEvent]:
        """All events after a position, and then each new one, without end.

        An event of this gateway comes as soon as it is committed, one of another process after `poll_seconds` at most.

        Args:
            after: The position of the last event that is known; 0 begins with the oldest event.
            poll_seconds: How often the feed is read while this gateway commits nothing.
        """
        _check_poll_seconds(poll_seconds)
        while True:
            seen = self.commits.commits
            events = await self.read(after=after, limit=EVENTS_PER_READ_MAX)
            for event in events:
                after = event.position
                yield event
            if len(events) < EVENTS_PER_READ_MAX:
                await self.commits.wait(poll_seconds, seen=seen)

    @asynccontextmanager
    async def on_commit(
        self, callback: EventCallback, *, after: int | None = None, poll_seconds: float = POLL_SECONDS
    ) -> AsyncGenerator[Subscription]:
        """Call a function with each event, one after the other in the order of the feed, while the block runs.

        No event is skipped, and none comes twice. What the function raises is logged, and the next event follows. A
        call that is running at the end of the block is awaited.

        Args:
            callback: An `async def` function, or an object with such a `__call__`. It is awaited with an event soon
                after its commit; with an event of another process after `poll_seconds` at most.
            after: The position of the last event that is known; `None` begins behind the newest event.
            poll_seconds: How often the feed is read while this gateway commits nothing.
        """
        self.loop.check()
        if not _is_awaited(callback):
            raise invalid("callback", "value_invalid", "This must be a function that is awaited: async def.")
        _check_poll_seconds(poll_seconds)
        if after is not None:
            check_integer("after", after, 0, POSITION_MAX)
        position = await self.feed.newest() if after is None else after
        subscription = Subscription(self.feed, self.commits, callback, position=position, poll_seconds=poll_seconds)
        subscription.start()
        try:
            yield subscription
        finally:
            await subscription.stop()


def _is_awaited(callback: object) -> bool:
    return iscoroutinefunction(callback) or iscoroutinefunction(type(callback).__call__)


def _check_poll_seconds(seconds: object) -> None:
    """Refuse what is no time, and what would keep the process busy."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not (is_number and POLL_SECONDS_MIN <= cast("float", seconds) <= POLL_SECONDS_MAX):
        detail = f"This must be a number from {POLL_SECONDS_MIN} to {POLL_SECONDS_MAX}."
        raise invalid("poll_seconds", "value_invalid", detail)
