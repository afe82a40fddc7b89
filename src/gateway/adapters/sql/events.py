"""The event feed, and the step that gives committed batches of events their positions (docs/decisions/0023)."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy import bindparam, text
from typing_extensions import override

from gateway.adapters.sql.engine import SQLITE
from gateway.adapters.sql.event_index import BLOCK_EVENTS, EventIndex
from gateway.adapters.sql.event_search import EventSearch
from gateway.adapters.sql.event_statements import EVENT, NEWEST, OLDEST, READ
from gateway.adapters.sql.rows.events import to_feed_event
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.types import INTEGER
from gateway.application.ports.events import EventFeed, EventFilter, FeedEvent, FoundEvents
from gateway.application.ports.unit_of_work import StorageReadOnly
from gateway.domain.event import EventId

BATCHES_PER_STEP_MAX: Final = 10_000
"""How many batches are numbered in one transaction. Each has an event at least, so they fill any page of the feed."""

INDEXED_PER_SEARCH_MAX: Final = 32
"""How many blocks a search adds to the index. The worker adds the others in time, so that there are seldom any."""

ANY_UNNUMBERED: Final = text("SELECT EXISTS (SELECT FROM event_batches_unnumbered)")

LOCK: Final = text("SELECT pg_advisory_xact_lock(7497, CAST(CAST('event_batches' AS regclass) AS oid)::int)")
"""One process at a time numbers the batches of a schema, until its transaction has ended: positions become visible in
their order. A lock on the table itself would get in the way of vacuum."""

NUMBER: Final = text(
    """
    WITH committed AS (
        DELETE FROM event_batches_unnumbered
        WHERE ctid = ANY (ARRAY (SELECT ctid FROM event_batches_unnumbered LIMIT :limit))
        RETURNING batch_id, first_event_id, last_event_id, size
    ), newest AS (
        SELECT first_position + size AS next_position FROM event_batches ORDER BY first_position DESC LIMIT 1
    )
    INSERT INTO event_batches (first_position, batch_id, first_event_id, last_event_id, size)
    SELECT
        coalesce((SELECT next_position FROM newest), 1) + sum(size) OVER (ORDER BY batch_id) - size,
        batch_id, first_event_id, last_event_id, size
    FROM committed
    """
).bindparams(bindparam("limit", BATCHES_PER_STEP_MAX, type_=INTEGER))


class SqlEventFeed(EventFeed):
    """See the port.

    On Postgres, a transaction that is not committed is invisible, and so its events cannot be given a position when
    they are written. Before it reads, a reader gives positions to the batches that were committed since.
    """

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._is_numbered_at_once = transactions.dialect_name == SQLITE
        self._read = READ[transactions.dialect_name]
        self._index = EventIndex(transactions)

    @override
    async def read(self, *, after: int, limit: int) -> Sequence[FeedEvent]:
        await self._number_committed_batches()
        rows = await self._transactions.read(self._read, {"after": after, "limit": limit})
        return [to_feed_event(row) for row in rows]

    @override
    async def newest(self) -> int:
        await self._number_committed_batches()
        rows = await self._transactions.read(NEWEST)
        return rows[0][0] if rows else 0

    @override
    async def event(self, event_id: EventId) -> FeedEvent | None:
        await self._number_committed_batches()
        rows = await self._transactions.read(EVENT, {"id": event_id})
        return to_feed_event(rows[0]) if rows else None

    @override
    async def find_after(self, where: EventFilter, *, after: int, limit: int) -> FoundEvents:
        search = await self._search(where, limit)
        oldest = await self._oldest(search)
        return await search.ascending(max(after, oldest - 1))

    @override
    async def find_before(self, where: EventFilter, *, before: int | None, limit: int) -> FoundEvents:
        search = await self._search(where, limit)
        oldest = await self._oldest(search)
        return await search.descending(search.newest + 1 if before is None else before, oldest)

    async def _oldest(self, search: EventSearch) -> int:
        """The first position that was not deleted; behind the newest one if there are no events."""
        rows = await self._transactions.read(OLDEST)
        return rows[0][0] if rows else search.newest + 1

    async def _search(self, where: EventFilter, limit: int) -> EventSearch:
        newest = await self.newest()
        indexed_until = await self._index.end()
        if newest - indexed_until >= BLOCK_EVENTS:
            indexed_until = await self._index.extend(indexed_until, blocks_max=INDEXED_PER_SEARCH_MAX)
        return EventSearch(self._transactions, where, limit, indexed_until, newest)

    async def _number_committed_batches(self) -> None:
        if self._is_numbered_at_once:
            return
        # If there are none, others have numbered all that was committed until now, and have committed that too.
        [[any_unnumbered]] = await self._transactions.read(ANY_UNNUMBERED)
        if any_unnumbered:
            # A standby reads what its primary has numbered.
            with suppress(StorageReadOnly):
                await self._transactions.write(_number)


async def _number(transaction: DatabaseTransaction) -> None:
    await transaction.rows(LOCK)
    await transaction.change(NUMBER)
