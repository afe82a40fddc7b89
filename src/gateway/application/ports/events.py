"""The event feed: every event, in the order in which transactions were committed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.checks import check_id, check_instant, check_text
from gateway.domain.errors import invalid
from gateway.domain.event import EventId
from gateway.domain.event_type import EventType, filters_of
from gateway.domain.immutable import immutable
from gateway.domain.limits import EVENT_FILTER_LENGTH_MAX
from gateway.domain.user import UserId
from gateway.domain.webhook_fields import EVENT_FILTERS


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


@immutable
class EventFilter:
    """Which events; a field that is `None` does not limit. Making one that is not valid raises `InvalidInput`.

    Attributes:
        customer_id: Events that concern this customer.
        merchant_id: Events that concern this merchant.
        type: One type (`payment.captured`), all types of a kind (`payment.*`), or `*`.
        object_id: Events about this object.
        created_after: `created_after` ≤ created.
        created_before: created < `created_before`.
    """

    customer_id: UserId | None = None
    merchant_id: UserId | None = None
    type: str | None = None
    object_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("customer_id", "merchant_id", "object_id"):
            if (found := getattr(self, name)) is not None:
                check_id(name, found)
        for name in ("created_after", "created_before"):
            if (found := getattr(self, name)) is not None:
                check_instant(name, found)
        if self.type is not None:
            check_text("type", self.type, EVENT_FILTER_LENGTH_MAX)
            if self.type not in EVENT_FILTERS:
                raise invalid("type", "event_type_unknown", f"There are no events of the type {self.type}.")

    @property
    def types(self) -> frozenset[EventType]:
        """The types that are meant."""
        return frozenset(each for each in EventType if self._is_type(each))

    def matches(self, event: FeedEvent) -> bool:
        """Whether an event is one of these."""
        return (
            self.customer_id in {None, event.customer_id}
            and self.merchant_id in {None, event.merchant_id}
            and self.object_id in {None, event.object_id}
            and self._is_type(event.type)
            and (self.created_after is None or self.created_after <= event.created_at)
            and (self.created_before is None or event.created_at < self.created_before)
        )

    def _is_type(self, event_type: EventType) -> bool:
        return self.type is None or self.type in filters_of(event_type)


@immutable
class FoundEvents:
    """What a search has found.

    Attributes:
        events: In the order of the search.
        position: Where the next search goes on: everything up to here was searched.
        has_more: Whether there may be more. A search ends early, perhaps with nothing found, rather than to search a
            large part of the feed at once.
    """

    events: Sequence[FeedEvent]
    position: int
    has_more: bool


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

    async def event(self, event_id: EventId) -> FeedEvent | None:
        """One event; `None` if there is none with this id."""
        ...

    async def find_after(self, where: EventFilter, *, after: int, limit: int) -> FoundEvents:
        """The first matching events whose position is greater than `after`, lowest position first.

        A reader that goes on from `FoundEvents.position` misses no matching event, as with `read`.

        Args:
            where: Which events.
            after: A position, or 0 to begin with the oldest event.
            limit: How many events at most: 1 … `EVENTS_PER_READ_MAX`.
        """
        ...

    async def find_before(self, where: EventFilter, *, before: int | None, limit: int) -> FoundEvents:
        """The last matching events whose position is less than `before`, highest position first.

        Args:
            where: Which events.
            before: A position, or `None` to begin with the newest event.
            limit: How many events at most: 1 … `EVENTS_PER_READ_MAX`.
        """
        ...
