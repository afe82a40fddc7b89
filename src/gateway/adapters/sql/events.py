"""The event feed, and the step that gives committed batches of events their positions (docs/decisions/0023)."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy import bindparam, column, text
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.rows.events import to_feed_event
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT
from gateway.application.ports.events import EventFeed, FeedEvent
from gateway.application.ports.unit_of_work import StorageReadOnly

BATCHES_PER_STEP_MAX: Final = 10_000
"""How many batches are numbered in one transaction. Each has an event at least, so they fill any page of the feed."""

_EVENTS_OF_BATCH: Final = {
    # The limit keeps the planner from making a join of it, for which it might read all events.
    POSTGRES: """LATERAL (
        SELECT * FROM events
        WHERE id BETWEEN first_event_id AND last_event_id AND batch_id = event_batches.batch_id
        LIMIT size
    ) AS event ON true""",
    SQLITE: """events AS event
        ON event.id BETWEEN first_event_id AND last_event_id AND event.batch_id = event_batches.batch_id""",
}
READ: Final = {
    dialect: text(
        f"""
        SELECT first_position + event.batch_index AS position, event.id, event.type, event.object_id, event.sequence,
            event.customer_id, event.merchant_id, event.created_at, event.data
        FROM event_batches JOIN {events_of_batch}
        WHERE first_position >= coalesce(
                (SELECT max(first_position) FROM event_batches WHERE first_position <= :after), 0
            )
            AND first_position + event.batch_index > :after
        ORDER BY first_position, event.batch_index
        LIMIT :limit
        """  # noqa: S608 - made of the constants above.
    )
    .bindparams(bindparam("after", type_=INTEGER), bindparam("limit", type_=INTEGER))
    .columns(
        column("position", INTEGER),
        *(column(name, TEXT) for name in ("id", "type", "object_id")),
        column("sequence", INTEGER),
        *(column(name, TEXT) for name in ("customer_id", "merchant_id")),
        column("created_at", MOMENT),
        column("data", TEXT),
    )
    for dialect, events_of_batch in _EVENTS_OF_BATCH.items()
}

NEWEST: Final = text("SELECT first_position + size - 1 FROM event_batches ORDER BY first_position DESC LIMIT 1")

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

    @override
    async def read(self, *, after: int, limit: int) -> Sequence[FeedEvent]:
        if not self._is_numbered_at_once:
            await self._number_committed_batches()
        rows = await self._transactions.read(self._read, {"after": after, "limit": limit})
        return [to_feed_event(row) for row in rows]

    @override
    async def newest(self) -> int:
        if not self._is_numbered_at_once:
            await self._number_committed_batches()
        rows = await self._transactions.read(NEWEST)
        return rows[0][0] if rows else 0

    async def _number_committed_batches(self) -> None:
        # If there are none, others have numbered all that was committed until now, and have committed that too.
        [[any_unnumbered]] = await self._transactions.read(ANY_UNNUMBERED)
        if any_unnumbered:
            # A standby reads what its primary has numbered.
            with suppress(StorageReadOnly):
                await self._transactions.write(_number)


async def _number(transaction: DatabaseTransaction) -> None:
    await transaction.rows(LOCK)
    await transaction.change(NUMBER)
