"""The event feed over the list of events, which is in commit order."""

from collections.abc import Iterable, Sequence
from typing import Final

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.events import EventFeed, EventFilter, FeedEvent, FoundEvents
from gateway.domain.event import Event, EventId

SEARCHED_MAX: Final = 20_000
"""How many events one search looks at: some 10 ms in which nothing else runs."""


class MemoryEventFeed(EventFeed):
    """See the port. The position of an event is its number, from 1, deleted events counted."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def read(self, *, after: int, limit: int) -> Sequence[FeedEvent]:
        return [_feed_event(position, event) for position, event in self._database.events_after(after, limit)]

    @override
    async def newest(self) -> int:
        return self._database.newest_position

    @override
    async def event(self, event_id: EventId) -> FeedEvent | None:
        for position, event in enumerate(self._database.events, self._database.events_deleted + 1):
            if event.id == event_id:
                return _feed_event(position, event)
        return None

    @override
    async def find_after(self, where: EventFilter, *, after: int, limit: int) -> FoundEvents:
        newest = self._database.newest_position
        first = max(after, self._database.events_deleted) + 1
        last = min(newest, first + SEARCHED_MAX - 1)
        found = self._matching(where, range(first, last + 1), limit)
        position = found[-1].position if len(found) == limit else max(last, after)
        return FoundEvents(events=found, position=position, has_more=position < newest)

    @override
    async def find_before(self, where: EventFilter, *, before: int | None, limit: int) -> FoundEvents:
        newest, deleted = self._database.newest_position, self._database.events_deleted
        highest = newest if before is None else min(newest, before - 1)
        lowest = max(highest - SEARCHED_MAX, deleted) + 1
        found = self._matching(where, range(highest, lowest - 1, -1), limit)
        position = found[-1].position if len(found) == limit else lowest
        return FoundEvents(events=found, position=position, has_more=position > deleted + 1)

    def _matching(self, where: EventFilter, positions: Iterable[int], limit: int) -> list[FeedEvent]:
        found: list[FeedEvent] = []
        for position in positions:
            event = _feed_event(position, self._database.events[position - 1 - self._database.events_deleted])
            if where.matches(event):
                found.append(event)
                if len(found) == limit:
                    break
        return found


def _feed_event(position: int, event: Event) -> FeedEvent:
    return FeedEvent(
        position=position,
        id=event.id,
        type=event.type,
        object_id=event.object.id,
        sequence=event.sequence,
        customer_id=event.customer_id,
        merchant_id=event.merchant_id,
        created_at=event.created_at,
        data=event.data,
    )
