"""The event feed over the list of events, which is in commit order."""

from collections.abc import Sequence

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.events import EventFeed, FeedEvent


class MemoryEventFeed(EventFeed):
    """See the port. The position of an event is its number in the list, from 1."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def read(self, *, after: int, limit: int) -> Sequence[FeedEvent]:
        events = self._database.events[after : after + limit]
        return [
            FeedEvent(
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
            for position, event in enumerate(events, after + 1)
        ]

    @override
    async def newest(self) -> int:
        return len(self._database.events)
