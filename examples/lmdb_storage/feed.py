"""The event feed, and the cursors of its readers."""

from collections.abc import Iterator
from itertools import islice

from gateway import EventFilter, EventId, FeedEvent, FoundEvents
from lmdb_storage.database import Database, first
from lmdb_storage.records import CURSORS, EVENTS, Cursor
from lmdb_storage.tables import Txn, name, number
from lmdb_storage.unit_of_work import newest_position

SEARCHED_MAX = 5_000
"""How many events a search looks at: some 10 ms."""


class LmdbEventFeed:
    """The port `EventFeed`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, *, after: int, limit: int) -> list[FeedEvent]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return first(EVENTS.all(txn, first=number(after + 1)), limit)

    async def newest(self) -> int:
        """As the port says."""
        with self._database.snapshot() as txn:
            return newest_position(txn)

    async def event(self, event_id: EventId) -> FeedEvent | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return EVENTS.one(txn, "id", name(event_id))

    async def find_after(self, where: EventFilter, *, after: int, limit: int) -> FoundEvents:
        """As the port says."""
        with self._database.snapshot() as txn:
            newest = newest_position(txn)
            found, position = search(EVENTS.all(txn, first=number(after + 1)), where, limit)
            # A search that came to the end has seen everything, and goes on behind what was asked for at least.
            position = max(newest, after) if position is None else position
            return FoundEvents(events=found, position=position, has_more=position < newest)

    async def find_before(self, where: EventFilter, *, before: int | None, limit: int) -> FoundEvents:
        """As the port says."""
        with self._database.snapshot() as txn:
            oldest = next((event.position for event in EVENTS.all(txn)), 1)
            found, position = search(EVENTS.newest(txn, None if before is None else number(before)), where, limit)
            position = oldest if position is None else position
            return FoundEvents(events=found, position=position, has_more=position > oldest)


def search(events: Iterator[FeedEvent], where: EventFilter, limit: int) -> tuple[list[FeedEvent], int | None]:
    """The first events that match, and the position at which the search ended; `None`: it came to the end."""
    found: list[FeedEvent] = []
    position = 0
    for event in islice(events, SEARCHED_MAX):
        position = event.position
        if where.matches(event):
            found.append(event)
            if len(found) == limit:
                return found, position
    return found, position if next(events, None) is not None else None


class LmdbEventCursors:
    """The port `EventCursors`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def position(self, name: str) -> int | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return cursor(txn, name)

    async def move(self, name: str, *, expected: int | None, to: int) -> bool:
        """As the port says."""

        def write(txn: Txn) -> bool:
            if cursor(txn, name) != expected:
                return False
            CURSORS.put(txn, Cursor(name, to))
            return True

        return await self._database.write(write)


def cursor(txn: Txn, reader: str) -> int | None:
    """How far a reader has come."""
    found = CURSORS.get(txn, reader)
    return None if found is None else found.position
