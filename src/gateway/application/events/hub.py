"""The hub: follows the feed once, and hands each event to the streams of its parties."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from gateway.application.access.caller import Caller
from gateway.application.causes import cause_of
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.event_queries import EventQueries
from gateway.application.events.stream import EventStream
from gateway.application.ports.events import EventFilter, FeedEvent
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.checks import check_integer
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import EVENTS_PER_READ_MAX, POSITION_MAX
from gateway.domain.user import Role, UserId

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
"""How often the feed is read while this process commits nothing."""
GATHER_SECONDS: Final = 0.01
"""The shortest time between two reads: many small batches are read together."""
RETRY_AFTER_SECONDS: Final = 5


@immutable
class StreamLimits:
    """How many streams there may be, and how far each may be behind.

    Attributes:
        streams_max: Open streams in this process; one more is refused with `Overloaded`.
        streams_per_user_max: Open streams of one user in this process; one more is refused with `RateLimited`.
        waiting_max: Events that wait to be sent to one stream; a stream with more is ended.
    """

    streams_max: int = 500
    streams_per_user_max: int = 10
    waiting_max: int = 1_000


class EventHub:
    """Follows the feed while there are streams. Without any, nothing is read."""

    def __init__(self, queries: EventQueries, commits: CommitSignal, limits: StreamLimits) -> None:
        self._queries = queries
        self._commits = commits
        self._limits = limits
        self._loop = OneEventLoop()
        self._position = 0
        self._streams: defaultdict[UserId | None, set[EventStream]] = defaultdict(set)
        """By the party whose events they want; `None` for the events of all."""
        self._counts = Counter[UserId]()
        self._starting = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None

    @property
    def position(self) -> int:
        """The position of the last event that was handed to streams."""
        return self._position

    async def open(self, caller: Caller, where: EventFilter, *, after: int | None) -> EventStream:
        """A stream of the caller's events. `close` it.

        Args:
            caller: Who asks.
            where: Which events.
            after: A position, 0 to begin with the oldest event, or `None` to begin with the next one.

        Raises:
            InvalidInput: An argument is not valid, or `after` is greater than the position of the newest event.
            Overloaded: There are as many streams as there may be.
            RateLimited: The caller has as many streams as a user may have.
            StorageUnavailable: The storage is away.
        """
        self._loop.check()
        where = self._queries.visible(caller, where)
        if after is not None:
            check_integer("after", after, 0, POSITION_MAX)
        self._check_limits(caller)
        self._counts[caller.user_id] += 1
        try:
            await self._start()
            await self._check_position(after)
        except BaseException:
            self._forget(caller.user_id)
            raise
        party = None if caller.role is Role.OPERATOR else caller.user_id
        stream = EventStream(self, self._queries.feed, where, after=after, waiting_max=self._limits.waiting_max)
        stream.on_close = lambda: self._close(stream, party, caller.user_id)
        self._streams[party].add(stream)
        return stream

    async def _check_position(self, after: int | None) -> None:
        if after is not None and after > self._position and after > await self._queries.feed.newest():
            raise invalid("after", "value_invalid", "There is no event at this position yet.")

    def _check_limits(self, caller: Caller) -> None:
        if self._counts.total() >= self._limits.streams_max:
            raise Overloaded("Too many streams are open.")
        if self._counts[caller.user_id] >= self._limits.streams_per_user_max:
            raise RateLimited(
                f"You have {self._limits.streams_per_user_max} open streams.", retry_after_seconds=RETRY_AFTER_SECONDS
            )

    def _close(self, stream: EventStream, party: UserId | None, user_id: UserId) -> None:
        self._streams[party].discard(stream)
        if not self._streams[party]:
            del self._streams[party]
        self._forget(user_id)

    def _forget(self, user_id: UserId) -> None:
        self._counts[user_id] -= 1
        if not self._counts[user_id]:
            del self._counts[user_id]
        if not self._counts and self._following is not None:
            self._following.cancel()
            self._following = None

    async def _start(self) -> None:
        """Begin to follow behind the newest event, unless that was done."""
        async with self._starting:
            if self._following is None:
                self._position = await self._queries.feed.newest()
                self._following = asyncio.create_task(self._follow(), name="event-hub")

    async def _follow(self) -> None:
        try:
            while True:
                seen = self._commits.commits
                if await self._read() < EVENTS_PER_READ_MAX:
                    await asyncio.sleep(GATHER_SECONDS)
                    await self._commits.wait(POLL_SECONDS, seen=seen)
        except Exception:
            logger.exception("event_hub_failed")
            self._following = None
            for stream in self._all():
                stream.end("internal_error")

    async def _read(self) -> int:
        """Hand over the next events. Returns their number."""
        try:
            events = await self._queries.feed.read(after=self._position, limit=EVENTS_PER_READ_MAX)
        except StorageUnavailable as unavailable:
            logger.warning("event_hub_waits", extra={"cause": cause_of(unavailable)})
            return 0
        for event in events:
            for stream in self._wanted_by(event):
                stream.offer(event)
        if events:
            self._position = events[-1].position
        return len(events)

    def _wanted_by(self, event: FeedEvent) -> Iterable[EventStream]:
        for party in {None, event.customer_id, event.merchant_id}:
            yield from self._streams.get(party, ())

    def _all(self) -> list[EventStream]:
        return [stream for streams in self._streams.values() for stream in streams]
