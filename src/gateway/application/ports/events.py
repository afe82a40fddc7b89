"""The event feed: every event, in the order in which transactions were committed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.event import EventId
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId


@immutable
class FeedEvent:
    """An event as it stands in the feed.

    Attributes:
        position: Where it stands: at least 1. Each event has a position of its own; positions may have gaps.
        object_id: The object that changed.
        sequence: The version of the object after the change.
        data: The JSON of the object after the change, as `GET` answers it.
    """

    position: int
    id: EventId
    type: EventType
    object_id: str
    sequence: int
    customer_id: UserId | None
    merchant_id: UserId | None
    created_at: datetime
    data: bytes


class EventFeed(Protocol):
    """Reads the feed. Raises `StorageUnavailable` when the storage is away."""

    async def read(self, *, after: int, limit: int) -> Sequence[FeedEvent]:
        """The first events whose position is greater than `after`, lowest position first.

        An event that becomes visible later has a greater position than every event that any reader has seen: a reader
        that goes on from the position of the last event misses none, whichever process committed it and however late.
        Events that were committed before the call are found by it.

        Args:
            after: A position, or 0 to begin with the oldest event.
            limit: How many events at most: 1 … `EVENTS_PER_READ_MAX`.
        """
        ...

    async def newest(self) -> int:
        """The position of the newest event that was committed before the call; 0 if there are none."""
        ...
