"""Deliveries in tables: the fan-out, the queues, and the lists."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    delete,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    union_all,
)
from typing_extensions import override

from gateway.adapters.sql.delivery_fan_out import SqlDeliveryFanOut
from gateway.adapters.sql.delivery_plans import SqlDeliveryPlans
from gateway.adapters.sql.events import SqlEventFeed
from gateway.adapters.sql.rows.deliveries import to_delivery
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.tables.webhooks import webhook_deliveries
from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT
from gateway.application.ports.deliveries import Deliveries
from gateway.application.ports.delivery_records import (
    WAITING_COUNTED_MAX,
    Backlog,
    Delivery,
    DeliveryId,
    DeliveryOutcome,
)
from gateway.domain.webhook_endpoint import EndpointId

_table: Final = webhook_deliveries.c
_is_waiting: Final = _table.due_at.is_not(None)
_limit: Final = bindparam("limit", type_=INTEGER)

BEHIND_ALL_IDS: Final = "~"

_counted: Final = select(literal_column("1", INTEGER)).where(_is_waiting).limit(WAITING_COUNTED_MAX).subquery()
BACKLOG: Final = select(
    select(func.count()).select_from(_counted).scalar_subquery(),
    select(_table.created_at).where(_is_waiting).order_by(_table.created_at).limit(1).scalar_subquery(),
)
_old: Final = (
    select(_table.id)
    .where(_table.ended_at < bindparam("ended_before", type_=MOMENT), _table.ended_at.is_not(None))
    .order_by(_table.ended_at)
    .limit(_limit)
)
PURGE: Final = delete(webhook_deliveries).where(_table.id.in_(_old))


@cache
def list_statement(outcomes: frozenset[str | None]) -> Select[Any]:
    """A page of an endpoint's deliveries with these outcomes: the newest of each outcome, and the newest of these.

    The condition on an outcome is a comparison of rows, and the order is the order of the index. Otherwise, for a rare
    outcome, Postgres would scan all deliveries by the primary key.
    """
    pages = [
        select(webhook_deliveries)
        .where(_table.endpoint_id == bindparam("endpoint_id"), *_newest_of(outcome))
        .order_by(_table.outcome.desc(), _table.id.desc())
        .limit(_limit)
        .subquery()
        for outcome in sorted(outcomes, key=str)
    ]
    found = union_all(*(select(page) for page in pages)).subquery()
    return select(found).order_by(found.c.id.desc()).limit(_limit)


def _newest_of(outcome: str | None) -> Sequence[ColumnElement[bool]]:
    before = bindparam("before", type_=TEXT)
    if outcome is None:
        return [_table.outcome.is_(None), _table.id < before]
    row, given = tuple_(_table.outcome, _table.id), literal(outcome, TEXT)
    return [row < tuple_(given, before), row >= tuple_(given, literal("", TEXT))]


class SqlDeliveries(SqlDeliveryFanOut, SqlDeliveryPlans, Deliveries):
    """See the port."""

    def __init__(self, transactions: ShortTransactions, feed: SqlEventFeed) -> None:
        SqlDeliveryFanOut.__init__(self, transactions, feed)
        SqlDeliveryPlans.__init__(self, transactions)

    @override
    async def deliveries(
        self,
        endpoint_id: EndpointId,
        outcomes: Collection[DeliveryOutcome | None],
        *,
        before: DeliveryId | None,
        limit: int,
    ) -> Sequence[Delivery]:
        if not outcomes:
            return ()
        statement = list_statement(frozenset(None if each is None else each.value for each in outcomes))
        of = {"endpoint_id": endpoint_id, "before": before or BEHIND_ALL_IDS, "limit": limit}
        return [to_delivery(row) for row in await self._transactions.read(statement, of)]

    @override
    async def backlog(self) -> Backlog:
        [[waiting, oldest_at]] = await self._transactions.read(BACKLOG)
        return Backlog(waiting=waiting, oldest_at=oldest_at)

    @override
    async def purge(self, *, ended_before: datetime, limit: int) -> int:
        return await self._transactions.change(PURGE, {"ended_before": ended_before, "limit": limit})
