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
    """See the port. The position of an event is its number in the list, from 1."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def read(self, *, after: int, limit: int) -> Sequence[FeedEvent]:
        events = self._database.events[after : after + limit]
        return [_feed_event(position, event) for position, event in enumerate(events, after + 1)]

    @override
    async def newest(self) -> int:
        return len(self._database.events)

    @override
    async def event(self, event_id: EventId) -> FeedEvent | None:
        for position, event in enumerate(self._database.events, 1):
            if event.id == event_id:
                return _feed_event(position, event)
        return None

    @override
    async def find_after(self, where: EventFilter, *, after: int, limit: int) -> FoundEvents:
        newest = len(self._database.events)
        last = min(newest, after + SEARCHED_MAX)
        found = self._matching(where, range(after + 1, last + 1), limit)
        position = found[-1].position if len(found) == limit else max(last, after)
        return FoundEvents(events=found, position=position, has_more=position < newest)

    @override
    async def find_before(self, where: EventFilter, *, before: int | None, limit: int) -> FoundEvents:
        newest = len(self._database.events)
        highest = newest if before is None else min(newest, before - 1)
        lowest = max(highest - SEARCHED_MAX, 0) + 1
        found = self._matching(where, range(highest, lowest - 1, -1), limit)
        position = found[-1].position if len(found) == limit else lowest
        return FoundEvents(events=found, position=position, has_more=position > 1)

    def _matching(self, where: EventFilter, positions: Iterable[int], limit: int) -> list[FeedEvent]:
        found: list[FeedEvent] = []
        for position in positions:
            event = _feed_event(position, self._database.events[position - 1])
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
