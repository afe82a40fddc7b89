"""The fan-out's view of the feed, and the deliveries and replays that it writes."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, column, delete, select, text, update
from sqlalchemy.sql.elements import ColumnElement
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.event_cursors import FIRST_MOVE, MOVE
from gateway.adapters.sql.event_statements import BATCH_AT, EVENTS_OF_BATCH
from gateway.adapters.sql.events import SqlEventFeed
from gateway.adapters.sql.rows.deliveries import (
    NEW_DELIVERY,
    given_rows,
    new_delivery_values,
    rows_given,
    to_head,
    to_replay,
)
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.webhooks import webhook_endpoints, webhook_replays
from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT
from gateway.application.ports.deliveries import WEBHOOKS, DeliveryFanOut
from gateway.application.ports.delivery_records import Candidates, Delivery, Replay

_HEAD: Final[Sequence[ColumnElement[Any]]] = (
    column("position", INTEGER),
    *(column(name, TEXT) for name in ("id", "type", "object_id", "merchant_id")),
)

ANY_ENABLED: Final = select(
    select(webhook_endpoints.c.id).where(webhook_endpoints.c.disabled_reason.is_(None)).exists()
)

CANDIDATES: Final = {
    dialect: text(
        f"""
        WITH looked_at AS (
            SELECT first_position + event.batch_index AS position, event.id, event.type, event.object_id,
                event.merchant_id
            FROM event_batches AS batch {events_of_batch}
            WHERE first_position >= {BATCH_AT.format(":after")} AND first_position + event.batch_index > :after
            ORDER BY first_position, event.batch_index
            LIMIT :limit
        )
        SELECT position, id, type, object_id, merchant_id
        FROM looked_at
        WHERE position = (SELECT max(position) FROM looked_at)
            OR EXISTS (SELECT 1 FROM webhook_endpoints WHERE all_merchants = 1 AND disabled_reason IS NULL)
            OR (
                SELECT 1 FROM webhook_endpoints
                WHERE owner_id = looked_at.merchant_id AND disabled_reason IS NULL LIMIT 1
            ) = 1
        ORDER BY position
        """  # noqa: S608 - made of the constants of the feed.
    )
    .bindparams(bindparam("after", type_=INTEGER), bindparam("limit", type_=INTEGER))
    .columns(*_HEAD)
    for dialect, events_of_batch in EVENTS_OF_BATCH.items()
}
"""The events that an endpoint may want, and the last one that was looked at.

With EXISTS, Postgres might read the endpoints of all merchants."""

_NAMES: Final = ", ".join(NEW_DELIVERY)
_GIVEN: Final = {
    POSTGRES: f"FROM {rows_given(NEW_DELIVERY)}",
    SQLITE: "FROM (SELECT {}) AS given".format(", ".join(f":{name} AS {name}" for name in NEW_DELIVERY)),
}
_MOMENTS: Final = (bindparam("created_at", type_=MOMENT), bindparam("due_at", type_=MOMENT))
_INSERT: Final = f"INSERT INTO webhook_deliveries ({_NAMES}, planned_at, attempts) SELECT {_NAMES}, created_at, '[]' "
_UNLESS_WAITING: Final = """
    WHERE NOT EXISTS (
        SELECT 1 FROM webhook_deliveries AS waiting
        WHERE waiting.endpoint_id = given.endpoint_id AND waiting.object_id = given.object_id
            AND waiting.position = given.position AND waiting.due_at IS NOT NULL
    )
"""
ADD: Final = {POSTGRES: text(_INSERT + _GIVEN[POSTGRES]), SQLITE: text(_INSERT + _GIVEN[SQLITE]).bindparams(*_MOMENTS)}
ADD_UNLESS_WAITING: Final = {
    POSTGRES: text(_INSERT + _GIVEN[POSTGRES] + _UNLESS_WAITING),
    SQLITE: text(_INSERT + _GIVEN[SQLITE] + _UNLESS_WAITING).bindparams(*_MOMENTS),
}

_WAITS_LONGER: Final = " AND ".join(
    (
        *(f"webhook_deliveries.{name} = {{0}}{name}" for name in ("endpoint_id", "object_id", "position")),
        "webhook_deliveries.due_at > {0}due_at",
    )
)
_SET_DUE: Final = "UPDATE webhook_deliveries SET due_at ="
ATTEMPT_NOW: Final = {
    POSTGRES: text(
        f"{_SET_DUE} given.due_at, planned_at = given.created_at {_GIVEN[POSTGRES]}"
        f" WHERE {_WAITS_LONGER.format('given.')}"
    ),
    SQLITE: text(f"{_SET_DUE} :due_at, planned_at = :created_at WHERE {_WAITS_LONGER.format(':')}").bindparams(
        *_MOMENTS
    ),
}
"""Deliveries that wait become due. A failure that a worker is about to record is not recorded then: it compares
`due_at`."""

# Where an endpoint is due already, nothing is written; its row is locked all the same, and so a lease that is given
# back meanwhile waits, and finds the new deliveries.
_UNLESS_DUE: Final = """
    ON CONFLICT (endpoint_id) DO UPDATE SET due_at = excluded.due_at, planned_at = excluded.planned_at
    WHERE webhook_queues.due_at IS NULL OR webhook_queues.due_at > excluded.due_at
"""
NEW_QUEUE: Final = ("endpoint_id", "due_at", "planned_at")
_NEW_QUEUES: Final = {
    POSTGRES: f"""
        INSERT INTO webhook_queues (endpoint_id, due_at, planned_at, is_slow)
        SELECT endpoint_id, due_at, planned_at, 0 FROM {rows_given(NEW_QUEUE)}
    """,  # noqa: S608 - made of constants.
    SQLITE: "INSERT INTO webhook_queues (endpoint_id, due_at, planned_at, is_slow) "
    "VALUES (:endpoint_id, :due_at, :planned_at, 0)",
}
MAKE_DUE: Final = {
    POSTGRES: text(_NEW_QUEUES[POSTGRES] + _UNLESS_DUE),
    SQLITE: text(_NEW_QUEUES[SQLITE] + _UNLESS_DUE).bindparams(
        *(bindparam(name, type_=MOMENT) for name in ("due_at", "planned_at"))
    ),
}

REQUEST_REPLAY: Final = text(
    """
    INSERT INTO webhook_replays (id, endpoint_id, created_from, created_to, after_position, created_at)
    SELECT CAST(:id AS text), CAST(:endpoint_id AS text), :created_from, :created_to, 0, :created_at
    WHERE (SELECT count(*) FROM webhook_replays WHERE endpoint_id = CAST(:endpoint_id AS text)) < :limit
    """
).bindparams(
    *(bindparam(name, type_=MOMENT) for name in ("created_from", "created_to", "created_at")),
    bindparam("limit", type_=INTEGER),
)
REPLAYS: Final = select(webhook_replays).order_by(webhook_replays.c.id).limit(bindparam("limit", type_=INTEGER))
_IS_THERE: Final = (
    webhook_replays.c.id == bindparam("replay_id"),
    webhook_replays.c.after_position == bindparam("after", type_=INTEGER),
)
MOVE_REPLAY: Final = update(webhook_replays).where(*_IS_THERE).values(after_position=bindparam("until", type_=INTEGER))
END_REPLAY: Final = delete(webhook_replays).where(*_IS_THERE)


class SqlDeliveryFanOut(DeliveryFanOut):
    """See the port."""

    def __init__(self, transactions: ShortTransactions, feed: SqlEventFeed) -> None:
        self._transactions = transactions
        self._feed = feed
        self._dialect = transactions.dialect_name

    @override
    async def candidates(self, *, after: int, limit: int) -> Candidates:
        newest = await self._feed.newest()
        if newest <= after:
            return Candidates(events=(), until=after)
        [[any_enabled]] = await self._transactions.read(ANY_ENABLED)
        if not any_enabled:
            return Candidates(events=(), until=newest, any_enabled=False)
        rows = await self._transactions.read(CANDIDATES[self._dialect], {"after": after, "limit": limit})
        return Candidates(events=[to_head(row) for row in rows], until=rows[-1][0] if rows else newest)

    @override
    async def enqueue(self, deliveries: Sequence[Delivery], *, after: int, until: int) -> bool:
        async def work(transaction: DatabaseTransaction) -> bool:
            moved = await transaction.change(MOVE, {"of": WEBHOOKS, "expected": after, "to": until}) == 1
            if not moved and after == 0:
                moved = await transaction.change(FIRST_MOVE[self._dialect], {"name": WEBHOOKS, "to": until}) == 1
            if moved:
                await self._add(transaction, deliveries, unless_waiting=False)
            return moved

        return await self._transactions.write(work)

    @override
    async def add(self, deliveries: Sequence[Delivery]) -> int:
        async def work(transaction: DatabaseTransaction) -> int:
            added = await self._add(transaction, deliveries, unless_waiting=True)
            if added < len(deliveries):
                rows = [new_delivery_values(delivery) for delivery in deliveries]
                await transaction.change(ATTEMPT_NOW[self._dialect], given_rows(self._dialect, NEW_DELIVERY, rows))
            return added

        return await self._transactions.write(work)

    @override
    async def request_replay(self, replay: Replay, *, limit: int) -> bool:
        parameters = {
            "id": replay.id,
            "endpoint_id": replay.endpoint_id,
            "created_from": replay.created_from,
            "created_to": replay.created_to,
            "created_at": replay.created_at,
            "limit": limit,
        }
        return await self._transactions.change(REQUEST_REPLAY, parameters) == 1

    @override
    async def replays(self, *, limit: int) -> Sequence[Replay]:
        return [to_replay(row) for row in await self._transactions.read(REPLAYS, {"limit": limit})]

    @override
    async def enqueue_replay(self, replay: Replay, deliveries: Sequence[Delivery], *, until: int | None) -> bool:
        there = {"replay_id": replay.id, "after": replay.after_position}

        async def work(transaction: DatabaseTransaction) -> bool:
            if until is None:
                moved = await transaction.change(END_REPLAY, there) == 1
            else:
                moved = await transaction.change(MOVE_REPLAY, {**there, "until": until}) == 1
            if moved:
                await self._add(transaction, deliveries, unless_waiting=True)
            return moved

        return await self._transactions.write(work)

    async def _add(
        self, transaction: DatabaseTransaction, deliveries: Sequence[Delivery], *, unless_waiting: bool
    ) -> int:
        if not deliveries:
            return 0
        statement = (ADD_UNLESS_WAITING if unless_waiting else ADD)[self._dialect]
        rows = [new_delivery_values(delivery) for delivery in deliveries]
        added = await transaction.change(statement, given_rows(self._dialect, NEW_DELIVERY, rows))
        # In the order of their ids: transactions that wait for one another's rows wait in one direction.
        due = sorted({each.endpoint_id: (each.due_at, each.created_at) for each in reversed(deliveries)}.items())
        rows = [(endpoint_id, *moments) for endpoint_id, moments in due]
        await transaction.change(MAKE_DUE[self._dialect], given_rows(self._dialect, NEW_QUEUE, rows))
        return added
