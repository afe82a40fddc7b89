"""Events for callers: parties see the events that concern them, operators all."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from gateway.application.access.caller import Caller, check_caller
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.ports.clock import Clock
from gateway.application.ports.events import EventFeed, EventFilter, FeedEvent, FoundEvents
from gateway.domain.checks import FIRST_INSTANT, check_id, check_integer, check_type
from gateway.domain.errors import EventNotFound
from gateway.domain.event import EventId
from gateway.domain.limits import EVENTS_DAYS_DEFAULT, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, POSITION_MAX
from gateway.domain.user import Role, UserId

NOBODY: Final = UserId("nobody")
"""No party of any event."""


@dataclass(frozen=True, slots=True)
class EventQueries:
    """Reads the feed for callers. Older events than `retention` are not shown, whether or not they were deleted.

    Arguments that are not valid are refused with `InvalidInput`. `StorageUnavailable`: the storage is away.
    """

    feed: EventFeed
    clock: Clock
    retention: timedelta = timedelta(days=EVENTS_DAYS_DEFAULT)
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def event(self, caller: Caller, event_id: EventId) -> FeedEvent:
        """One event.

        Raises:
            EventNotFound: There is none that the caller may see.
        """
        self.loop.check()
        check_id("event_id", event_id)
        where = self.visible(caller, EventFilter())
        event = await self.feed.event(event_id)
        if event is None or not where.matches(event):
            raise EventNotFound("There is no such event.")
        return event

    async def newest_first(
        self, caller: Caller, where: EventFilter, *, before: int | None = None, limit: int = LIST_LIMIT_DEFAULT
    ) -> FoundEvents:
        """The last events of the caller before a position, highest position first.

        Args:
            caller: Who asks.
            where: Which events.
            before: A position, as an earlier call has returned it, or `None` to begin with the newest event.
            limit: How many events at most: 1 … `LIST_LIMIT_MAX`.
        """
        self.loop.check()
        if before is not None:
            check_integer("before", before, 0, POSITION_MAX)
        check_integer("limit", limit, 1, LIST_LIMIT_MAX)
        where = self.visible(caller, where)
        return _page(await self.feed.find_before(where, before=before, limit=limit + 1), limit)

    async def oldest_first(
        self, caller: Caller, where: EventFilter, *, after: int = 0, limit: int = LIST_LIMIT_DEFAULT
    ) -> FoundEvents:
        """The first events of the caller after a position, lowest position first.

        A reader that goes on from `FoundEvents.position` misses no event.

        Args:
            caller: Who asks.
            where: Which events.
            after: A position, or 0 to begin with the oldest event.
            limit: How many events at most: 1 … `LIST_LIMIT_MAX`.
        """
        self.loop.check()
        check_integer("after", after, 0, POSITION_MAX)
        check_integer("limit", limit, 1, LIST_LIMIT_MAX)
        where = self.visible(caller, where)
        return _page(await self.feed.find_after(where, after=after, limit=limit + 1), limit)

    def visible(self, caller: Caller, where: EventFilter) -> EventFilter:
        """A filter for those events that the caller may see."""
        check_caller(caller)
        check_type("where", where, EventFilter)
        kept_since = max(self.clock() - self.retention, FIRST_INSTANT)
        where = replace(where, created_after=max(where.created_after or kept_since, kept_since))
        if caller.role is Role.CUSTOMER:
            return replace(where, customer_id=_only(caller, where.customer_id))
        if caller.role is Role.MERCHANT:
            return replace(where, merchant_id=_only(caller, where.merchant_id))
        return where


def _only(caller: Caller, wanted: UserId | None) -> UserId:
    return caller.user_id if wanted in {None, caller.user_id} else NOBODY


def _page(found: FoundEvents, limit: int) -> FoundEvents:
    """The first events, without the one more that tells whether there are more."""
    if len(found.events) <= limit:
        return found
    shown = found.events[:limit]
    return FoundEvents(events=shown, position=shown[-1].position, has_more=True)
