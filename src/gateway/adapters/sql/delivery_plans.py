"""Plans of deliveries that were made by clocks that were ahead, and begin anew (docs/decisions/0037)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import TextualSelect, bindparam, column, text
from typing_extensions import override

from gateway.adapters.sql.delivery_fan_out import MAKE_DUE, NEW_QUEUE
from gateway.adapters.sql.delivery_queues import SqlDeliveryQueues
from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.rows.deliveries import given_rows
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT, Found
from gateway.application.ports.deliveries import AHEAD_MAX
from gateway.domain.webhook_endpoint import EndpointId

_ahead: Final = bindparam("ahead", type_=MOMENT)
_IS_AHEAD: Final = "due_at IS NOT NULL AND planned_at >= :ahead"
ANY_AHEAD: Final = text(
    f"""
    SELECT EXISTS (SELECT 1 FROM webhook_deliveries WHERE {_IS_AHEAD})
        OR EXISTS (SELECT 1 FROM webhook_queues WHERE {_IS_AHEAD})
    """  # noqa: S608 - made of the constant above.
).bindparams(_ahead)
"""Without a transaction: it is asked every few seconds."""


def _among(dialect: str, key: str, table: str) -> str:
    """The rows that were planned by a clock that was ahead, but for those that another worker is changing."""
    found = f"SELECT {key} FROM {table} WHERE {_IS_AHEAD} ORDER BY planned_at LIMIT :limit"  # noqa: S608 - as above.
    return f"{key} = ANY (ARRAY ({found} FOR UPDATE SKIP LOCKED))" if dialect == POSTGRES else f"{key} IN ({found})"


def _planning(sql: str) -> TextualSelect:
    parameters = (bindparam("now", type_=MOMENT), _ahead, bindparam("limit", type_=INTEGER))
    return text(sql).bindparams(*parameters).columns(column("endpoint_id", TEXT))


_NOW: Final = {POSTGRES: "CAST(:now AS timestamptz)", SQLITE: ":now"}
_LEAST: Final = {POSTGRES: "least", SQLITE: "min"}
PLAN_DELIVERIES: Final = {
    dialect: _planning(
        f"""
        UPDATE webhook_deliveries
        SET due_at = {now} + (due_at - planned_at), planned_at = {now},
            created_at = {_LEAST[dialect]}(created_at, {now})
        WHERE {_among(dialect, "id", "webhook_deliveries")}
        RETURNING endpoint_id
        """  # noqa: S608 - as above.
    )
    for dialect, now in _NOW.items()
}
PLAN_QUEUES: Final = {
    dialect: _planning(
        f"""
        UPDATE webhook_queues SET due_at = {_LEAST[dialect]}(due_at, {now}), planned_at = {now}
        WHERE {_among(dialect, "endpoint_id", "webhook_queues")}
        RETURNING endpoint_id
        """  # noqa: S608 - as above.
    )
    for dialect, now in _NOW.items()
}


class SqlDeliveryPlans(SqlDeliveryQueues):
    """See the port."""

    @override
    async def plan_anew(self, *, now: datetime, limit: int) -> Collection[EndpointId]:
        of: dict[str, Any] = {"now": now, "ahead": now + AHEAD_MAX, "limit": limit}
        [[any_ahead]] = await self._transactions.read(ANY_AHEAD, {"ahead": of["ahead"]})
        if not any_ahead:
            return ()

        async def plan_deliveries(transaction: DatabaseTransaction) -> set[EndpointId]:
            rows = await transaction.rows(PLAN_DELIVERIES[self._dialect], of)
            endpoint_ids = {EndpointId(row.endpoint_id) for row in rows}
            if endpoint_ids:
                # A lease that is given back meanwhile waits for this, or this for it: see the fan-out.
                due = [(endpoint_id, now, now) for endpoint_id in sorted(endpoint_ids)]
                await transaction.change(MAKE_DUE[self._dialect], given_rows(self._dialect, NEW_QUEUE, due))
            return endpoint_ids

        async def plan_queues(transaction: DatabaseTransaction) -> list[Found]:
            return list(await transaction.rows(PLAN_QUEUES[self._dialect], of))

        endpoint_ids = await self._transactions.write(plan_deliveries)
        # A transaction of its own: its rows are locked in another order, and it waits for none of them.
        return endpoint_ids | {EndpointId(row.endpoint_id) for row in await self._transactions.write(plan_queues)}
